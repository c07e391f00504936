// The wall between two companies while both have calls under way: what one has is to the other as if
// it were nowhere, at every address that takes an id, for a program, an administrator and an agent.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { chirps } from '../lib/house.mjs';
import { Live } from '../lib/live.mjs';
import { CODES } from '../lib/voice.mjs';
import { until } from '../lib/wait.mjs';

const ONE = 'one.example';
const TWO = 'two.example';
/** Offers ring longer than this test takes. */
const FLOW = { first: 'notice', ring_ms: 120_000, wrap_up_ms: 120_000 };

/** Addresses that make what they name, for whoever asks: a number and a sound of their own. */
const MAKES = ['put /api/v1/numbers/{dialled}', 'put /api/v1/prompts/{name}/{lang}'];

/** What is sent; whoever adds an address that takes an id says it here. */
const BODIES = {
  'post /api/v1/callbacks/{call}/done': undefined,
  'post /api/v1/calls/{call}/conference': undefined,
  'post /api/v1/calls/{call}/conference/end': undefined,
  'post /api/v1/calls/{call}/consult': { colleague: randomUUID() },
  'post /api/v1/calls/{call}/consult/end': undefined,
  'post /api/v1/calls/{call}/consult/hand-over': undefined,
  'post /api/v1/calls/{call}/hangup': undefined,
  'post /api/v1/calls/{call}/hold': undefined,
  'post /api/v1/calls/{call}/resume': undefined,
  'post /api/v1/calls/{call}/transfer': { queue: randomUUID() },
  'put /api/v1/calls/{call}/note': { note: 'from over the wall' },
  'post /api/v1/calls/{call}/wrap-up': { disposition: 'answered', resolved: true },
  'post /api/v1/calls/{call}/wrap-up/extend': { seconds: 5 },
  'post /api/v1/offers/{offer}/accept': undefined,
  'post /api/v1/offers/{offer}/decline': { reason: 'busy' },
  'put /api/v1/flows/{id}/draft': { schema: 1, start: 'bye', nodes: { bye: { type: 'hang_up', prompts: [] } } },
  'post /api/v1/flows/{id}/publish': undefined,
  'put /api/v1/queues/{id}': { name: 'Sales', strategy: 'longest_ready', ring_ms: 5_000, wrap_up_ms: 0, music: 'e2e_music', service_level_ms: 20_000, short_abandon_ms: 0, length_max: 10 },
  'post /api/v1/users/{id}/phone-secret': { digest: 'sha256' },
  'put /api/v1/users/{id}': { mail: 'wall@telephone.example', name: 'Wall', role: 'agent', language: 'en' }
};

/** In this order an owner can do all of it, so that nothing is gone before it was asked for. */
const ORDER = ['get', 'decline', 'accept', 'hold', 'resume', 'note', 'transfer', 'consult', 'conference', 'end', 'hand-over', 'hangup', 'extend', 'wrap-up', 'put', 'post', 'delete'];
const rank = ({ method, path }) => ORDER.findIndex((word) => word === method || path.endsWith(`/${word}`));

/** Every address that takes an id, from the program's own description. */
async function routesOf(house) {
  const { paths } = await house.get('/api/openapi.json');
  const routes = Object.entries(paths)
    .filter(([path]) => path.includes('{'))
    .flatMap(([path, methods]) => Object.entries(methods).map(([method, { tags }]) => ({ method, path, key: `${method} ${path}`, admin: tags.includes('administration') })))
    .filter(({ key }) => !MAKES.includes(key));
  for (const { method, key } of routes) assert(['get', 'delete'].includes(method) || key in BODIES, `what is sent to ${key}?`);
  return routes.sort((one, two) => rank(one) - rank(two));
}

/** A company at work: one agent talks and is recorded, another is rung. */
async function atWork(stage, house, { names, more, number }) {
  const talker = await stage.telephones('--chirp', String(CODES.other));
  const silent = await stage.telephones('--never');
  const talks = await stage.seat(names[0], talker.addresses[0], { house });
  const rings = await stage.seat(names[1], silent.addresses[0], { house });
  await talks.ready();
  const callers = [stage.caller({ keys: '', more })];
  const { call } = await talks.live.sees('me', (me) => me.call?.recording && me.call);
  await rings.ready();
  callers.push(stage.caller({ keys: '', more }));
  const { offer } = await rings.live.sees('me', (me) => me.offer);
  const { items: [flow] } = await house.get('/api/v1/flows');
  await house.request('PUT', `/api/v1/numbers/${number}`, { flow: flow.id });
  const sound = readFileSync(await chirps(house.folder, CODES.menu, 1, 8_000));
  await house.request('PUT', `/api/v1/prompts/only_${number}/en`, sound, { type: 'audio/wav' });
  const { contact: { call: id } } = call;
  await until('the recording is there', async () => (await house.call(id)).recordings.length);
  return { house, callers, talks, rings, ids: { call: id, offer: offer.offer, n: 1, users: talks.id, queues: talks.queue, flows: flow.id, dialled: number, name: `only_${number}`, lang: 'en' } };
}

const NOWHERE = { call: randomUUID(), offer: randomUUID(), n: 1, users: randomUUID(), queues: randomUUID(), flows: randomUUID(), dialled: '999999', name: 'only_999999', lang: 'en' };

const fill = (path, ids) => path.replace(/\{(\w+)\}/g, (_, name) => ids[name === 'id' ? path.split('/')[3] : name]);

/** Status and body of an answer, without the name of its request; of a sound only that it is one. */
async function answer(who, { method, path, key }, ids) {
  const body = BODIES[key];
  const response = await fetch(who.http + fill(path, ids), {
    method: method.toUpperCase(),
    headers: { ...who.identity, ...(body && { 'content-type': 'application/json' }) },
    body: body && JSON.stringify(body)
  });
  const json = /json/.test(response.headers.get('content-type') ?? '') ? await response.json() : (await response.arrayBuffer(), null);
  const { request_id, ...rest } = json ?? {};
  return { status: response.status, ...rest };
}

/** What a company has, as it sees it. */
async function standing({ house, talks, rings, ids }) {
  const paths = ['users', 'queues', 'flows', 'numbers', 'prompts', 'config/versions', `calls/${ids.call}`];
  const seen = await Promise.all(paths.map((path) => house.get(`/api/v1/${path}`)));
  const { running, recordings, ladder, waited_s, ...call } = seen.pop();
  return { seen, call, talks: talks.live.topics.get('me'), rings: rings.live.topics.get('me') };
}

async function wall(stage, say) {
  const house = await stage.house(FLOW);
  await house.operator('tenant', 'domain', ONE);
  const twin = await house.twin(TWO, FLOW);
  const ours = await atWork(stage, house, { names: ['Ann', 'Bob'], more: ['--domain', ONE], number: '701' });
  const theirs = await atWork(stage, twin, { names: ['Cleo', 'Dan'], more: ['--domain', TWO], number: '702' });
  const administrator = await house.signIn('admin@demo.example');
  const routes = await routesOf(house);
  const before = [await standing(ours), await standing(theirs)];

  let asked = 0;
  for (const route of routes) {
    const strangers = { key: house, administrator, ...(route.admin ? {} : { agent: ours.talks.person, 'agent who is rung': ours.rings.person }) };
    for (const [who, client] of Object.entries(strangers)) {
      const [foreign, nowhere] = [await answer(client, route, theirs.ids), await answer(client, route, NOWHERE)];
      assert.deepEqual([foreign.status, foreign.code], [404, 'not_found'], `${route.key} for the ${who}: ${JSON.stringify(foreign)}`);
      assert.deepEqual(foreign, nowhere, `${route.key} for the ${who} tells what is elsewhere from what is nowhere`);
      asked += 1;
    }
  }
  // A colleague from over the wall is nobody, also for a call of one's own.
  const asks = (agent) => ours.talks.person.request('POST', `/api/v1/calls/${ours.ids.call}/consult`, { colleague: agent }).then(() => 'done', ({ code }) => code);
  const agentOf = async ({ live }) => (await live.sees('me', (me) => me.agent)).agent;
  assert.deepEqual([await asks(await agentOf(theirs.rings)), await asks(randomUUID())], ['unknown_choice', 'unknown_choice']);
  for (const { talks, rings } of [ours, theirs]) {
    const { items } = await talks.person.get('/api/v1/colleagues');
    const names = items.map(({ name }) => name);
    assert(names.includes(rings.name) && !names.includes(talks.name), `${talks.name} sees ${names}`);
    const others = [ours, theirs].filter((side) => side.talks !== talks).flatMap((side) => [side.talks.name, side.rings.name]);
    assert(others.every((name) => !names.includes(name)), `${talks.name} sees ${names}`);
  }
  const live = await Live.watch(administrator, []);
  const topic = async (id) => (await live.ask({ type: 'subscribe', topics: [`queue:${id}`] })).code;
  await until('the greeting', () => live.frames.length);
  assert.deepEqual([await topic(theirs.ids.queues), await topic(NOWHERE.queues)], ['forbidden_topic', 'forbidden_topic']);
  live.close();
  assert.deepEqual([await standing(ours), await standing(theirs)], before, 'nothing has changed on either side');
  say(`${asked} requests at ${routes.length} addresses: 404`);

  // The same requests by their owner find what they name: they were good ones.
  for (const route of routes) {
    // Nobody was cut off, so nobody is on the list.
    if (route.path.startsWith('/api/v1/callbacks/')) continue;
    const owner = route.path.includes('/offers/') ? theirs.rings.person : route.admin || route.method === 'get' ? twin : theirs.talks.person;
    const { status, code } = await answer(owner, route, theirs.ids);
    const good = route.method === 'get' ? status === 200 : status < 300 || (status === 409 && code !== undefined) || (/\/(transfer|consult)$/.test(route.path) && code === 'unknown_choice');
    assert(good, `${route.key} for its owner: ${status} ${code}`);
  }
  await Promise.all([...ours.callers, ...theirs.callers].map((caller) => caller.bye()));
}

export const tests = [{ name: 'a wall between twins at work', deadline_s: 90, run: wall }];
