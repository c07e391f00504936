// A colleague is asked in: who hears whom alone, with the customer and after the customer was
// handed over, and what the record says.

import assert from 'node:assert/strict';
import { CODES, PERIOD_MS, speakerOf } from '../lib/voice.mjs';
import { pause, until } from '../lib/wait.mjs';

const TALK_MS = 3 * PERIOD_MS;

async function askedIn(stage, say) {
  const house = await stage.house({ first: 'notice', wrap_up_ms: 0 });
  const first = await stage.telephones('--chirp', String(CODES.page), '--talk', '60000ms');
  const second = await stage.telephones('--chirp', String(CODES.other), '--talk', '60000ms');
  const ann = await stage.seat('Ann', first.addresses[0]);
  const bob = await stage.seat('Bob', second.addresses[0]);
  await ann.ready();
  const caller = stage.caller({ keys: '' });
  const { call } = await ann.shows('talking');
  await bob.ready();
  const path = `/api/v1/calls/${call.contact.call}`;
  const refused = async (who, what, body) => (await who.person.request('POST', `${path}/${what}`, body).catch((error) => error)).code;
  await pause(TALK_MS);
  assert.equal(await refused(ann, 'consult', { colleague: call.contact.call }), 'unknown_choice');
  assert.equal(await refused(ann, 'conference'), 'wrong_state');
  assert.equal(await refused(bob, 'consult', { colleague: call.contact.call }), 'not_found', 'the call is not his');

  const { items } = await ann.person.request('GET', '/api/v1/colleagues');
  const him = items.find(({ name }) => name === 'Bob');
  assert.deepEqual([him.state, him.free], ['ready', true]);
  await ann.person.request('POST', `${path}/consult`, { colleague: him.id });
  const alone = await bob.shows('talking');
  assert.equal(alone.call.consult.agent.name, 'Ann');
  assert.equal((await ann.shows('hold')).call.consult.colleague.name, 'Bob');
  await pause(TALK_MS);
  await ann.person.request('POST', `${path}/conference`);
  await ann.shows('talking');
  await pause(TALK_MS);
  await ann.person.request('POST', `${path}/consult/hand-over`);
  await ann.shows('ready');
  await until('the customer is his', async () => (await bob.shows('talking')).call.consult === null);
  assert.equal((await first.event('over')).ended, 'far_hangup', 'her telephone is free');
  assert.equal(await refused(ann, 'hangup'), 'not_found', 'the call is no longer hers');
  await pause(TALK_MS);
  await bob.person.request('POST', `${path}/hangup`);

  const diary = await caller.over();
  const spoken = diary.heard.filter((code) => code !== CODES.menu);
  say(`the caller hears ${spoken.join(' ')}`);
  const [page, other] = [CODES.page, CODES.other];
  // Her alone, music, both, him alone.
  const joined = diary.startsOf(other)[0];
  const music = diary.startsOf(CODES.music).at(-1);
  assert(diary.startsOf(page)[0] < music && music < joined, 'he is heard after the music alone');
  assert(diary.startsOf(page).some((at) => at > joined), 'both are heard in the conference');
  assert(diary.startsOf(other).at(-1) > diary.startsOf(page).at(-1), 'in the end he alone');

  const row = await house.callOf(caller.number, (one) => one.outcome);
  assert.equal(row.outcome, 'handled');
  const record = await house.call(row.id);
  assert.equal(record.agent.name, 'Bob');
  assert.equal(record.recordings.length, 1, 'one recording of all of it');
  assert.equal(record.ladder.marks.find(({ kind }) => kind === 'handed_over')?.label, 'Bob');
  const lanes = Object.fromEntries(record.ladder.lanes.filter(({ lane }) => lane === 'agent').map(({ label, segments }) => [label, segments.map(({ kind }) => kind)]));
  assert.deepEqual(lanes, { Ann: ['offered', 'talking', 'hold', 'talking'], Bob: ['offered', 'consult', 'talking', 'talking'] });
  assert.equal((await ann.today()).handled, 1);
  assert.equal((await bob.today()).handled, 1);
}

async function fromThePage(stage, say) {
  const house = await stage.house({ first: 'notice', wrap_up_ms: 120_000 });
  const telephones = await stage.telephones('--chirp', String(CODES.other), '--talk', '60000ms');
  const desk = await stage.agent();
  const caller = stage.caller({ keys: '' });
  await desk.offered(caller.number);
  await desk.accept();
  const bob = await stage.seat('Bob', telephones.addresses[0]);
  await bob.ready();
  await desk.hears(CODES.caller);

  const key = (name) => desk.page.locator('.keys').getByRole('button', { name, exact: true });
  await key('Transfer').click();
  await desk.page.getByRole('menuitem', { name: /Bob/ }).click();
  await bob.shows('talking');
  await desk.shows('hold');
  // The customer, who speaks on, is not heard once the colleague is.
  const alone = await desk.hears(CODES.other, { from: Date.now() + PERIOD_MS });
  assert(!alone.codes.map(speakerOf).includes(CODES.caller), `alone with him the page hears ${alone.codes}`);
  await key('All three').click();
  await desk.shows('talking');
  const from = Date.now();
  await desk.hears(CODES.caller, { from });
  await desk.hears(CODES.other, { from });
  await pause(TALK_MS);
  // Of two at once the caller makes out one; in turn both.
  await desk.mute(true);
  await pause(TALK_MS);
  const handedAt = Date.now();
  await key('Hand over').click();
  await desk.wrapUp();
  assert.equal((await bob.shows('talking')).call.consult, null, 'the customer is his');
  await pause(TALK_MS);
  await bob.person.request('POST', `/api/v1/calls/${(await bob.shows('talking')).call.contact.call}/hangup`);

  const diary = await caller.over();
  say(`the caller hears ${diary.heard.filter((code) => code !== CODES.menu).join(' ')}`);
  const [page, other] = [diary.startsOf(CODES.page), diary.startsOf(CODES.other)];
  assert(diary.startsOf(CODES.music).some((at) => at > page[0] && at < from), 'music while the two talk');
  assert(page.some((at) => at > from), 'the page in the conference');
  assert(other.some((at) => at > from && at + PERIOD_MS < handedAt), 'him in the conference');
  assert(other.every((at) => at > from - PERIOD_MS), 'and not before');
  assert(other.at(-1) > handedAt && page.every((at) => at < handedAt), 'him alone in the end');
}

export const tests = [
  { name: 'a colleague is asked in and gets the customer', deadline_s: 90, run: askedIn },
  { name: 'a page asks a telephone in', deadline_s: 90, run: fromThePage }
];
