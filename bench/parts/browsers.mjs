// G7: what a signed-in page with a connected telephone takes of the house's memory.

import { House } from '../../e2e/lib/house.mjs';
import { pause } from '../../e2e/lib/wait.mjs';
import { rssKb } from '../lib/host.mjs';
import { noPage } from '../lib/page.mjs';

const NAME = 'memory per connected browser';
const PASSWORD = 'measured-and-measured';

export const browsers = {
  goals: ['G7'],
  once: true,
  async run({ quick, say }) {
    // More pages than this keep two cores from drawing any.
    const count = quick ? 3 : 6;
    const house = await House.start();
    let browser;
    try {
      const missing = await noPage(house);
      if (missing) return [{ goal: 'G7', name: NAME, missing }];
      const { Browser } = await import('../../e2e/lib/browser.mjs');
      browser = await Browser.start({ pauses: false });
      const connected = async (mail) => {
        const desk = await browser.person(house);
        await desk.signIn(mail);
        await desk.linked();
      };
      const queues = (await house.get('/api/v1/queues')).items.map((queue) => queue.id);
      for (let n = 0; n < count; n += 1) {
        const mail = `page-${n}@demo.example`;
        await house.request('POST', '/api/v1/users', { mail, name: `Page ${n}`, role: 'agent', password: PASSWORD, language: 'en', queues, skills: {}, device: { kind: 'browser' } });
        house.accounts.push({ mail, password: PASSWORD });
      }
      // What the first one brings with it (the screens, the stack's tables) all others share.
      await connected('agent@demo.example');
      await pause(2_000);
      const before = rssKb(house.program.pid);
      for (let n = 0; n < count; n += 1) await connected(`page-${n}@demo.example`);
      await pause(2_000);
      const kb = (rssKb(house.program.pid) - before) / count;
      say(`${count} pages more: ${kb.toFixed(0)} kB each`);
      return [{ goal: 'G7', name: NAME, value: kb, unit: 'kB', most: 200, note: `${count} more pages in one Chromium, each with its WebSocket and its WebRTC leg; signing in, which hashes a password, included` }];
    } finally {
      await browser?.close();
      await house.stop();
    }
  }
};
