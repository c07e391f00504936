import { beforeEach, expect, it, vi } from 'vitest';

class Shelf {
  [key: string]: unknown;
  getItem(key: string) {
    return Object.hasOwn(this, key) ? (this[key] as string) : null;
  }
  setItem(key: string, value: string) {
    this[key] = value;
  }
  removeItem(key: string) {
    delete this[key];
  }
}

let shelf: Storage;
beforeEach(() => {
  shelf = new Shelf() as unknown as Storage;
  vi.stubGlobal('localStorage', shelf);
});

async function fresh() {
  const { Drafts } = await import('./drafts.svelte');
  return new Drafts(shelf);
}

it('keeps what is typed over a reload', async () => {
  (await fresh()).change('c1', { note: 'second display', resolved: false });
  expect((await fresh()).of('c1')).toMatchObject({ note: 'second display', resolved: false, disposition: null });
});

it('is empty for a call without a draft, and after it was handed in', async () => {
  const drafts = await fresh();
  expect(drafts.of('c2').keptAt).toBe(0);
  drafts.change('c2', { note: 'x' });
  drafts.drop('c2');
  expect((await fresh()).of('c2').note).toBe('');
});

it('survives a broken entry', async () => {
  shelf.setItem('antiphon.draft.c3', '{broken');
  expect((await fresh()).of('c3').note).toBe('');
});

it('keeps a bounded number, the newest', async () => {
  const { DRAFTS_MAX } = await import('./drafts.svelte');
  const drafts = await fresh();
  vi.useFakeTimers();
  for (let n = 0; n < DRAFTS_MAX + 5; n += 1) {
    vi.setSystemTime(1_000 + n);
    drafts.change(`d${n}`, { note: String(n) });
  }
  vi.useRealTimers();
  expect(Object.keys(shelf)).toHaveLength(DRAFTS_MAX);
  expect(shelf.getItem('antiphon.draft.d0')).toBeNull();
});

it('follows what another page of this browser writes and hands in', async () => {
  const [here, there] = [await fresh(), await fresh()];
  here.change('c1', { note: 'begun here' });
  there.change('c1', { note: 'finished there' });
  here.heard({ key: 'antiphon.draft.c1' });
  expect(here.of('c1').note).toBe('finished there');
  there.drop('c1');
  here.heard({ key: 'antiphon.draft.c1' });
  expect(here.calls()).toEqual([]);
});

it('knows a result that was begun and not finished', async () => {
  const { isHalf } = await import('./drafts.svelte');
  expect(isHalf({ disposition: 'done', resolved: null })).toBe(true);
  expect(isHalf({ disposition: null, resolved: false })).toBe(true);
  expect(isHalf({ disposition: null, resolved: null })).toBe(false);
  expect(isHalf({ disposition: 'done', resolved: false })).toBe(false);
});
