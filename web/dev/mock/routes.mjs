/** The REST side of the mock: `(context) -> {status, body, headers}`. */
import { wav, waveform } from './audio.mjs';
import { faults } from './admin.mjs';
import { breakReasons, callBacks, callDetail, callRow, colleagues, dispositions, id, me, queues } from './data.mjs';

const ROWS = 10_000;
const problem = (status, code, detail = '', extra = {}) => ({ status, type: 'application/problem+json', body: { type: 'about:blank', title: code, status, code, detail, request_id: 'req-7f3a', ...extra } });
const ok = (body, headers = {}) => ({ status: 200, body, headers });
const done = { status: 204 };

function callList({ scene, query, now, floor }) {
  if (scene.state === 'empty') return ok({ items: [], next_cursor: null });
  const limit = Number(query.get('limit') ?? 50);
  const from = Number(query.get('cursor') ?? 0);
  // An agent sees their own calls; who called before is told to everybody.
  const own = scene.role === 'agent' && !query.get('caller') ? id('e1', 1) : null;
  const items = [];
  let n = from;
  for (; n < ROWS && items.length < limit; n += 1) {
    const row = floor.ended[n] ?? callRow(scene.lang, now, n - floor.ended.length);
    const q = query.get('q');
    if (query.get('queue') && row.queue?.id !== query.get('queue')) continue;
    if (query.get('agent') && row.agent?.id !== query.get('agent')) continue;
    if (query.get('outcome') && row.outcome !== query.get('outcome')) continue;
    if (own && row.agent?.id !== own) continue;
    if (query.get('caller') && row.caller !== query.get('caller')) continue;
    if (q && !row.caller?.includes(q.replace(/[^\d]/g, ''))) continue;
    if (query.get('from') && row.started_at < query.get('from')) break;
    if (query.get('until') && row.started_at >= query.get('until')) continue;
    items.push(row);
  }
  return ok({ items, next_cursor: n < ROWS && items.length === limit ? String(n) : null });
}

function call({ scene, now, method }, parts) {
  const n = Number(parts[1].slice(-12));
  if (!parts[1].startsWith('0193d1') || n >= ROWS) return problem(404, 'not_found');
  const detail = callDetail(scene.lang, now, n);
  if (method === 'GET' && parts.length === 2) return ok(detail);
  const recording = detail.recordings[0];
  if (parts[2] === 'recordings' && recording) {
    return parts[4] === 'waveform' ? ok(waveform(recording.length_s)) : { status: 200, audio: wav(Math.min(recording.length_s, 900)) };
  }
  return problem(404, 'not_found');
}

function desk({ scene, floor }) {
  const none = scene.state === 'empty';
  return ok({ dispositions: dispositions(scene.lang), break_reasons: breakReasons(scene.lang), queues: none ? [] : queues(scene.lang), transfer_queues: queues(scene.lang), today: none ? { handled: 0, talk_s: 0, missed: 0 } : { handled: 9, talk_s: 3437, missed: 1 + floor.missed } });
}

/** A refusal of one field. */
const at = (pointer, status, code) => problem(status, code, code, { errors: [{ pointer, code, detail: code }] });

/** Names that the API takes, and the language that every prompt in use is spoken in. */
function company({ method, body, config }) {
  if (method === 'PUT') {
    if (!isName(body.name)) return at('/name', 422, 'bad_name');
    if (body.language !== 'en') return at('/language', 409, 'not_spoken');
    config.company = body;
    config.n += 1;
  }
  return ok(config.company, { etag: `"${config.n}"` });
}

/** A name that the API takes. */
const isName = (name) => name !== '' && name === name.trim() && name.length <= 64 && !/\p{Cc}/u.test(name);

/** What is refused of a list of choices: the first that is no name. */
function choicesFault(items) {
  for (const [n, item] of items.entries()) for (const key of ['code', 'label']) if (!isName(item[key])) return at(`/items/${n}/${key}`, 422, 'bad_name');
  return null;
}

/** What is refused of the first start. */
function setupFault({ token, tenant_name: company, admin }) {
  if (token === 'wrong') return problem(403, 'bad_token');
  if (!isName(company)) return at('/tenant_name', 422, 'bad_name');
  if (!isName(admin.name)) return at('/admin/name', 422, 'bad_name');
  return new Set(admin.password).size < 4 ? at('/admin/password', 422, 'weak_password') : null;
}

/** What is refused of a person: what only the house writes, somebody else's mail address, a SIP phone without an address. */
function personFault(list, body, own) {
  if ('phone_username' in body) return at('/phone_username', 422, 'unknown_field');
  if (list.some((one) => one.id !== own && one.mail === body.mail)) return problem(409, 'mail_taken');
  if (body.device?.kind === 'sip' && !/^[\d.]+:\d+$/.test(body.device.target.address)) return at('/device/target/address', 422, 'bad_address');
  return null;
}

/** A new secret for a telephone that registers; it keeps its user name. */
function phoneSecret(config, person) {
  if (person.device?.kind !== 'phone') return problem(409, 'no_phone');
  person.phone_username ??= '7180264593';
  config.n += 1;
  return ok({ username: person.phone_username, secret: 'k7m4p-2xq9d-hw3tc-b8vrf', server: '192.0.2.20:5060' }, { etag: `"${config.n}"` });
}

/** Lists of things with an id: users, queues, flows. */
function collection(context, kind, list, parts) {
  const { method, body, config } = context;
  const headers = { etag: `"${config.n}"` };
  if (parts.length === 1 && method === 'GET') return ok({ items: list, next_cursor: null }, headers);
  const fault = kind === 'users' && body ? personFault(list, body, parts[1]) : null;
  if (fault) return fault;
  if (parts.length === 1) {
    const made = { id: id('99', list.length + 1), ...(kind === 'users' ? { phone_username: null } : {}), ...(kind === 'flows' ? { draft: { schema: 1, start: 'end', nodes: { end: { type: 'hang_up', prompts: [] } } }, published: null } : {}), ...body };
    list.push(made);
    config.n += 1;
    return { status: 201, body: made, headers: { etag: `"${config.n}"` } };
  }
  const at = list.findIndex((one) => one.id === parts[1]);
  const item = list[at];
  if (!item) return problem(404, 'not_found');
  if (method === 'GET') return ok(item, headers);
  if (parts[2] === 'phone-secret') return phoneSecret(config, item);
  config.n += 1;
  if (method === 'DELETE' && kind === 'users' && item.id === id('b1', 1)) return problem(409, 'oneself');
  if (method === 'DELETE' && kind === 'users' && item.id === id('b1', 4)) return problem(503, 'not_saved');
  if (method === 'DELETE') {
    list.splice(at, 1);
    return done;
  }
  if (kind === 'flows') {
    const found = faults(parts[2] === 'draft' ? body : item.draft);
    if (parts[2] === 'draft') item.draft = body;
    if (found.length > 0 && parts[2] === 'publish') return problem(422, 'bad_flow', 'The flow has faults.', { errors: found });
    if (parts[2] === 'publish') item.published = { version: (item.published?.version ?? 0) + 1, flow: structuredClone(item.draft) };
  } else Object.assign(item, body);
  if (kind === 'users' && item.device?.kind !== 'phone') item.phone_username = null;
  return ok(item, { etag: `"${config.n}"` });
}

/** The last sound of a prompt takes the prompt with it; the music of the queues stays. */
function removeSound(config, name, variant) {
  const prompt = config.prompts.find((row) => row.name === name);
  if (!prompt?.variants[variant]) return problem(404, 'not_found');
  if (config.queues.some((queue) => queue.music === name)) return problem(409, 'in_use', 'The queue plays it.');
  delete prompt.variants[variant];
  config.prompts = config.prompts.filter((row) => Object.keys(row.variants).length > 0);
  config.n += 1;
  return done;
}

function admin(context, parts) {
  const { ifMatch } = context;
  if (ifMatch && context.method !== 'GET' && ifMatch !== `"${context.config.n}"`) return problem(412, 'stale');
  const { config, method, body } = context;
  const [kind] = parts;
  if (kind === 'flows' && parts[1] === 'check') return ok({ faults: faults(body) });
  if (['users', 'queues', 'flows'].includes(kind)) return collection(context, kind, config[kind], parts);
  if (kind === 'numbers') {
    if (method === 'GET') return ok({ items: config.numbers, next_cursor: null }, { etag: `"${config.n}"` });
    config.numbers = config.numbers.filter((row) => row.dialled !== decodeURIComponent(parts[1]));
    if (method === 'PUT') config.numbers.push({ dialled: decodeURIComponent(parts[1]), flow: body.flow });
    config.n += 1;
    return done;
  }
  if (kind === 'prompts') {
    if (parts.length === 1) return ok({ items: config.prompts, next_cursor: null }, { etag: `"${config.n}"` });
    if (method === 'GET') return { status: 200, audio: wav(4) };
    if (method === 'DELETE') return removeSound(config, ...parts.slice(1).map(decodeURIComponent));
    const known = config.prompts.find((row) => row.name === parts[1]) ?? config.prompts[config.prompts.push({ name: parts[1], variants: {} }) - 1];
    known.variants[decodeURIComponent(parts[2])] = { length_ms: 4000 };
    config.n += 1;
    return done;
  }
  const plain = { dispositions: 'dispositions', 'break-reasons': 'break_reasons', calendars: 'calendars' }[kind];
  if (plain) {
    const refused = method === 'PUT' && body.items ? choicesFault(body.items) : null;
    if (refused) return refused;
    if (method === 'PUT') { config[plain] = kind === 'calendars' ? body : body.items; config.n += 1; }
    return ok(kind === 'calendars' ? config.calendars : { items: config[plain] }, { etag: `"${config.n}"` });
  }
  if (kind === 'company') return company(context);
  if (kind === 'reach') return ok({ sip: '127.0.0.1:5060', domain: null });
  if (kind === 'config') return ok({ items: config.versions, next_cursor: null });
  return null;
}

export function answer(context) {
  const { method, path, scene, floor, body, now } = context;
  const parts = path.split('/').filter(Boolean);
  if (path === '/setup') return method === 'GET' ? ok({ needed: scene === null && context.setup }) : setupFault(body) ?? { status: 201, body: me('en', 'administrator'), session: 'live' };
  if (path === '/session' && method === 'POST') return body.password === 'wrong' ? problem(401, 'bad_credentials') : { status: 200, body: me('en', 'administrator'), session: 'live' };
  if (!scene) return problem(401, 'no_session');
  if (path === '/session') return { ...done, session: '' };
  if (path === '/me/password') return body.old === 'wrong' ? problem(403, 'wrong_password') : done;
  if (path === '/me') return scene.state === 'dead' ? problem(500, 'internal', 'The store did not answer.') : ok(me(scene.lang, scene.role, !scene.deskless, context.config.company));
  if (scene.state === 'broken' && path !== '/desk') return problem(500, 'internal', 'The store did not answer.');
  if (scene.state === 'forbidden' && path !== '/desk') return problem(403, 'forbidden');
  if (path === '/desk') return desk(context);
  if (path === '/colleagues') return ok({ items: colleagues(scene.lang, now).slice(1) });
  if (path === '/callbacks') return ok({ items: scene.state === 'empty' ? [] : callBacks(scene.lang, now), next_cursor: null });
  if (parts[0] === 'callbacks') return done;
  if (path === '/calls') return callList(context);
  if (method === 'POST' && (parts[0] === 'agent' || parts[0] === 'offers' || parts[0] === 'calls')) {
    const refused = floor.command(path, body);
    return refused ? problem(refused.status, refused.code) : done;
  }
  if (parts[0] === 'calls') return call(context, parts);
  return admin(context, parts) ?? problem(404, 'not_found');
}
