import type { Fact } from '$lib/api';
import { fmt, language, m } from '$lib/i18n';

/** The name of a language in the language of the screen. */
export function languageName(tag: string): string {
  try {
    return new Intl.DisplayNames([language.locale], { type: 'language' }).of(tag) ?? tag;
  } catch {
    return tag;
  }
}

/** The digits that a caller typed; of a secret only how many, which a reader of the screen says too. */
export function typedValue(fact: Fact): string {
  return fact.secret ? m.fact_hidden({ n: fmt.num([...fact.value].length) }) : fmt.digits(fact.value);
}

/** What one minute more of wrap-up is. */
export const MORE_TIME_S = 60;

/** Why an agent gives an offer back. */
export const DECLINE_REASONS = [
  { code: 'not_prepared', word: m.decline_not_prepared },
  { code: 'cannot_help', word: m.decline_cannot_help },
  { code: 'technical', word: m.decline_technical },
  { code: 'other', word: m.decline_other }
];

const CONSENT: Record<string, () => string> = { unasked: m.consent_unasked, given: m.consent_given, refused: m.consent_refused };

export function consentWord(consent: string): string {
  return CONSENT[consent]?.() ?? consent;
}

/** The same after a colon. */
export function consentInside(consent: string): string {
  return consentWord(consent).toLocaleLowerCase(language.locale);
}
