/**
 * The agent's telephone on this page: microphone, line, sound and the right to them, as one object
 * whose fields the screens read. It shows keys and states, never text.
 */
import { SilenceWatch } from './levels';
import { Line, type LineState } from './line';
import { NoMicrophone, devicesOf, openMicrophone, type Device, type MicrophoneFault } from './microphone';
import { Ownership, nextEpoch } from './ownership';
import { browserPlatform, type Platform, type SoundLike } from './platform';
import type { Signalling } from './signalling';

export type PhoneState =
  | 'off'
  | 'asking'
  | 'connecting'
  | 'up'
  | 'lost'
  | 'denied'
  | 'no_microphone'
  | 'taken';

/** Milliseconds between two readings of the meters. */
const METER_MS = 100;
const SOUND_KEY = 'antiphon-phone-sound';
/** Set while this tab has the telephone: it outlives a reload, not the tab and not a takeover. */
const HERE_KEY = 'antiphon-phone-here';
/** Set while this tab is muted: a reload in mid-call opens no microphone. */
const MUTED_KEY = 'antiphon-phone-muted';
const MICROPHONE_KEY = 'antiphon-phone-microphone';
const SPEAKER_KEY = 'antiphon-phone-speaker';
const KEYS = /^[0-9*#A-D]$/;

export class Phone {
  state = $state<PhoneState>('off');
  /** Who has it while the state is `taken`: a tab of this browser, or another computer. */
  takenBy = $state<'tab' | 'computer'>('tab');
  /** Why exactly it is `denied` or `no_microphone`. */
  fault = $state<MicrophoneFault | null>(null);
  muted = $state(false);
  /** 0 to 1. */
  inputLevel = $state(0);
  /** 0 to 1. */
  outputLevel = $state(0);
  /** The microphone gives nothing although the line is up and it is not muted. */
  silent = $state(false);
  /** The name of the microphone in use, as the machine calls it. */
  deviceLabel = $state('');
  /** Microphones. */
  devices = $state.raw<Device[]>([]);
  /** The one that was chosen; `''` is the system's choice. */
  microphone = $state('');
  /** Loudspeakers and earpieces; empty where the browser lets no page choose. */
  speakers = $state.raw<Device[]>([]);
  /** The one in use; `''` is the system's choice. */
  speaker = $state('');
  /** Sound waits for the agent to touch the page. */
  needsGesture = $state(false);
  /** Whether offers ring aloud. */
  soundOn = $state(true);

  #signalling: Signalling;
  #platform: Platform;
  #ownership: Ownership | null = null;
  #line: Line | null = null;
  #sound: SoundLike | null = null;
  #microphone: MediaStreamTrack | null = null;
  #watch = new SilenceWatch();
  #meters: ReturnType<typeof setInterval> | undefined;
  #rings = false;
  #takesOver = false;
  /** Counts starts and stops, so that what was awaited across a stop is dropped. */
  #run = 0;

  constructor(signalling: Signalling, platform: Platform = browserPlatform()) {
    this.#signalling = signalling;
    this.#platform = platform;
    this.muted = platform.session.getItem(MUTED_KEY) !== null;
    this.soundOn = platform.storage.getItem(SOUND_KEY) !== 'off';
    this.microphone = platform.storage.getItem(MICROPHONE_KEY) ?? '';
    this.speaker = platform.storage.getItem(SPEAKER_KEY) ?? '';
  }

  /**
   * Claims the telephone for this tab, asks for the microphone and connects. When another tab or
   * another computer has it the state is `taken`, until `takeOver` is wanted or that tab is closed.
   */
  async start({ takeOver = false } = {}): Promise<void> {
    if (['asking', 'connecting', 'up', 'lost'].includes(this.state)) return;
    this.#takesOver = takeOver;
    if (this.state === 'taken' && !takeOver) return;
    const { locks, devices } = this.#platform;
    if (!locks || !devices) {
      this.#refused('insecure_page');
      return;
    }
    const run = ++this.#run;
    this.state = 'connecting';
    this.#ownership ??= this.#ownershipOf(new Ownership(locks, this.#platform.channel()));
    const isOurs = await this.#ownership.claim(takeOver ? 'take' : 'ask');
    if (run !== this.#run) return;
    if (isOurs) await this.#begin(run);
    else this.#elsewhere('tab');
  }

  /** Lets go of everything. A call that is up loses its agent's side. */
  stop(): void {
    this.#letGo();
    this.#platform.session.removeItem(HERE_KEY);
    this.#ownership?.close();
    this.#ownership = null;
    this.state = 'off';
  }

  setMuted(on: boolean): void {
    this.muted = on;
    if (on) this.#platform.session.setItem(MUTED_KEY, 'yes');
    else this.#platform.session.removeItem(MUTED_KEY);
    if (this.#microphone) this.#microphone.enabled = !on;
    this.#watch.reset();
  }

  /** Sends one key, `0-9 * # A-D`; false when nobody takes it. */
  digit(key: string): boolean {
    return KEYS.test(key) && (this.#line?.press(key) ?? false);
  }

  /** An offer rings, or rings no more. */
  ring(on: boolean): void {
    this.#rings = on;
    this.#sound?.ring(on && this.soundOn);
  }

  /** Whether offers ring aloud, remembered on this machine. */
  setSound(on: boolean): void {
    this.soundOn = on;
    this.#platform.storage.setItem(SOUND_KEY, on ? 'on' : 'off');
    this.ring(this.#rings);
  }

  /** Speaks through another microphone from now on; `''` is the system's choice. */
  async chooseDevice(id: string): Promise<void> {
    this.#platform.storage.setItem(MICROPHONE_KEY, id);
    this.microphone = id;
    if (this.#line) await this.#changeMicrophone(this.#run);
  }

  /** Listens on another device from now on; `''` is the system's choice. */
  async chooseSpeaker(id: string): Promise<void> {
    this.#platform.storage.setItem(SPEAKER_KEY, id);
    this.speaker = id;
    await this.#sound?.chooseSpeaker(id);
  }

  #ownershipOf(ownership: Ownership): Ownership {
    ownership.onGranted = () => void this.#begin(++this.#run);
    ownership.onLost = () => {
      this.#letGo();
      // Let go of before the other tab connects, so that the server sees one after the other.
      ownership.release();
      ownership.wait();
      this.#elsewhere('tab');
    };
    return ownership;
  }

  /** The telephone is ours: microphone first, then the line. */
  async #begin(run: number): Promise<void> {
    this.state = 'asking';
    this.fault = null;
    this.#platform.devices?.addEventListener('devicechange', this.#onDevices);
    const track = await this.#open(run);
    if (!track) return;
    this.#sound ??= this.#makeSound();
    this.#use(track);
    const line = new Line(this.#signalling, (microphone) => this.#platform.connection(microphone));
    this.#line = line;
    line.onState = (state) => this.#lineBecame(state);
    line.onRemote = (remote) => this.#sound?.hear(remote);
    this.#meters = setInterval(() => this.#readMeters(), METER_MS);
    const { storage } = this.#platform;
    // After a reload nobody has to be asked: the telephone was here.
    const take = this.#takesOver || this.#platform.session.getItem(HERE_KEY) !== null;
    line.open(track, nextEpoch(storage, Date.now()), take);
    await this.#listDevices();
  }

  /** A microphone, or `null` and a state that says why not. */
  async #open(run: number): Promise<MediaStreamTrack | null> {
    try {
      const track = await openMicrophone(this.#platform.devices, this.microphone || null);
      if (run === this.#run) return track;
      track.stop();
    } catch (thrown) {
      if (!(thrown instanceof NoMicrophone)) throw thrown;
      if (run === this.#run && !this.#line) this.#refused(thrown.fault);
    }
    return null;
  }

  #refused(fault: MicrophoneFault): void {
    this.fault = fault;
    this.state = fault === 'no_microphone' ? 'no_microphone' : 'denied';
  }

  #use(track: MediaStreamTrack): void {
    if (this.#microphone) {
      this.#microphone.onended = null;
      this.#microphone.stop();
    }
    this.#microphone = track;
    track.enabled = !this.muted;
    // Unplugged: another one takes its place at once, in mid-call too.
    track.onended = () => void this.#changeMicrophone(this.#run);
    this.deviceLabel = track.label;
    this.#sound?.speak(track);
    this.#watch.reset();
  }

  /** Opens the wanted microphone, or any, and goes on speaking without a new offer. */
  async #changeMicrophone(run: number): Promise<void> {
    const track = await this.#open(run);
    if (track) {
      this.#use(track);
      await this.#line?.speakWith(track);
    } else if (run === this.#run && this.#microphone?.readyState === 'ended') {
      this.deviceLabel = '';
      this.silent = true;
    }
    await this.#listDevices();
  }

  #onDevices = (): void => {
    if (this.state === 'no_microphone') void this.#begin(++this.#run);
    else if (this.#microphone?.readyState === 'ended') void this.#changeMicrophone(this.#run);
    else void this.#listDevices();
  };

  async #listDevices(): Promise<void> {
    const all = (await this.#platform.devices?.enumerateDevices().catch(() => [])) ?? [];
    this.devices = devicesOf('audioinput', all);
    this.speakers = this.#sound?.canChooseSpeaker ? devicesOf('audiooutput', all) : [];
  }

  #makeSound(): SoundLike {
    const sound = this.#platform.sound();
    sound.onNeedsGesture = (needed) => (this.needsGesture = needed);
    // A device that is gone leaves the system's choice in force.
    if (this.speaker !== '') sound.chooseSpeaker(this.speaker).catch(() => (this.speaker = ''));
    sound.ring(this.#rings && this.soundOn);
    return sound;
  }

  #lineBecame(state: LineState): void {
    if (state === 'taken') {
      // The lock is kept: a tab waiting in line here must not jump in.
      this.#letGo();
      this.#elsewhere('computer');
    } else if (state !== 'closed') {
      if (state === 'up') this.#platform.session.setItem(HERE_KEY, 'yes');
      this.state = state;
    }
  }

  #elsewhere(where: 'tab' | 'computer'): void {
    this.#platform.session.removeItem(HERE_KEY);
    this.#takesOver = false;
    this.takenBy = where;
    this.state = 'taken';
  }

  #readMeters(): void {
    const levels = this.#sound?.levels();
    if (!levels) return;
    this.inputLevel = Math.round(levels.local.level * 100) / 100;
    this.outputLevel = Math.round(levels.remote.level * 100) / 100;
    const dead = this.#microphone?.readyState === 'ended';
    const watched = this.state === 'up' && !this.muted && !this.needsGesture;
    if (!watched) this.#watch.reset();
    this.silent =
      dead || (watched && this.#watch.silent(this.#platform.now(), levels.local.peak));
  }

  /** Everything but the right to it. */
  #letGo(): void {
    this.#run += 1;
    clearInterval(this.#meters);
    this.#platform.devices?.removeEventListener('devicechange', this.#onDevices);
    this.#line?.close();
    this.#line = null;
    if (this.#microphone) this.#microphone.onended = null;
    this.#microphone?.stop();
    this.#microphone = null;
    this.#sound?.close();
    this.#sound = null;
    this.inputLevel = 0;
    this.outputLevel = 0;
    this.silent = false;
    this.needsGesture = false;
    this.deviceLabel = '';
  }
}
