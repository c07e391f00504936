// Agents at SIP telephones: two legs of SIP, no page. One telephone is baresip, of another make.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { delays, of } from '../lib/audio.mjs';
import { Telephone, noBaresip } from '../lib/baresip.mjs';
import { chirps } from '../lib/house.mjs';
import { assertLength, waitBegan } from '../lib/record.mjs';
import { CODES, PERIOD_MS, TELLING, said } from '../lib/voice.mjs';
import { pause, until } from '../lib/wait.mjs';

const DELAY_MS_MAX = 300;
/** Long enough for periods that tell their place, and one that is cut at each end. */
const TALK_MS = (TELLING + 2) * PERIOD_MS;
const HOLD_MS = 4 * PERIOD_MS;
/** How long the second agent talks before hanging up. */
const SHORT_MS = 3 * PERIOD_MS;
const RING_MS = 2_000;

/** The record of a call that is over and was answered. */
async function recordOf(house, caller) {
  const row = await house.callOf(caller.number, (call) => call.outcome);
  assert.equal(row.outcome, 'handled');
  return house.call(row.id);
}

async function twoTelephones(stage, say) {
  const house = await stage.house({ first: 'notice', wrap_up_ms: 0 });
  const first = await Telephone.start(house, 'ann', CODES.page);
  stage.also(first);
  const second = await stage.telephones('--chirp', String(CODES.other), '--talk', `${SHORT_MS}ms`);
  const ann = await stage.seat('Ann', first.address);
  const bob = await stage.seat('Bob', second.addresses[0]);
  await ann.queueShows({ waiting: 0, longest_since: null, ready: 0, busy: 0 });
  await ann.ready();
  await bob.ready();
  await bob.queueShows({ ready: 2, busy: 0 });

  // Ann has been ready for longer.
  const caller = stage.caller({ keys: '' });
  await ann.shows('talking');
  await bob.queueShows({ waiting: 0, ready: 1, busy: 1 });
  await pause(TALK_MS);
  const heldAt = await caller.hold(true);
  await pause(HOLD_MS);
  const askedAt = Date.now();
  const backAt = await caller.hold(false);
  await pause(TALK_MS);
  assert.deepEqual(second.events('incoming'), [], 'and Bob was not rung');
  first.hangUp();
  const diary = await caller.over();
  assert.equal(diary.ended, 'far_hangup', 'the agent hung up');
  const [heard, spoken] = [await first.heard(), await first.said()];

  // Nobody hears anybody else, or themselves.
  assert.deepEqual(heard.codes, [CODES.caller], 'the agent hears the caller alone');
  assert.deepEqual(diary.heard, [CODES.menu, CODES.page], 'the caller hears the notice and the agent');
  assert.deepEqual(spoken.codes, [CODES.page], 'the agent says what is listened for');
  const toAgent = delays(of(CODES.caller, heard.said), said(CODES.caller, diary.sound_began_at / 1_000, diary.ended_at / 1_000));
  const toCaller = delays(of(CODES.page, diary.said), spoken.said);
  say(`delay caller to agent most ${toAgent.at(-1).toFixed(0)} ms, agent to caller most ${toCaller.at(-1).toFixed(0)} ms`);
  assert(toAgent.at(-1) <= DELAY_MS_MAX && toCaller.at(-1) <= DELAY_MS_MAX, 'the delay is small enough');

  // A caller who holds still speaks, as music on hold does, and is not spoken to.
  const inHold = ({ at }) => at > heldAt && at + PERIOD_MS < askedAt;
  assert(of(CODES.caller, heard.said).some(inHold), 'the agent hears what a caller who holds plays');
  assert(!diary.said.some(inHold), 'the caller hears nothing on hold');
  for (const [who, periods] of [['the caller', of(CODES.page, diary.said)], ['the agent', heard.said]]) {
    assert(periods.some(({ at }) => at < heldAt), `${who} hears the other before the hold`);
    assert(periods.some(({ at }) => at > backAt), `${who} hears the other after the hold`);
  }

  // The record, and the figures of both.
  const call = await recordOf(house, caller);
  assert.equal(call.agent.name, 'Ann');
  const from = spoken.said[0].at;
  say(`the record says ${assertLength('the talk', call.talk_s, diary.ended_at / 1_000 - from)} ms more of the talk than the telephones`);
  assert.equal(call.hold_s, 0, 'a caller who holds is no hold of the agent');
  await ann.queueShows({ waiting: 0, ready: 2, busy: 0 });
  assert.deepEqual(await ann.today(), { handled: 1, talk_s: call.talk_s, missed: 0 });
  assert.deepEqual(await bob.today(), { handled: 0, talk_s: 0, missed: 0 });

  // Both are ready, and now Bob has been for longer.
  const next = stage.caller({ keys: '' });
  await bob.shows('talking');
  await ann.queueShows({ ready: 1, busy: 1 });
  const nextDiary = await next.over();
  assert.equal(nextDiary.ended, 'far_hangup');
  assert.deepEqual(nextDiary.heard, [CODES.menu, CODES.other], 'the next caller hears the second agent');
  const nextCall = await recordOf(house, next);
  assert.equal(nextCall.agent.name, 'Bob');
  const own = await second.event('over');
  assertLength("Bob's talk", nextCall.talk_s, (own.ended_at - own.answered_at) / 1_000);
  assert.deepEqual(await bob.today(), { handled: 1, talk_s: nextCall.talk_s, missed: 0 });
}

async function notAnswered(stage, say) {
  const house = await stage.house({ first: 'notice', wrap_up_ms: 0, ring_ms: RING_MS });
  const silent = await stage.telephones('--never');
  const other = await stage.telephones('--chirp', String(CODES.other), '--talk', `${SHORT_MS}ms`);
  const ann = await stage.seat('Ann', silent.addresses[0]);
  const bob = await stage.seat('Bob', other.addresses[0]);
  await ann.ready();
  await bob.ready();
  const caller = stage.caller({ keys: '' });
  const { offer } = await ann.shows('offered');
  assert.equal(offer.contact.caller, caller.number);
  const { longest_since } = await bob.queueShows({ waiting: 1, ready: 1, busy: 1 });
  assert.equal(longest_since, offer.contact.queued_at);
  await ann.shows('did_not_answer');
  const rang = await silent.event('over');
  say(`rang for ${((rang.ended_at - rang.invited_at) / 1_000).toFixed(0)} ms of ${RING_MS}`);
  assert.equal(rang.ended, 'cancelled');
  assertLength('the ringing', RING_MS / 1_000, (rang.ended_at - rang.invited_at) / 1_000);
  await bob.shows('talking');
  await bob.queueShows({ waiting: 0, longest_since: null, ready: 0, busy: 1 });

  // Ann is asked for nothing more until she says that she is there: the next one waits for Bob.
  const next = stage.caller({ keys: '' });
  const diary = await caller.over();
  assert.deepEqual(diary.heard.filter((code) => code !== CODES.music), [CODES.menu, CODES.other], 'the caller hears the other agent');
  const call = await recordOf(house, caller);
  assert.equal(call.agent.name, 'Bob');
  const [began, served] = [waitBegan(diary), diary.startsOf(CODES.other)[0]];
  assertLength('the wait', call.waited_s, served - began);
  assertLength('the longest wait, had it lasted so long,', (served - Date.parse(longest_since)) / 1_000, served - began);
  const offers = call.ladder.lanes.filter(({ lane }) => lane === 'agent').map(({ label, segments }) => [label, segments.filter(({ kind }) => kind === 'offered').map(({ detail }) => detail)]);
  assert.deepEqual(offers, [['Ann', ['no_answer']], ['Bob', ['accepted']]], 'the ladder shows both offers');
  await until('the next one is served by Bob', async () => (await bob.today()).handled === 2);
  assert((await next.over()).heard.includes(CODES.other));
  assert.equal(silent.events('incoming').length, 1, 'her telephone rang once');
  assert.deepEqual(await ann.today(), { handled: 0, talk_s: 0, missed: 1 });
  assert.equal((await bob.today()).missed, 0);
}

async function registers(stage, say) {
  const house = await stage.house({ first: 'notice', wrap_up_ms: 0 });
  const ann = await stage.seat('Ann', null);
  // This baresip knows no SHA-256.
  const secret = () => house.request('POST', `/api/v1/users/${ann.id}/phone-secret`, { digest: 'md5' });
  const first = await secret();
  assert.equal(first.server, house.sip);
  assert.equal((await house.get(`/api/v1/users/${ann.id}`)).phone_username, first.username);
  await ann.ready();
  await ann.shows('no_device');
  const wrong = await Telephone.registering(house, { ...first, secret: 'guessed' }, CODES.other);
  stage.also(wrong);
  await wrong.says(/403 Forbidden/);
  wrong.kill();
  assert.match(await (await fetch(`${house.http}/metrics`)).text(), /^antiphon_sip_phones 0$/m);

  const telephone = await Telephone.registering(house, first, CODES.page);
  stage.also(telephone);
  const began = Date.now();
  await ann.shows('ready');
  say(`ready ${Date.now() - began} ms after the telephone`);
  const caller = stage.caller({ keys: '' });
  await ann.shows('talking');
  await pause(TALK_MS);
  // Its own key for hold is the page's.
  telephone.hold(true);
  await ann.shows('hold');
  await pause(PERIOD_MS);
  telephone.hold(false);
  await ann.shows('talking');
  await pause(TALK_MS);
  // Another secret, while the two talk.
  const second = await secret();
  assert.equal(second.username, first.username, 'it keeps its name');
  await pause(PERIOD_MS);
  telephone.hangUp();
  const diary = await caller.over();
  assert.equal(diary.ended, 'far_hangup', 'the agent hung up, and nobody before');
  assert.deepEqual((await telephone.heard()).codes, [CODES.caller], 'the agent hears the caller alone');
  assert.deepEqual(diary.heard.filter((code) => code !== CODES.music), [CODES.menu, CODES.page], 'the caller hears the notice, the agent, and music in hold');
  const call = await recordOf(house, caller);
  assert.equal(call.agent.name, 'Ann');
  assert(call.hold_s >= PERIOD_MS / 1_000, `held for ${call.hold_s} s`);

  // The telephone does not know the new one: it cannot be rung, and the next caller waits.
  await ann.shows('no_device');
  const next = stage.caller({ keys: '' });
  await ann.queueShows({ waiting: 1, ready: 0 });
  telephone.kill();
  const again = await Telephone.registering(house, second, CODES.page);
  stage.also(again);
  await ann.shows('talking');
  await next.bye();
}

/** Over a connection; when that ends, so does the telephone, and nobody waits until its registration does. */
async function overConnections(stage, say) {
  const house = await stage.house({ first: 'notice', wrap_up_ms: 0, env: { ANTIPHON_SIP__TLS: '127.0.0.1:0' } });
  const ann = await stage.seat('Ann', null);
  const account = await house.request('POST', `/api/v1/users/${ann.id}/phone-secret`, { digest: 'md5' });
  await ann.ready();
  for (const [over, server] of [['tcp', house.sip], ['tls', house.sips]]) {
    await ann.shows('no_device');
    const telephone = await Telephone.registering(house, { ...account, server, over }, CODES.page);
    stage.also(telephone);
    await ann.shows('ready');
    assert.match(await (await fetch(`${house.http}/metrics`)).text(), /^antiphon_sip_connections 1$/m);
    const caller = stage.caller({ keys: '', hangUp: `sound+${TALK_MS}ms` });
    const diary = await caller.over();
    assert(diary.heard.includes(CODES.page), `the telephone answers over ${over}`);
    assert.deepEqual((await telephone.heard()).codes, [CODES.caller], 'and hears the caller');
    await recordOf(house, caller);
    await ann.shows('ready');
    const goneAt = Date.now();
    telephone.kill();
    await ann.shows('no_device');
    say(`over ${over}: gone ${Date.now() - goneAt} ms after the telephone`);
  }
}

/** It does not register again in the test: the house remembers where it is. */
async function outlivesACrash(stage, say) {
  const house = await stage.house({ first: 'notice', wrap_up_ms: 0 });
  const ann = await stage.seat('Ann', null);
  const account = await house.request('POST', `/api/v1/users/${ann.id}/phone-secret`, { digest: 'md5' });
  await ann.ready();
  const telephone = await Telephone.registering(house, account, CODES.page);
  stage.also(telephone);
  const served = async () => {
    const caller = stage.caller({ keys: '', hangUp: `sound+${TALK_MS}ms` });
    const diary = await caller.over();
    assert(diary.heard.includes(CODES.page), 'the telephone answers');
    assert.equal((await recordOf(house, caller)).agent.name, 'Ann');
  };
  await ann.shows('ready');
  await served();
  await house.crash();
  say(`ready again after ${await house.again()} ms`);
  assert.match(await (await fetch(`${house.http}/metrics`)).text(), /^antiphon_sip_phones 1$/m);
  await served();
}

/** A whole shift by telephone: no page, no click. */
async function byTelephoneAlone(stage) {
  const house = await stage.house({ first: 'notice', wrap_up_ms: 60_000 });
  // What the house says to whoever is ready, in a voice that is known.
  const ready = await chirps(house.folder, CODES.other, 0.6, 8_000);
  await house.request('PUT', '/api/v1/prompts/phone_ready/en', readFileSync(ready), { type: 'audio/wav' });
  const ann = await stage.seat('Ann', null, { begins: false });
  const account = await house.request('POST', `/api/v1/users/${ann.id}/phone-secret`, { digest: 'md5' });
  const telephone = await Telephone.registering(house, account, CODES.page);
  stage.also(telephone);
  await until('it is registered', async () => /^antiphon_sip_phones 1$/m.test(await (await fetch(`${house.http}/metrics`)).text()));
  await ann.shows('signed_out');
  assert.deepEqual(await telephone.dials('*61'), [CODES.other], 'the house says so');
  await ann.shows('ready');

  const caller = stage.caller({ keys: '' });
  await ann.shows('talking');
  await pause(SHORT_MS);
  telephone.hangUp();
  const diary = await caller.over();
  assert(diary.heard.includes(CODES.page), 'the caller hears the agent');
  assert.equal((await recordOf(house, caller)).agent.name, 'Ann');

  // Done with the wrap-up, a break, and home.
  await ann.shows('wrap_up');
  await telephone.dials('*61');
  await ann.shows('ready');
  await telephone.dials('*62');
  await ann.shows('break');
  await telephone.dials('*63');
  await ann.shows('signed_out');

  // A number of the company is called as customers do, and nothing else can be called.
  await telephone.dials('*99');
  await telephone.says(/404 Not Found/);
  assert.equal((await house.calls()).length, 1, 'calls to the house are no calls of customers');
}

export const tests = [
  { name: 'agents at SIP telephones', deadline_s: 90, skip: noBaresip, run: twoTelephones },
  { name: "an agent's telephone registers", deadline_s: 90, skip: noBaresip, run: registers },
  { name: 'telephones over TCP and TLS', deadline_s: 90, skip: noBaresip, run: overConnections },
  { name: 'a shift by telephone alone', deadline_s: 90, skip: noBaresip, run: byTelephoneAlone },
  { name: 'a telephone is rung after a crash of the house', deadline_s: 90, skip: noBaresip, run: outlivesACrash },
  { name: "an agent's SIP telephone is not answered", deadline_s: 60, run: notAnswered }
];
