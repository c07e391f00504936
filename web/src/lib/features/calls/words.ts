import type { LaneKind, SegmentKind } from '$lib/api';
import { m } from '$lib/i18n';

const LANES: Record<LaneKind, () => string> = { customer: m.customer, flow: m.lane_flow, queue: m.queue, agent: m.agent };
const KINDS: Record<SegmentKind, () => string> = {
  ring: m.seg_ring, connected: m.seg_connected, node: m.seg_node, waiting: m.seg_waiting, offered: m.seg_offered,
  talking: m.seg_talking, hold: m.state_hold, wrap_up: m.state_wrap_up, lost: m.seg_lost
};
const OFFERS: Record<string, () => string> = {
  accepted: m.offer_accepted, declined: m.offer_declined, no_answer: m.offer_no_answer, withdrawn: m.offer_withdrawn, device_lost: m.offer_device_lost
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
