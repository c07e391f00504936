import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakePeer, FakeSignalling } from './fakes';
import { ATTEMPT_MS_MAX, Line, retryMs } from './line';

const microphone = { label: 'one' } as MediaStreamTrack;

describe('the line', () => {
  let signalling: FakeSignalling;
  let peers: FakePeer[];
  let line: Line;
  const last = () => peers.at(-1) as FakePeer;
  const settle = () => vi.advanceTimersByTimeAsync(0);
  const connect = async () => {
    line.open(microphone, 7);
    await settle();
    signalling.receive({ type: 'rtc.answer', sdp: 'answer' });
    await settle();
    last().become('up');
  };

  beforeEach(() => {
    vi.useFakeTimers();
    signalling = new FakeSignalling();
    peers = [];
    line = new Line(signalling, (track) => {
      const peer = new FakePeer(peers.length + 1, track);
      peers.push(peer);
      return peer;
    });
  });
  afterEach(() => void vi.useRealTimers());

  it('offers with its epoch, takes the answer and is up', async () => {
    const remote = vi.fn();
    line.onRemote = remote;
    await connect();
    expect(signalling.sent).toEqual([{ type: 'rtc.offer', sdp: 'offer 1', epoch: 7, take: false }]);
    expect(signalling.epoch).toBe(7);
    expect(last().answer).toBe('answer');
    expect(line.state).toBe('up');
    expect(remote).toHaveBeenCalledWith(last().remote);
  });

  it('takes over until that is answered, and then only keeps what it has', async () => {
    line.open(microphone, 8, true);
    await settle();
    signalling.receive({ type: 'error', place: 'rtc.offer', code: 'overloaded' });
    await settle();
    signalling.receive({ type: 'rtc.answer', sdp: 'answer' });
    await settle();
    last().become('up');
    last().become('dead');
    await vi.advanceTimersByTimeAsync(20_000);
    expect(signalling.sent.slice(0, 3).map((frame) => frame['take'])).toEqual([true, true, false]);
  });

  it('keeps a living connection when the socket comes back', async () => {
    await connect();
    signalling.receive({ type: 'welcome' });
    await settle();
    expect(peers.length).toBe(1);
    expect(line.state).toBe('up');
  });

  it('offers anew when the socket comes back and the connection is dead', async () => {
    await connect();
    signalling.connected = false;
    last().become('dead');
    await settle();
    expect(line.state).toBe('lost');
    await vi.advanceTimersByTimeAsync(60_000);
    const tried = peers.length;
    signalling.connected = true;
    signalling.receive({ type: 'welcome' });
    await settle();
    expect(peers.length).toBe(tried + 1);
    expect(signalling.sent.at(-1)?.['sdp']).toBe(`offer ${last().number}`);
    expect(peers.slice(0, -1).every((peer) => peer.closed)).toBe(true);
  });

  it('waits for the socket when it is opened before it', async () => {
    signalling.connected = false;
    line.open(microphone, 7);
    await settle();
    expect(line.state).toBe('connecting');
    signalling.connected = true;
    signalling.receive({ type: 'welcome' });
    await settle();
    expect(signalling.types).toEqual(['rtc.offer']);
  });

  it('tries again, less and less often, while nothing works', async () => {
    line.open(microphone, 7);
    await settle();
    await vi.advanceTimersByTimeAsync(ATTEMPT_MS_MAX + retryMs(0) + 1);
    expect(line.state).toBe('lost');
    expect(peers.length).toBe(2);
    await vi.advanceTimersByTimeAsync(120_000);
    expect(peers.length).toBeGreaterThan(4);
    expect(peers.length).toBeLessThan(14);
    expect([0, 1, 2, 20].map(retryMs)).toEqual([0, 1_000, 2_000, 15_000]);
  });

  it('offers anew when the house says that the media is gone', async () => {
    await connect();
    signalling.receive({ type: 'rtc.state', up: false });
    expect(line.state).toBe('lost');
    await settle();
    expect(signalling.types).toEqual(['rtc.offer', 'rtc.offer']);
    // The same word about the leg before must not disturb the new one.
    signalling.receive({ type: 'rtc.state', up: false });
    await settle();
    expect(peers.length).toBe(2);
  });

  it('survives an answer that cannot be used and an offer that is refused', async () => {
    line.open(microphone, 7);
    await settle();
    signalling.receive({ type: 'rtc.answer', sdp: 'bad' });
    await settle();
    expect(peers.length).toBe(2);
    signalling.receive({ type: 'error', code: 'bad_description', place: 'rtc.offer' });
    expect(line.state).toBe('lost');
    await vi.advanceTimersByTimeAsync(retryMs(1) + 1);
    expect(peers.length).toBe(3);
    signalling.receive({ type: 'error', code: 'unknown_topic', place: 'topics' });
    expect(last().closed).toBe(false);
  });

  it('ignores an answer that nobody waits for', async () => {
    await connect();
    signalling.receive({ type: 'rtc.answer', sdp: 'late' });
    await settle();
    expect(last().answer).toBe('answer');
  });

  it('gives way when another machine takes over', async () => {
    await connect();
    signalling.receive({ type: 'rtc.taken' });
    expect(line.state).toBe('taken');
    expect(last().closed).toBe(true);
    signalling.receive({ type: 'welcome' });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(peers.length).toBe(1);
    expect(signalling.types).not.toContain('rtc.close');
  });

  it('says goodbye once', async () => {
    await connect();
    line.close();
    line.close();
    expect(signalling.types).toEqual(['rtc.offer', 'rtc.close']);
    expect(last().closed).toBe(true);
  });

  it('changes the microphone in mid-call and uses it again after a loss', async () => {
    await connect();
    const other = { label: 'two' } as MediaStreamTrack;
    await line.speakWith(other);
    expect(last().microphone).toBe(other);
    last().become('dead');
    await settle();
    expect(peers.length).toBe(2);
    expect(last().microphone).toBe(other);
  });
});
