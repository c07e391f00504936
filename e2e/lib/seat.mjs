// Agents without a page: an account whose device is a SIP telephone, a session, its live view.

import { Live } from './live.mjs';
import { until } from './wait.mjs';

const PASSWORD = 'an agent at a telephone';
const QUEUE = 'Sales';

export class Seat {
  errors = '';

  /**
   * Somebody who takes the calls of a house, or of a twin of it, at the telephone of an address, or
   * without one at a telephone that registers. Their shift has begun, if so wished, and they are not
   * ready. The name is nobody's yet.
   */
  static async take(house, name, address, { begins = true } = {}) {
    const { items } = await house.get('/api/v1/queues');
    const queue = items.find((one) => one.name === QUEUE).id;
    const mail = `${name.toLowerCase()}@telephone.example`;
    const device = address ? { kind: 'sip', target: { user: name.toLowerCase(), address } } : { kind: 'phone' };
    const account = { mail, name, role: 'agent', language: 'en', password: PASSWORD, queues: [queue], device };
    const { id } = await house.request('POST', '/api/v1/users', account);
    const person = await house.signIn(mail, PASSWORD);
    const live = await Live.watch(person, ['me', `queue:${queue}`]);
    const seat = Object.assign(new Seat(), { id, name, person, live, queue });
    if (begins) await seat.#command('sign-in');
    return seat;
  }

  /** What the live connection said, for the evidence of a failed test. */
  get lines() {
    return this.live.frames.map((frame) => JSON.stringify(frame));
  }

  kill() {
    this.live.close();
  }

  /** Makes the agent be reached by an extension. */
  async reachedBy(house, extension) {
    const { id: _, phone_username: __, ...person } = await house.get(`/api/v1/users/${this.id}`);
    await house.request('PUT', `/api/v1/users/${this.id}`, { ...person, extension });
  }

  ready() {
    return this.#command('ready');
  }

  /** A disk that is late refuses a promise; a person clicks again. */
  #command(what) {
    return until(`${this.name}: ${what}`, () =>
      this.person.request('POST', `/api/v1/agent/${what}`).then(
        () => true,
        (error) => {
          throw Object.assign(error, { fatal: error.code !== 'not_saved' });
        }
      )
    );
  }

  /** Until the house shows this agent in a state; gives the whole view. */
  shows(state, deadlineMs) {
    return this.live.sees('me', (me) => me.state === state, deadlineMs);
  }

  /** Until the figures of the queue are these, among others. */
  queueShows(figures, deadlineMs) {
    const fits = (queue) => Object.entries(figures).every(([name, value]) => queue[name] === value);
    return this.live.sees(`queue:${this.queue}`, Object.assign(fits, { toString: () => JSON.stringify(figures) }), deadlineMs);
  }

  /** The figures of the day. */
  async today() {
    return (await this.person.get('/api/v1/desk')).today;
  }
}
