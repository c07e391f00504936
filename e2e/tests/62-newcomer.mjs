// What the README promises a newcomer: clone, `make run`, open the page that it names, sign in with
// an account that it names, become ready, and it rings; any SIP phone can call the number that it names.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { firstSound } from '../lib/audio.mjs';
import { Browser } from '../lib/browser.mjs';
import { Clone, noClone, readme } from '../lib/clone.mjs';
import { ANY_PORT } from '../lib/house.mjs';
import { Caller } from '../lib/phone.mjs';
import { ANTIPHON, Program } from '../lib/program.mjs';
import { until } from '../lib/wait.mjs';
import { channels } from '../lib/wav.mjs';

/** Set-up, screens and the last crates of the program, on a machine that has built it before. */
const BUILD_MS_MAX = 420_000;

async function newcomer(stage, say) {
  const folder = mkdtempSync(join(tmpdir(), 'antiphon-newcomer-'));
  // As `make run` starts it; only the ports are free ones.
  const program = new Program(ANTIPHON, ['demo', '--http', '127.0.0.1:0', '--sip', '127.0.0.1:0'], { env: { ...process.env, ...ANY_PORT }, cwd: folder });
  try {
    await theFirstDay(stage, say, { program, folder, greetedMs: 60_000 });
  } finally {
    await program.stop(20_000);
    rmSync(folder, { recursive: true, force: true });
  }
}

async function freshClone(stage, say) {
  const commands = readme();
  assert.equal(commands.length, 2, `two commands: ${commands.join('; ')}`);
  const clone = await Clone.make(commands[0]);
  try {
    const begun = Date.now();
    const program = clone.start(commands[1]);
    stage.also(program);
    await theFirstDay(stage, say, { program, folder: clone.empty, greetedMs: BUILD_MS_MAX });
    say(`${commands.join('; ')}: all done in ${((Date.now() - begun) / 1_000).toFixed(0)} s`);
  } finally {
    await clone.stop();
  }
}

/** From the greeting of the program to the first call in the list. */
async function theFirstDay(stage, say, { program, folder, greetedMs }) {
  const since = Date.now();
  let browser;
  try {
    const told = () => program.lines.join('\n') + program.errors;
    const text = await until('the greeting', () => {
      if (program.exited !== null) throw Object.assign(new Error(`it ended with ${program.exited}`), { fatal: true });
      return /it rings/.test(told()) && told();
    }, greetedMs);
    say(`greeted after ${((Date.now() - since) / 1_000).toFixed(1)} s`);
    const http = text.match(/web +(http:\S+)/)[1];
    const [, number, sip] = text.match(/call +sip:(\S+)@(\S+)/);
    const accounts = Object.fromEntries([...text.matchAll(/account +(\S+@\S+) +(\S+)/g)].map(([, mail, password]) => [mail, password]));
    assert(accounts['agent@demo.example'], `an account for an agent in: ${text}`);
    const house = { http, sip, number, folder, account: (mail) => ({ password: accounts[mail] }) };
    browser = await Browser.start();
    const desk = await browser.person(house);
    stage.desks.push(desk);
    await desk.signIn();
    await desk.ready();
    // One of the synthetic customers, who hears the notice and the menu first.
    await desk.offerCard.waitFor({ timeout: 60_000 });
    const click = await desk.accept();
    await until('the customer speaks', async () => firstSound((await desk.heardSince('remote', click)).samples, 0) !== null);
    say('the first customer is on the line');
    // Another telephone on the same machine.
    const caller = new Caller(house, { keys: '', save: true, hangUp: 'sound+2s' });
    stage.callers.push(caller);
    await caller.over();
    const { channels: [heard] } = channels(readFileSync(caller.saved));
    assert.notEqual(firstSound(heard, 0), null, 'whoever calls is spoken to');
    await desk.hangUp();
    await desk.wrapUp({ note: 'My first call' });
    await desk.page.goto(`${http}/calls`);
    await desk.page.getByRole('link').filter({ hasText: /210/ }).first().waitFor();
  } catch (error) {
    error.stack += `\n${program.errors.slice(-1_500)}`;
    throw error;
  } finally {
    await browser?.close();
  }
}

export const tests = [
  { name: 'a newcomer follows the README', deadline_s: 150, run: newcomer },
  { name: 'a fresh clone and the two commands of the README', deadline_s: 600, skip: noClone, run: freshClone }
];
