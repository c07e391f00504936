// G1, G2, G6, G7, G8 of the whole product: many calls that stand, relayed, recorded or waiting.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Centre } from '../lib/centre.mjs';
import { meter, rssKb, threads } from '../lib/host.mjs';
import { Callers, Phones, Sipp, hasSipp } from '../lib/load.mjs';
import { atReference, relayUs } from '../lib/reference.mjs';
import { ROOT } from '../../e2e/lib/program.mjs';
import { pause, until } from '../../e2e/lib/wait.mjs';

const RAMP_PER_S = 40;

/** `count` calls stand for `seconds`; gives CPU per packet sent, memory per call, delays. */
async function stand({ count, seconds, recorded = false, waiting = false }) {
  const phones = waiting ? null : await Phones.start(count, ['--probe']);
  let centre;
  try {
    centre = await Centre.open({ addresses: phones?.addresses ?? [], recorded });
    const { pid } = centre;
    const before = { rss: rssKb(pid), threads: threads(pid) };
    const rate = Math.min(RAMP_PER_S, count);
    const ramp = Math.ceil(count / rate);
    const hold = `${ramp + seconds + 6}s`;
    const callers = new Callers(centre.target, { rate, seconds: ramp, hold, media: true });
    const legs = waiting ? count : 2 * count;
    const standing = async () => (await centre.metric('antiphon_sip_legs')) === legs;
    await until(`${legs} legs`, standing, (ramp + 20) * 1_000);
    await pause(1_500);
    const packets = () => centre.metric('antiphon_media_packets_out_total');
    const [sent, used] = [await packets(), meter(pid)];
    await pause(seconds * 1_000);
    const { cpu_ms, percent } = used();
    const out = (await packets()) - sent;
    const after = { rss: rssKb(pid), threads: threads(pid) };
    const result = await callers.results((ramp + seconds + 60) * 1_000);
    await centre.empty();
    return {
      ...result, out, percent, us_per_packet: (cpu_ms * 1_000) / out,
      kb_per_call: (after.rss - before.rss) / count, threads_more: after.threads - before.threads
    };
  } finally {
    await centre?.close();
    await phones?.stop();
  }
}

const size = ({ quick }) => (quick ? { count: 10, seconds: 3 } : { count: 200, seconds: 10 });

/** Packets that did not arrive make a figure of CPU per packet worthless. */
function sound(goal, name, seen, figure) {
  const share = seen.lost / Math.max(1, seen.heard + seen.lost);
  if (seen.failed > 0) return { goal, name, missing: `${seen.failed} of ${seen.calls} calls failed` };
  if (share > 0.001) return { goal, name, missing: `${(100 * share).toFixed(2)} % of the packets were lost: ${seen.percent.toFixed(0)} % of a core was used` };
  return { goal, name, ...figure };
}

export const relayed = {
  goals: ['G1', 'G7', 'G8'],
  async run(options) {
    const plan = size(options);
    const floor = await relayUs(options.bin);
    const seen = await stand(plan);
    options.say(`${plan.count} calls: ${seen.out} packets, ${seen.percent.toFixed(1)} % of a core, lost ${seen.lost} of ${seen.heard}, p99 ${seen.delay_ms_p99} ms`);
    const direct = await alone(plan);
    const at = `${plan.count} calls at ${seen.percent.toFixed(0)} % of a core`;
    const added = Math.max(0, seen.delay_ms_p99 - direct.delay_ms_p99);
    return [
      sound('G1', 'relayed packet, whole product', seen, { value: seen.us_per_packet, floor, unit: 'us CPU', most: 1.7, by: 'ratio', note: at, reference: 'Asterisk 24-28 us' }),
      { goal: 'G7', name: 'memory per relayed call', value: seen.kb_per_call, unit: 'kB', most: 60, reference: 'Asterisk 360 kB and 2 threads' },
      { goal: 'G7', name: 'threads more with calls', value: seen.threads_more, unit: 'threads', most: 0 },
      { goal: 'G8', name: 'delay added by the relay, p99', value: added, unit: 'ms', most: 5, note: `${at}; ${seen.delay_ms_p99} ms through the house, ${direct.delay_ms_p99} ms without it` },
      { goal: 'G8', name: 'packets lost', value: seen.lost, unit: 'packets', most: 0 }
    ];
  }
};

/** The same telephones without the house between them: what the delay is made of otherwise. */
async function alone({ count, seconds }) {
  const phones = await Phones.start(1, ['--probe']);
  try {
    const few = Math.min(count, RAMP_PER_S);
    const callers = new Callers(`sip:1@${phones.addresses[0]}`, { rate: few, seconds: 1, hold: `${seconds}s`, media: true });
    return await callers.results((seconds + 60) * 1_000);
  } finally {
    await phones.stop();
  }
}

export const recorded = {
  goals: ['G2', 'G7'],
  async run(options) {
    const plan = size(options);
    const floor = await stand(plan);
    const seen = await stand({ ...plan, recorded: true });
    options.say(`${plan.count} calls: ${seen.percent.toFixed(1)} % of a core, lost ${seen.lost} of ${seen.heard}; not recorded ${floor.percent.toFixed(1)} %`);
    return [
      sound('G2', 'recorded packet, whole product', seen, { value: seen.us_per_packet, floor: floor.us_per_packet, unit: 'us CPU', most: 1.5, by: 'ratio', note: 'the floor is the same calls, relayed and not recorded', reference: 'Asterisk with MixMonitor 61-69 us' }),
      { goal: 'G7', name: 'memory per recorded call', value: seen.kb_per_call, unit: 'kB', most: 100 }
    ];
  }
};

export const waiting = {
  goals: ['G6', 'G7'],
  async run(options) {
    const plan = size(options);
    const goal = atReference(6, 'us', await relayUs(options.bin));
    const seen = await stand({ ...plan, count: plan.count * 2, waiting: true });
    options.say(`${plan.count * 2} waiting: ${seen.percent.toFixed(1)} % of a core, ${seen.out} packets of music`);
    return [
      sound('G6', 'packet of music, whole product', seen, { value: seen.us_per_packet, ...goal, reference: 'Asterisk 49-64 us' }),
      { goal: 'G7', name: 'memory per waiting call', value: seen.kb_per_call, unit: 'kB' }
    ];
  }
};

/** The same with SIPp as the caller: it sends mu-law from a file and measures nothing of what it hears. */
export const independentMedia = {
  goals: ['G1', 'G2', 'G6'],
  async run(options) {
    const plan = options.quick ? { count: 10, seconds: 3 } : { count: 60, seconds: 10 };
    if (!hasSipp()) return [{ goal: 'G1', name: 'packets of SIPp', missing: 'sipp is not on this machine' }];
    const floor = await relayUs(options.bin);
    const music = atReference(6, 'us', floor);
    const seen = {};
    for (const kind of ['relayed', 'recorded', 'waiting']) {
      seen[kind] = await standBySipp({ ...plan, recorded: kind === 'recorded', waiting: kind === 'waiting' });
      options.say(`${plan.count} ${kind}: ${seen[kind].us.toFixed(2)} us a packet, ${seen[kind].percent.toFixed(1)} % of a core`);
    }
    return [
      { goal: 'G1', name: 'relayed packet, callers are SIPp', value: seen.relayed.us, floor, unit: 'us CPU', most: 1.7, by: 'ratio' },
      { goal: 'G2', name: 'recorded packet, callers are SIPp', value: seen.recorded.us, floor: seen.relayed.us, unit: 'us CPU', most: 1.5, by: 'ratio' },
      { goal: 'G6', name: 'packet of music, callers are SIPp', value: seen.waiting.us, ...music }
    ];
  }
};

async function standBySipp({ count, seconds, recorded, waiting }) {
  const folder = mkdtempSync(join(tmpdir(), 'antiphon-media-'));
  const phones = waiting ? null : await Phones.start(count);
  let centre;
  let sipp;
  try {
    const [media, scenario] = [join(folder, 'speech.ulaw'), join(folder, 'uac_media.xml')];
    writeFileSync(media, Buffer.from(Array.from({ length: 8_000 }, (_, n) => (n * 37) & 0xff)));
    writeFileSync(scenario, readFileSync(join(ROOT, 'testdata/sipp/uac_media.xml'), 'utf8').replace('@MEDIA@', media));
    centre = await Centre.open({ addresses: phones?.addresses ?? [], recorded });
    const ramp = Math.ceil(count / RAMP_PER_S);
    const load = ['-s', centre.house.number, '-r', String(RAMP_PER_S), '-m', String(count), '-d', String((ramp + seconds + 8) * 1_000)];
    sipp = await Sipp.start(scenario, load, [centre.house.sip]);
    const legs = waiting ? count : 2 * count;
    await until(`${legs} legs`, async () => (await centre.metric('antiphon_sip_legs')) === legs, 30_000);
    await pause(1_500);
    const packets = () => centre.metric('antiphon_media_packets_out_total');
    const [sent, used] = [await packets(), meter(centre.pid)];
    await pause(seconds * 1_000);
    const { cpu_ms, percent } = used();
    const out = (await packets()) - sent;
    const { failed } = await sipp.result((ramp + seconds + 60) * 1_000);
    if (failed > 0) throw new Error(`${failed} of ${count} calls of SIPp failed`);
    return { us: (cpu_ms * 1_000) / out, percent };
  } finally {
    await sipp?.stop();
    await centre?.close();
    await phones?.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
