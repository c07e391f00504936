import { afterEach, expect, it, vi } from 'vitest';
import { command, patienceMs } from './client';

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

it('waits for an upload as long as a slow line takes', () => {
  expect(patienceMs({ note: 'x' })).toBe(15_000);
  expect(patienceMs(new Blob([new Uint8Array(64 * 1024 * 60)]))).toBe(75_000);
});

it('asks again with the same key for a command that is still at work', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout'] });
  const busy = () => Response.json({ code: 'in_progress' }, { status: 409, headers: { 'retry-after': '1' } });
  const answers = [busy(), busy(), new Response(null, { status: 204 })];
  const keys: (string | null)[] = [];
  vi.stubGlobal('fetch', async (_: string, init: RequestInit) => {
    keys.push(new Headers(init.headers).get('idempotency-key'));
    return answers.shift();
  });
  const done = command('/agent/ready');
  await vi.advanceTimersByTimeAsync(2_500);
  await done;
  expect(keys).toHaveLength(3);
  expect(new Set(keys).size).toBe(1);
});
