// The live connection without a page: it says what it is told, also what no page would say, and
// keeps every frame that comes and the newest state of each topic.

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { ROOT } from './program.mjs';
import { until } from './wait.mjs';

const { WebSocket } = createRequire(join(ROOT, 'web/package.json'))('ws');

export class Live {
  frames = [];
  topics = new Map();
  /** The code it was closed with. */
  closed = null;
  #socket;

  /** As somebody: a house or a person of it. Nothing has been said yet. */
  static async open(person) {
    const live = new Live(person);
    await until('the live connection', () => live.#socket.readyState === WebSocket.OPEN);
    return live;
  }

  /** With its greeting, and topics to watch. */
  static async watch(person, topics) {
    const live = await Live.open(person);
    live.say({ type: 'hello', tab: 'e2e', epoch: 1 });
    live.say({ type: 'subscribe', topics });
    return live;
  }

  constructor(person) {
    this.#socket = new WebSocket(`${person.http.replace(/^http/, 'ws')}/api/v1/ws`, { headers: person.identity });
    this.#socket.on('message', (bytes) => {
      const frame = JSON.parse(bytes);
      this.frames.push(frame);
      if (frame.type === 'update') this.topics.set(frame.topic, frame.data);
    });
    this.#socket.on('close', (code) => (this.closed = code));
    this.#socket.on('error', (error) => (this.closed = error.message));
  }

  /** A frame of JSON, a text as it is, or bytes. */
  say(frame) {
    this.#socket.send(Buffer.isBuffer(frame) || typeof frame === 'string' ? frame : JSON.stringify(frame));
  }

  /** Says something and gives the next frame that comes. */
  async ask(frame) {
    const known = this.frames.length;
    this.say(frame);
    return until('an answer over the live connection', () => this.frames[known], 10_000);
  }

  /** Until the state of a topic fits; gives that state. */
  sees(topic, fits, deadlineMs) {
    return until(
      `${topic}: ${fits}`,
      () => {
        const data = this.topics.get(topic);
        if (data && fits(data)) return data;
        throw new Error(JSON.stringify(data));
      },
      deadlineMs
    );
  }

  /** The code it is closed with from the other side. */
  ended() {
    return until('the end of the live connection', () => this.closed, 10_000);
  }

  close() {
    this.#socket.terminate();
  }
}
