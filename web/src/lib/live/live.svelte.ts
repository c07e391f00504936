/**
 * The one WebSocket of this tab. Topics are whole states with a sequence number; after a break the
 * socket resumes with `since`, and what is shown meanwhile says its age. Sends nothing but `hello`,
 * `subscribe`, `rtc.*` and `ping`: commands are REST.
 */
import { backoffMs } from './backoff';
import { clock, type Clock } from './clock.svelte';

export type Phase = 'off' | 'connecting' | 'up' | 'lost';
export type ServerMessage = { type: string; [key: string]: unknown };

/** Milliseconds without a word from the server before the connection counts as lost. */
const SILENCE_MS = 25_000;
const PING_MS = 10_000;
/** Milliseconds a new connection may take until the server says welcome. */
const WELCOME_MS = 10_000;
const GIVEN_UP = 4000;
const SESSION_OVER = 4401;
const FORBIDDEN = 4403;
/** Milliseconds a connection has to live before the next attempt comes quickly again. */
const SETTLED_MS = 10_000;

/** The last known state of one topic. */
export class Topic<T> {
  data = $state.raw<T | null>(null);
  seq = -1;
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

export interface Wire {
  onopen: (() => void) | null;
  onclose: ((event: { code: number }) => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  send(text: string): void;
  close(code?: number): void;
}

export class Live {
  phase = $state<Phase>('off');
  /** Since when nothing new arrives, milliseconds of server time; `null` while up. */
  lostSince = $state<number | null>(null);
  readonly tab = crypto.randomUUID();
  epoch = Date.now();
  #topics = new Map<string, Topic<unknown>>();
  #wire: Wire | null = null;
  #attempt = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #patience: ReturnType<typeof setTimeout> | undefined;
  #pulse: ReturnType<typeof setInterval> | undefined;
  #heard = 0;
  #listeners = new Set<(message: ServerMessage) => void>();
  #open: () => Wire;
  #clock: Clock;
  onSessionOver: (() => void) | null = null;
  /** The rights changed so much that what this person may see has to be asked anew. */
  onForbidden: (() => void) | null = null;
  #welcomeAt: number | null = null;

  constructor(open: () => Wire, clockOf: Clock = clock) {
    this.#open = open;
    this.#clock = clockOf;
  }

  /** Connects and stays connected until `stop`. */
  start(): void {
    if (this.phase !== 'off') return;
    this.#connect();
  }

  stop(): void {
    clearTimeout(this.#retry);
    const wire = this.#wire;
    this.#letGo();
    wire?.close(1000);
    this.phase = 'off';
    this.lostSince = null;
    this.#attempt = 0;
    for (const topic of this.#topics.values()) {
      topic.data = null;
      topic.seq = -1;
    }
    this.#topics.clear();
  }

  /** Tries at once, for instance because the browser says that the network is back. An attempt on its way stays the only one. */
  nudge(): void {
    if (this.phase === 'lost') this.#connect();
  }

  /** The store of a topic, subscribed from now on. */
  topic<T>(name: string): Topic<T> {
    const known = this.#topics.get(name);
    if (known) return known as Topic<T>;
    const topic = new Topic<T>(name);
    this.#topics.set(name, topic as Topic<unknown>);
    if (this.phase === 'up') this.send({ type: 'subscribe', topics: [name] });
    return topic;
  }

  /** Gives a topic up: its store is empty and it is not subscribed again. */
  forget(name: string): void {
    const topic = this.#topics.get(name);
    if (!topic) return;
    topic.data = null;
    topic.seq = -1;
    this.#topics.delete(name);
  }

  /** Every message that is no topic update (`rtc.*`, `error`, `welcome`). */
  listen(listener: (message: ServerMessage) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Sends if connected; says whether it did. */
  send(message: ServerMessage): boolean {
    if (!this.#wire || this.phase !== 'up') return false;
    this.#wire.send(JSON.stringify(message));
    return true;
  }

  /** Opens the socket unless there is one: two would both be served. */
  #connect(): void {
    clearTimeout(this.#retry);
    if (this.#wire) return;
    this.phase = this.phase === 'lost' ? 'lost' : 'connecting';
    const wire = this.#open();
    this.#wire = wire;
    this.#patience = setTimeout(() => this.#giveUp(), WELCOME_MS);
    wire.onopen = () => {
      this.#heard = Date.now();
      wire.send(JSON.stringify({ type: 'hello', tab: this.tab, epoch: this.epoch, since: this.#since() }));
    };
    wire.onmessage = (event) => {
      if (this.#wire === wire) this.#receive(event.data);
    };
    wire.onclose = (event) => {
      if (this.#wire === wire) this.#lost(event.code);
    };
  }

  #since(): Record<string, number> {
    const known = [...this.#topics.values()].filter((topic) => topic.seq >= 0);
    return Object.fromEntries(known.map((topic) => [topic.name, topic.seq]));
  }

  #receive(data: unknown): void {
    this.#heard = Date.now();
    let message: ServerMessage;
    try {
      message = JSON.parse(String(data)) as ServerMessage;
    } catch {
      return; // Not ours; the server never sends anything but JSON.
    }
    if (message.type === 'welcome') this.#welcome(message);
    if (message.type === 'error' && message['code'] === 'forbidden_topic') this.forget(String(message['place']));
    if (message.type === 'update') this.#update(message);
    else for (const listener of this.#listeners) listener(message);
  }

  #welcome(message: ServerMessage): void {
    this.#clock.correct(String(message['server_at']));
    clearTimeout(this.#patience);
    this.phase = 'up';
    this.lostSince = null;
    this.#welcomeAt = Date.now();
    const topics = [...this.#topics.keys()];
    if (topics.length > 0) this.send({ type: 'subscribe', topics });
    clearInterval(this.#pulse);
    this.#pulse = setInterval(() => {
      if (Date.now() - this.#heard > SILENCE_MS) this.#giveUp();
      else this.send({ type: 'ping' });
    }, PING_MS);
  }

  #update(message: ServerMessage): void {
    const topic = this.#topics.get(String(message['topic']));
    if (!topic) return;
    topic.seq = Number(message['seq']);
    topic.data = message['data'];
  }

  /** Lost from now on: where the network is dead, the close of a socket may take a minute. */
  #giveUp(): void {
    const wire = this.#wire;
    this.#lost(GIVEN_UP);
    wire?.close(GIVEN_UP);
  }

  #letGo(): void {
    clearInterval(this.#pulse);
    clearTimeout(this.#patience);
    this.#wire = null;
  }

  #lost(code: number): void {
    this.#letGo();
    if (code === SESSION_OVER) {
      this.stop();
      this.onSessionOver?.();
      return;
    }
    // A server that sends us away at once must not be asked in a tight loop.
    if (this.#welcomeAt !== null && Date.now() - this.#welcomeAt >= SETTLED_MS) this.#attempt = 0;
    this.#welcomeAt = null;
    if (code === FORBIDDEN) {
      for (const name of [...this.#topics.keys()]) if (name !== 'me') this.forget(name);
      this.onForbidden?.();
    }
    this.phase = 'lost';
    this.lostSince ??= this.#clock.read();
    this.#retry = setTimeout(() => this.#connect(), backoffMs(this.#attempt, Math.random()));
    this.#attempt += 1;
  }
}

function browserWire(): Wire {
  const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
  return new WebSocket(`${scheme}://${location.host}/api/v1/ws`) as unknown as Wire;
}

export const live = new Live(browserWire);
