import { expect, it } from 'vitest';
import { patienceMs } from './client';

it('waits for an upload as long as a slow line takes', () => {
  expect(patienceMs({ note: 'x' })).toBe(15_000);
  expect(patienceMs(new Blob([new Uint8Array(64 * 1024 * 60)]))).toBe(75_000);
});
