/** Opening hours as they are typed: minutes after midnight to `HH:MM` and back. Midnight at the end is 24:00. */
import type { Interval } from '$lib/api';
import { western } from '$lib/i18n/format';

export const DAY_MIN = 1440;
const OFFICE: Interval = { from_min: 540, until_min: 1020 };

export function toClock(minute: number): string {
  return `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`;
}

/** Minutes of `8`, `8:30`, `0830` or `۸:۳۰`; `end` reads midnight as the end of the day. `null` for what is no time. */
export function fromClock(text: string, end: boolean): number | null {
  const match = /^(\d{1,2})(?:[:.٫٬,h ]?(\d\d))?$/.exec(western(text).trim());
  if (!match) return null;
  const [hours, minutes] = [Number(match[1]), Number(match[2] ?? 0)];
  const minute = hours * 60 + minutes;
  if (minutes > 59 || minute > DAY_MIN || (minute === DAY_MIN && !end)) return null;
  return end && minute === 0 ? DAY_MIN : minute;
}

/** One more interval: office hours on a closed day, else an hour after the last. `null` when the day is full. */
export function further(intervals: Interval[]): Interval | null {
  const last = intervals.at(-1);
  if (!last) return { ...OFFICE };
  const from = last.until_min + 60;
  return from < DAY_MIN ? { from_min: from, until_min: Math.min(DAY_MIN, from + 180) } : null;
}

/** In order, none empty, none over another. */
export function holds(intervals: Interval[]): boolean {
  return intervals.every((one, at) => one.from_min < one.until_min && (at === 0 || (intervals[at - 1]?.until_min ?? 0) <= one.from_min));
}

/** ISO weekdays in the order of a language: Persian weeks begin on Saturday. */
export function weekdays(locale: string): number[] {
  return locale === 'fa' ? [6, 7, 1, 2, 3, 4, 5] : [1, 2, 3, 4, 5, 6, 7];
}

/** The name of an ISO weekday. */
export function weekdayName(day: number, locale: string): string {
  // 1 January 2024 was a Monday.
  return new Intl.DateTimeFormat(locale, { weekday: 'long', timeZone: 'UTC' }).format(Date.UTC(2024, 0, day));
}
