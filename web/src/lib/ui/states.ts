/** One word and one icon for each agent state, everywhere. */
import type { Component } from 'svelte';
import type { AgentStateName, Outcome } from '$lib/api';
import { m } from '$lib/i18n';
import BellRing from '@lucide/svelte/icons/bell-ring';
import Circle from '@lucide/svelte/icons/circle';
import CircleAlert from '@lucide/svelte/icons/circle-alert';
import Coffee from '@lucide/svelte/icons/coffee';
import Pause from '@lucide/svelte/icons/pause';
import PenLine from '@lucide/svelte/icons/pen-line';
import Phone from '@lucide/svelte/icons/phone';
import Unplug from '@lucide/svelte/icons/unplug';

export const STATE_ICONS: Record<AgentStateName, Component<any>> = {
  signed_out: Circle,
  break: Coffee,
  did_not_answer: CircleAlert,
  no_device: Unplug,
  ready: Circle,
  offered: BellRing,
  talking: Phone,
  hold: Pause,
  wrap_up: PenLine
};

const WORDS: Record<AgentStateName, () => string> = {
  signed_out: m.state_signed_out,
  break: m.state_break,
  did_not_answer: m.state_did_not_answer,
  no_device: m.state_no_device,
  ready: m.state_ready,
  offered: m.state_offered,
  talking: m.state_talking,
  hold: m.state_hold,
  wrap_up: m.state_wrap_up
};

export function stateWord(state: AgentStateName): string {
  return WORDS[state]();
}

const OUTCOMES: Record<Outcome, () => string> = {
  handled: m.outcome_handled,
  abandoned: m.outcome_abandoned,
  left_in_flow: m.outcome_left_in_flow,
  flow_ended: m.outcome_flow_ended,
  refused: m.outcome_refused,
  failed: m.outcome_failed
};

export function outcomeWord(outcome: Outcome): string {
  return OUTCOMES[outcome]();
}

export const OUTCOME_NAMES = Object.keys(OUTCOMES) as Outcome[];
