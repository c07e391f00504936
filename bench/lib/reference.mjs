// How fast this machine is now, against the one on which the goals in absolute CPU were set.
//
// Machines differ, and a rented one differs from itself an hour ago, by a factor of five. A goal of
// so many ms is therefore judged beside the plain relay of the same minute.

import { join } from 'node:path';
import { run } from '../../e2e/lib/program.mjs';

/** The plain relay with one socket a leg and 400 calls, on the machine of the goals: us CPU per packet. */
export const RELAY_US = 4.68;
const CALLS = 400;
const SECONDS = 2;

/** What a packet of the plain relay costs here and now, us CPU. */
async function relayUs(bin) {
  const { stdout } = await run(join(bin, 'examples/relay_floor'), [String(CALLS), String(SECONDS), 'floor'], { timeoutMs: 60_000 });
  return Number(/^floor\s+([\d.]+)/m.exec(stdout)[1]);
}

/** So many times longer than there the same work takes here. */
export async function slowness(bin) {
  return (await relayUs(bin)) / RELAY_US;
}

/** The parts of a figure whose goal is `most` of CPU on the machine of the goals. */
export function atReference(most, unit, slow) {
  const note = `the floor is ${most} ${unit} of the machine where the plain relay takes ${RELAY_US} us a packet; here it takes ${(slow * RELAY_US).toFixed(1)} us`;
  return { unit: `${unit} CPU`, floor: most * slow, most: 1, by: 'ratio', note };
}
