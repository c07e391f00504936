// How fast this machine is now, against the one on which the goals in absolute CPU were set.
//
// Machines differ, and a rented one differs from itself an hour ago, by a factor of five. A goal of
// so many ms is therefore judged beside the plain relay of the same minute.

import { join } from 'node:path';
import { run } from '../../e2e/lib/program.mjs';

/** The plain relay with one socket a leg, on the machine of the goals, by calls: us CPU per packet. */
const RELAY_US = { 100: 5.19, 400: 4.68 };
const CALLS = 400;
const SECONDS = 1;
const ROUNDS = 2;

/** What a packet of the plain relay costs here and now, us CPU: the least of some rounds. */
export async function relayUs(bin) {
  const rounds = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const { stdout } = await run(join(bin, 'examples/relay_floor'), [String(CALLS), String(SECONDS), 'floor'], { timeoutMs: 60_000 });
    // Where packets are lost the machine is too busy to tell how fast it is.
    if (!/lost/.test(stdout)) rounds.push(Number(/^floor\s+([\d.]+)/m.exec(stdout)[1]));
  }
  if (rounds.length === 0) throw new Error('the machine is too busy for the plain relay');
  return Math.min(...rounds);
}

/** The parts of a figure whose goal is `most` of CPU on the machine of the goals. */
export function atReference(most, unit, relay_us, calls = CALLS) {
  const there = RELAY_US[calls];
  const note = `the floor is ${most} ${unit} of the machine where the plain relay takes ${there} us a packet; here it takes ${relay_us.toFixed(1)} us`;
  const slow = relay_us / there;
  return { unit: `${unit} CPU`, floor: most * slow, most: 1, by: 'ratio', plain: most, note };
}
