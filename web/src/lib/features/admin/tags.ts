/** Languages of sounds: `*` is every language. */
const TAG = /^(\*|[a-z]{2,3}(-[A-Za-z0-9]{1,8})*)$/;

/** Whether a text is the tag of a language (BCP 47), and not its name. */
export function isTag(text: string): boolean {
  return TAG.test(text);
}
