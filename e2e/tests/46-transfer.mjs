// A customer is sent on to another queue: who hears whom before and after, and what the record says.

import assert from 'node:assert/strict';
import { CODES, PERIOD_MS } from '../lib/voice.mjs';
import { pause } from '../lib/wait.mjs';

const TALK_MS = 3 * PERIOD_MS;

async function sentOn(stage, say) {
  const house = await stage.house({ first: 'notice', wrap_up_ms: 0 });
  const { items } = await house.get('/api/v1/queues');
  const { id: _, ...sales } = items.find((one) => one.name === 'Sales');
  const help = await house.request('POST', '/api/v1/queues', { ...sales, name: 'Help' });
  const first = await stage.telephones('--chirp', String(CODES.page), '--talk', '60000ms');
  const second = await stage.telephones('--chirp', String(CODES.other), '--talk', `${TALK_MS}ms`);
  const ann = await stage.seat('Ann', first.addresses[0]);
  const bob = await stage.seat('Bob', second.addresses[0]);
  const { id, phone_username: _told, ...profile } = await house.get(`/api/v1/users/${bob.id}`);
  await house.request('PUT', `/api/v1/users/${id}`, { ...profile, queues: [help.id] });
  await ann.ready();
  await bob.ready();

  const caller = stage.caller({ keys: '' });
  const { call } = await ann.shows('talking');
  const path = `/api/v1/calls/${call.contact.call}/transfer`;
  await pause(TALK_MS);
  const strangers = await house.request('POST', path, { queue: call.contact.call }).catch((error) => error);
  assert.equal(strangers.code, 'no_seat', 'an API key holds no call');
  const nowhere = await ann.person.request('POST', path, { queue: call.contact.call }).catch((error) => error);
  assert.equal(nowhere.code, 'unknown_choice');
  await ann.shows('talking');
  await ann.person.request('POST', path, { queue: help.id });
  await bob.shows('talking');
  await ann.shows('ready');
  assert.equal((await first.event('over')).ended, 'far_hangup', 'her telephone is free');
  const again = await ann.person.request('POST', path, { queue: help.id }).catch((error) => error);
  assert.equal(again.code, 'not_found', 'the call is no longer hers');

  const diary = await caller.over();
  assert.equal(diary.ended, 'far_hangup', 'the second agent hung up');
  assert.deepEqual(diary.heard.filter((code) => code !== CODES.music), [CODES.menu, CODES.page, CODES.other], 'the caller hears one after the other');
  const [left, came] = [diary.startsOf(CODES.page).at(-1), diary.startsOf(CODES.other)[0]];
  say(`${(came - left - PERIOD_MS).toFixed(0)} ms from the one to the other`);
  assert(left < came, 'and never both');

  const row = await house.callOf(caller.number, (one) => one.outcome);
  assert.equal(row.outcome, 'handled');
  const record = await house.call(row.id);
  assert.equal(record.agent.name, 'Bob');
  assert.equal(record.recordings.length, 1, 'one recording of all of it');
  const sent = record.ladder.marks.find(({ kind }) => kind === 'transferred');
  assert.equal(sent?.label, 'Help');
  const agents = record.ladder.lanes.filter(({ lane }) => lane === 'agent').map(({ label }) => label);
  assert.deepEqual(agents, ['Ann', 'Bob']);
  assert.equal((await ann.today()).handled, 1);
  assert.equal((await bob.today()).handled, 1);
}

export const tests = [{ name: 'a customer is sent on to another queue', deadline_s: 60, run: sentOn }];
