import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Held } from './held.svelte';
import { Toasts } from './toasts.svelte';

let toasts: Toasts;
let held: Held;
/** Acts that were begun, and the way to end each. */
let begun: Map<string, () => void>;
const hold = (thing: string) => held.hold(thing, thing, () => new Promise<void>((resolve) => begun.set(thing, resolve)));

beforeEach(() => {
  vi.useFakeTimers();
  toasts = new Toasts();
  held = new Held(toasts);
  begun = new Map();
});
afterEach(() => vi.useRealTimers());

it('holds a thing until its act is over, not only until it begins', async () => {
  hold('numbers/100');
  expect([held.has('numbers/100'), held.has('numbers/101')]).toEqual([true, false]);
  await vi.advanceTimersByTimeAsync(8_000);
  expect([[...begun.keys()], held.has('numbers/100')]).toEqual([['numbers/100'], true]);
  begun.get('numbers/100')?.();
  await vi.advanceTimersByTimeAsync(0);
  expect(held.has('numbers/100')).toBe(false);
});

it('settles one thing alone, and waits for its act', async () => {
  hold('numbers/100');
  hold('numbers/101');
  toasts.warn('not read yet');
  const settled = vi.fn();
  void held.settle('numbers/100').then(settled);
  await vi.advanceTimersByTimeAsync(0);
  expect([...begun.keys()]).toEqual(['numbers/100']);
  expect(toasts.list.map((toast) => toast.text)).toEqual(['numbers/101', 'not read yet']);
  expect(settled).not.toHaveBeenCalled();
  begun.get('numbers/100')?.();
  await vi.advanceTimersByTimeAsync(0);
  expect(settled).toHaveBeenCalledOnce();
});

it('waits also for an act that had begun when its toast went', async () => {
  hold('numbers/100');
  await vi.advanceTimersByTimeAsync(8_000);
  const settled = vi.fn();
  void held.settle('numbers/100').then(settled);
  await vi.advanceTimersByTimeAsync(0);
  expect(settled).not.toHaveBeenCalled();
  begun.get('numbers/100')?.();
  await vi.advanceTimersByTimeAsync(0);
  expect(settled).toHaveBeenCalledOnce();
});

it('does nothing of what was undone', async () => {
  hold('numbers/100');
  toasts.undoLast();
  expect(held.has('numbers/100')).toBe(false);
  await held.settle('numbers/100');
  await vi.advanceTimersByTimeAsync(8_000);
  expect(begun.size).toBe(0);
});
