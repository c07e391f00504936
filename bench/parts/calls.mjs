// G3 and G4: calls that are set up to an agent and torn down, at rising rates and at twice the most.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Program } from '../../e2e/lib/program.mjs';
import { within } from '../../e2e/lib/wait.mjs';
import { Centre } from '../lib/centre.mjs';
import { meter, pin } from '../lib/host.mjs';
import { Callers, Phones, Sipp, hasSipp } from '../lib/load.mjs';
import { atReference, relayUs } from '../lib/reference.mjs';

/** More failures than this share end the ladder. */
const FAILED_MOST = 0.001;
/** A generator that began calls later than this was itself too slow. */
const LATE_MOST_MS = 250;
const LIMIT_MS = 120_000;
/** The goal for a call with two legs, ms CPU. */
const CALL_MS = 1;

/** One step: every call goes to an agent, who hangs up at once. */
async function step(centre, phones, rate, seconds) {
  const before = phones.calls.length;
  const used = meter(centre.pid);
  const callers = new Callers(centre.target, { rate, seconds, patience: '20s' });
  const result = await callers.results(LIMIT_MS);
  const { cpu_ms, wall_ms } = used();
  await centre.empty();
  const served = phones.calls.length - before;
  return { ...result, rate, served, cpu_ms, ms_per_call: cpu_ms / Math.max(1, served), busy: cpu_ms / wall_ms };
}

const good = (step) => step.calls - step.served <= step.calls * FAILED_MOST;

export const calls = {
  goals: ['G3', 'G4'],
  async run({ bin, quick, say }) {
    const rates = quick ? [10, 20] : [50, 100, 150, 200, 300, 400, 600];
    const seconds = quick ? 3 : 8;
    const phones = await Phones.start(quick ? 10 : 100, ['--talk', '0ms']);
    const centre = await Centre.open({ addresses: phones.addresses }).catch(async (error) => {
      await phones.stop();
      throw error;
    });
    try {
      const steps = [];
      const alone = await stack(bin, rates[1], seconds);
      await step(centre, phones, rates[0], 2);
      let before = await relayUs(bin);
      for (const rate of rates) {
        const seen = await step(centre, phones, rate, seconds);
        const after = await relayUs(bin);
        const one = { ...seen, relay_us: Math.min(before, after), alone };
        before = after;
        say(`${rate}/s: ${one.served} of ${one.calls} served, ${one.ms_per_call.toFixed(2)} ms, ends ${JSON.stringify(one.ends)}`);
        steps.push(one);
        if (!good(one) || one.begun_late_ms > LATE_MOST_MS) break;
      }
      const most = steps.findLast((one) => good(one) && one.begun_late_ms <= LATE_MOST_MS);
      return [...steps.map(ladder), ...(await overload(centre, phones, most, steps.at(-1), seconds, say))];
    } finally {
      await centre.close();
      await phones.stop();
    }
  }
};

/** Our SIP stack alone joining two legs, without floor, journal or media: ms of CPU per call. */
async function stack(bin, rate, seconds) {
  const file = join(bin, 'examples/load');
  if (!existsSync(file)) return undefined;
  const phones = await Phones.start(1, ['--talk', '0ms']);
  const exchange = new Program(file, ['127.0.0.1:0', String(rate * seconds), phones.addresses[0]]);
  try {
    const line = await exchange.line('its address', (text) => text.startsWith('listening on '), 10_000);
    await pin(exchange.pid);
    await new Callers(`sip:1@${line.slice('listening on '.length)}`, { rate, seconds }).results(LIMIT_MS);
    await within('end of the exchange', exchange.ended, 10_000);
    return Number(/(\d+) us per call/.exec(exchange.lines.join('\n'))[1]) / 1_000;
  } finally {
    exchange.kill('SIGKILL');
    await phones.stop();
  }
}

const REFERENCE = { 50: '4.4', 100: '3.4', 150: '3.4', 200: '4.2', 300: '4.3' };

function ladder(one) {
  const name = `two-leg call, ${one.rate}/s`;
  if (one.begun_late_ms > LATE_MOST_MS) return { goal: 'G3', name, missing: `the callers were ${one.begun_late_ms} ms late: the generator is the limit` };
  if (!good(one)) return { goal: 'G3', name, missing: `only ${one.served} of ${one.calls} calls reached an agent` };
  const reference = REFERENCE[one.rate] && `Asterisk ${REFERENCE[one.rate]} ms`;
  const goal = atReference(CALL_MS, 'ms', one.relay_us);
  const alone = one.alone ? `; our SIP stack alone ${one.alone.toFixed(2)} ms` : '';
  const note = `${goal.note}${alone}; answered p99 ${one.answer_ms_p99.toFixed(1)} ms, house at ${(100 * one.busy).toFixed(0)} % of a core`;
  return { goal: 'G3', name, value: one.ms_per_call, ...goal, reference, note };
}

/** Twice the rate that went well: what is still served, and how the rest is refused. */
async function overload(centre, phones, most, last, seconds, say) {
  const none = (missing) => [{ goal: 'G4', name: 'goodput at twice the most', missing }];
  if (!most) return none('no rate of the ladder went well');
  if (last === most) return none(`the ladder ended at ${most.rate}/s without finding the most`);
  if (last.begun_late_ms > LATE_MOST_MS) return none('the generator is slower than the house on this machine');
  const twice = await step(centre, phones, most.rate * 2, seconds);
  say(`${twice.rate}/s: ${twice.served} served, ends ${JSON.stringify(twice.ends)}`);
  const note = `most ${most.rate}/s, offered ${twice.rate}/s`;
  return [
    { goal: 'G4', name: 'goodput at twice the most', value: twice.served, floor: most.served, unit: 'calls', least: 0.9, by: 'ratio', note },
    { goal: 'G4', name: 'refused within, p99', value: twice.refuse_ms_p99, unit: 'ms', most: 50 },
    { goal: 'G4', name: 'answered within, p99', value: twice.answer_ms_p99, unit: 'ms', most: 200 }
  ];
}

/** The same with an independent caller and callee. The caller stays long enough to reach an agent. */
export const independent = {
  goals: ['G3'],
  async run({ bin, quick, say }) {
    const rate = quick ? 10 : 100;
    const name = `two-leg call by SIPp, ${rate}/s`;
    if (!hasSipp()) return [{ goal: 'G3', name, missing: 'sipp is not on this machine' }];
    const count = rate * (quick ? 3 : 8);
    const goal = atReference(CALL_MS, 'ms', await relayUs(bin));
    const callee = await Sipp.start('uas_answer.xml', []);
    let centre;
    let caller;
    try {
      // All agents at one address: SIPp plays every one of them.
      const agents = quick ? 10 : 100;
      centre = await Centre.open({ addresses: Array(agents).fill(callee.address) });
      const { number, sip } = centre.house;
      const used = meter(centre.pid);
      const load = ['-s', number, '-r', String(rate), '-m', String(count), '-d', '500', '-timeout', '60'];
      caller = await Sipp.start('uac_call.xml', load, [sip]);
      const { ok, failed } = await caller.result(LIMIT_MS);
      await centre.empty();
      const { cpu_ms } = used();
      const rows = (await centre.house.get('/api/v1/calls?limit=200')).items;
      const reached = rows.filter((row) => row.agent).length;
      say(`${ok} ok, ${failed} failed, of the last ${rows.length} ${reached} reached an agent`);
      if (failed > count * FAILED_MOST || reached < rows.length) {
        return [{ goal: 'G3', name, missing: `${failed} of ${count} calls failed, ${reached} of the last ${rows.length} reached an agent` }];
      }
      return [{ goal: 'G3', name, value: cpu_ms / ok, ...goal, note: `${goal.note}; half a second up, music to the caller included until the agent answers`, reference: 'Asterisk 3.4 ms' }];
    } finally {
      await caller?.stop();
      await centre?.close();
      await callee.stop();
    }
  }
};
