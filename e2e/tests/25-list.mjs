// The call list while a call goes on: its lengths run by themselves, are the server's after a
// reload, and stand still when the call has ended.

import assert from 'node:assert/strict';
import { CODES } from '../lib/voice.mjs';
import { pause, until } from '../lib/wait.mjs';

const WATCH_MS = 5_000;
/** Looks at the list in that time: news is looked for every three seconds, not every second. */
const LOOKS_MAX = 3;
/** A clock shows whole seconds, and the reading of it takes a moment. */
const OFF_S_MAX = 1.5;

/** The talk time of the only row, in seconds. */
async function talk(desk) {
  const text = await desk.page.locator('tr[data-row] td.n').nth(1).innerText();
  const [minutes, seconds] = text.trim().split(':').map(Number);
  return minutes * 60 + seconds;
}

async function runs(stage, say) {
  const house = await stage.house();
  const desk = await stage.agent();
  const caller = stage.caller();
  await desk.offered(caller.number);
  await desk.accept();
  await desk.hears(CODES.caller);
  const { running } = await house.callOf(caller.number, (row) => row.running?.what === 'talking');
  const talked = () => (Date.now() - Date.parse(running.since)) / 1_000;
  const right = async (when) => {
    const off = (await talk(desk)) - talked();
    assert(Math.abs(off) <= OFF_S_MAX, `${when} the list is ${off.toFixed(1)} s off`);
  };

  await desk.page.getByRole('link', { name: 'Calls', exact: true }).click();
  await desk.page.locator('tr[data-row]').waitFor();
  await right('at first');
  let looks = 0;
  desk.page.on('request', (request) => (looks += /\/api\/v1\/calls\?/.test(request.url()) ? 1 : 0));
  const before = await talk(desk);
  await pause(WATCH_MS);
  const after = await talk(desk);
  assert(Math.abs(after - before - WATCH_MS / 1_000) <= OFF_S_MAX, `ran from ${before} to ${after}`);
  assert(looks <= LOOKS_MAX, `${looks} requests in ${WATCH_MS} ms`);
  await right('after a while');
  await desk.page.reload();
  await desk.page.locator('tr[data-row]').waitFor();
  await right('after a reload');

  await caller.bye();
  const row = await house.callOf(caller.number, (call) => !call.live);
  const endedAt = Date.now();
  await until('the row has ended', async () => (await desk.page.locator('tr[data-row] .chip.talk').count()) === 0);
  say(`stands still ${Date.now() - endedAt} ms after the record`);
  assert.equal(await talk(desk), Math.round(row.talk_s));
  await pause(2_000);
  assert.equal(await talk(desk), Math.round(row.talk_s), 'and stays so');
}

export const tests = [{ name: 'the lengths of a live call run in the list', deadline_s: 90, run: runs }];
