// Agents who do not do what they should: they ignore, decline, close the tab, reload in mid-call.

import assert from 'node:assert/strict';
import { judge } from './10-call.mjs';
import { until } from '../lib/wait.mjs';
import { CODES, PERIOD_MS } from '../lib/voice.mjs';

const RELOAD_MS_MAX = 3_000;

async function ignores(stage, say) {
  const house = await stage.house({ ring_ms: 5_000 });
  const desk = await stage.agent();
  const first = stage.caller();
  await desk.offered(first.number);
  const second = stage.caller();
  await desk.shows('did_not_answer');
  await until('both wait', async () => (await house.calls()).filter((call) => call.live && call.queue).length === 2);
  await desk.ready();
  // The one who waited longer keeps the place in front.
  await desk.offered(first.number);
  await desk.accept();
  await desk.hangUp();
  await first.over();
  await second.bye();
  const row = await house.callOf(first.number, (call) => call.outcome === 'handled');
  const call = await house.call(row.id);
  const kinds = call.ladder.lanes.flatMap((lane) => lane.segments.filter((one) => one.kind === 'offered'));
  say(`${kinds.length} offers on the ladder`);
  assert(kinds.length >= 2, 'the ladder shows both offers');
}

async function declines(stage) {
  const house = await stage.house();
  const desk = await stage.agent();
  const caller = stage.caller();
  await desk.offered(caller.number);
  await desk.offerCard.getByRole('button', { name: 'Decline' }).click();
  await desk.page.getByText('Not my subject').click();
  await desk.offerCard.waitFor({ state: 'detached' });
  await desk.shows('ready');
  const row = await house.callOf(caller.number);
  assert(row.live && !row.agent, 'the caller still waits');
  // Who declined is not asked again at once: the next agent is.
  const other = await stage.agent('agent2@demo.example');
  await other.offered(caller.number);
  assert.equal(await desk.offerCard.count(), 0, 'not offered to who declined');
  await other.accept();
  await other.hangUp();
  await caller.over();
}

async function closesTheTab(stage, say) {
  const house = await stage.house();
  const desk = await stage.agent();
  const caller = stage.caller();
  await desk.offered(caller.number);
  await desk.accept();
  assert((await desk.hears(CODES.caller)).codes.includes(CODES.caller));
  const closedAt = Date.now();
  await desk.page.close();
  const row = await house.callOf(caller.number);
  // Back in the queue: somebody else gets the same caller.
  const other = await stage.agent('agent2@demo.example');
  await other.offered(caller.number, 45_000);
  say(`offered to the next agent ${((Date.now() - closedAt) / 1_000).toFixed(1)} s after the tab was closed`);
  const clickAt = await other.accept();
  await other.hears(CODES.caller);
  // A conversation in which the agent gets a word in, by the page's own microphone.
  await other.listen('local', 4 * PERIOD_MS, clickAt);
  await other.listen('remote', 2 * PERIOD_MS);
  await other.hangUp();
  const diary = await caller.over();
  const music = diary.startsOf(CODES.music);
  assert(music.some((ms) => ms > closedAt && ms < clickAt), 'the caller heard music in between');
  const page = diary.startsOf(CODES.page);
  assert(page.some((ms) => ms > clickAt), 'and the next agent after it');
  assert.equal((await house.calls()).filter((call) => call.caller === caller.number).length, 1, 'one call');
  assert.equal((await house.callOf(caller.number, (call) => call.outcome)).id, row.id);
}

async function reloads(stage, say) {
  await stage.house();
  const desk = await stage.agent();
  const caller = stage.caller();
  await desk.offered(caller.number);
  await desk.accept();
  await desk.hears(CODES.caller);
  await desk.page.reload({ waitUntil: 'load' });
  const loadedAt = await desk.page.evaluate(() => performance.timeOrigin + performance.getEntriesByType('navigation')[0].loadEventEnd);
  await desk.conversation.waitFor();
  const heard = await desk.hears(CODES.caller, { from: loadedAt });
  // As long as the caller may have to wait for the page, and for a whole period of its chirps.
  await desk.listen('remote', RELOAD_MS_MAX + 2 * PERIOD_MS, loadedAt);
  await desk.hangUp();
  const diary = await caller.over();
  const toPage = heard.at + heard.periods.get(CODES.caller)[0] - loadedAt;
  const starts = diary.startsOf(CODES.page).map((ms) => ms - loadedAt);
  const toCaller = starts.find((ms) => ms > 0);
  say(`audio after page load: to the page ${toPage.toFixed(0)} ms, to the caller ${toCaller?.toFixed(0)} ms`);
  assert.deepEqual(judge(heard, diary).missing, []);
  assert(toPage <= RELOAD_MS_MAX && toCaller <= RELOAD_MS_MAX, 'both ways within 3 s');
}

export const tests = [
  { name: 'an agent ignores an offer', deadline_s: 90, run: ignores },
  { name: 'an agent declines', deadline_s: 60, run: declines },
  { name: 'an agent closes the tab in mid-call', deadline_s: 120, run: closesTheTab },
  { name: 'an agent reloads in mid-call', deadline_s: 60, run: reloads }
];
