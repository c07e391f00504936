import { describe, expect, it, vi } from 'vitest';
import { Problem } from '$lib/api';
import { canonical, guarded } from './conflict.svelte';

const stale = () => new Problem({ status: 412, code: 'stale' });

/** A server with one thing and one version number. */
function server(thing: object | null, n: number) {
  const sent: (string | null)[] = [];
  return {
    sent,
    read: async () => ({ data: thing, etag: `"${n}"` }),
    send: async (etag: string | null) => {
      sent.push(etag);
      if (etag !== `"${n}"`) throw stale();
      return 'saved';
    }
  };
}

describe('an edit that another one came before', () => {
  it('is sent again when the other one was about something else', async () => {
    const { sent, read, send } = server({ b: 1, a: [2] }, 7);
    const ask = vi.fn();
    const done = await guarded({ name: 'x', seen: { a: [2], b: 1 }, etag: '"5"', read, send, ask });
    expect(done).toEqual({ done: true, result: 'saved' });
    expect(sent).toEqual(['"5"', '"7"']);
    expect(ask).not.toHaveBeenCalled();
  });

  it('asks when the thing itself is another, and goes over it only when told to', async () => {
    const { sent, read, send } = server({ a: 3 }, 7);
    const edit = { name: 'x', seen: { a: 2 }, etag: '"5"', read, send };
    expect(await guarded({ ...edit, ask: async () => 'theirs' as const })).toEqual({ done: false, theirs: { a: 3 }, etag: '"7"' });
    expect(await guarded({ ...edit, ask: async () => 'later' as const })).toMatchObject({ done: false, theirs: null });
    expect(sent).toEqual(['"5"', '"5"']);
    expect(await guarded({ ...edit, ask: async () => 'mine' as const })).toEqual({ done: true, result: 'saved' });
    expect(sent).toEqual(['"5"', '"5"', '"5"', '"7"']);
  });

  it('gives other refusals to whoever asked, and does not go on for ever', async () => {
    const read = async () => ({ data: null, etag: '"1"' });
    const refused = new Problem({ status: 409, code: 'in_use' });
    await expect(guarded({ name: 'x', seen: null, etag: null, read, send: async () => { throw refused; } })).rejects.toBe(refused);
    const send = vi.fn(async () => { throw stale(); });
    await expect(guarded({ name: 'x', seen: null, etag: null, read, send })).rejects.toMatchObject({ code: 'stale' });
    expect(send).toHaveBeenCalledTimes(4);
  });

  it('asks in other words when ours takes the thing away', async () => {
    const { read, send } = server({ a: 3 }, 7);
    const ask = vi.fn(async () => 'theirs' as const);
    await guarded({ name: 'x', removes: true, seen: { a: 2 }, etag: '"5"', read, send, ask });
    expect(ask).toHaveBeenCalledWith('x', true);
  });

  it('compares without the order of keys', () => {
    expect(canonical({ b: [1, { d: 1, c: 2 }], a: null })).toBe(canonical({ a: null, b: [1, { c: 2, d: 1 }] }));
    expect(canonical([1, 2])).not.toBe(canonical([2, 1]));
  });
});
