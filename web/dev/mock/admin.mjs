/** The configuration part of the mock: kept in memory, one copy per language. */
import { breakReasons, dispositions, id, queues, words } from './data.mjs';

function flow(w) {
  return {
    schema: 1, start: 'welcome', nodes: {
      welcome: { type: 'play', prompts: ['greeting'], next: 'hours' },
      hours: { type: 'hours', calendar: 'Office', open: 'notice', closed: 'closed' },
      notice: { type: 'consent', prompts: ['recording-notice'], refuse_key: '9', timeout_s: 2, next: 'menu' },
      menu: { type: 'menu', prompts: ['menu-main'], choices: { 3: { label: w.repairs, next: 'order' }, 4: { label: w.sales, next: 'sales' } }, timeout_s: 5, tries: 3, invalid: [], otherwise: 'repairs' },
      order: { type: 'collect', prompts: ['ask-order-number'], variable: 'order', label: w.order, digits_min: 5, digits_max: 5, terminator: '#', timeout_s: 6, tries: 2, next: 'pin', otherwise: 'repairs' },
      pin: { type: 'collect', prompts: ['ask-pin'], variable: 'pin', label: w.pin, digits_min: 4, digits_max: 4, terminator: '#', timeout_s: 6, tries: 2, secret: true, next: 'repairs', otherwise: 'repairs' },
      repairs: { type: 'queue', queue: w.repairs, skills: {}, priority: 0, prompts: [], wait_s_max: 900, otherwise: 'closed' },
      sales: { type: 'queue', queue: w.sales, skills: {}, priority: 0, prompts: [], wait_s_max: 600, otherwise: 'closed' },
      closed: { type: 'hang_up', prompts: ['closed'] }
    }
  };
}

/** What was changed last, in the phrases of the server; the last one is none of them. */
function summaries(w) {
  return [`change queue ${w.repairs}`, `publish flow ${w.greeting}`, `change user ${w.navid}`, 'record prompt greeting (el)', 'lead number +302105550100 to a flow', `remove user ${id('b1', 9)}`, 'change opening hours', 'first prompts and flow', 'import of 14 numbers'];
}

/** `empty` is a company just set up: a queue and its administrator, nothing that can be called. */
export function configuration(lang, now, empty = false) {
  const w = words(lang);
  const queue = (one, ring) => ({ ...one, strategy: 'longest_ready', skills: { repairs: 3 }, ring_ms: ring * 1000, wrap_up_ms: 60_000, music: 'hold-music', service_level_ms: 20_000, short_abandon_ms: 5_000, length_max: 100 });
  const person = (n, name, mail, role, list, phone = null) => ({ id: id('b1', n), name, mail, role, language: lang, queues: list.map((at) => queues(lang)[at].id), skills: { repairs: 5 - n + 1, greek: 4 }, device: { kind: phone ? 'phone' : 'browser' }, extension: phone ? `1${n}` : null, phone_username: phone });
  const document = flow(w);
  const whole = {
    n: 42,
    company: { name: w.company, zone: 'Europe/Athens', language: 'en' },
    queues: queues(lang).map((one, at) => queue(one, 20 - at * 2)),
    users: [person(1, w.rasa, 'rasa@aegean.example', 'agent', [0, 1]), person(2, w.navid, 'navid@aegean.example', 'agent', [0]), person(3, w.helen, 'helen@aegean.example', 'administrator', [2]), person(4, w.olga, 'olga@aegean.example', 'supervisor', [0, 1, 2], '4093817265')],
    flows: [{ id: id('f1', 1), name: w.greeting, draft: structuredClone(document), published: { version: 7, flow: document } }, { id: id('f1', 2), name: w.complaints, draft: structuredClone(document), published: null }],
    numbers: [{ dialled: '+302105550100', flow: id('f1', 1) }, { dialled: '+302105550101', flow: id('f1', 1) }],
    prompts: w.prompts.map((name, at) => ({ name, variants: name === 'hold-music' ? { '*': { length_ms: 60_000 } } : { en: { length_ms: 4_200 + at * 900 }, el: { length_ms: 4_800 + at * 850 } } })),
    calendars: { [id('71', 1)]: { name: 'Office', zone: null, week: Object.fromEntries([1, 2, 3, 4, 5].map((day) => [day, [{ from_min: 480, until_min: 1080 }]])), exceptions: { '2026-12-25': [] } } },
    dispositions: dispositions(lang), break_reasons: breakReasons(lang),
    versions: summaries(w).map((summary, at) => ({ n: 42 - at, at: new Date(now - (at * 31 + 2) * 3_600_000).toISOString(), by: w.helen, summary }))
  };
  if (!empty) return whole;
  return { ...whole, queues: whole.queues.slice(0, 1), users: whole.users.slice(2, 3), flows: [], numbers: [], prompts: [], calendars: {}, dispositions: [], break_reasons: [], versions: whole.versions.slice(0, 1) };
}

/** The checks the mock makes of a flow: enough to show faults at their place. */
export function faults(document) {
  const out = [];
  const nodes = document?.nodes ?? {};
  if (document?.schema !== 1) out.push({ pointer: '/schema', code: 'unknown_schema', detail: 'The schema number must be 1.' });
  if (!nodes[document?.start]) out.push({ pointer: '/start', code: 'unknown_node', detail: `There is no node "${document?.start}".` });
  for (const [name, node] of Object.entries(nodes)) {
    for (const key of ['next', 'otherwise', 'open', 'closed']) {
      if (node[key] !== undefined && !nodes[node[key]]) out.push({ pointer: `/nodes/${name}/${key}`, code: 'unknown_node', detail: `There is no node "${node[key]}".` });
    }
    for (const [key, choice] of Object.entries(node.choices ?? {})) {
      if (!nodes[choice.next]) out.push({ pointer: `/nodes/${name}/choices/${key}/next`, code: 'unknown_node', detail: `There is no node "${choice.next}".` });
    }
  }
  return out;
}
