import { m } from '$lib/paraglide/messages';
import { session } from '$lib/features/session/session.svelte';
import { clock } from '$lib/live';
import * as format from './format';
import { language } from './locale.svelte';

export { m, language };
export { civil, nearestDay, western, type CalendarDay } from './format';
export { LANGUAGE_NAMES, locales, type Locale } from './locale.svelte';

function place(): format.Place {
  return { locale: language.locale, zone: session.zone, gregorian: language.gregorian };
}

/** Formats in the language, calendar and zone of this screen; reactive where it is used. */
export const fmt = {
  num: (value: number, options?: Intl.NumberFormatOptions) => format.number(value, place(), options),
  digits: (text: string) => format.digits(text, language.locale),
  duration: (seconds: number) => format.duration(seconds, language.locale),
  big: (seconds: number) => format.bigClock(seconds, language.locale),
  time: (at: string | number) => format.time(at, place()),
  age: (seconds: number) => format.age(seconds, place()),
  timeExact: (at: string | number) => format.timeExact(at, place()),
  date: (at: string | number) => format.date(at, place()),
  days: (from: string, count: number) => format.calendarDays(from, count, place()),
  dateTime: (at: string | number) => m.date_time({ date: format.date(at, place()), time: format.time(at, place()) }),
  /** The time today, else the day: what a list has room for. */
  short: (at: string) => {
    const { zone } = session;
    return format.civil(at, zone) === format.civil(clock.now, zone) ? format.time(at, place()) : format.day(at, place());
  },
  tel: format.phoneNumber,
  /** A number within a sentence. */
  telInText: (number: string) => (language.dir === 'rtl' ? format.isolated(format.phoneNumber(number)) : format.phoneNumber(number))
};
