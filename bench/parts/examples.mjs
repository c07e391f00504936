// Figures of the crates' own measuring programs: each measures beside its floor in one process.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { elsewhere } from '../lib/host.mjs';
import { run } from '../../e2e/lib/program.mjs';
import { atReference } from '../lib/reference.mjs';

/** Runs a measuring program and gives what it printed, or the figures that are missing. */
async function example({ bin, pinned = true }, name, args, goals, read) {
  const program = join(bin, 'examples', name);
  const none = (missing) => goals.map(([goal, title]) => ({ goal, name: title, missing }));
  if (!existsSync(program)) return none(`the program ${name} is not built`);
  const command = pinned ? elsewhere(program, args) : [program, args];
  const { stdout } = await run(...command, { timeoutMs: 300_000 });
  return read((pattern) => {
    const found = pattern.exec(stdout);
    if (!found) throw new Error(`${name} printed no ${pattern}:\n${stdout}`);
    return Number(found[1]);
  });
}

const PLANE = [['G1', 'relayed packet'], ['G2', 'recorded packet'], ['G6', 'packet of music']];

/** The media plane beside the plain relay. Its threads under test and its peers need both cores. */
export const plane = {
  goals: ['G1', 'G2', 'G6'],
  run: ({ bin, quick }) => {
    const args = quick ? ['50', '1'] : ['200', '5'];
    // With 200 calls; judged as if they were 100, which is stricter.
    return example({ bin, pinned: false }, 'relay_floor', args, PLANE, (number) => {
      const [floor, relay] = [number(/^floor\s+([\d.]+)/m), number(/^relay\s+([\d.]+)/m)];
      const [recorded, music] = [number(/^recorded\s+([\d.]+)/m), number(/^music\s+([\d.]+)/m)];
      const unit = 'us CPU';
      return [
        { goal: 'G1', name: 'relayed packet', value: relay, floor, unit, most: 1.7, by: 'ratio', reference: 'Asterisk 24-28 us, rtpengine in user space 11.9-12.8 us, floor 4.0-5.2 us' },
        { goal: 'G2', name: 'recorded packet', value: recorded, floor: relay, unit, most: 1.5, by: 'ratio', note: 'the floor is our own relay', reference: 'Asterisk with MixMonitor 61-69 us' },
        { goal: 'G6', name: 'packet of music', value: music, ...atReference(6, 'us', floor, 100), reference: 'Asterisk 49-64 us' }
      ];
    });
  }
};

/** What a browser leg adds to the sockets that any leg needs. */
export const browser = {
  goals: ['G10'],
  run: ({ bin, quick }) => {
    const args = quick ? ['10', '100'] : ['100', '1000'];
    return example({ bin }, 'browser_cost', args, [['G10', 'WebRTC leg per tick']], (number) => {
      const floor = number(/one send_to and one recv_from: (\d+) ns/);
      const value = floor + number(/without sockets: (\d+) ns per tick/);
      return [{ goal: 'G10', name: 'WebRTC leg per tick', value, floor, unit: 'ns CPU', most: 2, by: 'ratio', note: 'the floor is a plain leg: one send_to and one recv_from' }];
    });
  }
};

/** The real writer of the journal. */
export const journal = {
  goals: ['G9'],
  run: ({ bin }) =>
    example({ bin }, 'journal_rate', [], [['G9', 'event rows kept']], (number) => [
      { goal: 'G9', name: 'event rows kept', value: number(/journal_rows_per_s (\d+)/), unit: 'rows/s', least: 20_000 },
      { goal: 'G9', name: 'slowest acknowledgement', value: number(/slowest_acknowledgement_ms ([\d.]+)/), unit: 'ms' }
    ])
};

/** The cell alone: does a decision cost more among many agents? */
export const growth = {
  goals: ['G5'],
  run: ({ bin }) =>
    example({ bin }, 'decisions', [], [['G5', 'decision, 1,000 agents']], (number) => [
      { goal: 'G5', name: 'decision, 1,000 agents', value: number(/^1000 agents.*: ([\d.]+) us/m), floor: number(/^100 agents.*: ([\d.]+) us/m), unit: 'us CPU', most: 1.3, by: 'ratio', note: 'per distributed call in the cell alone; the floor is the same with 100 agents', reference: 'Asterisk 5.0-8.0 ms with 100, 9.5-11.6 ms with 400 agents, whole program' }
    ])
};
