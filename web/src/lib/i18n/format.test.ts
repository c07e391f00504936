import { describe, expect, it } from 'vitest';
import { age, bigClock, calendarDays, civil, date, digits, duration, isolated, nearestDay, number, phoneNumber, startOfDay, time, type Place } from './format';

const EN: Place = { locale: 'en', zone: 'Europe/Athens', gregorian: false };
const FA: Place = { locale: 'fa', zone: 'Asia/Tehran', gregorian: false };

describe('clocks', () => {
  it('shows minutes and seconds, hours only when there are any', () => {
    expect(duration(0, 'en')).toBe('0:00');
    expect(duration(252, 'en')).toBe('4:12');
    expect(duration(3852, 'en')).toBe('1:04:12');
    expect(duration(-3, 'en')).toBe('0:00');
    expect(bigClock(252, 'en')).toBe('04:12');
  });

  it('uses Persian digits, but not inside Latin words', () => {
    expect(duration(252, 'fa')).toBe('۴:۱۲');
    expect(digits('AX-500: 20418', 'fa')).toBe('AX-500: ۲۰۴۱۸');
    expect(digits('20418', 'en')).toBe('20418');
  });

  it('tells an age to read', () => {
    expect(age(1560, EN)).toBe('26 mins');
    expect(age(4440, EN)).toBe('1 hr 14 mins');
  });
});

describe('dates', () => {
  const at = '2026-11-17T08:42:07Z';

  it('follow the zone of the company', () => {
    expect(time(at, EN)).toBe('10:42');
    expect(date(at, EN)).toBe('Tue 17 Nov 2026');
  });

  it('follow the Persian calendar, or the Gregorian one when asked', () => {
    expect(date(at, FA)).toBe('سه‌شنبه ۲۶ آبان ۱۴۰۵');
    expect(date(at, { ...FA, gregorian: true })).toContain('۲۰۲۶');
    expect(number(3412.5, FA)).toBe('۳٬۴۱۲٫۵');
  });

  it('find the midnight of a civil day, also where the clock changes', () => {
    expect(startOfDay('2026-11-24', 'Europe/Athens')).toBe('2026-11-23T22:00:00.000Z');
    expect(startOfDay('2026-07-01', 'Europe/Athens')).toBe('2026-06-30T21:00:00.000Z');
    expect(startOfDay('2026-10-25', 'Europe/Athens')).toBe('2026-10-24T21:00:00.000Z');
    expect(civil('2026-11-23T22:30:00Z', 'Europe/Athens')).toBe('2026-11-24');
  });

  it('gives nothing for what is no time', () => {
    expect(date('never', EN)).toBe('');
  });
});

describe('telephone numbers', () => {
  it('are spaced and otherwise untouched', () => {
    expect(phoneNumber('+302105550142')).toBe('+30 210 555 0142');
    expect(phoneNumber('+37052550187')).toBe('+370 5 255 0187');
    expect(phoneNumber('204')).toBe('204');
    expect(phoneNumber('anonymous')).toBe('anonymous');
    expect(phoneNumber('+302105550142').replace(/ /g, '')).toBe('+302105550142');
  });
});

describe('days to choose from', () => {
  it('are those of the calendar of the screen', () => {
    expect(calendarDays('2026-12-31', 2, EN)).toEqual([{ civil: '2026-12-31', year: '2026', month: 'December', day: '31' }, { civil: '2027-01-01', year: '2027', month: 'January', day: '1' }]);
    // Nowruz of 1406 is 21 March 2027.
    expect(calendarDays('2027-03-20', 2, FA)).toEqual([{ civil: '2027-03-20', year: '۱۴۰۵', month: 'اسفند', day: '۲۹' }, { civil: '2027-03-21', year: '۱۴۰۶', month: 'فروردین', day: '۱' }]);
  });

  it('give the next best where a month is shorter or over', () => {
    const days = calendarDays('2026-03-10', 400, EN);
    expect(nearestDay(days, { year: '2026', month: 'April', day: '31' })?.civil).toBe('2026-04-30');
    expect(nearestDay(days, { year: '2026', month: 'January', day: '5' })?.civil).toBe('2026-03-10');
    expect(nearestDay(days, { year: '2027', month: 'January', day: '5' })?.civil).toBe('2027-01-05');
  });
});

it('keeps a number in one piece within a sentence from right to left', () => {
  expect(isolated('+30 210 555 0142')).toBe('\u2066+30\u00a0210\u00a0555\u00a00142\u2069');
});
