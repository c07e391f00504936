import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Connection } from './connection';
import { FakeLocks, FakePeer, FakeRadio, FakeSignalling, fakeStorage } from './fakes';
import type { StorageLike } from './ownership';
import { Phone } from './phone.svelte';
import type { Platform, SoundLike } from './platform';

class FakeTrack {
  enabled = true;
  readyState = 'live';
  onended: (() => void) | null = null;
  readonly label: string;
  constructor(label: string) {
    this.label = label;
  }
  stop() {
    this.readyState = 'ended';
  }
  unplug() {
    this.readyState = 'ended';
    this.onended?.();
  }
}

const named = (name: string) => Object.assign(new Error(name), { name });

/** One machine: its devices are shared by its tabs. */
class Machine {
  locks = new FakeLocks();
  radio = new FakeRadio();
  storage = fakeStorage();
  plugged = ['Headset'];
  refuses: string | null = null;
  tracks: FakeTrack[] = [];
  peers: FakePeer[] = [];
  peak = 0.1;
  rings = false;
  changed = new Set<() => void>();

  plug(...labels: string[]) {
    this.plugged = labels;
    for (const listener of [...this.changed]) listener();
  }

  /** A reloaded tab has the session of the one before. */
  tab(session = fakeStorage()) {
    const signalling = new FakeSignalling();
    return { signalling, session, phone: new Phone(signalling, this.#platform(session)) };
  }

  #platform(session: StorageLike): Platform {
    const sound: SoundLike = {
      onNeedsGesture: null,
      speak: () => {},
      hear: () => {},
      levels: () => ({ local: { level: 0.5, peak: this.peak }, remote: { level: 0.257, peak: 1 } }),
      ring: (on) => void (this.rings = on),
      chooseSpeaker: async () => {},
      canChooseSpeaker: true,
      close: () => void (this.rings = false)
    };
    const devices = {
      getUserMedia: async ({ audio }: MediaStreamConstraints) => {
        const wanted = (audio as { deviceId?: { exact: string } }).deviceId?.exact;
        const label = wanted ? this.plugged.find((one) => one === wanted) : this.plugged[0];
        if (this.refuses) throw named(this.refuses);
        if (!label) throw named('NotFoundError');
        const track = new FakeTrack(label);
        this.tracks.push(track);
        return { getAudioTracks: () => [track] };
      },
      enumerateDevices: async () =>
        this.plugged.map((label) => ({ kind: 'audioinput', deviceId: label, label })),
      addEventListener: (_: string, listener: () => void) => this.changed.add(listener),
      removeEventListener: (_: string, listener: () => void) => this.changed.delete(listener)
    };
    return {
      devices: devices as unknown as NonNullable<Platform['devices']>,
      locks: this.locks,
      storage: this.storage,
      session,
      channel: () => this.radio.channel(),
      connection: (microphone) => {
        const peer = new FakePeer(this.peers.length + 1, microphone);
        this.peers.push(peer);
        return peer as unknown as Connection;
      },
      sound: () => sound,
      now: () => Date.now()
    };
  }
}

describe('the telephone', () => {
  let machine: Machine;
  const settle = (ms = 0) => vi.advanceTimersByTimeAsync(ms);
  const lastTrack = () => machine.tracks.at(-1) as FakeTrack;
  const connected = async (session = fakeStorage()) => {
    const tab = machine.tab(session);
    await tab.phone.start();
    tab.signalling.receive({ type: 'rtc.answer', sdp: 'answer' });
    await settle();
    machine.peers.at(-1)?.become('up');
    return tab;
  };

  beforeEach(() => {
    vi.useFakeTimers();
    machine = new Machine();
  });
  afterEach(() => void vi.useRealTimers());

  it('stays muted over a reload, and only then', async () => {
    const { phone, session } = await connected();
    phone.setMuted(true);
    phone.stop();
    const reloaded = machine.tab(session).phone;
    expect(reloaded.muted).toBe(true);
    reloaded.setMuted(false);
    expect(machine.tab(session).phone.muted).toBe(false);
  });

  it('connects, meters, mutes and sends keys', async () => {
    const { phone } = await connected();
    expect(phone.state).toBe('up');
    expect(phone.deviceLabel).toBe('Headset');
    await settle(100);
    expect([phone.inputLevel, phone.outputLevel]).toEqual([0.5, 0.26]);
    phone.setMuted(true);
    expect(lastTrack().enabled).toBe(false);
    expect([phone.digit('5'), phone.digit('#'), phone.digit('x'), phone.digit('55')]).toEqual([
      true, true, false, false
    ]);
    expect(machine.peers[0]?.keys).toBe('5#');
    phone.stop();
    expect(phone.state).toBe('off');
    expect(lastTrack().readyState).toBe('ended');
    expect(machine.changed.size).toBe(0);
  });

  it('warns of a dead microphone, but not of a muted one', async () => {
    const { phone } = await connected();
    machine.peak = 0;
    await settle(9_900);
    expect(phone.silent).toBe(false);
    await settle(300);
    expect(phone.silent).toBe(true);
    phone.setMuted(true);
    await settle(20_000);
    expect(phone.silent).toBe(false);
  });

  it('says why there is no microphone and recovers when one is plugged in', async () => {
    machine.refuses = 'NotAllowedError';
    const { phone, signalling } = machine.tab();
    await phone.start();
    expect([phone.state, phone.fault]).toEqual(['denied', 'denied']);
    machine.refuses = null;
    machine.plugged = [];
    await phone.start();
    expect(phone.state).toBe('no_microphone');
    expect(signalling.sent).toEqual([]);
    machine.plug('New');
    await settle();
    expect(signalling.types).toEqual(['rtc.offer']);
    expect(phone.deviceLabel).toBe('New');
  });

  it('goes on with another microphone when one is unplugged in mid-call', async () => {
    const { phone, signalling } = await connected();
    machine.plugged = ['Built-in'];
    lastTrack().unplug();
    await settle();
    expect([phone.state, phone.deviceLabel]).toEqual(['up', 'Built-in']);
    expect((machine.peers[0]?.microphone as unknown as FakeTrack).label).toBe('Built-in');
    machine.plugged = [];
    lastTrack().unplug();
    await settle(100);
    expect([phone.state, phone.silent]).toEqual(['up', true]);
    machine.plug('Headset');
    await settle(100);
    expect([phone.deviceLabel, phone.silent]).toEqual(['Headset', false]);
    expect(signalling.types).toEqual(['rtc.offer']);
  });

  it('keeps mute and the chosen microphone', async () => {
    machine.plugged = ['Headset', 'Other'];
    const { phone } = await connected();
    phone.setMuted(true);
    await phone.chooseDevice('Other');
    expect([phone.deviceLabel, lastTrack().enabled]).toEqual(['Other', false]);
    expect(machine.tracks[0]?.readyState).toBe('ended');
    expect(machine.storage.getItem('antiphon-phone-microphone')).toBe('Other');
    expect(phone.microphone).toBe('Other');
    await phone.chooseDevice('');
    expect([phone.deviceLabel, phone.microphone]).toEqual(['Headset', '']);
  });

  it('rings unless the sound is off, and remembers that', async () => {
    const { phone } = await connected();
    phone.ring(true);
    expect(machine.rings).toBe(true);
    phone.setSound(false);
    expect(machine.rings).toBe(false);
    expect(machine.tab().phone.soundOn).toBe(false);
  });

  it('is in one tab, which another can take over and which inherits it', async () => {
    const first = await connected();
    const second = machine.tab();
    void second.phone.start();
    await settle(2_000);
    expect(second.phone.state).toBe('taken');
    void second.phone.start({ takeOver: true });
    await settle(2_000);
    expect(first.phone.state).toBe('taken');
    expect(first.signalling.types).toEqual(['rtc.offer', 'rtc.close']);
    const [before, after] = [first.signalling.sent[0], second.signalling.sent[0]];
    expect(Number(after?.['epoch'])).toBeGreaterThan(Number(before?.['epoch']));
    second.phone.stop();
    await settle();
    expect(first.signalling.types).toEqual(['rtc.offer', 'rtc.close', 'rtc.offer']);
  });

  it('takes the telephone over on purpose, and after a reload of the page that had it', async () => {
    const first = await connected();
    expect(first.signalling.sent[0]?.['take']).toBe(false);
    const other = machine.tab();
    void other.phone.start();
    await settle(2_000);
    void other.phone.start({ takeOver: true });
    await settle(2_000);
    expect(other.signalling.sent[0]?.['take']).toBe(true);
    expect([first.phone.state, first.phone.takenBy]).toEqual(['taken', 'tab']);
    other.signalling.receive({ type: 'rtc.answer', sdp: 'answer' });
    await settle();
    machine.peers.at(-1)?.become('up');
    // A reload: the lock is free again, nobody says goodbye.
    machine.locks = new FakeLocks();
    const reloaded = await connected(other.session);
    expect(reloaded.signalling.sent[0]?.['take']).toBe(true);
    reloaded.signalling.receive({ type: 'rtc.taken' });
    expect([reloaded.phone.state, reloaded.phone.takenBy]).toEqual(['taken', 'computer']);
    machine.locks = new FakeLocks();
    const again = await connected(other.session);
    expect(again.signalling.sent[0]?.['take'], 'what was lost elsewhere is not taken back unasked').toBe(false);
  });

  it('leaves nothing behind when it is signed out', async () => {
    const first = await connected();
    first.phone.stop();
    const next = await connected(first.session);
    expect(next.signalling.sent[0]?.['take']).toBe(false);
  });

  it('does not fight with another machine', async () => {
    const first = await connected();
    const second = machine.tab();
    void second.phone.start();
    await settle(2_000);
    first.signalling.receive({ type: 'rtc.taken' });
    await settle(60_000);
    expect([first.phone.state, second.phone.state]).toEqual(['taken', 'taken']);
    expect(second.signalling.sent).toEqual([]);
    await first.phone.start();
    expect(first.phone.state).toBe('taken');
    void first.phone.start({ takeOver: true });
    await settle(2_000);
    expect(first.signalling.types).toEqual(['rtc.offer', 'rtc.offer']);
  });

  it('drops what was asked before it was stopped', async () => {
    const { phone, signalling } = machine.tab();
    const starting = phone.start();
    phone.stop();
    await settle(2_000);
    await starting;
    expect([phone.state, signalling.sent, machine.peers]).toEqual(['off', [], []]);
    expect(machine.tracks.every((track) => track.readyState === 'ended')).toBe(true);
  });
});
