// What speakers say: chirp codes, in an order from which the place in it can be told.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PHONE } from './program.mjs';
import { channels, wav } from './wav.mjs';

/** Who says what. Every speaker of a test has its own chirps; what is heard tells who spoke. */
export const CODES = { caller: 2, page: 5, other: 9, menu: 11, music: 14 };
/** Length of one period of any chirp code, milliseconds: eight sweeps and a pause of two. */
export const PERIOD_MS = 600;
/** The same for somebody who makes no pauses. */
export const FLOWING_MS = 480;
/**
 * Those whose delay is measured have three codes and say them in a fixed order: one period alone
 * tells who speaks, four in a row tell where in the order they are. No piece of what one of these
 * two says, nor of both at once, is any other code in more than six of its eight sweeps; seven count.
 */
const MARKS = { [CODES.caller]: [2, 3, 4], [CODES.page]: [5, 7, 13] };
/** Any four in a row are there once (a de Bruijn sequence): it repeats after 48 seconds. */
export const ORDER = [...'000010002001100120021002201010201110112012101220202110212022102221111211221212222'].map(Number);
export const ROUND_MS = ORDER.length * PERIOD_MS;
/** So many periods in a row tell the place. */
export const TELLING = 4;

/** The speaker of a code. */
export function speakerOf(code) {
  const [speaker] = Object.entries(MARKS).find(([, marks]) => marks.includes(code)) ?? [code];
  return Number(speaker);
}

/** The codes of a speaker in the order in which they are said, before it begins again. */
export const score = (speaker) => (speaker in MARKS ? ORDER.map((n) => MARKS[speaker][n]) : [speaker]);

/** The periods that a speaker said who began at a moment, up to another one: code and moment of each. */
export function said(speaker, beganAt, endedAt) {
  const codes = score(speaker);
  const count = Math.ceil((endedAt - beganAt) / PERIOD_MS);
  return Array.from({ length: Math.max(0, count) }, (_, n) => ({ code: codes[n % codes.length], at: beganAt + n * PERIOD_MS }));
}

let folder = null;

/** The file of a speaker, to be said again and again; without pauses if so wished. */
export function voice(speaker, { rate = 8_000, pauses = true } = {}) {
  if (!folder) {
    folder = mkdtempSync(join(tmpdir(), 'antiphon-voices-'));
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  }
  const length = ((pauses ? PERIOD_MS : FLOWING_MS) * rate) / 1_000;
  const periods = new Map(
    [...new Set(score(speaker))].map((code) => {
      const file = join(folder, `code-${code}-${rate}.wav`);
      execFileSync(PHONE, ['chirp', String(code), file, '--seconds', '1', '--rate', String(rate)]);
      return [code, channels(readFileSync(file)).channels[0].slice(0, length)];
    })
  );
  const file = join(folder, `speaker-${speaker}-${rate}${pauses ? '' : '-flowing'}.wav`);
  writeFileSync(file, wav(score(speaker).flatMap((code) => [...periods.get(code)]), rate));
  return file;
}
