/**
 * The bell: two tones in turn, made by the browser, no file. Soft edges, no crescendo, so that
 * hearing it three hundred times a day stays bearable.
 */

const TONES_HZ = [659, 784] as const;
const TONE_S = 0.18;
const EDGE_S = 0.02;
const VOLUME = 0.25;
/** One ring: high-low three times, then quiet. */
const TONES_PER_RING = 6;
export const RING_EVERY_MS = 3_000;

export interface Tone {
  hz: number;
  /** Seconds after the ring began. */
  at: number;
  length: number;
}

/** The tones of one ring. */
export function ringPattern(): Tone[] {
  return Array.from({ length: TONES_PER_RING }, (_, n) => ({
    hz: TONES_HZ[n % 2 === 0 ? 0 : 1],
    at: n * TONE_S,
    length: TONE_S
  }));
}

export class Ringer {
  #context: () => AudioContext;
  #timer: ReturnType<typeof setInterval> | undefined;
  #gain: GainNode | null = null;

  /** The context is asked for at each ring: it may be made, or woken, only by a gesture. */
  constructor(context: () => AudioContext) {
    this.#context = context;
  }

  get ringing(): boolean {
    return this.#timer !== undefined;
  }

  start(): void {
    if (this.ringing) return;
    this.#ring();
    this.#timer = setInterval(() => this.#ring(), RING_EVERY_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    // A ring that was begun is cut off too: the agent has answered.
    this.#gain?.disconnect();
    this.#gain = null;
  }

  #ring(): void {
    const context = this.#context();
    if (context.state !== 'running') return; // Tones scheduled now would come late, in a heap.
    const gain = context.createGain();
    gain.connect(context.destination);
    this.#gain?.disconnect();
    this.#gain = gain;
    for (const tone of ringPattern()) this.#play(context, gain, tone);
  }

  #play(context: AudioContext, out: AudioNode, tone: Tone): void {
    const begin = context.currentTime + tone.at;
    const end = begin + tone.length;
    const edge = context.createGain();
    edge.gain.setValueAtTime(0, begin);
    edge.gain.linearRampToValueAtTime(VOLUME, begin + EDGE_S);
    edge.gain.setValueAtTime(VOLUME, end - EDGE_S);
    edge.gain.linearRampToValueAtTime(0, end);
    const oscillator = context.createOscillator();
    oscillator.frequency.value = tone.hz;
    oscillator.connect(edge).connect(out);
    oscillator.start(begin);
    oscillator.stop(end);
  }
}
