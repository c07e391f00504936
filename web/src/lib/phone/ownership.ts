/**
 * One tab of a browser owns the telephone. The Web Lock decides; the channel asks the owner to let
 * go; the epoch tells the server one telephone of a tab from its next.
 */

const LOCK = 'antiphon-phone';
const EPOCH_KEY = 'antiphon-phone-epoch';
/** How long a tab waits for a page that is just being left, or for an owner that was asked. */
const PATIENCE_MS = 1_000;

export interface LocksLike {
  request(
    name: string,
    options: { steal?: boolean; signal?: AbortSignal },
    holding: () => Promise<void>
  ): Promise<unknown>;
}

export interface ChannelLike {
  onmessage: ((event: { data: unknown }) => void) | null;
  postMessage(data: unknown): void;
  close(): void;
}

export interface StorageLike {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** A number greater than any that a tab of this browser used before. */
export function nextEpoch(storage: StorageLike, now: number): number {
  const last = Number(storage.getItem(EPOCH_KEY));
  const epoch = Math.max(now, Number.isSafeInteger(last) ? last + 1 : now);
  storage.setItem(EPOCH_KEY, String(epoch));
  return epoch;
}

export class Ownership {
  /** The telephone is ours although we had stopped waiting: the other tab was closed. */
  onGranted: (() => void) | null = null;
  /** Another tab wants it or took it. Whoever hears this lets go of everything and releases. */
  onLost: (() => void) | null = null;
  #locks: LocksLike;
  #channel: ChannelLike;
  #letGo: (() => void) | null = null;
  #queued: AbortController | null = null;

  constructor(locks: LocksLike, channel: ChannelLike) {
    this.#locks = locks;
    this.#channel = channel;
    channel.onmessage = (event) => {
      if (event.data === 'let-go' && this.owned) this.onLost?.();
    };
  }

  get owned(): boolean {
    return this.#letGo !== null;
  }

  /**
   * Tries to own the telephone; false when another tab has it. `ask` leaves it there and waits in
   * line behind it, `take` asks the owner and in the end goes over its head (a frozen tab).
   */
  async claim(how: 'ask' | 'take'): Promise<boolean> {
    if (this.owned) return true;
    const inLine = this.#standInLine();
    // Asked only when we stand in line, so that nobody else is next.
    if (how === 'take') this.#channel.postMessage('let-go');
    if (await this.#withPatience(inLine)) return true;
    if (how === 'ask') return false;
    this.#leaveLine();
    return this.#request({ steal: true });
  }

  /** Waits in line for as long as it takes; `onGranted` tells. */
  wait(): void {
    void this.#standInLine().then((isOurs) => {
      if (isOurs) this.onGranted?.();
    });
  }

  /** Lets the next tab have it, and stops waiting. */
  release(): void {
    this.#leaveLine();
    this.#letGo?.();
    this.#letGo = null;
  }

  close(): void {
    this.release();
    this.#channel.close();
  }

  #standInLine(): Promise<boolean> {
    this.#leaveLine();
    this.#queued = new AbortController();
    return this.#request({ signal: this.#queued.signal });
  }

  /** False after a second; when it is granted after all, `onGranted` tells. */
  async #withPatience(granted: Promise<boolean>): Promise<boolean> {
    let patient = true;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const tired = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), PATIENCE_MS);
    });
    void granted.then((isOurs) => {
      if (isOurs && !patient) this.onGranted?.();
    });
    const isOurs = await Promise.race([granted, tired]);
    clearTimeout(timer);
    patient = false;
    return isOurs;
  }

  #leaveLine(): void {
    this.#queued?.abort();
    this.#queued = null;
  }

  /** Resolves once the lock is ours or never will be; holds it until `release`. */
  #request(options: { steal?: boolean; signal?: AbortSignal }): Promise<boolean> {
    return new Promise((resolve) => {
      let letGo: (() => void) | null = null;
      const holding = () =>
        new Promise<void>((done) => {
          letGo = done;
          this.#letGo = done;
          resolve(true);
        });
      this.#locks.request(LOCK, options, holding).catch(() => {
        // Stolen while we held it, or we left the line.
        if (letGo !== null && this.#letGo === letGo) {
          this.#letGo = null;
          this.onLost?.();
        }
        resolve(false);
      });
    });
  }
}
