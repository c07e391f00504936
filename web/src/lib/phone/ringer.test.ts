import { expect, it } from 'vitest';
import { RING_EVERY_MS, ringPattern } from './ringer';

it('is two tones in turn with a pause before the next ring', () => {
  const tones = ringPattern();
  expect(new Set(tones.map((tone) => tone.hz)).size).toBe(2);
  tones.slice(1).forEach((tone, n) => {
    expect(tone.hz).not.toBe(tones[n]?.hz);
    expect(tone.at).toBeCloseTo((tones[n]?.at ?? 0) + (tones[n]?.length ?? 0));
  });
  const last = tones.at(-1);
  expect((last?.at ?? 0) + (last?.length ?? 0)).toBeLessThan(RING_EVERY_MS / 2_000);
});
