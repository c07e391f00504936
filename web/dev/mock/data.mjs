/** Invented people and calls for the mock server, in English and Persian. Numbers are from ranges reserved for fiction. */
const EN = {
  company: 'Aegean Repairs', rasa: 'Rasa Kazlauskienė', navid: 'Navid Rahimi', helen: 'Helen Marsh', olga: 'Olga Smirnova',
  repairs: 'Repairs', sales: 'Sales', complaints: 'Complaints and praise', greeting: 'Main greeting', menu: 'Where is my repair?', order: 'Order number', pin: 'Customer PIN', person: 'Speak to a person',
  note: 'Second display ordered on 17 November. At sea from Saturday, needs the charts on it. Offered a loan laptop.',
  dispositions: ['Late repair, waiting for part', 'Repair ready, told', 'Price asked', 'Booked a drop-off', 'Complaint about delay', 'Wrong number', 'Callback agreed', 'Warranty question', 'Invoice question', 'Praise'],
  breaks: ['Lunch', 'Short break', 'Training', 'Talk with my leader'],
  prompts: ['greeting', 'menu-main', 'ask-order-number', 'recording-notice', 'closed', 'hold-music']
};
const FA = {
  company: 'تعمیرات اژه', rasa: 'راسا کازلاوسکینه', navid: 'نوید رحیمی', helen: 'هلن مارش', olga: 'اولگا اسمیرنوا',
  repairs: 'تعمیرات', sales: 'فروش', complaints: 'شکایت و قدردانی', greeting: 'پیام اصلی', menu: 'تعمیر من کجاست؟', order: 'شمارهٔ سفارش', pin: 'رمز مشتری', person: 'گفت‌وگو با کارشناس',
  note: 'نمایشگر دوم ۲۶ آبان سفارش داده شد. از شنبه در دریا است و نقشه‌ها را لازم دارد. لپ‌تاپ امانی پیشنهاد شد.',
  dispositions: ['تأخیر تعمیر، در انتظار قطعه', 'تعمیر آماده است، گفته شد', 'پرسش دربارهٔ قیمت', 'نوبت تحویل', 'شکایت از تأخیر', 'شمارهٔ اشتباه', 'قرار تماس دوباره', 'پرسش ضمانت', 'پرسش صورت‌حساب', 'قدردانی'],
  breaks: ['ناهار', 'استراحت کوتاه', 'آموزش', 'گفت‌وگو با سرگروه'],
  prompts: EN.prompts
};

const CODES = ['late_repair', 'ready_told', 'price', 'drop_off', 'complaint_delay', 'wrong_number', 'callback', 'warranty', 'invoice', 'praise'];
const BREAK_CODES = ['lunch', 'short', 'training', 'leader'];
/** The number of the call on the desk. */
const OWN = 1000;
const CALLERS = ['+302105550142', '+37052550187', '+302105550177', '+442079460155', '+982155501234', '+302105550119', null, '+74955550163'];

/** A stable id of a kind and a number. */
export function id(kind, n) {
  return `0193${kind.padEnd(4, '0').slice(0, 4)}-0000-7000-8000-${String(n).padStart(12, '0')}`;
}

export function words(lang) {
  return lang === 'fa' ? FA : EN;
}

export function dispositions(lang) {
  return words(lang).dispositions.map((label, at) => ({ code: CODES[at], label }));
}

export function breakReasons(lang) {
  return words(lang).breaks.map((label, at) => ({ code: BREAK_CODES[at], label }));
}

export function queues(lang) {
  const w = words(lang);
  return [{ id: id('a1', 1), name: w.repairs }, { id: id('a1', 2), name: w.sales }, { id: id('a1', 3), name: w.complaints }];
}

/** Those who take calls, oneself first. */
export function colleagues(lang, now) {
  const w = words(lang);
  const one = (n, name, state, since_s) => ({ id: id('e1', n), name, state, since: new Date(now - since_s * 1000).toISOString(), free: state === 'ready', queues: [w.repairs] });
  return [one(1, w.rasa, 'talking', 252), one(2, w.navid, 'ready', 95), one(3, w.helen, 'break', 640), one(4, w.olga, 'talking', 31)];
}

export function me(lang, role, agent = true, company = { name: words(lang).company, zone: 'Europe/Athens', language: 'en' }) {
  const w = words(lang);
  return {
    user_id: id('b1', 1), name: w.rasa, mail: 'rasa@aegean.example', role, language: lang, agent,
    tenant: { id: id('c1', 1), ...company }
  };
}

export function contact(lang, at, caller = CALLERS[0]) {
  const w = words(lang);
  return {
    call: id('d1', OWN), caller, dialled: '+302105550100', queue: queues(lang)[0], language: 'el', consent: 'given',
    queued_at: new Date(at).toISOString(),
    facts: [
      { kind: 'chosen', key: 'menu', label: w.repairs, value: '3', secret: null }, { kind: 'chosen', key: 'repairs', label: w.menu, value: '1', secret: null },
      { kind: 'typed', key: 'order', label: w.order, value: '20418', secret: null }, { kind: 'typed', key: 'pin', label: w.pin, value: '••••', secret: id('5e', 1) }
    ]
  };
}

/** The n-th newest call, always the same for the same n. */
export function callRow(lang, now, n, quiet = false) {
  const w = words(lang);
  const live = !quiet && n < 2;
  const outcome = live ? null : n % 7 === 3 ? 'abandoned' : n % 11 === 5 ? 'left_in_flow' : n % 13 === 6 ? 'flow_ended' : 'handled';
  const started = now - (live ? 312_000 + n * 60_000 : 900_000 + n * 1_140_000 + ((n * 7919) % 600) * 1000);
  const talk = 95 + ((n * 137) % 640);
  const waited = 6 + ((n * 53) % 140);
  const handled = outcome === 'handled' || (live && n === 0);
  const agents = [{ id: id('e1', 1), name: w.rasa }, { id: id('e1', 2), name: w.navid }, { id: id('e1', 3), name: w.olga }];
  return {
    id: id('d1', n), started_at: new Date(started).toISOString(), ended_at: live ? null : new Date(started + (41 + waited + talk) * 1000).toISOString(),
    caller: CALLERS[n % CALLERS.length], dialled: '+302105550100',
    queue: outcome === 'left_in_flow' ? null : queues(lang)[n % 5 === 4 ? 1 : n % 9 === 8 ? 2 : 0],
    agent: handled ? agents[n % 3] : null, outcome, waited_s: outcome === 'left_in_flow' ? null : live && !handled ? 0 : waited,
    talk_s: handled ? (live ? 0 : talk) : null, hold_s: handled ? (!live && n % 4 === 0 ? 62 : 0) : null, wrap_up_s: handled && !live ? 38 + (n % 5) * 9 : null,
    disposition: outcome === 'handled' ? dispositions(lang)[(n * 3) % 10] : null, resolved: outcome === 'handled' ? n % 4 !== 0 : null,
    recorded: handled, live, running: live ? { what: handled ? 'talking' : 'waiting', since: new Date(started + (handled ? 41 + waited : 41) * 1000).toISOString() } : null
  };
}

/** The row of a call that was handled at this desk and ended without a result. */
export function handledRow(lang, now, { call, caller, queue, queued_at: queued }, talk) {
  return { ...callRow(lang, now, 0, true), id: call, started_at: queued, ended_at: new Date(now).toISOString(), caller, queue, talk_s: Math.round(talk), disposition: null, resolved: null };
}

/** The call on the desk of the scenes: waited for 112 s, on the line for 252 s. */
function ownCall(lang, now, n) {
  const iso = (ms) => new Date(ms).toISOString();
  return { ...callRow(lang, now, 0), id: id('d1', n), started_at: iso(now - 405_000), waited_s: 112, running: { what: 'talking', since: iso(now - 252_000) } };
}

export function callDetail(lang, now, n) {
  const w = words(lang);
  const row = n === OWN ? ownCall(lang, now, n) : callRow(lang, now, n, n >= 2);
  const start = Date.parse(row.started_at);
  const at = (s) => new Date(start + s * 1000).toISOString();
  const talk = row.talk_s ?? 0;
  const waited = row.waited_s ?? 0;
  const answer = 41 + waited;
  const end = row.ended_at ? (Date.parse(row.ended_at) - start) / 1000 : null;
  const lanes = [
    { lane: 'customer', label: row.caller ?? '', segments: [{ kind: 'ring', label: '', start_at: at(0), end_at: at(2) }, { kind: 'connected', label: '', start_at: at(2), end_at: end && at(end) }] },
    { lane: 'flow', label: w.greeting, segments: [
      { kind: 'node', label: 'welcome', start_at: at(2), end_at: at(9) }, { kind: 'node', label: 'notice', start_at: at(9), end_at: at(16) },
      { kind: 'node', label: 'menu', start_at: at(16), end_at: at(28) }, { kind: 'node', label: 'order', start_at: at(28), end_at: at(35) }, { kind: 'node', label: 'pin', start_at: at(35), end_at: at(41) }].slice(0, row.queue ? 5 : 3) }
  ];
  if (row.queue) lanes.push({ lane: 'queue', label: row.queue.name, segments: [{ kind: 'waiting', label: '', start_at: at(41), end_at: row.live && !row.agent ? null : at(answer) }] });
  if (row.agent && !row.live) {
    const hold = row.hold_s ?? 0;
    const before = Math.round(talk * 0.55);
    const missed = waited > 40;
    if (missed) lanes.push({ lane: 'agent', label: w.olga, agent_id: id('e1', 3), segments: [{ kind: 'offered', label: '', start_at: at(answer - 34), end_at: at(answer - 14), detail: 'no_answer' }] });
    const segments = [{ kind: 'offered', label: '', start_at: at(answer - 6), end_at: at(answer), detail: 'accepted' }, { kind: 'talking', label: '', start_at: at(answer), end_at: at(hold ? answer + before : answer + talk) }];
    if (hold) segments.push({ kind: 'hold', label: '', start_at: at(answer + before), end_at: at(answer + before + hold) }, { kind: 'talking', label: '', start_at: at(answer + before + hold), end_at: at(answer + talk) });
    segments.push({ kind: 'wrap_up', label: '', start_at: at(answer + talk), end_at: at(answer + talk + row.wrap_up_s) });
    lanes.push({ lane: 'agent', label: row.agent.name, agent_id: row.agent.id, segments });
  } else if (row.agent) lanes.push({ lane: 'agent', label: row.agent.name, agent_id: row.agent.id, segments: [{ kind: 'offered', label: '', start_at: at(answer - 6), end_at: at(answer), detail: 'accepted' }, { kind: 'talking', label: '', start_at: at(answer), end_at: null }] });
  return {
    ...row, language: 'el', consent: row.recorded ? 'given' : 'unasked', note: row.agent && !row.live ? w.note : null,
    facts: contact(lang, now).facts.slice(0, row.queue ? 4 : 1), flow: { id: id('f1', 1), name: w.greeting, version: 7 },
    ladder: { start_at: at(0), end_at: end === null ? null : at(end + (row.wrap_up_s ?? 0)), lanes, marks: [{ at: at(16), kind: 'consent', label: 'given' }, { at: at(16), kind: 'recording_started', label: '' }, { at: at(24), kind: 'chosen', label: '3' }, { at: at(28), kind: 'chosen', label: '1' }, { at: at(35), kind: 'collected', label: 'order' }, { at: at(41), kind: 'collected', label: 'pin' }].slice(0, row.queue ? 6 : 3) },
    recordings: row.recorded && !row.live ? [{ n: 1, start_at: at(9), length_s: end - 9, complete: n % 17 !== 1, paused: n % 4 === 0 ? [{ start_at: at(answer + 30), end_at: at(answer + 66) }] : [] }] : []
  };
}

export function callBacks(lang, now) {
  const q = queues(lang);
  return [[CALLERS[2], 0, 26], [CALLERS[5], 0, 51], [CALLERS[3], 1, 74], [CALLERS[7], 0, 190]].map(([caller, at, minutes], n) => ({
    call: id('d9', n), caller, queue: q[at], waiting_since: new Date(now - minutes * 60_000).toISOString(), listed_at: new Date(now - minutes * 60_000 + 240_000).toISOString(), done: n === 3
  }));
}

export { EN, FA, CALLERS };
