import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { api, type CallRow } from '$lib/api';
import { CallList, PAGE } from './list.svelte';

const row = (n: number, more: Partial<CallRow> = {}) => ({ id: `c${n}`, started_at: new Date(Date.UTC(2026, 10, 24, 8, 0, 0) - n * 1000).toISOString(), live: false, ...more }) as CallRow;
const rows = (count: number) => Array.from({ length: count }, (_, n) => row(n));
let asked: { limit?: unknown }[];
let answer: CallRow[];

beforeEach(() => {
  asked = [];
  vi.spyOn(api, 'get').mockImplementation(async (_path, options) => {
    asked.push(options?.query ?? {});
    return { items: answer, next_cursor: null } as never;
  });
});
afterEach(() => vi.restoreAllMocks());

it('a call that ended stands still at the next look', async () => {
  answer = [row(0, { live: true, waited_s: 0, running: { what: 'waiting', since: '2026-11-24T08:00:00Z' } }), row(1)];
  const list = new CallList();
  await list.show({});
  expect(list.live).toBe(true);
  answer = [row(0, { waited_s: 31, outcome: 'abandoned', running: null }), row(1)];
  await list.look();
  expect(list.live).toBe(false);
  expect(list.rows[0]).toMatchObject({ waited_s: 31, running: null });
});

it('a look reaches as far down as a live call stands', async () => {
  answer = rows(PAGE + 20);
  const list = new CallList();
  await list.show({});
  await list.look();
  expect(asked.at(-1)?.limit).toBe(PAGE);
  answer[PAGE + 9] = row(PAGE + 9, { live: true });
  await list.show({});
  await list.look();
  expect(asked.at(-1)?.limit).toBeGreaterThan(PAGE + 9);
});

it('what is new waits for a click', async () => {
  answer = rows(3);
  const list = new CallList();
  await list.show({});
  answer = [row(-1), ...rows(3)];
  await list.look();
  expect([list.rows.length, list.fresh.length]).toEqual([3, 1]);
  list.enter();
  expect(list.rows.map((one) => one.id)).toEqual(['c-1', 'c0', 'c1', 'c2']);
});
