/** What the telephone's line is, in a few words for the bar. */
import { telephone, type Line } from '$lib/features/session/telephone.svelte';
import { m } from '$lib/i18n';

const WORDS: Record<Line, () => string> = {
  off: m.line_off, asking: m.line_asking, connecting: m.line_connecting, up: m.line_up, lost: m.line_lost,
  denied: m.line_denied, no_microphone: m.line_no_microphone,
  taken: () => (telephone.takenBy === 'tab' ? m.line_taken() : m.line_taken_elsewhere())
};

export function lineWord(line: Line): string {
  return telephone.insecure ? m.line_insecure() : WORDS[line]();
}
