// What is heard: who speaks in it, when, and how late.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PHONE, run } from './program.mjs';
import { PERIOD_MS, ROUND_MS, TELLING, said, speakerOf } from './voice.mjs';
import { RATE, wav } from './wav.mjs';

let files = 0;

/**
 * Who speaks in 8 kHz samples: by speaker the milliseconds where periods begin, and all periods with
 * the code of each. `at` is the moment of the first sample.
 */
export async function hear(folder, samples, at = 0) {
  const file = join(folder, `heard-${(files += 1)}.wav`);
  writeFileSync(file, wav(samples));
  const { stdout } = await run(PHONE, ['hear', file], { ok: [0, 1] });
  const found = JSON.parse(stdout);
  const periods = new Map();
  for (const { code, at_ms } of found.periods) {
    const speaker = speakerOf(code);
    periods.set(speaker, [...(periods.get(speaker) ?? []), at_ms]);
  }
  const heard = found.periods.map(({ code, at_ms }) => ({ code, at: at + at_ms }));
  return { periods, said: heard, codes: [...periods.keys()].sort((a, b) => a - b), file, lengthMs: found.length_ms };
}

/** The periods of one speaker among others. */
export const of = (speaker, periods) => periods.filter(({ code }) => speakerOf(code) === speaker);

/** On a busy machine two clocks may disagree by so much that what was heard seems to come before it was said. */
const CLOCKS_MS_MAX = 100;
/** By so much may the delay change within what is heard, milliseconds. */
const STRAY_MS = 150;

/**
 * How late each of the periods of one speaker was heard, milliseconds, least first. Both are lists of
 * periods, each with its code and its moment on the same clock. There must be one delay, and only
 * one, with which all that was heard had been said: whoever is late by a period, by two or by ten
 * is never taken for somebody who is not. Known up to a round of the order, 48 seconds.
 */
export function delays(heard, spoken) {
  const late = (period, by) => {
    const source = spoken.find(({ code, at }) => code === period.code && Math.abs(period.at - at - by) <= STRAY_MS);
    return source && period.at - source.at;
  };
  const possible = spoken
    .filter(({ code, at }) => code === heard[0]?.code && heard[0].at - at >= -CLOCKS_MS_MAX && heard[0].at - at < ROUND_MS - CLOCKS_MS_MAX)
    .map(({ at }) => heard.map((period) => late(period, heard[0].at - at)))
    .filter((each) => each.every((delay) => delay !== undefined));
  if (heard.length < TELLING || possible.length !== 1) {
    const list = (periods) => periods.map(({ code, at }) => `${code} at ${Math.round(at - heard[0]?.at)}`).join(', ');
    throw new Error(`${possible.length} delays fit ${heard.length} periods; heard: ${list(heard)}; said: ${list(spoken)}`);
  }
  return possible[0].sort((a, b) => a - b);
}

/**
 * Everything that a speaker said until the end of what was heard at its mouth: a busy page may have
 * missed a piece there, but four periods tell the place of all. Goes back by nearly a whole order.
 */
export function source(speaker, near) {
  const [from, until] = [near[0]?.at - ROUND_MS + PERIOD_MS, near.at(-1)?.at + PERIOD_MS];
  const off = delays(near, said(speaker, from, until));
  const began = from + off[Math.floor(off.length / 2)];
  return said(speaker, began - ROUND_MS, until).filter(({ at }) => at > from);
}

const WINDOW_MS = 10;
const LOUD = 300;

/** The first sound at or after a place, both in milliseconds of the samples; `null` in silence. */
export function firstSound(samples, fromMs) {
  const window = (RATE * WINDOW_MS) / 1_000;
  for (let at = Math.max(0, Math.round((fromMs * RATE) / 1_000)); at + window <= samples.length; at += window) {
    let energy = 0;
    for (let n = at; n < at + window; n++) energy += samples[n] ** 2;
    if (Math.sqrt(energy / window) > LOUD) return (at * 1_000) / RATE;
  }
  return null;
}
