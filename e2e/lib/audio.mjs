// Sound in files: written, taken apart, and asked who speaks in it and when.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PHONE, run } from './program.mjs';

export const RATE = 8_000;
/** Length of one period of any chirp code, milliseconds. */
export const PERIOD_MS = 600;
let files = 0;

/** 16 bit PCM, one channel. */
export function wav(samples, rate = RATE) {
  const bytes = Buffer.alloc(44 + samples.length * 2);
  bytes.write('RIFF', 0);
  bytes.writeUInt32LE(36 + samples.length * 2, 4);
  bytes.write('WAVEfmt ', 8);
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20);
  bytes.writeUInt16LE(1, 22);
  bytes.writeUInt32LE(rate, 24);
  bytes.writeUInt32LE(rate * 2, 28);
  bytes.writeUInt16LE(2, 32);
  bytes.writeUInt16LE(16, 34);
  bytes.write('data', 36);
  bytes.writeUInt32LE(samples.length * 2, 40);
  samples.forEach((sample, n) => bytes.writeInt16LE(Math.max(-32_768, Math.min(32_767, Math.round(sample))), 44 + n * 2));
  return bytes;
}

/** The channels of a 16 bit PCM WAV file, each an `Int16Array`. */
export function channels(bytes) {
  if (bytes.toString('latin1', 0, 4) !== 'RIFF') throw new Error('no WAV file');
  let at = 12;
  let count = 1;
  let rate = RATE;
  while (at + 8 <= bytes.length) {
    const name = bytes.toString('latin1', at, at + 4);
    const length = bytes.readUInt32LE(at + 4);
    if (name === 'fmt ') {
      count = bytes.readUInt16LE(at + 10);
      rate = bytes.readUInt32LE(at + 12);
    }
    if (name === 'data') {
      const frames = Math.floor(Math.min(length, bytes.length - at - 8) / 2 / count);
      const all = Array.from({ length: count }, () => new Int16Array(frames));
      for (let n = 0; n < frames * count; n++) all[n % count][Math.floor(n / count)] = bytes.readInt16LE(at + 8 + n * 2);
      return { rate, channels: all };
    }
    at += 8 + length + (length % 2);
  }
  throw new Error('a WAV file without data');
}

/** Which codes are in 8 kHz samples: code to the milliseconds where its periods begin. */
export async function hear(folder, samples) {
  const file = join(folder, `heard-${(files += 1)}.wav`);
  writeFileSync(file, wav(samples));
  const { stdout } = await run(PHONE, ['hear', file], { ok: [0, 1] });
  const found = JSON.parse(stdout);
  const periods = new Map();
  for (const { code, at_ms } of found.periods) periods.set(code, [...(periods.get(code) ?? []), at_ms]);
  return { periods, codes: [...periods.keys()].sort((a, b) => a - b), file, lengthMs: found.length_ms };
}

/** Two clocks may disagree by so much that what was heard seems to come before it was said. Kept small: a delay of nearly a period looks the same. */
const CLOCKS_MS_MAX = 30;

/**
 * How far `later` lies behind `earlier` on a clock that goes round once a period: from a little
 * below nothing to almost a whole period.
 */
export function behind(later, earlier) {
  const round = (((later - earlier) % PERIOD_MS) + PERIOD_MS) % PERIOD_MS;
  return round > PERIOD_MS - CLOCKS_MS_MAX ? round - PERIOD_MS : round;
}

/** The median delay of periods, milliseconds. */
export function delay(heardAt, spokenAt) {
  const delays = heardAt.map((at) => behind(at, spokenAt)).sort((a, b) => a - b);
  return delays[Math.floor(delays.length / 2)];
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
