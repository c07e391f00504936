/**
 * Stand-ins for the browser in tests: locks, channels, storage, peers and a signalling that keeps
 * what was sent. They follow the specifications as far as the telephone relies on them.
 */
import type { Link } from './connection';
import type { ChannelLike, LocksLike, StorageLike } from './ownership';
import type { Frame, Signalling } from './signalling';

type Waiting = { grant: () => void; signal: AbortSignal | undefined };

/** The Web Locks of one origin, for one name. */
export class FakeLocks implements LocksLike {
  #holder: { lose: () => void } | null = null;
  #queue: Waiting[] = [];

  request(
    _name: string,
    options: { steal?: boolean; signal?: AbortSignal },
    holding: () => Promise<void>
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const aborted = () => reject(new DOMException('aborted', 'AbortError'));
      const grant = () => {
        const holder = { lose: aborted };
        this.#holder = holder;
        void holding().then(() => {
          resolve(undefined);
          if (this.#holder === holder) this.#next();
        });
      };
      if (options.steal) {
        this.#holder?.lose();
        grant();
        return;
      }
      options.signal?.addEventListener('abort', aborted);
      this.#queue.push({ grant, signal: options.signal });
      if (!this.#holder) this.#next();
    });
  }

  #next(): void {
    this.#holder = null;
    const next = this.#queue.shift();
    if (next?.signal?.aborted) this.#next();
    else next?.grant();
  }
}

/** Broadcast channels of one origin: what one posts the others hear. */
export class FakeRadio {
  #channels = new Set<ChannelLike>();

  channel(): ChannelLike {
    const channel: ChannelLike = {
      onmessage: null,
      postMessage: (data) => {
        for (const other of this.#channels) if (other !== channel) other.onmessage?.({ data });
      },
      close: () => void this.#channels.delete(channel)
    };
    this.#channels.add(channel);
    return channel;
  }
}

export function fakeStorage(): StorageLike {
  const kept = new Map<string, string>();
  return {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
    removeItem: (key) => void kept.delete(key)
  };
}

export class FakeSignalling implements Signalling {
  epoch = 0;
  connected = true;
  readonly sent: Frame[] = [];
  #listeners = new Set<(frame: Frame) => void>();

  send(frame: Frame): boolean {
    if (this.connected) this.sent.push(frame);
    return this.connected;
  }
  listen(listener: (frame: Frame) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
  receive(frame: Frame): void {
    for (const listener of [...this.#listeners]) listener(frame);
  }
  /** The types of what was sent. */
  get types(): string[] {
    return this.sent.map((frame) => frame.type);
  }
}

export class FakePeer {
  onLink: ((link: Link) => void) | null = null;
  link: Link = 'connecting';
  readonly remote = { kind: 'audio' } as MediaStreamTrack;
  readonly number: number;
  microphone: MediaStreamTrack;
  answer: string | null = null;
  closed = false;
  keys = '';

  constructor(number: number, microphone: MediaStreamTrack) {
    this.number = number;
    this.microphone = microphone;
  }
  async offer(): Promise<string> {
    return `offer ${this.number}`;
  }
  async answered(sdp: string): Promise<void> {
    if (sdp === 'bad') throw new Error('bad answer');
    this.answer = sdp;
  }
  async speakWith(microphone: MediaStreamTrack): Promise<void> {
    this.microphone = microphone;
  }
  press(key: string): boolean {
    this.keys += key;
    return true;
  }
  close(): void {
    this.closed = true;
  }
  become(link: Link): void {
    this.link = link;
    this.onLink?.(link);
  }
}
