// A house of its own for a test: the demo company, short prompts, a client for its API.

import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ANTIPHON, PHONE, Program, run } from './program.mjs';
import { CODES } from './voice.mjs';
import { until } from './wait.mjs';

export const ANY_PORT = {
  ANTIPHON_MEDIA__BROWSER_LISTEN: '127.0.0.1:0',
  ANTIPHON_MEDIA__RTP_PORTS: '0,0'
};
const START_MS = 60_000;

/** The answer of a request that was refused. */
export class Refused extends Error {
  constructor(request, status, problem) {
    super(`${request}: ${status} ${JSON.stringify(problem)}`);
    Object.assign(this, { status, problem, code: problem?.code });
  }
}

export class House {
  static async start(options = {}) {
    const house = new House(options);
    await house.#begin();
    return house;
  }

  /**
   * With `disk_mb` the data folder is a disk of its own of so many megabytes, seen by the house
   * alone. `env` are settings of its own, as environment variables. With `every` a synthetic customer
   * rings every so many seconds.
   */
  constructor({ data = null, disk_mb = null, env = {}, every = 0 } = {}) {
    this.every = every;
    this.env = env;
    this.folder = mkdtempSync(join(tmpdir(), 'antiphon-e2e-'));
    this.data = data ?? join(this.folder, 'data');
    this.diskMb = disk_mb;
    this.logs = '';
  }

  async #begin() {
    const began = Date.now();
    const args = ['demo', '--json', '--every', String(this.every), '--http', '127.0.0.1:0', '--sip', '127.0.0.1:0', '--data', this.data];
    this.program = new Program(...this.#command(args), {
      env: { ...process.env, ...ANY_PORT, ...this.env },
      cwd: this.folder
    });
    const line = await this.program.line('the line of JSON', (text) => text.startsWith('{'), START_MS);
    Object.assign(this, JSON.parse(line));
    this.number = this.numbers[0];
    this.startedMs = Date.now() - began;
  }

  #command(args) {
    if (this.diskMb === null) return [ANTIPHON, args];
    mkdirSync(this.data, { recursive: true });
    // Mounted for this process alone: it goes with the process.
    const mounted = 'mount -t tmpfs -o size=$1m,mode=700 tmpfs "$2" && shift 2 && exec "$@"';
    return ['unshare', ['--mount', 'sh', '-c', mounted, 'sh', String(this.diskMb), this.data, ANTIPHON, ...args]];
  }

  /** The data folder as the house sees it. */
  get disk() {
    return join(`/proc/${this.program.pid}/root`, this.data);
  }

  /** Ends it without warning. */
  async crash() {
    this.program.kill('SIGKILL');
    const at = Date.now();
    await this.program.ended;
    this.logs += this.program.errors;
    return at;
  }

  /** A new process over the same data; gives the milliseconds until it says that it is ready. */
  async again() {
    const began = Date.now();
    await this.#begin();
    await until('readyz', async () => (await fetch(`${this.http}/readyz`)).ok);
    return Date.now() - began;
  }

  get log() {
    return this.logs + this.program.errors;
  }

  account(mail) {
    return this.accounts.find((account) => account.mail === mail);
  }

  async stop() {
    try {
      await this.program.stop();
    } finally {
      rmSync(this.folder, { recursive: true, force: true });
    }
  }

  /** What a request says of who asks: a program with the key of an administrator. */
  get identity() {
    return { authorization: `Bearer ${this.api_key}` };
  }

  /** The same client, but as a person who has signed in. */
  async signIn(mail, password = this.account(mail).password) {
    const response = await fetch(`${this.http}/api/v1/session`, {
      method: 'POST',
      headers: { origin: this.http, 'content-type': 'application/json' },
      body: JSON.stringify({ mail, password })
    });
    if (!response.ok) throw new Refused(`sign in as ${mail}`, response.status, await response.json().catch(() => null));
    const [cookie] = response.headers.get('set-cookie').split(';');
    return Object.create(this, { identity: { value: { cookie, origin: this.http } } });
  }

  /** One request. Bytes go as they are, all else as JSON. */
  async request(method, path, body, { type = 'application/json', headers = {}, raw = false } = {}) {
    const response = await fetch(this.http + path, {
      method,
      headers: {
        ...this.identity,
        ...(body === undefined ? {} : { 'content-type': type }),
        ...headers
      },
      body: body === undefined || Buffer.isBuffer(body) ? body : JSON.stringify(body)
    });
    if (!response.ok) {
      throw new Refused(`${method} ${path}`, response.status, await response.json().catch(() => null));
    }
    if (raw) return Buffer.from(await response.arrayBuffer());
    return response.status === 204 ? null : response.json();
  }

  get(path) {
    return this.request('GET', path);
  }

  /** All calls, newest first. */
  async calls() {
    return (await this.get('/api/v1/calls?limit=200')).items;
  }

  call(id) {
    return this.get(`/api/v1/calls/${id}`);
  }

  /** The one call of a caller, when `fits` holds for its row. */
  callOf(number, fits = () => true, deadlineMs = 20_000) {
    return until(
      `the call of ${number}`,
      async () => {
        const row = (await this.calls()).find((call) => call.caller === number);
        return row && fits(row) && row;
      },
      deadlineMs
    );
  }

  recording(call, n) {
    return this.request('GET', `/api/v1/calls/${call}/recordings/${n}`, undefined, { raw: true });
  }

  /** Changes every queue. */
  async queues(change) {
    const { items } = await this.get('/api/v1/queues');
    for (const { id, ...queue } of items) {
      await this.request('PUT', `/api/v1/queues/${id}`, { ...queue, ...change });
    }
    return items;
  }

  /**
   * Short prompts whose speakers can be told apart, a menu, the consent, and one queue. `first` is
   * where a call begins: a welcome before the menu, the menu, or the notice with nothing to choose.
   */
  async shorten({ menu_s = 1, ring_ms = 20_000, wrap_up_ms = 60_000, first = 'menu' } = {}) {
    const sounds = { e2e_menu: [CODES.menu, menu_s], e2e_notice: [CODES.menu, 0.6], e2e_music: [CODES.music, 6] };
    for (const [name, [code, seconds]] of Object.entries(sounds)) {
      const file = await chirps(this.folder, code, seconds, 8_000);
      await this.request('PUT', `/api/v1/prompts/${name}/en`, readFileSync(file), { type: 'audio/wav' });
    }
    await this.queues({ music: 'e2e_music', ring_ms, wrap_up_ms, short_abandon_ms: 0 });
    const flow = {
      schema: 1,
      start: first,
      nodes: {
        welcome: { type: 'play', prompts: ['e2e_menu'], next: 'menu' },
        menu: {
          type: 'menu', prompts: ['e2e_menu'], timeout_s: 20, tries: 1, invalid: [],
          choices: { 1: { label: 'Sales', next: 'notice' }, 2: { label: 'Order', next: 'order' } },
          otherwise: 'bye'
        },
        order: {
          type: 'collect', prompts: ['e2e_notice'], variable: 'order', label: 'Order number',
          digits_min: 2, digits_max: 4, terminator: '#', timeout_s: 10, tries: 1, next: 'notice', otherwise: 'bye'
        },
        notice: { type: 'consent', prompts: ['e2e_notice'], refuse_key: null, timeout_s: 0, next: 'wait' },
        wait: { type: 'queue', queue: 'Sales', prompts: [], wait_s_max: 600, otherwise: 'bye' },
        bye: { type: 'hang_up', prompts: [] }
      }
    };
    // What cannot be reached is refused.
    const before = ['welcome', 'menu', 'notice'].slice(0, ['welcome', 'menu', 'notice'].indexOf(first));
    for (const node of before.flatMap((node) => (node === 'menu' ? ['menu', 'order'] : [node]))) delete flow.nodes[node];
    const { items } = await this.get('/api/v1/flows');
    const { id } = items[0] ?? (await this.request('POST', '/api/v1/flows', { name: 'Main line' }));
    await this.request('PUT', `/api/v1/flows/${id}/draft`, flow);
    await this.request('POST', `/api/v1/flows/${id}/publish`);
    await this.request('PUT', `/api/v1/numbers/${this.number}`, { flow: id });
  }

  /** A command of the operator on this house; gives what it says. */
  async operator(...args) {
    const { stdout } = await run(ANTIPHON, [...args, '--data', this.data]);
    return stdout.trim();
  }

  /** Another tenant in the same house: the same name, queue, prompts, flow and number. `flow` as in `shorten`. */
  async twin(domain, flow = {}) {
    const [{ name }] = JSON.parse(await this.operator('tenant', 'list', '--json'));
    const add = ['tenant', 'add', '--data', this.data, '--name', name, '--domain', domain, '--mail', 'admin@demo.example'];
    const program = new Program(ANTIPHON, add);
    program.write('a long enough password');
    const id = await program.line('the id of the twin', (line) => /^[0-9a-f-]{36}$/.test(line), 20_000);
    const key = await this.operator('api-key', 'create', '--role', 'administrator', '--tenant', id);
    const twin = Object.create(this, { api_key: { value: key }, tenant: { value: id } });
    const { items } = await twin.get('/api/v1/queues');
    const { id: _, ...queue } = items[0];
    await twin.request('POST', '/api/v1/queues', { ...queue, name: 'Sales' });
    await twin.shorten(flow);
    return twin;
  }
}

/** A file with the chirps of a code. */
export async function chirps(folder, code, seconds, rate = 48_000) {
  const file = join(folder, `chirps-${code}-${seconds}-${rate}.wav`);
  // Whole seconds on the command line; the file is cut to size here.
  await run(PHONE, ['chirp', String(code), file, '--seconds', String(Math.ceil(seconds)), '--rate', String(rate)]);
  return file;
}

/** A house that was started by `serve`, for tests of the very first start. */
export function serve(data, { cwd, args = [] } = {}) {
  return new Program(ANTIPHON, ['serve', '--data', data, '--http', '127.0.0.1:0', '--sip', '127.0.0.1:0', ...args], {
    env: { ...process.env, ...ANY_PORT },
    cwd
  });
}
