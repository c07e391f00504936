// One person, two pages: the telephone is in one of them, and goes over when it is told to.

import assert from 'node:assert/strict';
import { Desk } from '../lib/browser.mjs';
import { CODES } from '../lib/voice.mjs';
import { pause, until } from '../lib/wait.mjs';

/** From the click to the caller's voice in the page that takes over. */
const TAKEOVER_MS_MAX = 3_000;
const TAKE = 'Take the phone here';

const take = (desk) => desk.page.getByRole('button', { name: TAKE }).first();
const banner = (desk, text) => desk.page.getByRole('status').filter({ hasText: text });

/** In mid-call the second page takes the telephone over; the caller goes on talking. */
async function takesOver(stage, say, first, second, where) {
  const caller = stage.caller();
  await first.offered(caller.number);
  await first.accept();
  await first.hears(CODES.caller);
  await second.conversation.waitFor();
  await banner(second, `Your phone is ${where}`).waitFor();
  assert.equal(await first.page.getByRole('button', { name: TAKE }).count(), 0, 'who has it is offered nothing');

  await take(second).click();
  const clickAt = await second.lastClick();
  await banner(first, `Your phone is ${where}`).waitFor({ timeout: TAKEOVER_MS_MAX });
  const toldMs = Date.now() - clickAt;
  const heard = await second.hears(CODES.caller, { from: clickAt });
  const audioMs = heard.at + heard.periods.get(CODES.caller)[0] - clickAt;
  await second.linked();
  assert.equal(await banner(second, `Your phone is ${where}`).count(), 0, 'the note is gone where the phone is');
  say(`${where}: told after ${toldMs.toFixed(0)} ms, the caller is heard after ${audioMs.toFixed(0)} ms`);
  assert(audioMs <= TAKEOVER_MS_MAX, 'the caller is heard in time');

  // From now on the one hears all and the other nothing, and the caller hears one page only.
  const from = Date.now();
  const [now, before] = [await second.listen('remote', 3_000, from), await first.heardSince('remote', from)];
  assert(now.codes.includes(CODES.caller), 'the second page hears the caller');
  assert.deepEqual(before.codes, [], 'the first page hears nothing more');
  assert(before.samples.every((sample) => Math.abs(sample) < 50), 'not even a noise');
  assert.equal(await first.page.evaluate(() => globalThis.e2e.state.pc.connectionState), 'closed');
  return { caller, clickAt, audioMs };
}

async function twoTabs(stage, say) {
  const house = await stage.house();
  const first = await stage.agent();
  const second = new Desk(house, first.context, await first.context.newPage());
  stage.desks.push(second);
  await second.page.goto(house.http);
  const { caller, clickAt, audioMs } = await takesOver(stage, say, first, second, 'in another tab');
  // The call is one and the same, and either page may end it.
  await second.hangUp();
  const diary = await caller.over();
  const spoken = diary.startsOf(CODES.page);
  assert(spoken.some((ms) => ms > clickAt + audioMs), 'the caller hears the second page');
  await second.wrapUp();
  assert.equal((await house.calls()).length, 1, 'one call');
  // The tab that has it is closed: the one that is left has it again, unasked.
  await second.page.close();
  await until('the first tab has the telephone again', () => first.page.evaluate(() => globalThis.e2e.state.pc?.connectionState === 'connected'));
  await banner(first, 'Your phone is').waitFor({ state: 'detached' });
  assert.deepEqual(first.problems, []);
}

async function twoComputers(stage, say) {
  const house = await stage.house();
  const first = await stage.agent();
  const second = await stage.person();
  await second.signIn();
  await banner(second, 'Your phone is on another computer').waitFor();
  await pause(500);
  await first.shows('ready');
  const { caller } = await takesOver(stage, say, first, second, 'on another computer');
  // And back, still in the same call. A reload in between takes nothing away.
  await first.page.reload();
  await banner(first, 'Your phone is on another computer').waitFor();
  await take(first).click();
  const backAt = await first.lastClick();
  const heard = await first.hears(CODES.caller, { from: backAt });
  const backMs = heard.at + heard.periods.get(CODES.caller)[0] - backAt;
  say(`taken back: the caller is heard after ${backMs.toFixed(0)} ms`);
  assert(backMs <= TAKEOVER_MS_MAX, 'the caller is heard in time');
  await banner(second, 'Your phone is on another computer').waitFor();
  await first.hangUp();
  assert((await caller.over()).heard.includes(CODES.page));
  const row = await house.callOf(caller.number, (call) => call.outcome);
  assert.equal(row.outcome, 'handled');
  assert.deepEqual([...first.problems, ...second.problems], []);
}

export const tests = [
  { name: 'a second tab takes the telephone over in mid-call', deadline_s: 90, run: twoTabs },
  { name: 'a second computer takes the telephone over in mid-call', deadline_s: 90, run: twoComputers }
];
