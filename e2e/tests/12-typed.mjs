// What a caller types on the way: opening hours, a menu, digits into a variable, a branch over it,
// a second menu; the agent reads it before and during the conversation, and in the list afterwards.

import assert from 'node:assert/strict';
import { freshNumber } from '../lib/phone.mjs';
import { noSipp, sipp } from '../lib/sipp.mjs';
import { within } from '../lib/wait.mjs';

const LABEL = 'Customer number';
const DIGITS = { min: 4, max: 6 };
const KEY_TIMEOUT_S = 3;

/** Never open, then always open; a menu, a number of four to six digits, a desk for those with 47. */
const FLOW = {
  schema: 1,
  start: 'night',
  nodes: {
    night: { type: 'hours', calendar: 'E2E never', open: 'bye', closed: 'day' },
    day: { type: 'hours', calendar: 'E2E always', open: 'menu', closed: 'bye' },
    menu: {
      type: 'menu', prompts: ['e2e_menu'], timeout_s: 20, tries: 1, invalid: [],
      choices: { 1: { label: 'Sales', next: 'notice' }, 2: { label: 'My order', next: 'number' } }, otherwise: 'bye'
    },
    number: {
      type: 'collect', prompts: ['e2e_notice'], variable: 'customer', label: LABEL, digits_min: DIGITS.min,
      digits_max: DIGITS.max, terminator: '#', timeout_s: KEY_TIMEOUT_S, tries: 2, next: 'sort', otherwise: 'no_number'
    },
    sort: { type: 'branch', cases: [{ when: { starts_with: { variable: 'customer', value: '47' } }, next: 'desk' }], otherwise: 'notice' },
    desk: {
      type: 'menu', prompts: ['e2e_menu'], timeout_s: 20, tries: 1, invalid: [],
      choices: { 3: { label: 'Where is it?', next: 'notice' } }, otherwise: 'bye'
    },
    no_number: {
      type: 'menu', prompts: ['e2e_menu'], timeout_s: 20, tries: 1, invalid: [],
      choices: { 9: { label: 'No number', next: 'notice' } }, otherwise: 'bye'
    },
    notice: { type: 'consent', prompts: ['e2e_notice'], refuse_key: null, timeout_s: 0, next: 'wait' },
    wait: { type: 'queue', queue: 'Sales', prompts: [], wait_s_max: 600, otherwise: 'bye' },
    bye: { type: 'hang_up', prompts: [] }
  }
};

/** Keys of a caller, and what the record must say of them. */
const CALLERS = {
  'ended by #': { keys: 'sound+200ms:2,sound+200ms:4711#,sound+200ms:3', facts: ['My order', '4711', 'Where is it?'] },
  'too few, then right': { keys: 'sound+200ms:2,sound+200ms:12#,sound+200ms:8123#', facts: ['My order', '8123'] },
  'the most there may be': { keys: 'sound+200ms:2,sound+200ms:812345', facts: ['My order', '812345'] },
  'typed ahead of the next prompt': { keys: 'sound+200ms:24711993', facts: ['My order', '471199', 'Where is it?'] },
  'the end is not typed': { keys: 'sound+200ms:2,sound+200ms:81234', facts: ['My order', '81234'] },
  'too few, twice': { keys: 'sound+200ms:2,sound+200ms:1#,sound+200ms:22#,sound+200ms:9', facts: ['My order', 'No number'] },
  'nothing, twice': { keys: 'sound+200ms:2,chirp11+15s:9', facts: ['My order', 'No number'] }
};

async function publish(house) {
  const all = [{ from_min: 0, until_min: 1_440 }];
  const week = (intervals) => Object.fromEntries([1, 2, 3, 4, 5, 6, 7].map((day) => [day, intervals]));
  const calendars = await house.get('/api/v1/calendars');
  await house.request('PUT', '/api/v1/calendars', {
    ...calendars,
    e2e_always: { name: 'E2E always', week: week(all) },
    e2e_never: { name: 'E2E never', week: week([]) }
  });
  const { items: [{ id }] } = await house.get('/api/v1/flows');
  await house.request('PUT', `/api/v1/flows/${id}/draft`, FLOW);
  await house.request('POST', `/api/v1/flows/${id}/publish`);
}

/** What the record says a caller chose and typed, in order. */
async function factsOf(house, row) {
  const { facts } = await house.call(row.id);
  for (const fact of facts) {
    if (fact.kind === 'typed') assert.deepEqual([fact.label, fact.key], [LABEL, 'customer']);
  }
  return facts.map((fact) => (fact.kind === 'typed' ? fact.value : fact.label));
}

async function everyWay(stage, say) {
  const house = await stage.house();
  await publish(house);
  const calling = Object.entries(CALLERS).map(([way, { keys, facts }]) => ({ way, facts, caller: stage.caller({ keys }) }));
  for (const { way, facts, caller } of calling) {
    const row = await house.callOf(caller.number, (call) => call.queue, 45_000);
    assert.deepEqual(await factsOf(house, row), facts, way);
    await caller.bye();
    say(`${way}: ${facts.join(', ')}`);
  }
}

/** SIPp and its recorded RFC 4733 packets; the agent sees what was typed, wherever the call is shown. */
async function theAgentReadsIt(stage) {
  const house = await stage.house();
  await publish(house);
  const desk = await stage.agent();
  const number = freshNumber();
  const caller = sipp(house, number, { listenMs: 2_500, keys: '24712203' });
  stage.also(caller);
  const typed = ['My order', LABEL, '471220', 'Where is it?'];
  const card = await desk.offered(number);
  const bare = (text) => text.replace(/[\s\u2066-\u2069\u200e\u200f\u00a0]/g, '');
  const shows = (text, where) => typed.forEach((words) => assert(bare(text).includes(bare(words)), `${where} shows ${words}: ${text}`));
  shows(card, 'the offer card');
  await desk.accept();
  shows(await desk.conversation.innerText(), 'the call in progress');
  // SIPp takes a BYE only once it has played everything.
  await desk.listen('remote', 1_500);
  await desk.hangUp();
  await within('the end of sipp', caller.ended, 20_000);
  assert.equal(caller.exited, 0, caller.errors);
  await desk.wrapUp();
  const row = await house.callOf(number, (call) => call.disposition);
  assert.deepEqual(await factsOf(house, row), ['My order', '471220', 'Where is it?']);
  await desk.page.goto(`${house.http}/calls/${row.id}`);
  await desk.page.locator('section.tl').waitFor();
  await desk.page.getByText('471220').first().waitFor();
  shows(await desk.page.locator('main').innerText(), 'the page of the call');
  assert.deepEqual(desk.problems, []);
}

export const tests = [
  { name: 'digits are collected every way', deadline_s: 90, run: everyWay },
  { name: 'the agent reads what was typed', deadline_s: 90, skip: noSipp, run: theAgentReadsIt }
];
