import type { Fact, LaneKind, SegmentKind } from '$lib/api';
import { consentInside, typedValue } from '$lib/features/desk/words';
import { fmt, m } from '$lib/i18n';
import type { Step } from './ladder';

const LANES: Record<LaneKind, () => string> = { customer: m.customer, flow: m.lane_flow, queue: m.queue, agent: m.agent };
const KINDS: Record<SegmentKind, () => string> = {
  ring: m.seg_ring, connected: m.seg_connected, node: m.seg_node, waiting: m.seg_waiting, offered: m.seg_offered,
  talking: m.seg_talking, hold: m.state_hold, wrap_up: m.state_wrap_up, lost: m.seg_lost, consult: m.seg_consult
};
const OFFERS: Record<string, () => string> = {
  accepted: m.offer_accepted, declined: m.offer_declined, no_answer: m.offer_no_answer, withdrawn: m.offer_withdrawn, device_lost: m.offer_device_lost, not_rung: m.offer_not_rung, node_failure: m.offer_node_failure,
  over: m.offer_over, handed_over: m.offer_handed_over
};

export function laneWord(lane: LaneKind): string {
  return LANES[lane]();
}

export function kindWord(kind: string): string {
  return KINDS[kind as SegmentKind]?.() ?? kind;
}

/** How an offer ended, in words; empty for what is no offer. */
export function offerWord(detail: string | null): string {
  return detail ? (OFFERS[detail]?.() ?? detail) : '';
}

const MARKS: Record<string, (label: string, fact?: Fact) => string> = {
  chosen: (key, fact) => (fact ? m.step_chosen({ key: fmt.digits(key), label: fact.label }) : m.step_key({ key: fmt.digits(key) })),
  collected: (variable, fact) => (fact ? m.step_typed({ label: fact.label, value: typedValue(fact) }) : m.step_collected({ label: variable })),
  consent: (label) => m.step_consent({ consent: consentInside(label) }),
  recording_started: () => m.step_recording_started(),
  recording_ended: () => m.step_recording_ended(),
  wrap_up_extended: (label) => m.step_wrap_up_extended({ name: label }),
  callback_listed: () => m.step_callback_listed(),
  transferred: (queue) => m.step_transferred({ queue }),
  redirected: (number) => m.step_redirected({ number: fmt.digits(number) }),
  handed_over: (name) => m.step_handed_over({ name })
};

/** What happened, in words. */
export function stepWords(step: Step): string {
  if (step.lane === 'mark') return MARKS[step.kind]?.(step.label, step.fact) ?? step.label;
  if (step.kind === 'node') return m.step_node({ node: step.label });
  if (step.kind === 'offered') return step.detail ? m.step_offered({ name: step.who, how: offerWord(step.detail) }) : m.step_offering({ name: step.who });
  if (step.lane === 'agent') return m.step_agent({ what: kindWord(step.kind), name: step.who });
  if (step.lane === 'queue') return m.step_queue({ queue: step.who });
  return kindWord(step.kind);
}
