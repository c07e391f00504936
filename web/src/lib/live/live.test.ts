import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { backoffMs } from './backoff';
import { Clock } from './clock.svelte';
import { Live, type Wire } from './live.svelte';

class FakeWire implements Wire {
  onopen: (() => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  sent: Record<string, unknown>[] = [];
  closed: number | null = null;
  send(text: string) {
    this.sent.push(JSON.parse(text) as Record<string, unknown>);
  }
  close(code = 1000) {
    this.closed = code;
    this.onclose?.({ code });
  }
  says(message: unknown) {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
}

describe('the socket', () => {
  let wires: FakeWire[];
  let live: Live;
  let clock: Clock;
  const latest = () => wires.at(-1)!;
  const up = () => {
    latest().onopen?.();
    latest().says({ type: 'welcome', server_at: '2026-11-24T08:42:00Z', build: 'test' });
  };

  beforeEach(() => {
    vi.useFakeTimers({ now: Date.parse('2026-11-24T08:40:00Z') });
    wires = [];
    clock = new Clock();
    live = new Live(() => {
      wires.push(new FakeWire());
      return latest();
    }, clock);
    live.start();
  });
  afterEach(() => {
    live.stop();
    vi.useRealTimers();
  });

  it('says hello first and subscribes when welcome', () => {
    live.topic('me');
    up();
    expect(latest().sent.map((message) => message['type'])).toEqual(['hello', 'subscribe']);
    expect(latest().sent[1]).toMatchObject({ topics: ['me'] });
    expect(live.phase).toBe('up');
  });

  it('keeps the newest state of a topic', () => {
    const topic = live.topic<{ state: string }>('me');
    up();
    latest().says({ type: 'update', topic: 'me', seq: 7, data: { state: 'ready' } });
    expect(topic.data).toEqual({ state: 'ready' });
  });

  it('takes the time of the server', () => {
    up();
    expect(clock.read()).toBe(Date.parse('2026-11-24T08:42:00Z'));
    expect(clock.since('2026-11-24T08:41:00Z')).toBe(60);
  });

  it('resumes where it was, keeping what it knew and its age', async () => {
    const topic = live.topic<{ state: string }>('me');
    up();
    latest().says({ type: 'update', topic: 'me', seq: 7, data: { state: 'ready' } });
    latest().onclose?.({ code: 1006 });
    expect(live.phase).toBe('lost');
    expect(live.lostSince).not.toBeNull();
    expect(topic.data).toEqual({ state: 'ready' });
    await vi.advanceTimersByTimeAsync(600);
    latest().onopen?.();
    expect(latest().sent[0]).toMatchObject({ type: 'hello', since: { me: 7 } });
    latest().says({ type: 'welcome', server_at: '2026-11-24T08:42:10Z', build: 'test' });
    expect(live.lostSince).toBeNull();
  });

  it('notices a connection that has gone silent', async () => {
    up();
    await vi.advanceTimersByTimeAsync(40_000);
    expect(wires[0]?.closed).toBe(4000);
  });

  it('counts as lost at once, though its close may take a minute', async () => {
    up();
    const dead = latest();
    dead.close = (code) => void (dead.closed = code ?? null);
    await vi.advanceTimersByTimeAsync(40_000);
    expect(dead.closed).toBe(4000);
    expect(wires).toHaveLength(2);
    up();
    dead.onclose?.({ code: 4000 });
    expect(live.phase).toBe('up');
  });

  it('gives a connection up that is never welcomed', async () => {
    latest().onopen?.();
    await vi.advanceTimersByTimeAsync(10_500);
    expect(wires[0]?.closed).toBe(4000);
    expect(wires).toHaveLength(2);
    expect(live.phase).toBe('lost');
  });

  it('never has two sockets, however often it is told to try', async () => {
    live.nudge(); // not while the first is on its way
    expect(wires).toHaveLength(1);
    up();
    live.nudge(); // not while all is well
    expect(wires).toHaveLength(1);
    latest().onclose?.({ code: 1006 });
    live.nudge();
    live.nudge();
    expect(wires).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(5_000); // the attempt that was due finds the other one
    live.nudge();
    expect(wires).toHaveLength(2);
    up();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(wires).toHaveLength(2);
    expect(live.phase).toBe('up');
  });

  it('does not come back when the session is over', async () => {
    const over = vi.fn();
    live.onSessionOver = over;
    up();
    latest().onclose?.({ code: 4401 });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(over).toHaveBeenCalledOnce();
    expect(wires).toHaveLength(1);
  });

  it('gives a forbidden topic up and stays', () => {
    const queue = live.topic('queue:1');
    live.topic('me');
    up();
    latest().says({ type: 'update', topic: 'queue:1', seq: 1, data: { waiting: 3 } });
    latest().says({ type: 'error', code: 'forbidden_topic', detail: '', place: 'queue:1' });
    expect(queue.data).toBeNull();
    expect(live.phase).toBe('up');
  });

  it('asks anew who we are when it is sent away, and waits longer each time', async () => {
    const asked = vi.fn();
    live.onForbidden = asked;
    live.topic('me');
    live.topic('queue:1');
    for (let round = 1; round <= 5; round += 1) {
      up();
      latest().onclose?.({ code: 4403 });
      expect(asked).toHaveBeenCalledTimes(round);
      await vi.advanceTimersByTimeAsync(backoffMs(round - 1, 1));
      expect(wires).toHaveLength(round + 1);
    }
    up();
    expect(latest().sent.at(-1)).toMatchObject({ type: 'subscribe', topics: ['me'] });
    latest().onclose?.({ code: 4403 });
    await vi.advanceTimersByTimeAsync(2_000);
    expect(wires).toHaveLength(6);
  });

  it('survives what is no message', () => {
    up();
    latest().onmessage?.({ data: 'not json' });
    expect(live.phase).toBe('up');
  });
});

it('waits longer each time, spread, never over 15 s', () => {
  expect(backoffMs(0, 0)).toBe(250);
  expect(backoffMs(0, 1)).toBe(500);
  expect(backoffMs(3, 0.5)).toBe(3000);
  expect(backoffMs(50, 1)).toBe(15_000);
});
