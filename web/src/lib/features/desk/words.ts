import { language, m } from '$lib/i18n';

/** The name of a language in the language of the screen. */
export function languageName(tag: string): string {
  try {
    return new Intl.DisplayNames([language.locale], { type: 'language' }).of(tag) ?? tag;
  } catch {
    return tag;
  }
}

const CONSENT: Record<string, () => string> = { unasked: m.consent_unasked, given: m.consent_given, refused: m.consent_refused };

export function consentWord(consent: string): string {
  return CONSENT[consent]?.() ?? consent;
}
