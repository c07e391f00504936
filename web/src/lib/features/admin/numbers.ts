/** Numbers as they are dialled. */
import type { NumberRow, Reach } from '$lib/api';
import { western } from '$lib/i18n/format';

/** A number as the server keeps it: without the blanks, brackets and hyphens that people write it with. */
export function dialString(typed: string): string {
  return western(typed).replace(/[\s()-]/g, '');
}

/** What a SIP phone dials to reach a number of the company. */
export function sipAddress({ dialled }: Pick<NumberRow, 'dialled'>, { sip, domain }: Reach): string {
  return `sip:${dialled}@${domain ?? sip}`;
}
