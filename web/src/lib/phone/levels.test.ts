import { describe, expect, it } from 'vitest';
import { SILENT_AFTER_MS, SilenceWatch, loudness } from './levels';

const tone = (amplitude: number) =>
  Float32Array.from({ length: 800 }, (_, n) => amplitude * Math.sin(n / 3));

describe('the meter', () => {
  it('is empty in silence, full at full scale and grows by decibels', () => {
    expect(loudness(new Float32Array(800))).toEqual({ level: 0, peak: 0 });
    expect(loudness([])).toEqual({ level: 0, peak: 0 });
    expect(loudness([1, -1, 1, -1]).level).toBe(1);
    const quiet = loudness(tone(0.01)).level;
    const loud = loudness(tone(0.1)).level;
    expect(loud - quiet).toBeCloseTo(20 / 60, 3);
    expect(loudness(tone(0.5)).peak).toBeCloseTo(0.5, 2);
  });
});

describe('the dead microphone', () => {
  it('is noticed after ten seconds of nothing, and forgiven at the first sound', () => {
    const watch = new SilenceWatch();
    expect(watch.silent(0, 0)).toBe(false);
    expect(watch.silent(SILENT_AFTER_MS - 1, 0)).toBe(false);
    expect(watch.silent(SILENT_AFTER_MS, 0.00003)).toBe(true);
    expect(watch.silent(SILENT_AFTER_MS + 100, 0.01)).toBe(false);
  });

  it('is not one that only listens: a quiet room still makes noise', () => {
    const watch = new SilenceWatch();
    for (let now = 0; now < 60_000; now += 100) {
      expect(watch.silent(now, now % 5_000 === 0 ? 0.0004 : 0)).toBe(false);
    }
  });

  it('begins anew after a mute', () => {
    const watch = new SilenceWatch();
    watch.silent(0, 0);
    watch.reset();
    expect(watch.silent(SILENT_AFTER_MS, 0)).toBe(false);
  });
});
