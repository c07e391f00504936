// From the click on Accept to both hearing the other: a real browser, a caller, the way between them.

import { CLICK_MS_GOAL, clickToAudio, figures, silentHouse, told } from '../../e2e/lib/click.mjs';
import { House } from '../../e2e/lib/house.mjs';
import { Caller } from '../../e2e/lib/phone.mjs';
import { pin } from '../lib/host.mjs';
import { noPage } from '../lib/page.mjs';

const NAME = 'click to audio both ways, p95';

export const click = {
  goals: ['-'],
  once: true,
  async run({ quick, say }) {
    const house = await House.start();
    let browser;
    try {
      const missing = await noPage(house);
      if (missing) return [{ goal: '-', name: NAME, missing }];
      await silentHouse(house);
      await pin(house.program.pid);
      const { Browser } = await import('../../e2e/lib/browser.mjs');
      browser = await Browser.start({ pauses: false });
      const desk = await browser.person(house);
      await desk.begin('agent@demo.example');
      const calls = [];
      for (let n = 0; n < (quick ? 5 : 50); n += 1) {
        calls.push(await clickToAudio(desk, (options) => new Caller(house, options)));
        await desk.shows('ready');
      }
      const seen = figures(calls);
      say(`${calls.length} calls: ${told(seen)}`);
      const figure = (name, { p50, p95, most }) => ({ goal: '-', name, value: p95, unit: 'ms', note: `${calls.length} calls, p50 ${p50.toFixed(0)} ms, most ${most.toFixed(0)} ms` });
      return [
        { ...figure(NAME, seen.both), most: CLICK_MS_GOAL },
        figure('click until the page hears, p95', seen.page),
        figure('click until the caller hears, p95', seen.caller)
      ];
    } finally {
      await browser?.close();
      await house.stop();
    }
  }
};
