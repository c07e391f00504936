// A contact centre under measurement: the real program on its own core, one queue, a flow that leads
// straight into it, and agents on SIP telephones, all made through the API as an administrator would.

import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { House, chirps } from '../../e2e/lib/house.mjs';
import { CODES } from '../../e2e/lib/voice.mjs';
import { until } from '../../e2e/lib/wait.mjs';
import { pin } from './host.mjs';

/** Tries to sign in that one address has per minute, with room for a mistake. */
const SIGN_INS_PER_ADDRESS = 15;
/** A range, as an installation has it: looking for free pairs of any port costs more. */
const RTP = { ANTIPHON_MEDIA__RTP_PORTS: '20000,29999' };
const PASSWORD = 'measured-and-measured';

export class Centre {
  /** `addresses` are the telephones of the agents. */
  static async open({ addresses = [], recorded = false } = {}) {
    const centre = new Centre();
    centre.house = await House.start({ env: RTP });
    try {
      await centre.#furnish(recorded);
      await centre.#staff(addresses);
      // What making accounts cost is not what calls cost: the figures are of a new process.
      await centre.house.crash();
      await centre.house.again();
      await pin(centre.pid);
      for (const agent of centre.agents) await centre.#post('/api/v1/agent/sign-in', agent);
      for (const agent of centre.agents) await centre.#post('/api/v1/agent/ready', agent);
      return centre;
    } catch (error) {
      await centre.close();
      throw error;
    }
  }

  agents = [];

  get pid() {
    return this.house.program.pid;
  }

  get target() {
    return `sip:${this.house.number}@${this.house.sip}`;
  }

  async #furnish(recorded) {
    const { house } = this;
    const queues = await house.queues({ wrap_up_ms: 0, ring_ms: 20_000, length_max: 2_000, short_abandon_ms: 0 });
    this.queue = queues.find((queue) => queue.name === 'Sales').id;
    await this.flow(recorded);
  }

  /** Callers go straight to the queue; with the consent node before it the call is recorded. */
  async flow(recorded) {
    const { house } = this;
    const nodes = {
      wait: { type: 'queue', queue: 'Sales', prompts: [], wait_s_max: 3_600, otherwise: 'bye' },
      bye: { type: 'hang_up', prompts: [] }
    };
    if (recorded) {
      const file = await chirps(house.folder, CODES.menu, 1, 8_000);
      await house.request('PUT', '/api/v1/prompts/bench_notice/en', readFileSync(file), { type: 'audio/wav' });
      nodes.notice = { type: 'consent', prompts: ['bench_notice'], refuse_key: null, timeout_s: 0, next: 'wait' };
    }
    const flow = { schema: 1, start: recorded ? 'notice' : 'wait', nodes };
    const { items } = await house.get('/api/v1/flows');
    await house.request('PUT', `/api/v1/flows/${items[0].id}/draft`, flow);
    await house.request('POST', `/api/v1/flows/${items[0].id}/publish`);
  }

  async #staff(addresses) {
    for (const [n, address] of addresses.entries()) {
      const mail = `bench-${n}@demo.example`;
      await this.house.request('POST', '/api/v1/users', {
        mail, name: `Agent ${n}`, role: 'agent', password: PASSWORD, language: 'en',
        queues: [this.queue], skills: {}, device: { kind: 'sip', target: { user: `agent${n}`, address } }
      });
      const from = `127.0.1.${1 + Math.floor(n / SIGN_INS_PER_ADDRESS)}`;
      this.agents.push({ mail, from, cookie: await this.#session(mail, from) });
    }
  }

  async #session(mail, from) {
    const answer = await this.#send('POST', '/api/v1/session', { from }, { mail, password: PASSWORD });
    return answer.headers['set-cookie'][0].split(';')[0];
  }

  /** A command of an agent. A house whose disk is late promises nothing and says so: try again. */
  #post(path, agent) {
    return until(path, () => this.#send('POST', path, agent).catch(notSaved));
  }

  /** A request as the page of one agent sends it, from an address of its own. */
  #send(method, path, { from, cookie }, body) {
    const { promise, resolve, reject } = Promise.withResolvers?.() ?? deferred();
    const headers = { origin: this.house.http, ...(cookie && { cookie }), ...(body && { 'content-type': 'application/json' }) };
    const sent = request(this.house.http + path, { method, headers, localAddress: from }, (response) => {
      let text = '';
      response.on('data', (bytes) => (text += bytes));
      response.on('end', () =>
        response.statusCode < 300 ? resolve(response) : reject(Object.assign(new Error(`${method} ${path}: ${response.statusCode} ${text}`), { status: response.statusCode }))
      );
    });
    sent.on('error', reject);
    sent.end(body && JSON.stringify(body));
    return promise;
  }

  /** One figure of /metrics. */
  async metric(name) {
    const text = await (await fetch(`${this.house.http}/metrics`)).text();
    const line = text.split('\n').find((found) => found.startsWith(`${name} `));
    if (!line) throw new Error(`no metric ${name}`);
    return Number(line.split(' ')[1]);
  }

  /** Until no call is left. */
  async empty(deadlineMs = 60_000) {
    await until('no legs left', async () => (await this.metric('antiphon_sip_legs')) === 0, deadlineMs);
  }

  close() {
    return this.house.stop();
  }
}

function notSaved(error) {
  if (error.status !== 503) throw Object.assign(error, { fatal: true });
  return false;
}

function deferred() {
  const parts = {};
  parts.promise = new Promise((resolve, reject) => Object.assign(parts, { resolve, reject }));
  return parts;
}
