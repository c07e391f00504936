/** Plays the recordings of one call on the time axis of its ladder. */
import { api } from '$lib/api';
import { clipAt, type Clip } from './ladder';

export const RATES = [1, 1.5, 2];

export class Player {
  playing = $state(false);
  /** Seconds from the start of the ladder. */
  position = $state(0);
  rate = $state(1);
  failed = $state(false);
  #audio = new Audio();
  #call: string;
  #clips: Clip[];
  #clip: Clip | null = null;
  #frame = 0;

  constructor(call: string, clips: Clip[]) {
    this.#call = call;
    this.#clips = clips;
    this.#audio.preload = 'metadata';
    this.#audio.onended = () => this.#next();
    this.#audio.onerror = () => {
      this.failed = true;
      this.pause();
    };
    this.position = clips[0]?.from ?? 0;
  }

  get can(): boolean {
    return this.#clips.length > 0;
  }

  seek(at: number): void {
    const clip = clipAt(this.#clips, at);
    if (!clip) return;
    this.position = Math.min(clip.until, Math.max(clip.from, at));
    this.#use(clip);
    this.#audio.currentTime = this.position - clip.from;
  }

  skip(seconds: number): void {
    this.seek(this.position + seconds);
  }

  async play(): Promise<void> {
    if (!this.can) return;
    this.failed = false;
    const last = this.#clips.at(-1);
    this.seek(last && this.position >= last.until - 0.05 ? (this.#clips[0]?.from ?? 0) : this.position);
    try {
      await this.#audio.play();
      this.playing = true;
      this.#follow();
    } catch {
      this.failed = true;
    }
  }

  pause(): void {
    this.#audio.pause();
    this.playing = false;
    cancelAnimationFrame(this.#frame);
  }

  toggle(): void {
    if (this.playing) this.pause();
    else void this.play();
  }

  setRate(rate: number): void {
    this.rate = rate;
    this.#audio.playbackRate = rate;
  }

  /** Lets go of the sound. */
  close(): void {
    this.pause();
    this.#audio.removeAttribute('src');
    this.#audio.load();
  }

  #use(clip: Clip): void {
    if (this.#clip === clip) return;
    this.#clip = clip;
    this.#audio.src = api.url(`/calls/${this.#call}/recordings/${clip.n}`);
    this.#audio.playbackRate = this.rate;
  }

  #follow(): void {
    if (!this.playing || !this.#clip) return;
    this.position = this.#clip.from + this.#audio.currentTime;
    this.#frame = requestAnimationFrame(() => this.#follow());
  }

  #next(): void {
    const next = this.#clips.find((clip) => this.#clip && clip.from >= this.#clip.until - 0.01);
    if (!next) {
      this.position = this.#clip?.until ?? 0;
      return this.pause();
    }
    this.position = next.from;
    void this.play();
  }
}
