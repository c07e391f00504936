// What a call record says, against what those who were there know by their own clocks.

import assert from 'node:assert/strict';
import { CODES, PERIOD_MS } from './voice.mjs';

/** So far may a length in the record lie from that of a telephone: packets on their way, a busy machine. */
const OFF_S_MAX = 0.25;

/** Fails unless a length in seconds is that of somebody's clock; gives how much longer it is, milliseconds. */
export function assertLength(what, said_s, ms) {
  const off = said_s - ms / 1_000;
  assert(Math.abs(off) <= OFF_S_MAX, `${what} is ${said_s} s in the record, ${(ms / 1_000).toFixed(2)} s by who was there`);
  return Math.round(off * 1_000);
}

/** When the first wait of a caller began, by the caller's own ears: when the notice was over that comes before it. */
export function waitBegan({ startsOf }) {
  const [music] = startsOf(CODES.music);
  return startsOf(CODES.menu).filter((ms) => !music || ms < music).at(-1) + PERIOD_MS;
}
