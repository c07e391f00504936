/**
 * The line to the house: keeps one connection up over broken networks, restarted servers and
 * sleeping laptops. Offers, waits for the answer, and offers anew when the connection is dead.
 */
import type { Connection, Link } from './connection';
import type { Frame, Signalling } from './signalling';

export type LineState = 'closed' | 'connecting' | 'up' | 'lost' | 'taken';

/** How long an offer may stay without an answer, or an answer without a connection. */
export const ATTEMPT_MS_MAX = 10_000;
const RETRY_MS_MAX = 15_000;

/** Milliseconds before the next attempt: at once, then 1 s, doubling up to 15 s. */
export function retryMs(attempt: number): number {
  return attempt === 0 ? 0 : Math.min(RETRY_MS_MAX, 500 * 2 ** Math.min(attempt, 10));
}

type Peer = Pick<
  Connection,
  'onLink' | 'link' | 'remote' | 'offer' | 'answered' | 'speakWith' | 'press' | 'close'
>;

export class Line {
  state: LineState = 'closed';
  onState: ((state: LineState) => void) | null = null;
  /** What the agent shall hear from now on. */
  onRemote: ((track: MediaStreamTrack) => void) | null = null;
  #signalling: Signalling;
  #connect: (microphone: MediaStreamTrack) => Peer;
  #peer: Peer | null = null;
  #microphone: MediaStreamTrack | null = null;
  #epoch = 0;
  /** Goes over the head of whoever has the telephone; until it was answered, not for ever. */
  #take = false;
  #attempt = 0;
  #awaitsAnswer = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #unlisten: (() => void) | null = null;

  constructor(signalling: Signalling, connect: (microphone: MediaStreamTrack) => Peer) {
    this.#signalling = signalling;
    this.#connect = connect;
  }

  open(microphone: MediaStreamTrack, epoch: number, take = false): void {
    this.close();
    this.#microphone = microphone;
    this.#epoch = epoch;
    this.#take = take;
    this.#signalling.epoch = epoch;
    this.#unlisten = this.#signalling.listen((frame) => this.#hear(frame));
    this.#become('connecting');
    void this.#offer();
  }

  /** Tells the server that this tab has no telephone any more. Harmless when closed. */
  close(): void {
    if (this.state === 'closed') return;
    if (this.state !== 'taken') this.#signalling.send({ type: 'rtc.close' });
    this.#end('closed');
  }

  async speakWith(microphone: MediaStreamTrack): Promise<void> {
    this.#microphone = microphone;
    await this.#peer?.speakWith(microphone);
  }

  press(key: string): boolean {
    return this.#peer?.press(key) ?? false;
  }

  #hear(frame: Frame): void {
    switch (frame.type) {
      case 'rtc.answer':
        return void this.#answered(String(frame['sdp']));
      case 'rtc.taken':
        return this.#end('taken');
      case 'rtc.state':
        // The house lost us before we noticed; while connecting it speaks of the one before.
        if (frame['up'] === false && this.#peer?.link === 'up') this.#lost();
        return;
      case 'error':
        if (frame['place'] === 'rtc.offer') this.#lost();
        return;
      case 'welcome':
        // What was offered over the old socket will not be answered.
        if (this.#peer?.link !== 'up') void this.#offer();
    }
  }

  async #offer(): Promise<void> {
    this.#dropPeer();
    if (!this.#microphone) return;
    const peer = this.#connect(this.#microphone);
    this.#peer = peer;
    peer.onLink = (link) => this.#linked(peer, link);
    this.#timer = setTimeout(() => this.#lost(), ATTEMPT_MS_MAX);
    try {
      const sdp = await peer.offer();
      if (this.#peer !== peer) return;
      const take = this.#take;
      this.#awaitsAnswer = this.#signalling.send({ type: 'rtc.offer', sdp, epoch: this.#epoch, take });
      // Without a socket there is nothing to try: `welcome` wakes us.
      if (!this.#awaitsAnswer) this.#dropPeer();
    } catch {
      if (this.#peer === peer) this.#lost();
    }
  }

  async #answered(sdp: string): Promise<void> {
    const peer = this.#peer;
    if (!peer || !this.#awaitsAnswer) return;
    this.#awaitsAnswer = false;
    this.#take = false;
    try {
      await peer.answered(sdp);
    } catch {
      if (this.#peer === peer) this.#lost();
    }
  }

  #linked(peer: Peer, link: Link): void {
    if (this.#peer !== peer) return;
    if (link !== 'up') return this.#lost();
    clearTimeout(this.#timer);
    this.#attempt = 0;
    this.onRemote?.(peer.remote);
    this.#become('up');
  }

  /** Tries again, later each time. */
  #lost(): void {
    this.#dropPeer();
    this.#become('lost');
    this.#timer = setTimeout(() => void this.#offer(), retryMs(this.#attempt));
    this.#attempt += 1;
  }

  #end(state: 'closed' | 'taken'): void {
    this.#unlisten?.();
    this.#unlisten = null;
    this.#dropPeer();
    this.#microphone = null;
    this.#attempt = 0;
    this.#become(state);
  }

  #dropPeer(): void {
    clearTimeout(this.#timer);
    this.#awaitsAnswer = false;
    this.#peer?.close();
    this.#peer = null;
  }

  #become(state: LineState): void {
    if (this.state === state) return;
    this.state = state;
    this.onState?.(state);
  }
}
