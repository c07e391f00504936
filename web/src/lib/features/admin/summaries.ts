/** What a version of the configuration did: the server keeps it in English, in phrases that do not change. */
import { languageName } from '$lib/features/desk/words';
import { fmt, m } from '$lib/i18n';

type Words = (name: string, more: string) => string;

const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** A name in one piece, whichever way it and the sentence around it are read. */
const apart = (name: string) => `\u2068${name}\u2069`;
/** Who is gone has no name any more: the server then gives the id. */
const person = (name: string) => (ID.test(name) ? m.version_somebody() : apart(name));
const sound = (name: string, variant: string) => m.prompt_variant({ name: apart(name), language: variant === '*' ? m.every_language() : languageName(variant) });

const PHRASES: [RegExp, Words][] = [
  [/^add queue (.+)$/, (name) => m.version_queue_added({ name: apart(name) })],
  [/^change queue (.+)$/, (name) => m.version_queue_changed({ name: apart(name) })],
  [/^remove queue (.+)$/, (name) => m.version_queue_removed({ name: apart(name) })],
  [/^add user (.+)$/, (name) => m.version_user_added({ name: person(name) })],
  [/^change user (.+)$/, (name) => m.version_user_changed({ name: person(name) })],
  [/^remove user (.+)$/, (name) => m.version_user_removed({ name: person(name) })],
  [/^new telephone secret of user (.+)$/, (name) => m.version_phone_secret({ name: person(name) })],
  [/^add flow (.+)$/, (name) => m.version_flow_added({ name: apart(name) })],
  [/^draft flow (.+)$/, (name) => m.version_flow_drafted({ name: apart(name) })],
  [/^publish flow (.+)$/, (name) => m.version_flow_published({ name: apart(name) })],
  [/^lead number (\S+) to a flow$/, (name) => m.version_number_led({ name: fmt.telInText(name) })],
  [/^remove number (\S+)$/, (name) => m.version_number_removed({ name: fmt.telInText(name) })],
  [/^record prompt (.+) \(([^()]+)\)$/, (name, variant) => m.version_prompt_recorded({ name: sound(name, variant) })],
  [/^remove prompt (.+) \(([^()]+)\)$/, (name, variant) => m.version_prompt_removed({ name: sound(name, variant) })],
  [/^change dispositions$/, () => m.version_dispositions()],
  [/^change break reasons$/, () => m.version_break_reasons()],
  [/^change opening hours$/, () => m.version_hours()],
  [/^change the company$/, () => m.version_company()],
  [/^first prompts and flow$/, () => m.version_first()],
  [/^an account was added$/, () => m.version_account()]
];

/** A summary in the language of the screen; one that is none of the phrases is shown as it is. */
export function summaryWords(summary: string): string {
  for (const [phrase, words] of PHRASES) {
    const found = phrase.exec(summary);
    if (found) return words(found[1] ?? '', found[2] ?? '');
  }
  return summary;
}
