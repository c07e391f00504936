// A telephone sends a customer on with its own keys: to a colleague, to a number, and a colleague is
// asked on a second line. The telephone is baresip, its colleague one of another make.

import assert from 'node:assert/strict';
import { Telephone, noBaresip } from '../lib/baresip.mjs';
import { CODES, PERIOD_MS } from '../lib/voice.mjs';
import { pause, until } from '../lib/wait.mjs';

const BOB = '12';
const TALK_MS = 3 * PERIOD_MS;

/** Ann at a telephone that registers, ready and in conversation; Bob, with an extension, at another. */
async function annTalks(stage, bobsTelephone) {
  const house = await stage.house({ first: 'notice', wrap_up_ms: 0 });
  const ann = await stage.seat('Ann', null);
  const account = await house.request('POST', `/api/v1/users/${ann.id}/phone-secret`, { digest: 'md5' });
  const other = await stage.telephones(...bobsTelephone);
  const bob = await stage.seat('Bob', other.addresses[0]);
  await bob.reachedBy(house, BOB);
  const telephone = await Telephone.registering(house, account, CODES.page);
  stage.also(telephone);
  await ann.ready();
  await ann.shows('ready');
  const caller = stage.caller({ keys: '' });
  await ann.shows('talking');
  return { house, ann, bob, telephone, other, caller };
}

/** The record of a call that is over. */
async function recordOf(house, caller) {
  const row = await house.callOf(caller.number, (call) => call.outcome);
  assert.equal(row.outcome, 'handled');
  return house.call(row.id);
}

const marks = (call) => call.ladder.lanes.flatMap((lane) => lane.marks ?? []).concat(call.ladder.marks ?? []);

async function sentOn(stage) {
  const { house, ann, bob, telephone, caller } = await annTalks(stage, ['--chirp', String(CODES.other), '--talk', `${TALK_MS}ms`]);
  await pause(TALK_MS);
  // Nobody is there who could take it. This telephone hangs up then: the caller waits, and is Ann's again.
  for (const [to, refusal] of [[BOB, /486 Busy Here/], ['999', /404 Not Found/]]) {
    const established = () => telephone.lines.filter((line) => /Call established/.test(line)).length;
    const before = established();
    telephone.transfer(to);
    await telephone.says(refusal);
    await until('they talk again', () => established() > before);
    await ann.shows('talking');
    await pause(TALK_MS);
  }
  await bob.ready();
  await bob.shows('ready');
  telephone.transfer(BOB);
  await bob.shows('talking');
  await ann.shows('ready');
  const diary = await caller.over();
  assert.equal(diary.ended, 'far_hangup', 'Bob hung up');
  const heard = diary.heard.filter((code) => code !== CODES.music);
  assert.deepEqual(heard, [CODES.menu, CODES.page, CODES.other], 'the caller hears Ann, then Bob');
  const call = await recordOf(house, caller);
  assert.equal(call.agent.name, 'Bob');
  assert.deepEqual([(await ann.today()).handled, (await bob.today()).handled], [3, 1]);
  await telephone.says(/terminated|session closed/);
}

async function sentToANumber(stage) {
  const { house, ann, bob, telephone, caller } = await annTalks(stage, ['--chirp', String(CODES.other), '--talk', `${TALK_MS}ms`]);
  await pause(TALK_MS);
  await bob.ready();
  telephone.transfer(house.number);
  // The caller hears the notice again, waits, and is Bob's: Ann is not asked at once.
  await bob.shows('talking');
  const diary = await caller.over();
  const heard = diary.heard.filter((code) => code !== CODES.music);
  assert.deepEqual(heard, [CODES.menu, CODES.page, CODES.other], 'the caller hears the notice, Ann, and Bob');
  assert.equal(diary.startsOf(CODES.menu).length > 1, true, 'the notice is heard twice');
  const call = await recordOf(house, caller);
  assert.equal(call.agent.name, 'Bob');
  assert(marks(call).some((mark) => mark.kind === 'redirected' && mark.label === house.number), JSON.stringify(call.ladder));
  await ann.shows('ready');
}

async function secondLine(stage) {
  const { ann, bob, telephone, other, caller } = await annTalks(stage, ['--chirp', String(CODES.other)]);
  await pause(TALK_MS);
  await bob.ready();
  await bob.shows('ready');
  telephone.hold(true);
  await ann.shows('hold');
  const heard = telephone.call(BOB);
  await bob.shows('talking');
  const { call } = await ann.shows('hold');
  assert.deepEqual([call.consult.second_line, call.consult.conference], [true, false]);
  await pause(2 * TALK_MS);
  // Bob has nothing to add: the second line ends, and the first goes on.
  telephone.hangUp();
  await other.event('over');
  await bob.shows('ready');
  assert.deepEqual(await heard(), [CODES.other], 'on the second line Ann hears Bob alone');
  await ann.live.sees('me', ({ call }) => call && !call.consult);
  telephone.hold(false);
  await ann.shows('talking');
  await pause(TALK_MS);
  telephone.hangUp();
  const diary = await caller.over();
  assert.deepEqual(diary.heard, [CODES.menu, CODES.page, CODES.music], 'the caller hears music meanwhile, and never Bob');
  assert.equal((await bob.today()).handled, 0);
}

export const tests = [
  { name: 'a telephone sends a customer to a colleague', deadline_s: 60, skip: noBaresip, run: sentOn },
  { name: 'a telephone sends a customer to a number', deadline_s: 60, skip: noBaresip, run: sentToANumber },
  { name: 'a telephone asks a colleague on a second line', deadline_s: 60, skip: noBaresip, run: secondLine }
];
