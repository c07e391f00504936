/** Numbers as they are dialled. */
import type { NumberRow, Reach } from '$lib/api';
import { western } from '$lib/i18n/format';

/** What only guides the eye: blanks, and marks of direction as they come with a copied number. */
const UNSEEN = /[\s\p{Cf}]/gu;
/** What people group digits with. */
const GROUPING = /[().,/\\[\]·\u2212\p{Pd}]/gu;
/** What the server can dial: its `DialString`. */
const DIALABLE = /^[0-9A-Za-z+*#._-]{1,64}$/;

/** A number as the server keeps it, however it was written; `null` for what cannot be dialled. */
export function dialString(typed: string): string | null {
  const seen = western(typed.normalize('NFKC')).replace(UNSEEN, '');
  // The name of a telephone keeps its dots and hyphens.
  const number = /[A-Za-z]/.test(seen) ? seen : seen.replace(GROUPING, '');
  return DIALABLE.test(number) ? number : null;
}

/** What a SIP phone dials to reach a number of the company. */
export function sipAddress({ dialled }: Pick<NumberRow, 'dialled'>, { sip, domain }: Reach): string {
  return `sip:${dialled}@${domain ?? sip}`;
}
