import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeLocks, FakeRadio, fakeStorage } from './fakes';
import { Ownership, nextEpoch } from './ownership';

describe('one tab owns the telephone', () => {
  let locks: FakeLocks;
  let radio: FakeRadio;
  const tab = () => new Ownership(locks, radio.channel());
  const settle = async <T>(promise: Promise<T>): Promise<T> => {
    await vi.advanceTimersByTimeAsync(3_000);
    return promise;
  };

  beforeEach(() => {
    vi.useFakeTimers();
    locks = new FakeLocks();
    radio = new FakeRadio();
  });
  afterEach(() => void vi.useRealTimers());

  it('gives it to the first and not to the second', async () => {
    const [first, second] = [tab(), tab()];
    expect(await settle(first.claim('ask'))).toBe(true);
    expect(await settle(first.claim('ask'))).toBe(true);
    expect(await settle(second.claim('ask'))).toBe(false);
    expect([first.owned, second.owned]).toEqual([true, false]);
  });

  it('waits for a page that is just being left', async () => {
    const [old, reloaded] = [tab(), tab()];
    await settle(old.claim('ask'));
    const claim = reloaded.claim('ask');
    await vi.advanceTimersByTimeAsync(300);
    old.close();
    expect(await settle(claim)).toBe(true);
  });

  it('tells the one in line when the other is closed later', async () => {
    const [first, second] = [tab(), tab()];
    second.onGranted = vi.fn();
    await settle(first.claim('ask'));
    await settle(second.claim('ask'));
    first.close();
    await vi.advanceTimersByTimeAsync(0);
    expect(second.onGranted).toHaveBeenCalledTimes(1);
    expect(second.owned).toBe(true);
  });

  it('asks the owner to let go', async () => {
    const [first, second] = [tab(), tab()];
    const lost = vi.fn(() => {
      first.release();
      first.wait();
    });
    first.onLost = lost;
    first.onGranted = vi.fn();
    await settle(first.claim('ask'));
    expect(await settle(second.claim('take'))).toBe(true);
    expect(lost).toHaveBeenCalledTimes(1);
    expect(first.owned).toBe(false);
    second.release();
    await settle(Promise.resolve());
    expect(first.onGranted).toHaveBeenCalledTimes(1);
  });

  it('goes over the head of a tab that does not answer', async () => {
    const frozen = new Ownership(locks, { onmessage: null, postMessage: () => {}, close: () => {} });
    frozen.onLost = vi.fn();
    const second = tab();
    await settle(frozen.claim('ask'));
    expect(await settle(second.claim('take'))).toBe(true);
    expect(frozen.onLost).toHaveBeenCalledTimes(1);
    expect([frozen.owned, second.owned]).toEqual([false, true]);
  });
});

it('counts epochs upwards whatever the clock does', () => {
  const storage = fakeStorage();
  expect(nextEpoch(storage, 1_000)).toBe(1_000);
  expect(nextEpoch(storage, 1_000)).toBe(1_001);
  expect(nextEpoch(storage, 400)).toBe(1_002);
  storage.setItem('antiphon-phone-epoch', 'nonsense');
  expect(nextEpoch(storage, 2_000)).toBe(2_000);
});
