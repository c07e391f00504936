/** Whole numbers as they are typed, and the range that they have to be in. */
import { western } from '$lib/i18n/format';

/** The number that was typed, in the digits of any language; `null` for what is none. */
export function readWhole(text: string): number | null {
  const digits = western(text).trim();
  return /^\d{1,9}$/.test(digits) ? Number(digits) : null;
}

/** What a typed text becomes when its field is left: itself, or the nearest that may be, or what was there before. */
export function putRight(text: string, before: number, min: number, max: number): { value: number; changed: boolean } {
  const typed = readWhole(text);
  const value = typed === null ? before : Math.min(max, Math.max(min, typed));
  return { value, changed: typed !== value };
}
