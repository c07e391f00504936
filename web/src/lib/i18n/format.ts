/** Numbers, clocks and dates in the language of the screen. Pure: the language is an argument. */
import type { Locale } from '$lib/paraglide/runtime';

export interface Place {
  locale: Locale;
  /** IANA zone in which the company lives. */
  zone: string;
  gregorian: boolean;
}

const TAGS: Record<Locale, string> = { en: 'en-GB', fa: 'fa-IR-u-ca-persian-nu-arabext' };
const TAGS_GREGORIAN: Record<Locale, string> = { en: 'en-GB', fa: 'fa-IR-u-ca-gregory-nu-arabext' };

function tag(place: Place): string {
  return (place.gregorian ? TAGS_GREGORIAN : TAGS)[place.locale];
}

/** Replaces the digits of text by those of the language; Latin words keep theirs (AX-500). */
export function digits(text: string, locale: Locale): string {
  if (locale !== 'fa') return text;
  return text.replace(/[A-Za-z][-\w]*|\d/g, (part) =>
    /^\d$/.test(part) ? String.fromCharCode(0x6f0 + Number(part)) : part
  );
}

/** Text with the digits of Persian and Arabic as those that programs read. */
export function western(text: string): string {
  return text.replace(/[\u06f0-\u06f9\u0660-\u0669]/g, (digit) => String((digit.codePointAt(0) ?? 0) & 0xf));
}

export function number(value: number, place: Place, options: Intl.NumberFormatOptions = {}): string {
  return new Intl.NumberFormat(tag(place), options).format(value);
}

/** Seconds as `4:12` or `1:04:12`. */
export function duration(seconds: number, locale: Locale): string {
  const whole = Math.max(0, Math.round(seconds));
  const h = Math.floor(whole / 3600);
  const m = Math.floor((whole % 3600) / 60);
  const s = String(whole % 60).padStart(2, '0');
  return digits(h > 0 ? `${h}:${String(m).padStart(2, '0')}:${s}` : `${m}:${s}`, locale);
}

/** Seconds with the minutes in two digits, for the big clock: `04:12`. */
export function bigClock(seconds: number, locale: Locale): string {
  const text = duration(seconds, 'en');
  return digits(text.length === 4 ? `0${text}` : text, locale);
}

function format(at: string | number, place: Place, options: Intl.DateTimeFormatOptions): string {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return '';
  return new Intl.DateTimeFormat(tag(place), { timeZone: place.zone, hourCycle: 'h23', ...options }).format(date);
}

/** `10:42` */
export function time(at: string | number, place: Place): string {
  return format(at, place, { hour: '2-digit', minute: '2-digit' });
}

/** `10:42:07` */
export function timeExact(at: string | number, place: Place): string {
  return format(at, place, { hour: '2-digit', minute: '2-digit', second: '2-digit' });
}

/** `Tue 17 Nov 2026`: weekday, day, month, year in every language, which Intl alone does not give. */
export function date(at: string | number, place: Place): string {
  const when = new Date(at);
  if (Number.isNaN(when.getTime())) return '';
  const parts = new Intl.DateTimeFormat(tag(place), { timeZone: place.zone, weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' }).formatToParts(when);
  return (['weekday', 'day', 'month', 'year'] as const).map((type) => parts.find((part) => part.type === type)?.value ?? '').join(' ');
}

/** A day as people choose it: by the year, the month and the day of their calendar. */
export interface CalendarDay {
  /** `2026-11-17` */
  civil: string;
  year: string;
  month: string;
  day: string;
}

/** So many days from a civil date on, in the calendar of the screen. */
export function calendarDays(from: string, count: number, place: Place): CalendarDay[] {
  const format = new Intl.DateTimeFormat(tag(place), { timeZone: 'UTC', day: 'numeric', month: 'long', year: 'numeric' });
  const first = Date.parse(`${from}T12:00:00Z`);
  return Array.from({ length: count }, (_, n) => {
    const at = new Date(first + n * 86_400_000);
    const parts = format.formatToParts(at);
    const of = (type: Intl.DateTimeFormatPartTypes) => parts.find((part) => part.type === type)?.value ?? '';
    return { civil: at.toISOString().slice(0, 10), year: of('year'), month: of('month'), day: of('day') };
  });
}

/** The day of these that fits year, month and day; where a month is shorter or not offered, the next best. */
export function nearestDay(days: CalendarDay[], wanted: Omit<CalendarDay, 'civil'>): CalendarDay | undefined {
  const inYear = days.filter((one) => one.year === wanted.year);
  const inMonth = inYear.filter((one) => one.month === wanted.month);
  return inMonth.find((one) => one.day === wanted.day) ?? inMonth.at(-1) ?? inYear[0];
}

/** `26 mins` or `1 hr 14 mins`: how long something lasts, to read and not to watch. */
export function age(seconds: number, place: Place): string {
  const minutes = Math.max(0, Math.floor(seconds / 60));
  const unit = (value: number, name: 'hour' | 'minute') => number(value, place, { style: 'unit', unit: name, unitDisplay: 'short' });
  if (minutes < 60) return unit(minutes, 'minute');
  return `${unit(Math.floor(minutes / 60), 'hour')} ${unit(minutes % 60, 'minute')}`;
}

/** `17 Nov` */
export function day(at: string | number, place: Place): string {
  return format(at, place, { day: 'numeric', month: 'short' });
}

/** The civil date in the zone as `2026-11-17`, to compare days. */
export function civil(at: string | number, zone: string): string {
  return new Intl.DateTimeFormat('en-CA', { timeZone: zone, year: 'numeric', month: '2-digit', day: '2-digit' }).format(new Date(at));
}

/** The UTC time at which a civil date begins in a zone. */
export function startOfDay(civilDate: string, zone: string): string {
  const guess = Date.parse(`${civilDate}T00:00:00Z`);
  // Twice, because the offset at the guess may differ from the one at the answer.
  let at = guess - offsetMs(guess, zone);
  at = guess - offsetMs(at, zone);
  return new Date(at).toISOString();
}

function offsetMs(at: number, zone: string): number {
  const parts = new Intl.DateTimeFormat('en-CA', {
    timeZone: zone, hourCycle: 'h23', year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit'
  }).formatToParts(new Date(at));
  const of = (type: string) => Number(parts.find((part) => part.type === type)?.value ?? 0);
  return Date.UTC(of('year'), of('month') - 1, of('day'), of('hour'), of('minute'), of('second')) - Math.floor(at / 1000) * 1000;
}

/** Left to right and in one piece, also within a sentence that reads from right to left. */
export function isolated(text: string): string {
  return `\u2066${text.replaceAll(' ', '\u00a0')}\u2069`;
}

/** A telephone number with thin groups: `+30 210 555 0142`. Only the spacing changes. */
export function phoneNumber(raw: string): string {
  const match = /^\+(\d{6,15})$/.exec(raw);
  if (!match) return raw;
  const all = match[1] ?? '';
  const code = /^(1|7|2[07]|3[0123469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58])/.exec(all)?.[0] ?? all.slice(0, 3);
  const rest = all.slice(code.length);
  const groups: string[] = [];
  let end = rest.length;
  const sizes = [4, 3, 3, 3, 3];
  for (const size of sizes) {
    if (end <= 0) break;
    groups.unshift(rest.slice(Math.max(0, end - size), end));
    end -= size;
  }
  return `+${code} ${groups.join(' ')}`;
}
