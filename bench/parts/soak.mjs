// G7: what the product takes at rest, how soon it is ready, and that its memory stays flat.

import { Centre } from '../lib/centre.mjs';
import { meter, rssKb, threads } from '../lib/host.mjs';
import { Callers, Phones } from '../lib/load.mjs';
import { House } from '../../e2e/lib/house.mjs';
import { pause } from '../../e2e/lib/wait.mjs';

export const start = {
  goals: ['G7'],
  async run() {
    const house = await House.start();
    try {
      await pause(2_000);
      const { pid } = house.program;
      const [rss, count] = [rssKb(pid), threads(pid)];
      const used = meter(pid);
      await pause(3_000);
      const { percent } = used();
      await house.crash();
      const again_ms = await house.again();
      await pause(2_000);
      const again = rssKb(house.program.pid);
      return [
        { goal: 'G7', name: 'idle product', value: rss / 1_024, unit: 'MB', most: 80, note: `${count} threads, ${percent.toFixed(1)} % of a core`, reference: 'Asterisk 34.6 MB, rtpengine 37.8 MB' },
        { goal: 'G7', name: 'idle product, existing data', value: again / 1_024, unit: 'MB', most: 80 },
        { goal: 'G7', name: 'start to ready', value: again_ms / 1_000, unit: 's', most: 1, note: `over existing data after a kill; ${(house.startedMs / 1_000).toFixed(2)} s to its first word` }
      ];
    } finally {
      await house.stop();
    }
  }
};

export const soak = {
  goals: ['G7'],
  once: true,
  async run({ quick, say }) {
    const rate = quick ? 20 : 100;
    const [first, all] = quick ? [60, 180] : [1_000, 25_000];
    const phones = await Phones.start(quick ? 10 : 50, ['--talk', '0ms']);
    let centre;
    try {
      centre = await Centre.open({ addresses: phones.addresses });
      const carry = async (calls) => {
        const seconds = Math.ceil(calls / rate);
        const result = await new Callers(centre.target, { rate, seconds, patience: '20s' }).results((seconds + 90) * 1_000);
        await centre.empty();
        await pause(2_000);
        say(`${result.answered} of ${result.calls} answered, ${(rssKb(centre.pid) / 1_024).toFixed(1)} MB, ends ${JSON.stringify(result.ends)}`);
        return { failed: result.failed, mb: rssKb(centre.pid) / 1_024 };
      };
      const few = await carry(first);
      const many = await carry(all - first);
      const failed = few.failed + many.failed;
      return [{ goal: 'G7', name: `memory after ${all} calls`, value: many.mb, floor: few.mb, unit: 'MB', most: 1.3, by: 'ratio', note: `the floor is after ${first} calls; ${failed} calls failed`, reference: 'Asterisk 2.09 GB after 23,000 calls' }];
    } finally {
      await centre?.close();
      await phones.stop();
    }
  }
};
