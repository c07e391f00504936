/** The states of an agent that a picture or a developer may ask for. A scene name is `state[.lang][.role][.elsewhere][.late][.deskless][.phone]`: with `elsewhere` the telephone is on another computer, with `late` the disk of the house does not keep up, `deskless` takes no calls, with `phone` they ring at a desk phone and with `sip` at a SIP address. */
import { colleagues, contact, id, queues } from './data.mjs';

export const SCENES = ['ready', 'signed_out', 'break', 'did_not_answer', 'no_device', 'offered', 'talking', 'hold', 'consult_rings', 'consult_sends', 'consult', 'second_line', 'conference', 'consult_missed', 'guest', 'asked', 'wrap_up', 'offered_anew', 'live', 'empty', 'slow', 'broken', 'forbidden', 'dead'];

export function parse(name) {
  const parts = String(name ?? '').split('.');
  return { state: SCENES.includes(parts[0]) ? parts[0] : 'live', lang: parts.includes('fa') ? 'fa' : 'en', elsewhere: parts.includes('elsewhere'), late: parts.includes('late'), deskless: parts.includes('deskless'), device: ['phone', 'sip'].find((kind) => parts.includes(kind)) ?? 'browser', role: parts.includes('administrator') ? 'administrator' : parts.includes('agent') ? 'agent' : 'administrator' };
}

const iso = (ms) => new Date(ms).toISOString();

export function offer(lang, now, ringS = 20, gone = 6) {
  return { offer: id('91', 1), contact: { ...contact(lang, now - 66_000, '+37052550187'), call: id('d1', 1001), language: 'ru' }, offered_at: iso(now - gone * 1000), until: iso(now + (ringS - gone) * 1000), ready_since: iso(now - 320_000), eligible: 3 };
}

/** Somebody who takes calls; the first is oneself. */
const other = (scene, at) => (({ id: agent, name }) => ({ id: agent, name }))(colleagues(scene.lang, 0)[at]);

/** A call in which a colleague was asked. */
function consultation(scene, now, one) {
  const conference = scene.state === 'conference';
  const consult = { agent: other(scene, 0), colleague: other(scene, 1), joined_at: ['consult_rings', 'consult_sends'].includes(scene.state) ? null : iso(now - 21_000), conference, hand_over: scene.state === 'consult_sends', second_line: scene.state === 'second_line' };
  return { contact: one, connected_at: iso(now - 252_000), hold_since: conference ? null : iso(now - 35_000), recording: true, consult, consult_missed: null };
}

export function agentState(scene, now) {
  const base = { agent: id('e1', 1), state: scene.state, reason: null, since: iso(now - 252_000), device: scene.device, device_up: true, offer: null, call: null, wrap_up: null };
  const one = contact(scene.lang, now - 364_000);
  switch (scene.state) {
    case 'offered': return { ...base, since: iso(now - 6_000), offer: offer(scene.lang, now) };
    case 'talking': return { ...base, call: { contact: one, connected_at: iso(now - 252_000), hold_since: null, recording: true } };
    case 'hold': return { ...base, since: iso(now - 35_000), call: { contact: one, connected_at: iso(now - 252_000), hold_since: iso(now - 35_000), recording: true } };
    case 'consult_rings':
    case 'consult_sends':
    case 'consult':
    case 'second_line':
    case 'conference': return { ...base, state: scene.state === 'conference' ? 'talking' : 'hold', call: consultation(scene, now, one) };
    case 'consult_missed': return { ...base, state: 'hold', call: { ...consultation(scene, now, one), consult: null, consult_missed: { colleague: other(scene, 1), outcome: 'no_answer' } } };
    case 'guest': return { ...base, state: 'talking', call: { ...consultation(scene, now, one), hold_since: null, consult: { agent: other(scene, 1), colleague: other(scene, 0), joined_at: iso(now - 21_000), conference: false, hand_over: false, second_line: false } } };
    case 'asked': return { ...base, state: 'offered', offer: { ...offer(scene.lang, now), eligible: 1, asked_by: other(scene, 1) } };
    case 'wrap_up': return { ...base, since: iso(now - 17_000), wrap_up: { contact: one, since: iso(now - 17_000), until: iso(now + 43_000), talk_s: 252 } };
    case 'offered_anew': return { ...base, state: 'wrap_up', since: iso(now - 52_000), wrap_up: { contact: one, since: iso(now - 52_000), until: iso(now + 8_000), talk_s: 252 }, offer: offer(scene.lang, now) };
    case 'break': return { ...base, since: iso(now - 751_000), reason: 'lunch' };
    case 'no_device': return { ...base, since: iso(now - 48_000), device_up: false };
    case 'signed_out': return { ...base, device_up: false };
    case 'did_not_answer': return { ...base, since: iso(now - 95_000) };
    default: return { ...base, state: 'ready' };
  }
}

/** Whether what happens is kept. */
export function recordState(scene, now) {
  return { late_since: scene.late ? iso(now - 94_000) : null };
}

export function queueState(scene, now, at) {
  const empty = scene.state === 'empty';
  const waiting = empty ? 0 : [3, 0, 1][at] ?? 0;
  return { queue: queues(scene.lang)[at], waiting, longest_since: waiting ? iso(now - [66_000, 0, 24_000][at]) : null, ready: [2, 3, 1][at] ?? 0, busy: [9, 4, 2][at] ?? 0 };
}
