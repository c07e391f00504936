/**
 * How loud something is, and whether a microphone is dead. Pure: samples and times come in.
 */

/** What the meter shows as empty, in decibels below full scale. */
const FLOOR_DB = -60;
/**
 * The loudest sample of a dead microphone: the last three steps of 16 bits. Silence in a room is
 * ten times louder even behind noise suppression, so an agent who only listens is never warned.
 */
const DEAD_PEAK = 1e-4;
/** How long nothing must be heard before the agent is warned, in milliseconds. */
export const SILENT_AFTER_MS = 10_000;

export interface Loudness {
  /** 0 to 1 on a decibel scale, as a meter shows it. */
  level: number;
  /** The loudest sample, 0 to 1. */
  peak: number;
}

/** The loudness of one stretch of samples between -1 and 1. */
export function loudness(samples: ArrayLike<number>): Loudness {
  let sum = 0;
  let peak = 0;
  for (let n = 0; n < samples.length; n++) {
    const sample = Math.abs(samples[n] ?? 0);
    sum += sample * sample;
    if (sample > peak) peak = sample;
  }
  if (sum === 0) return { level: 0, peak: 0 };
  const decibels = 10 * Math.log10(sum / samples.length);
  return { level: Math.min(1, Math.max(0, 1 - decibels / FLOOR_DB)), peak };
}

/** Notices that a microphone which should be heard is not. */
export class SilenceWatch {
  #lastHeard: number | null = null;

  /** Forget the past: muted, another device, no call. */
  reset(): void {
    this.#lastHeard = null;
  }

  /** Takes the loudest sample since the last time; true once nothing was heard for 10 s. */
  silent(now: number, peak: number): boolean {
    if (this.#lastHeard === null || peak > DEAD_PEAK) this.#lastHeard = now;
    return now - this.#lastHeard >= SILENT_AFTER_MS;
  }
}
