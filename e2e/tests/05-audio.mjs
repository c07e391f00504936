// The ears of these tests, put to the test: a late stream is seen as late, by any delay, and the
// first sound is found where it is.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { delays, firstSound, hear, of, source } from '../lib/audio.mjs';
import { CODES, ORDER, TELLING, said, voice } from '../lib/voice.mjs';
import { channels } from '../lib/wav.mjs';

/** A period is 600 ms: by its place alone, 650 would be 50 and 1,250 as well. */
const LATE_MS = [0, 50, 280, 650, 700, 1_250, 1_300, 1_850, 4_800, 9_600, 16_200, 40_000];
/** Somewhere in the order. */
const FROM_MS = 41_111;
const LISTEN_MS = 4_000;
const EXACT_MS = 5;
/** Of a window in which sound is looked for, and the soft beginning of a sweep. */
const ONSET_MS = 15;

const samplesOf = (file) => channels(readFileSync(file)).channels[0];
const piece = (samples, fromMs, untilMs) => samples.slice(fromMs * 8, untilMs * 8);

async function lateIsSeen(stage, say) {
  const folder = mkdtempSync(join(tmpdir(), 'antiphon-audio-'));
  try {
    const inARow = ORDER.map((_, n) => Array.from({ length: TELLING }, (_, k) => ORDER[(n + k) % ORDER.length]).join());
    assert.equal(new Set(inARow).size, ORDER.length, `any ${TELLING} periods in a row are there once`);
    for (const speaker of [CODES.caller, CODES.page]) {
      const samples = samplesOf(voice(speaker));
      const spoken = said(speaker, 0, samples.length / 8);
      for (const late of LATE_MS) {
        const heard = await hear(folder, piece(samples, FROM_MS - late, FROM_MS - late + LISTEN_MS), FROM_MS);
        assert.deepEqual(heard.codes, [speaker], 'nobody else is heard');
        const seen = delays(of(speaker, heard.said), spoken);
        assert(seen.every((delay) => Math.abs(delay - late) <= EXACT_MS), `${late} ms late, seen as ${seen}`);
      }
      // One that falls behind while it is listened to fits no delay at all.
      const falls = [...piece(samples, 0, 2_000), ...new Int16Array(700 * 8), ...piece(samples, 2_000, 5_000)];
      const { said: fallen } = await hear(folder, falls);
      assert.throws(() => delays(of(speaker, fallen), spoken), /0 delays fit/);
      // What was missed at the mouth is known all the same.
      const mouth = await hear(folder, piece(samples, FROM_MS - 5_000, FROM_MS + LISTEN_MS), FROM_MS - 5_000);
      const known = source(speaker, mouth.said.filter((_, n) => n !== 7));
      const late = await hear(folder, piece(samples, FROM_MS - 700, FROM_MS - 700 + LISTEN_MS), FROM_MS);
      assert(delays(late.said, known).every((delay) => Math.abs(delay - 700) <= EXACT_MS));
      // Too little tells nothing, and neither does a voice whose source was not listened to.
      const { said: short } = await hear(folder, piece(samples, 0, 1_300));
      assert.throws(() => delays(short, spoken), /fit 2 periods/);
      const { said: all } = await hear(folder, piece(samples, 0, LISTEN_MS));
      assert.throws(() => delays(all, said(speaker, 5_000, 20_000)), /0 delays fit/);
    }
    say(`late by ${LATE_MS.join(', ')} ms: each seen to ${EXACT_MS} ms`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function bothAtOnce() {
  const folder = mkdtempSync(join(tmpdir(), 'antiphon-audio-'));
  try {
    const [one, two] = [CODES.caller, CODES.page].map((speaker) => samplesOf(voice(speaker)));
    for (const shiftMs of [0, 60, 300, 777, 4_321]) {
      const other = piece(two, shiftMs, shiftMs + 16_000);
      const mixed = piece(one, 0, 16_000).map((sample, n) => Math.max(-32_768, Math.min(32_767, sample + other[n])));
      assert.deepEqual((await hear(folder, mixed)).codes, [CODES.caller, CODES.page], `at ${shiftMs} ms`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A way that opens at any moment is heard at once, if who speaks makes no pause. */
async function theFirstSound(stage, say) {
  const folder = mkdtempSync(join(tmpdir(), 'antiphon-audio-'));
  try {
    for (const speaker of [CODES.caller, CODES.page]) {
      const samples = samplesOf(voice(speaker, { pauses: false }));
      let most = 0;
      for (let openedMs = 1_000; openedMs < 3_000; openedMs += 7) {
        const heard = piece(samples, 0, openedMs + 500).fill(0, 0, openedMs * 8);
        most = Math.max(most, firstSound(heard, 0) - openedMs);
      }
      say(`speaker ${speaker}: found within ${most} ms`);
      assert(most <= ONSET_MS);
      assert.deepEqual((await hear(folder, piece(samples, 0, 12_000))).codes, [speaker], 'and it is still known who speaks');
    }
    const paused = piece(samplesOf(voice(CODES.caller)), 0, 2_000).fill(0, 0, 500 * 8);
    assert(firstSound(paused, 0) - 500 > 3 * ONSET_MS, 'a speaker who pauses would be heard later');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export const tests = [
  { name: 'a late stream is seen', deadline_s: 30, run: lateIsSeen },
  { name: 'two who speak at once are told apart', deadline_s: 30, run: bothAtOnce },
  { name: 'the first sound is found at once', deadline_s: 30, run: theFirstSound }
];
