// Documents, sounds and frames that no page of ours sends, at the real program: each is refused with
// its code and the place of every fault, nothing of it is kept, and the house goes on.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Refused, chirps } from '../lib/house.mjs';
import { Live } from '../lib/live.mjs';
import { CODES } from '../lib/voice.mjs';

const BYE = { type: 'hang_up', prompts: [] };
const flow = (nodes, more = {}) => ({ schema: 1, start: 'hello', nodes: { bye: BYE, ...nodes }, ...more });
const says = (prompts, next) => ({ type: 'play', prompts, next });
const menu = (choices, more = {}) => ({ type: 'menu', prompts: ['e2e_menu'], timeout_s: 5, tries: 1, choices, otherwise: 'bye', ...more });
const queue = (more) => ({ type: 'queue', queue: 'Sales', prompts: [], wait_s_max: 60, otherwise: 'bye', ...more });
const not = (depth) => (depth === 0 ? { known: { variable: 'caller' } } : { not: not(depth - 1) });

/** Flow documents, each with all of its faults: place and code. */
const FLOWS = {
  'names that nobody has': [
    flow({ hello: says(['e2e_menu', 'nothing'], 'nowhere'), wait: queue({ queue: 'Nobody' }), open: { type: 'hours', calendar: 'never', open: 'wait', closed: 'bye' } }),
    ['/nodes/hello/next unknown_node', '/nodes/hello/prompts/1 unknown_prompt', '/nodes/open unreachable', '/nodes/open/calendar unknown_calendar', '/nodes/wait unreachable', '/nodes/wait/queue unknown_queue', '/nodes/bye unreachable']
  ],
  'fields of the wrong kind, missing, and too many': [
    flow({ hello: says('e2e_menu', 7), 'a/b~c': menu({ 12: { label: 'x', next: 'bye' }, 3: { next: 'bye', skill: 1 } }, { tries: -1 }), fly: { type: 'fly' } }, { author: 'me' }),
    ['/author unknown_field', '/nodes/a~1b~0c/choices/12 bad_key', '/nodes/a~1b~0c/choices/3/label missing_field', '/nodes/a~1b~0c/choices/3/skill unknown_field', '/nodes/a~1b~0c/tries wrong_type', '/nodes/fly/type unknown_type', '/nodes/hello/next wrong_type', '/nodes/hello/prompts wrong_type']
  ],
  'numbers out of their range and keys that are none': [
    flow({ hello: menu({ x: { label: 'x', next: 'wait' } }, { timeout_s: 0, tries: 9_999 }), wait: queue({ wait_s_max: 0, priority: 101, skills: { repairs: 11 } }) }),
    ['/nodes/hello/choices/x bad_key', '/nodes/hello/timeout_s out_of_range', '/nodes/hello/tries out_of_range', '/nodes/wait/priority out_of_range', '/nodes/wait/skills/repairs out_of_range', '/nodes/wait/wait_s_max out_of_range']
  ],
  'circles without end, and conditions too deep': [
    flow({ hello: { type: 'branch', cases: [{ when: { known: { variable: 'nobody' } }, next: 'bye' }], otherwise: 'again' }, again: { type: 'set', variable: 'caller', value: 'x', next: 'hello' } }),
    ['/nodes/again endless', '/nodes/again/variable reserved_name', '/nodes/hello endless', '/nodes/hello/cases/0/when/known/variable unknown_variable']
  ],
  'conditions that nest too deep': [
    flow({ hello: { type: 'branch', cases: [{ when: not(8), next: 'bye' }], otherwise: 'bye' } }),
    [`/nodes/hello/cases/0/when${'/not'.repeat(8)} too_deep`]
  ],
  'another schema': [flow({ hello: says(['e2e_menu'], 'bye') }, { schema: 2 }), ['/schema unknown_schema']],
  'no flow at all': [[], [' wrong_type']],
  'no JSON': ['{"schema": 1,', [' syntax']],
  'a name twice': ['{"schema":1,"schema":1,"start":"a","nodes":{"a":{"type":"hang_up","prompts":[],"prompts":[]}}}', ['/nodes/a/prompts duplicate_key', '/schema duplicate_key']],
  'brackets without end': ['['.repeat(100_000), [' syntax']]
};
/** More than a document may have. */
const LARGE_BYTES = 600_000;

/** The refusal of a request; anything else is a fault. */
async function refused(what, asked) {
  const problem = await asked.then(
    (answer) => assert.fail(`${what} was taken: ${JSON.stringify(answer)}`),
    (error) => error
  );
  assert(problem instanceof Refused, `${what}: ${problem.stack}`);
  return problem;
}

async function flows(house, say) {
  const { items: [{ id }] } = await house.get('/api/v1/flows');
  const before = await house.get(`/api/v1/flows/${id}`);
  for (const [what, [document, faults]] of Object.entries(FLOWS)) {
    const body = Buffer.from(typeof document === 'string' ? document : JSON.stringify(document));
    const { status, code, problem } = await refused(what, house.request('PUT', `/api/v1/flows/${id}/draft`, body));
    assert.deepEqual([status, code], [422, 'bad_flow'], what);
    assert.deepEqual(problem.errors.map(({ pointer, code }) => `${pointer} ${code}`).sort(), [...faults].sort(), what);
    assert(problem.errors.every(({ detail }) => detail.length > 10), `${what}: each is told in words`);
    const checked = await house.request('POST', '/api/v1/flows/check', body);
    assert.deepEqual(checked.faults, problem.errors, `${what}: the check says the same`);
  }
  const large = Buffer.alloc(LARGE_BYTES, ' ');
  for (const [method, path] of [['PUT', `/api/v1/flows/${id}/draft`], ['POST', '/api/v1/flows/check']]) {
    const { status, code } = await refused('too much', house.request(method, path, large));
    assert.deepEqual([status, code], [413, 'too_large']);
  }
  assert.deepEqual(await house.get(`/api/v1/flows/${id}`), before, 'no draft was kept');
  say(`${Object.keys(FLOWS).length} flows refused`);
}

async function sounds(house, say) {
  const good = readFileSync(await chirps(house.folder, CODES.menu, 1, 8_000));
  const at = good.indexOf('data');
  const with16 = (place, value) => {
    const bytes = Buffer.from(good);
    bytes.writeUInt16LE(value, place);
    return bytes;
  };
  /** What is wrong, and the byte at which the part begins that is. */
  const bad = {
    'cut short in its sound': [good.subarray(0, good.length / 2), at],
    'cut short in its head': [good.subarray(0, 20), 12],
    'without any sound': [good.subarray(0, at), at],
    'of another container': [Buffer.from(good.toString('latin1').replace('WAVE', 'AVI '), 'latin1'), 0],
    'an MP3': [with16(20, 85), 12],
    'of 400 channels': [with16(22, 400), 12],
    'of 12 bits': [with16(34, 12), 12],
    'a text': [Buffer.from('This is no sound.\n'.repeat(100)), 0],
    nothing: [Buffer.alloc(0), 0]
  };
  const put = (name, bytes) => house.request('PUT', `/api/v1/prompts/${name}/en`, bytes, { type: 'audio/wav' });
  await put('e2e_hostile', good);
  const kept = await house.request('GET', '/api/v1/prompts/e2e_hostile/en', undefined, { raw: true });
  for (const [what, [bytes, from]] of Object.entries(bad)) {
    for (const name of ['e2e_hostile', 'e2e_hostile_new']) {
      const { status, code, problem } = await refused(what, put(name, bytes));
      assert.deepEqual([status, code], [422, 'bad_sound'], what);
      assert.deepEqual(problem.errors.map(({ pointer, code }) => [pointer, code]), [['', 'bad_sound']], what);
      assert.match(problem.errors[0].detail, new RegExp(`^From byte ${from}: \\w`), what);
      assert.equal(problem.detail, problem.errors[0].detail, what);
    }
  }
  assert.deepEqual(await house.request('GET', '/api/v1/prompts/e2e_hostile/en', undefined, { raw: true }), kept, 'the sound before is kept');
  const { items } = await house.get('/api/v1/prompts');
  assert(!items.some(({ name }) => name === 'e2e_hostile_new'), 'and no new one');
  say(`${Object.keys(bad).length} sounds refused`);
}

const topics = (count) => Array.from({ length: count }, (_, n) => `queue:${n}`);

/** Frames before the greeting and after it, each with code and place of the answer. */
const BEFORE = [['{"type":"ping"}', 'wrong_order', '/type']];
const AFTER = [
  ['', 'bad_json', ''],
  ['{"type":', 'bad_json', ''],
  ['[]', 'bad_value', '/type'],
  ['{"type":"fly"}', 'bad_value', '/type'],
  ['{"type":"hello","tab":"again","epoch":2}', 'wrong_order', '/type'],
  ['{"type":"hello","tab":"a b","epoch":2}', 'bad_value', '/tab'],
  ['{"type":"hello","tab":"a","epoch":-1}', 'bad_value', '/epoch'],
  ['{"type":"ping","more":1}', 'unknown_field', '/more'],
  ['{"type":"ping","type":"ping"}', 'duplicate_key', ''],
  [`{"type":${'['.repeat(65)}${']'.repeat(65)}}`, 'too_deep', ''],
  ['{"type":"subscribe","topics":["me",7]}', 'bad_value', '/topics/1'],
  [{ type: 'subscribe', topics: topics(201) }, 'too_many_topics', '/topics'],
  [{ type: 'subscribe', topics: ['queue:0'] }, 'forbidden_topic', 'queue:0'],
  [{ type: 'rtc.offer', sdp: 'x'.repeat(20_000) }, 'too_long', '/sdp']
];
const FAULTS_MAX = 20;

async function frames(house, say) {
  const person = await house.signIn('agent@demo.example');
  const live = await Live.open(person);
  const answers = async (list) => {
    for (const [frame, code, place] of list) {
      const answer = await live.ask(frame);
      assert.deepEqual([answer.type, answer.code, answer.place], ['error', code, place], JSON.stringify(frame).slice(0, 80));
      assert(answer.detail.length > 10, 'and in words');
    }
  };
  await answers(BEFORE);
  assert.equal((await live.ask({ type: 'hello', tab: 'e2e', epoch: 1 })).type, 'welcome');
  await answers(AFTER);
  assert.deepEqual(await live.ask({ type: 'ping' }), { type: 'pong' }, 'the connection goes on');
  // Talking on makes no sense at last.
  const left = FAULTS_MAX + 1 - [...BEFORE, ...AFTER].filter(([, code]) => code !== 'forbidden_topic').length;
  for (let n = 0; n < left; n++) live.say('{}');
  assert.equal(await live.ended(), 1_008);
  for (const [frame, code] of [[Buffer.from('{"type":"ping"}'), 1_003], ['x'.repeat(70_000), 1_009], ['x'.repeat(3_000_000), 1_009]]) {
    const other = await Live.open(person);
    other.say(frame);
    assert.equal(await other.ended(), code, `${frame.length} bytes`);
  }
  say(`${BEFORE.length + AFTER.length} frames refused`);
}

async function hostile(stage, say) {
  const house = await stage.house();
  const version = async () => (await house.get('/api/v1/config/versions?limit=1')).items[0].n;
  const drafted = await version();
  await flows(house, say);
  assert.equal(await version(), drafted, 'no refused flow is a version of the configuration');
  await sounds(house, say);
  assert.equal(await version(), drafted + 1, 'and of the sounds only the good one');
  await frames(house, say);
  const metrics = await (await fetch(`${house.http}/metrics`)).text();
  const counted = (code) => Number(metrics.match(new RegExp(`^antiphon_api_refused_total\\{code="${code}"\\} (\\d+)`, 'm'))?.[1] ?? 0);
  assert.equal(counted('bad_flow'), Object.keys(FLOWS).length, 'refusals are counted by code');
  assert(counted('bad_sound') > 0 && counted('bad_json') > 0);
  // Calls go the way that was published before.
  const caller = stage.caller();
  await house.callOf(caller.number, (call) => call.queue);
  await caller.bye();
  assert((await fetch(`${house.http}/readyz`)).ok);
}

export const tests = [{ name: 'hostile documents, sounds and frames', deadline_s: 60, run: hostile }];
