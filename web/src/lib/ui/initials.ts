/** One or two letters for a face; joined scripts keep theirs apart. */
export function initials(name: string): string {
  const words = name.trim().split(/\s+/);
  const first = [...(words[0] ?? '')][0] ?? '';
  const last = words.length > 1 ? ([...(words.at(-1) ?? '')][0] ?? '') : '';
  const joined = /\p{Script=Arabic}/u.test(first);
  return joined && last ? `${first}\u200c${last}` : `${first}${last}`.toUpperCase();
}
