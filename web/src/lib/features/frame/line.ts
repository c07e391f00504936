/** What the telephone's line is, in a few words for the bar. */
import type { AgentState } from '$lib/api';
import { desk } from '$lib/features/desk/desk.svelte';
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

/** The same for a SIP telephone. */
export function sipWord({ device, device_up: isUp }: AgentState): string {
  if (device === 'sip') return m.line_sip();
  return isUp ? m.line_phone_up() : m.line_phone_down();
}

/** Whether the sound of a call is the page's: one that began here stays here. */
export function speaksHere(): boolean {
  return !desk.isSip || telephone.line !== 'off';
}
