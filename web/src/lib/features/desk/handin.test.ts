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

async function opened(send: (call: string, note: string) => Promise<void>) {
  const { Drafts } = await import('./drafts.svelte');
  const { HandIn } = await import('./handin');
  const { Problem } = await import('$lib/api');
  const drafts = new Drafts(shelf);
  drafts.owner = 'anna';
  return { drafts, handIn: new HandIn(drafts, send), Problem };
}

it('hands in what an earlier page left, but neither what is on the desk nor another person wrote', async () => {
  const sent: string[] = [];
  const { drafts, handIn } = await opened(async (call, note) => void sent.push(`${call} ${note}`));
  const { Drafts } = await import('./drafts.svelte');
  const earlier = new Drafts(shelf);
  earlier.owner = 'anna';
  earlier.change('old', { note: 'from before the reload' });
  earlier.change('now', { note: 'being written' });
  earlier.change('empty', { disposition: 'done' });
  earlier.owner = 'ben';
  earlier.change('his', { note: 'of the early shift' });
  expect(await handIn.run(['now'], () => undefined)).toBe(false);
  expect(sent).toEqual(['old from before the reload']);
  expect(drafts.calls()).toEqual(['now']);
});

it('tries again what failed, and not what was refused', async () => {
  let answer: () => void = () => undefined;
  const refused = vi.fn();
  const { drafts, handIn, Problem } = await opened(async () => answer());
  drafts.change('a', { note: 'x' });
  answer = () => {
    throw new Problem({ status: 503, code: 'not_saved' });
  };
  expect(await handIn.run([], refused)).toBe(true);
  expect(refused).not.toHaveBeenCalled();
  answer = () => {
    throw new Problem({ status: 404, code: 'not_found' });
  };
  expect(await handIn.run([], refused)).toBe(false);
  expect(await handIn.run([], refused)).toBe(false);
  expect(refused).toHaveBeenCalledTimes(1);
  expect(drafts.of('a').note).toBe('x');
});
