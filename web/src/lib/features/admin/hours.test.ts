import { expect, it } from 'vitest';
import { fromClock, further, holds, toClock, weekdayName, weekdays } from './hours';

it('reads back what it shows, midnight as the end of a day too', () => {
  for (const minute of [0, 1, 539, 1439]) expect(fromClock(toClock(minute), false)).toBe(minute);
  expect(toClock(1440)).toBe('24:00');
  expect(fromClock('24:00', true)).toBe(1440);
  expect(fromClock('24:00', false)).toBeNull();
  expect(fromClock('00:00', true)).toBe(1440);
  expect(fromClock('', true)).toBeNull();
});

it('reads times as people type them, in the digits of any language', () => {
  expect(['8', '8:30', '0830', '830', '8.30', '۸:۳۰', '٠٨:٣٠'].map((text) => fromClock(text, false))).toEqual([480, 510, 510, 510, 510, 510, 510]);
  expect(['25', '8:60', '24:01', 'noon', '8:3', '-1'].map((text) => fromClock(text, true))).toEqual([null, null, null, null, null, null]);
});

it('knows hours in order from hours over each other', () => {
  expect(holds([])).toBe(true);
  expect(holds([{ from_min: 540, until_min: 720 }, { from_min: 720, until_min: 1020 }])).toBe(true);
  expect(holds([{ from_min: 540, until_min: 721 }, { from_min: 720, until_min: 1020 }])).toBe(false);
  expect(holds([{ from_min: 540, until_min: 540 }])).toBe(false);
});

it('adds hours after the last while the day has room', () => {
  expect(further([])).toEqual({ from_min: 540, until_min: 1020 });
  expect(further([{ from_min: 540, until_min: 1320 }])).toEqual({ from_min: 1380, until_min: 1440 });
  expect(further([{ from_min: 0, until_min: 1440 }])).toBeNull();
});

it('begins the week where the language does', () => {
  expect(weekdayName(weekdays('en')[0] ?? 0, 'en')).toBe('Monday');
  expect(weekdayName(weekdays('fa')[0] ?? 0, 'en')).toBe('Saturday');
});
