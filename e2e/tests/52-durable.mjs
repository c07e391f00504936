// A promise is spoken after it is on the disk: kill -9 cannot show it, the order of system calls can.

import assert from 'node:assert/strict';
import { brokenPromise, noStrace, parse, watch } from '../lib/strace.mjs';

const MARK = 'Kept before it is promised';
const SYNCED = /^f(data)?sync$/;

/** A made-up trace of one command, and the ways in which it could be wrong. */
const RIGHT = `
10 0.9 recvfrom(17<socket:[1]>, "PUT", 3, 0, NULL, NULL) = 3
10 1.0 recvfrom(17<socket:[1]>, " /x HTTP/1.1\\r\\n\\r\\nmark", 8192, 0, NULL, NULL) = 40
11 1.1 pwrite64(9</d/antiphon.db-wal>, "page mark", 4096, 32) = 4096
11 1.2 fdatasync(9</d/antiphon.db-wal> <unfinished ...>
12 1.3 sendto(30<socket:[2]>, "\\200voice", 172, 0, NULL, 0) = 172
11 1.4 <... fdatasync resumed>)         = 0
10 1.5 sendto(17<socket:[1]>, "HTTP/1.1 200 OK", 100, MSG_NOSIGNAL, NULL, 0) = 100
`.trim().split('\n');
const [begun, asked, kept, sync, voice, synced, answered] = RIGHT;
const WRONG = {
  'answered while it is synced': [asked, kept, sync, answered, voice, synced],
  'answered before it is written': [asked, answered, kept, sync, synced],
  'never synced': [asked, kept, voice, answered],
  'synced before it is written': [asked, sync, synced, kept, answered],
  'the sync failed': [asked, kept, sync, synced.replace('= 0', '= -1 EIO (Input/output error)'), answered],
  'another file is synced': [asked, kept, sync.replace('-wal', ''), synced, answered],
  'something else is written': [asked, kept.replace('mark', 'else'), sync, synced, answered],
  'another connection is answered': [asked, kept, sync, synced, answered.replace('17<', '18<')],
  'refused': [asked, kept, sync, synced, answered.replace('200 OK', '503 Service Unavailable')]
};

/** The judge sees every wrong order. */
async function theJudge() {
  const judge = (lines) => brokenPromise(parse(lines.join('\n')), { asked: 'PUT /x', saved: 'page mark' });
  assert.equal(judge(RIGHT), null);
  const cut = answered.replace(/\) += 100$/, ' <detached ...>');
  assert.equal(judge([...RIGHT.slice(0, -1), cut]), null, 'let go of before the answer returned');
  assert.notEqual(judge([begun, asked, kept, sync, cut]), null, 'let go of while it is synced');
  for (const [what, lines] of Object.entries(WRONG)) assert.notEqual(judge([begun, ...lines]), null, what);
}

async function theOrder(stage, say) {
  const house = await stage.house();
  const desk = await stage.agent();
  const caller = stage.caller();
  await desk.offered(caller.number);
  await desk.accept();
  const row = await house.callOf(caller.number, (call) => call.agent);
  const trace = await watch(house.program.pid, house.folder);
  stage.also(trace.program);

  await desk.hangUp();
  await caller.over();
  await desk.wrapUp({ note: MARK });
  const reasons = await house.get('/api/v1/break-reasons');
  const list = reasons.items ?? reasons;
  const next = [...list, { code: 'kept', label: MARK }];
  await house.request('PUT', '/api/v1/break-reasons', reasons.items ? { items: next } : next);
  const { items: [{ id, ...queue }] } = await house.get('/api/v1/queues');
  await house.request('PUT', `/api/v1/queues/${id}`, { ...queue, ring_ms: 17_345 });

  const calls = await trace.stop();
  const syncs = calls.filter(({ name }) => SYNCED.test(name)).length;
  const promises = {
    'wrap-up': { asked: `POST /api/v1/calls/${row.id}/wrap-up `, saved: 'wrap_up_ended' },
    'break reasons': { asked: 'PUT /api/v1/break-reasons ', saved: MARK },
    queue: { asked: `PUT /api/v1/queues/${id} `, saved: '17345' }
  };
  for (const [what, promise] of Object.entries(promises)) assert.equal(brokenPromise(calls, promise), null, what);
  say(`${calls.length} calls of the system, ${syncs} syncs, ${Object.keys(promises).length} promises in order`);
  assert((await house.get('/readyz')) !== undefined, 'the house goes on');
}

export const tests = [
  { name: 'a wrong order of sync and answer is seen', deadline_s: 10, run: theJudge },
  { name: 'answers are sent after the sync', deadline_s: 90, skip: noStrace, run: theOrder }
];
