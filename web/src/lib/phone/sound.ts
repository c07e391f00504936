/**
 * Everything that can be heard or metered on this page: the customer's voice, both meters, the
 * bell. Browsers keep sound off until the first gesture; this waits for it.
 */
import { loudness, type Loudness } from './levels';
import { Ringer } from './ringer';

const QUIET: Loudness = { level: 0, peak: 0 };
const GESTURES = ['pointerdown', 'keydown'] as const;

/** The loudness of one track, read when asked. */
class Meter {
  #source: MediaStreamAudioSourceNode;
  #analyser: AnalyserNode;
  #samples: Float32Array<ArrayBuffer>;

  constructor(context: AudioContext, track: MediaStreamTrack) {
    this.#source = context.createMediaStreamSource(new MediaStream([track]));
    this.#analyser = context.createAnalyser();
    this.#analyser.fftSize = 4096; // About 90 ms, so that readings 100 ms apart miss little.
    this.#samples = new Float32Array(this.#analyser.fftSize);
    this.#source.connect(this.#analyser);
  }

  read(): Loudness {
    this.#analyser.getFloatTimeDomainData(this.#samples);
    return loudness(this.#samples);
  }

  close(): void {
    this.#source.disconnect();
  }
}

export class Sound {
  /** The browser plays nothing before the agent touches the page. */
  onNeedsGesture: ((needed: boolean) => void) | null = null;
  #context: AudioContext | null = null;
  #element = new Audio();
  #local: Meter | null = null;
  #remote: Meter | null = null;
  #ringer = new Ringer(() => this.#audio());
  #awaitsGesture = false;

  /** Meters this microphone; the one before is let go. */
  speak(track: MediaStreamTrack | null): void {
    this.#local?.close();
    this.#local = track ? new Meter(this.#audio(), track) : null;
  }

  /** Plays and meters this track; the one before is let go. */
  hear(track: MediaStreamTrack | null): void {
    this.#remote?.close();
    this.#remote = track ? new Meter(this.#audio(), track) : null;
    // The element is needed for the meter too: Chromium decodes only what an element plays.
    this.#element.srcObject = track ? new MediaStream([track]) : null;
    if (track) this.#play();
  }

  levels(): { local: Loudness; remote: Loudness } {
    return { local: this.#local?.read() ?? QUIET, remote: this.#remote?.read() ?? QUIET };
  }

  ring(on: boolean): void {
    if (on) this.#ringer.start();
    else this.#ringer.stop();
  }

  /** Whether the browser lets a page choose the loudspeaker. */
  get canChooseSpeaker(): boolean {
    return 'setSinkId' in this.#element;
  }

  /** The customer's voice comes from this device; the bell stays on the system's. */
  async chooseSpeaker(id: string): Promise<void> {
    if (this.canChooseSpeaker) await this.#element.setSinkId(id);
  }

  close(): void {
    this.#ringer.stop();
    this.speak(null);
    this.hear(null);
    this.#gestureCame();
    void this.#context?.close();
    this.#context = null;
  }

  #audio(): AudioContext {
    if (this.#context) return this.#context;
    const context = new AudioContext();
    this.#context = context;
    // Also later: a phone call on a mobile, or a sleeping laptop, suspends it again.
    context.addEventListener('statechange', () => this.#look(context));
    this.#look(context);
    return context;
  }

  #look(context: AudioContext): void {
    if (context.state === 'suspended') this.#awaitGesture();
  }

  #play(): void {
    this.#element.play().catch((thrown: unknown) => {
      if (thrown instanceof DOMException && thrown.name === 'NotAllowedError') this.#awaitGesture();
    });
  }

  #awaitGesture(): void {
    if (this.#awaitsGesture) return;
    this.#awaitsGesture = true;
    for (const gesture of GESTURES) window.addEventListener(gesture, this.#onGesture, true);
    this.onNeedsGesture?.(true);
  }

  #onGesture = (): void => {
    this.#gestureCame();
    void this.#context?.resume();
    if (this.#element.srcObject) this.#play();
  };

  #gestureCame(): void {
    if (!this.#awaitsGesture) return;
    this.#awaitsGesture = false;
    for (const gesture of GESTURES) window.removeEventListener(gesture, this.#onGesture, true);
    this.onNeedsGesture?.(false);
  }
}
