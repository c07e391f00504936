// Sound in files: written, taken apart, and asked who speaks in it and when.

import { readFileSync, writeFileSync } from 'node:fs';
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

/** How far `later` lies behind `earlier` on a clock that goes round once a period. */
export const behind = (later, earlier) => (((later - earlier) % PERIOD_MS) + PERIOD_MS) % PERIOD_MS;

/** The median delay of periods, milliseconds. */
export function delay(heardAt, spokenAt) {
  const delays = heardAt.map((at) => behind(at, spokenAt)).sort((a, b) => a - b);
  return delays[Math.floor(delays.length / 2)];
}

const WINDOW = 240;
const STRAY = 48;
const ALIKE = 0.55;

/**
 * When a speaker whose whole period begins at `period_at_ms` can first be heard, in milliseconds of
 * the samples: the part of a period before the first whole one is found by its shape. A pause of
 * the chirps before it cannot be told from silence, so this is never too early.
 */
export function onset(samples, template, period_at_ms) {
  const alike = (at, part) => {
    let best = 0;
    for (let shift = -STRAY; shift <= STRAY; shift += 2) {
      let product = 0;
      let a = 1;
      let b = 1;
      for (let n = 0; n < WINDOW; n++) {
        const x = samples[at + shift + n] ?? 0;
        const y = template[(part + n) % template.length];
        product += x * y;
        a += x * x;
        b += y * y;
      }
      best = Math.max(best, Math.abs(product) / Math.sqrt(a * b));
    }
    return best;
  };
  const start = Math.round((period_at_ms * RATE) / 1_000);
  let first = start;
  for (let back = WINDOW; back <= template.length && start - back >= 0; back += WINDOW) {
    const part = template.length - back;
    // The pause at the end of a period says nothing.
    if (part >= template.length * 0.8) continue;
    if (alike(start - back, part) < ALIKE) break;
    first = start - back;
  }
  return (first * 1_000) / RATE;
}

/** One period of a code as samples at 8 kHz, out of a file that `phone chirp` wrote. */
export function template(file) {
  return channels(readFileSync(file)).channels[0].slice(0, (RATE * PERIOD_MS) / 1_000);
}
