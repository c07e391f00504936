// An orderly stop in the middle of the day: a recorded conversation, callers who wait, one in the
// menu. Nobody is left hanging, nothing is lost, and the record tells what happened.

import assert from 'node:assert/strict';
import { hear } from '../lib/audio.mjs';
import { CODES } from '../lib/voice.mjs';
import { until, within } from '../lib/wait.mjs';
import { channels } from '../lib/wav.mjs';

const STOP_MS_MAX = 15_000;
/** A recording may lack its last block; what was written is whole. */
const LOST_MS_MAX = 1_000;
const TALK_MS = 4_000;

async function stops(stage, say) {
  const house = await stage.house();
  const desk = await stage.agent();
  const talking = stage.caller();
  await desk.offered(talking.number);
  await desk.accept();
  const waiting = [stage.caller(), stage.caller(), stage.caller()];
  const inMenu = stage.caller({ keys: '' });
  await desk.listen('remote', TALK_MS);
  await until('three wait, one is in the menu', async () => {
    const live = (await house.calls()).filter((call) => call.live);
    return live.length === 5 && live.filter((call) => call.queue && !call.agent).length === 3;
  });
  await inMenu.event('answered');

  const toldAt = Date.now();
  house.program.kill('SIGTERM');
  await within('the end of the house', house.program.ended, STOP_MS_MAX);
  say(`stopped in ${Date.now() - toldAt} ms`);
  assert.equal(house.program.exited, 0, house.program.errors.slice(-2_000));
  const diaries = await Promise.all([talking, ...waiting, inMenu].map((caller) => caller.over()));
  for (const diary of diaries) {
    assert.equal(diary.ended, 'far_hangup', 'every caller was told by BYE');
    assert(diary.ended_at / 1_000 - toldAt < STOP_MS_MAX);
  }

  await house.again();
  const rows = await house.calls();
  const rowOf = (caller) => rows.find((row) => row.caller === caller.number);
  say(`outcomes: talking ${rowOf(talking).outcome}, waiting ${waiting.map((one) => rowOf(one).outcome)}, menu ${rowOf(inMenu).outcome}`);
  assert.deepEqual(rows.filter((row) => row.live || !row.outcome), [], 'nothing is open');
  for (const [n, caller] of [talking, ...waiting, inMenu].entries()) {
    const row = rowOf(caller);
    assert.equal(row.outcome, 'failed', 'the house, not the caller, ended the call');
    const off = Math.abs(Date.parse(row.ended_at) - diaries[n].ended_at / 1_000);
    assert(off < 500, `the record ends with the diary, not ${off} ms beside it`);
  }
  const listed = (await house.get('/api/v1/callbacks?limit=200')).items.map((item) => item.call).sort();
  assert.deepEqual(listed, [talking, ...waiting].map((caller) => rowOf(caller).id).sort(), 'who was cut off or waited is on the call-back list, once');

  const call = await house.call(rowOf(talking).id);
  assert.equal(call.recordings.length, 1);
  const [recording] = call.recordings;
  const { channels: [left, right] } = channels(await house.recording(call.id, recording.n));
  const lost = toldAt - Date.parse(recording.start_at) - left.length / 8;
  say(`the recording ends ${lost.toFixed(0)} ms before the stop`);
  assert(lost <= LOST_MS_MAX, 'the recording is there to its end');
  assert.equal(recording.complete, true, 'and known to be complete');
  assert((await hear(house.folder, left)).codes.includes(CODES.caller));
  assert((await hear(house.folder, right)).codes.includes(CODES.page));
}

export const tests = [{ name: 'an orderly stop', deadline_s: 90, run: stops }];
