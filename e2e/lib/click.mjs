// From the click on Accept to both hearing the other: one call, measured at the page and at the caller.
//
// Both speak without a pause, so the first sound after the click is the moment when the way was open
// and not the next word of a speaker who was silent. The caller hears nothing else before, neither
// prompt nor music: the first packet with a sound in it is the page's, and its arrival is what counts.

import assert from 'node:assert/strict';
import { firstSound } from './audio.mjs';
import { CODES } from './voice.mjs';
import { percentile } from './wait.mjs';
import { wav } from './wav.mjs';

/** The goal of the product, both ways, for 95 of 100 calls. */
export const CLICK_MS_GOAL = 300;
/** Enough words to know who speaks. */
const LISTEN_MS = 2_000;
/** Before the click, to see that nobody was heard. */
const BEFORE_MS = 200;
const SILENCE = wav(new Int16Array(2_400));

/** Calls go to the queue at once, in silence, recorded; an agent who hangs up is free at once. */
export async function silentHouse(house) {
  await house.shorten({ first: 'notice', wrap_up_ms: 0 });
  for (const prompt of ['e2e_notice', 'e2e_music']) {
    await house.request('PUT', `/api/v1/prompts/${prompt}/en`, SILENCE, { type: 'audio/wav' });
  }
}

/** What one call took, milliseconds from the click: `page` until the page hears, `caller` until the caller does. */
export async function clickToAudio(desk, call) {
  const far = call({ keys: '', pauses: false });
  await desk.offered(far.number);
  const click = await desk.accept();
  await desk.listen('remote', LISTEN_MS, click);
  const heard = await desk.hears(CODES.caller, { from: click - BEFORE_MS });
  await desk.hangUp();
  const diary = await far.over();
  assert(diary.heard.includes(CODES.page), `the caller hears the page, not ${diary.heard}`);
  assert.equal(firstSound(heard.samples.slice(0, (click - heard.at) * 8), 0), null, 'nothing is heard by the page before the click');
  const caller = diary.first_sound_at / 1_000 - click;
  assert(caller > 0, 'and neither by the caller');
  return { page: firstSound(heard.samples, click - heard.at) + heard.at - click, caller };
}

/** p50, p95 and most of each direction and of the later one of both. */
export function figures(calls) {
  const of = (look) => {
    const values = calls.map(look);
    return { p50: percentile(values, 50), p95: percentile(values, 95), most: Math.max(...values) };
  };
  return { page: of(({ page }) => page), caller: of(({ caller }) => caller), both: of(({ page, caller }) => Math.max(page, caller)) };
}

/** In one line. */
export function told(figures) {
  const one = (name, { p50, p95, most }) => `${name} p50 ${p50.toFixed(0)} p95 ${p95.toFixed(0)} most ${most.toFixed(0)} ms`;
  return `${one('page hears', figures.page)}; ${one('caller hears', figures.caller)}; ${one('both', figures.both)}`;
}
