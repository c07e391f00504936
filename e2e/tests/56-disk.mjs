// A disk that is full: calls go on, promises are refused, somebody is told, and when there is room
// again everything that happened is written down. A disk that fails: nothing more is promised.

import assert from 'node:assert/strict';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { channels } from '../lib/wav.mjs';
import { CODES } from '../lib/voice.mjs';
import { run } from '../lib/program.mjs';
import { failSyncs, noStrace } from '../lib/strace.mjs';
import { until, within } from '../lib/wait.mjs';

const DISK_MB = 24;
const STOP_MS_MAX = 20_000;
/** From a record that is whole again to pages that say nothing more about it. */
const NOTICE_MS_MAX = 2_000;
const CHUNK = Buffer.alloc(64 * 1024, 1);

/** Why no disk of its own can be made here, if so. */
async function noDisk() {
  const tried = await run('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).catch((error) => error);
  return tried instanceof Error ? 'no disk can be mounted here' : null;
}

/** Takes the last byte of a folder's disk; gives a function that frees it. */
function fill(folder) {
  const file = join(folder, 'filler');
  const to = openSync(file, 'w');
  for (let size = CHUNK.length; size >= 1; ) {
    try {
      writeSync(to, CHUNK, 0, size);
    } catch (error) {
      if (error.code !== 'ENOSPC') throw error;
      size = Math.floor(size / 2);
    }
  }
  closeSync(to);
  return () => rmSync(file);
}

/** A change of the configuration; gives the status of its answer and the code of the problem. */
async function change(house, label) {
  const { items } = await house.get('/api/v1/break-reasons');
  const known = items.filter(({ code }) => code !== 'disk');
  try {
    await house.request('PUT', '/api/v1/break-reasons', { items: [...known, { code: 'disk', label }] });
    return { status: 200 };
  } catch (error) {
    return { status: error.status, code: error.code };
  }
}

/** What every page says while nothing is promised. */
const notice = (page) => page.getByText(/^Nothing is saved for certain since \d\d:\d\d\.$/);

async function readiness(house) {
  const response = await fetch(`${house.http}/readyz`);
  const { checks } = await response.json();
  return { status: response.status, record: checks.find(({ name }) => name === 'record') };
}

async function fullDisk(stage, say) {
  const house = await stage.house({ disk_mb: DISK_MB, wrap_up_ms: 1_000 });
  const desk = await stage.agent();
  const first = stage.caller();
  await desk.offered(first.number);
  await desk.accept();
  await desk.hears(CODES.caller);
  const second = stage.caller();
  await until('the second waits', async () => (await house.calls()).filter((call) => call.queue && !call.agent).length === 1);

  const free = fill(house.disk);
  const fullAt = Date.now();
  // What the floor does from now on finds no room; a change of the configuration neither.
  const third = stage.caller();
  await third.answered();
  const refused = await until('a refusal', async () => {
    const answer = await change(house, 'too late');
    return answer.status !== 200 && answer;
  });
  let calledAt = 0;
  const alarm = await until('the alarm', async () => {
    // The log is written anew from its begin now and then, so a little may still find room: more has to happen.
    if (Date.now() - calledAt > 500) {
      calledAt = Date.now();
      stage.caller({ hangUp: '300ms' });
    }
    const now = await readiness(house);
    return now.status === 503 && now.record.ok === false && now;
  });
  say(`refused with ${refused.status} ${refused.code}; alarm: ${alarm.record.detail}`);
  assert([503, 507].includes(refused.status), `${refused.status} ${refused.code}`);
  assert(['not_saved', 'disk_full'].includes(refused.code), refused.code);
  assert.match(await (await fetch(`${house.http}/metrics`)).text(), /antiphon_tenants_degraded 1/);

  // The page says so without being asked, and so does one that is opened now.
  await notice(desk.page).waitFor();
  const later = await desk.context.newPage();
  await later.goto(`${house.http}/calls`);
  await notice(later).waitFor();
  await later.close();

  // The conversation goes on both ways, ends, and the next caller is served.
  assert((await desk.hears(CODES.caller)).codes.includes(CODES.caller), 'the conversation goes on');
  await desk.hangUp();
  const firstDiary = await first.over();
  await desk.offered(second.number);
  await desk.offerCard.locator('button').first().click();
  await desk.conversation.waitFor();
  await desk.page.getByText('Done, but not saved for certain.').first().waitFor();
  assert((await desk.hears(CODES.caller)).codes.includes(CODES.caller), 'the next conversation begins');
  await desk.listen('remote', 2_000);
  await desk.hangUp();
  const secondDiary = await second.over();
  assert(firstDiary.heard.includes(CODES.page) && secondDiary.heard.includes(CODES.page), 'both callers heard the agent');
  assert.notEqual((await change(house, 'still full')).status, 200, 'nothing is promised meanwhile');

  free();
  const freeAt = Date.now();
  await until('ready again', async () => (await readiness(house)).status === 200);
  await notice(desk.page).waitFor({ state: 'detached', timeout: NOTICE_MS_MAX });
  say(`full for ${((freeAt - fullAt) / 1_000).toFixed(1)} s, whole again ${Date.now() - freeAt} ms after there was room`);
  assert.equal((await change(house, 'room again')).status, 200);
  await third.bye();

  // Everything that happened meanwhile is written down.
  const rowOf = (caller) => house.callOf(caller.number, (call) => !call.live && call.outcome);
  const rows = [await rowOf(first), await rowOf(second), await rowOf(third)];
  assert.deepEqual(rows.slice(0, 2).map((row) => row.outcome), ['handled', 'handled']);
  assert(['abandoned', 'handled'].includes(rows[2].outcome), rows[2].outcome);
  for (const [n, diary] of [firstDiary, secondDiary].entries()) {
    const off = Math.abs(Date.parse(rows[n].ended_at) - diary.ended_at / 1_000);
    assert(off < 500, `the record ends with the diary, not ${off} ms beside it`);
    const call = await house.call(rows[n].id);
    const kinds = call.ladder.lanes.flatMap((lane) => lane.segments.map(({ kind }) => kind));
    for (const kind of ['waiting', 'offered', 'talking']) assert(kinds.includes(kind), `the ladder of call ${n + 1} shows ${kind}`);
    for (const recording of call.recordings) assert.equal(recording.complete, false, 'a recording that the disk refused does not count as complete');
  }
  await soundBefore(house, rows[0], fullAt);
  // Calls that come now are recorded to their end.
  const next = stage.caller();
  await desk.offered(next.number);
  await desk.accept();
  await desk.listen('remote', 1_500);
  await desk.hangUp();
  await next.over();
  const call = await house.call((await rowOf(next)).id);
  await until('the recording is complete', async () => (await house.call(call.id)).recordings.every(({ complete }) => complete));
}

/** What was recorded before the disk was full can be played. */
async function soundBefore(house, row, fullAt) {
  const { recordings: [recording] } = await house.call(row.id);
  const { channels: [left] } = channels(await house.recording(row.id, recording.n));
  const lost = fullAt - Date.parse(recording.start_at) - left.length / 8;
  assert(lost <= 1_000, `the recording ends ${lost} ms before the disk was full`);
}

/** After a failed sync nobody knows what the disk holds: the house promises nothing more and stops. */
async function failedDisk(stage, say) {
  const house = await stage.house();
  const waiting = stage.caller();
  const row = await house.callOf(waiting.number, (call) => call.queue);
  assert.equal((await change(house, 'kept')).status, 200);
  stage.also(await failSyncs(house.program.pid, join(house.data, 'antiphon.db-wal')));
  const answer = await change(house, 'not promised').catch((error) => ({ status: null, code: error.message }));
  assert.notEqual(answer.status, 200, 'not promised');
  await within('the end of the house', house.program.ended, STOP_MS_MAX);
  say(`answered ${answer.status} ${answer.code}; ended with ${house.program.exited}`);
  assert.notEqual(house.program.exited, 0, 'and the exit code tells');
  assert.match(house.program.errors, /disk failed/, 'and so does the console');
  assert.equal((await waiting.over()).ended, 'far_hangup', 'nobody is left hanging');

  await house.again();
  const call = await house.call(row.id);
  assert.equal(call.outcome, 'failed');
  const { items: listed } = await house.get('/api/v1/callbacks');
  assert.deepEqual(listed.map((item) => item.call), [row.id], 'who waited is on the call-back list');
  const { items: reasons } = await house.get('/api/v1/break-reasons');
  assert(['kept', 'not promised'].includes(reasons.find(({ code }) => code === 'disk').label), 'what was promised is kept');
}

export const tests = [
  { name: 'a full disk', deadline_s: 150, skip: noDisk, run: fullDisk },
  { name: 'a failed disk', deadline_s: 90, skip: noStrace, run: failedDisk }
];
