import type { Consult, ConsultOutcome, Fact, Named } from '$lib/api';
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

/** Who hears whom while a colleague rings or is on the line; `guest` is that colleague. */
export function consultWord({ agent, colleague, joined_at, conference, hand_over }: Consult, guest: boolean): string {
  const name = guest ? agent.name : colleague.name;
  if (!joined_at) return hand_over ? m.consult_sends({ name }) : m.consult_rings({ name });
  return conference ? m.consult_three({ name }) : m.consult_alone({ name });
}

const MISSED: Partial<Record<ConsultOutcome, (named: { name: string }) => string>> = {
  declined: m.consult_declined, no_answer: m.consult_no_answer, device_lost: m.consult_device_lost, not_rung: m.consult_not_rung, over: m.consult_over
};

/** How it came that the colleague is not there. */
export function missedWord({ colleague, outcome }: { colleague: Named; outcome: ConsultOutcome }): string {
  return MISSED[outcome]?.({ name: colleague.name }) ?? m.state_hold();
}
