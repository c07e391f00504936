/** Text as it is compared while searching: case, accents and letter variants do not matter. */
export function fold(text: string): string {
  return text
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .replace(/[يى]/g, 'ی')
    .replace(/ك/g, 'ک')
    .replace(/\u200c/g, ' ')
    .toLowerCase();
}

/** Whether each typed word begins a word of the folded text. */
export function matches(folded: string, typed: string): boolean {
  const words = fold(typed).split(/\s+/).filter(Boolean);
  return words.every((word) => ` ${folded}`.includes(` ${word}`));
}
