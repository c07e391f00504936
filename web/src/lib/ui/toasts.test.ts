import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Toasts, TOASTS_MAX } from './toasts.svelte';
import { Problem } from '$lib/api';

describe('toasts', () => {
  let toasts: Toasts;
  const texts = () => toasts.list.map((toast) => toast.text);

  beforeEach(() => {
    vi.useFakeTimers();
    toasts = new Toasts();
  });
  afterEach(() => vi.useRealTimers());

  it('go by themselves, what is wrong later', async () => {
    toasts.say('saved');
    toasts.fail('not saved.', new Problem({ status: 404, code: 'not_found' }));
    await vi.advanceTimersByTimeAsync(5_000);
    expect(toasts.list.map((toast) => toast.code)).toEqual(['not_found']);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(toasts.list).toEqual([]);
  });

  it('make room by their age', () => {
    for (let n = 0; n <= TOASTS_MAX; n += 1) toasts.say(String(n));
    expect(texts()).toEqual(['1', '2', '3', '4']);
  });

  it('never push an undo out', () => {
    const [act, undone] = [vi.fn(), vi.fn()];
    toasts.undoable('removed', act, undone);
    for (let n = 1; n <= 6; n += 1) toasts.say(String(n));
    expect(texts()).toEqual(['removed', '4', '5', '6']);
    toasts.list[0]?.undo?.();
    expect(undone).toHaveBeenCalledOnce();
    expect(act).not.toHaveBeenCalled();
  });

  it('keep every undo, also when there are more than have room', async () => {
    const acts = Array.from({ length: 6 }, () => vi.fn());
    acts.forEach((act, n) => toasts.undoable(String(n), act, vi.fn()));
    expect(texts()).toHaveLength(6);
    toasts.say('one more is still read');
    expect(texts()).toHaveLength(7);
    await vi.advanceTimersByTimeAsync(8_000);
    for (const act of acts) expect(act).toHaveBeenCalledOnce();
    expect(toasts.list).toEqual([]);
  });

  it('are undone by a key, the newest first', () => {
    const undone: string[] = [];
    for (const name of ['one', 'two']) toasts.undoable(name, vi.fn(), () => undone.push(name));
    toasts.say('saved');
    expect([toasts.undoLast(), toasts.undoLast(), toasts.undoLast()]).toEqual([true, true, false]);
    expect(undone).toEqual(['two', 'one']);
    expect(texts()).toEqual(['saved']);
  });

  it('do what they hold back when they are closed and when the page is left', () => {
    const acts = [vi.fn(), vi.fn()];
    acts.forEach((act) => toasts.undoable('removed', act, vi.fn()));
    toasts.dismiss(toasts.list[0]!.id);
    expect(acts[0]).toHaveBeenCalledOnce();
    toasts.flush();
    expect(acts[1]).toHaveBeenCalledOnce();
    toasts.flush();
    expect(acts[1]).toHaveBeenCalledOnce();
  });
});
