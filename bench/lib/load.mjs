// Those who load the centre: telephones of agents, callers at a steady rate, and SIPp.

import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { PHONE, Program, ROOT } from '../../e2e/lib/program.mjs';
import { within } from '../../e2e/lib/wait.mjs';
import { elsewhere, meter } from './host.mjs';

/** New calls per second from one address: below the house's limit per source of 500. */
const RATE_PER_SOURCE = 150;

/** Telephones that answer at once. Their diary tells when each was rung and when it was free. */
export class Phones {
  static async start(count, more = []) {
    const phones = new Phones();
    const args = ['agents', '--count', String(count), '--ring', '0ms', '--json', '--brief', ...more];
    phones.program = new Program(...elsewhere(PHONE, args));
    const line = await phones.program.line('addresses', (text) => text.includes('"ready"'), 20_000);
    phones.addresses = JSON.parse(line).addresses;
    return phones;
  }

  /** Finished calls, oldest first: { agent, invited_at, answered_at, ended_at ... }, microseconds. */
  get calls() {
    return this.program.lines.slice(1).map((line) => JSON.parse(line));
  }

  async stop() {
    this.program.kill('SIGINT');
    await within('end of the agents', this.program.ended, 10_000).catch(() => this.program.kill('SIGKILL'));
  }
}

/** Callers at a steady rate, spread over as many source addresses as the house's limit asks for. */
export class Callers {
  constructor(target, { rate, seconds, hold = null, media = false, patience = '60s' }) {
    const sources = Math.max(1, Math.ceil(rate / RATE_PER_SOURCE));
    this.programs = Array.from({ length: sources }, (_, n) => {
      const args = ['load', target, '--rate', String(rate / sources), '--seconds', String(seconds)];
      args.push('--bind', `127.0.0.${2 + n}:0`, '--patience', patience, '--json');
      if (hold) args.push('--hold', hold);
      if (!media) args.push('--no-media');
      return new Program(...elsewhere(PHONE, args));
    });
    this.meters = this.programs.map((program) => meter(program.pid));
  }

  /** Their own figures, after the last call is over. */
  async results(deadlineMs) {
    try {
      await within('end of the callers', Promise.all(this.programs.map((program) => program.ended)), deadlineMs);
    } catch (error) {
      this.programs.forEach((program) => program.kill('SIGKILL'));
      throw error;
    }
    const parts = this.programs.map((program) => {
      const line = program.lines.find((text) => text.startsWith('{'));
      if (!line) throw new Error(`phone load: ${program.errors}`);
      return JSON.parse(line);
    });
    const sum = (name) => parts.reduce((total, part) => total + part[name], 0);
    const most = (look) => Math.max(0, ...parts.map((part) => look(part) ?? 0));
    return {
      calls: sum('calls'), answered: sum('answered'), failed: sum('failed'), lost: sum('packets_lost'),
      heard: sum('packets_heard'),
      answer_ms_p99: most((part) => part.answer_ms?.p99), refuse_ms_p99: most((part) => part.refuse_ms?.p99),
      delay_ms_p50: most((part) => part.delay_ms?.p50), delay_ms_p99: most((part) => part.delay_ms?.p99),
      begun_late_ms: most((part) => part.begun_late_ms_max), ends: parts.map((part) => part.ends)
    };
  }
}

export const hasSipp = () => (process.env.PATH ?? '').split(':').some((folder) => existsSync(join(folder, 'sipp')));

/** One SIPp with a scenario of testdata/sipp. */
export class Sipp {
  static async start(scenario, more, target = []) {
    const sipp = new Sipp();
    sipp.folder = mkdtempSync(join(tmpdir(), 'antiphon-sipp-'));
    const [sip, control] = [await freePort(), await freePort()];
    const args = ['-sf', resolve(ROOT, 'testdata/sipp', scenario), '-i', '127.0.0.1', '-mi', '127.0.0.1'];
    args.push('-p', String(sip), '-ci', '127.0.0.1', '-cp', String(control), '-nostdin', '-trace_stat', '-fd', '1');
    sipp.address = `127.0.0.1:${sip}`;
    sipp.program = new Program(...elsewhere('sipp', [...args, ...more, ...target]), { cwd: sipp.folder });
    return sipp;
  }

  /** After its last call: how many went well and how many did not. */
  async result(deadlineMs) {
    await within('end of sipp', this.program.ended, deadlineMs);
    const file = readdirSync(this.folder).find((name) => name.endsWith('.csv'));
    if (!file) throw new Error(`sipp: ${this.program.errors.slice(-500)}`);
    const [head, ...rows] = readFileSync(join(this.folder, file), 'utf8').trim().split('\n').map((row) => row.split(';'));
    const last = (name) => Number(rows.at(-1)[head.indexOf(name)]);
    return { ok: last('SuccessfulCall(C)'), failed: last('FailedCall(C)') };
  }

  async stop() {
    this.program.kill('SIGKILL');
    await this.program.ended;
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** SIPp cannot choose a free port itself. */
async function freePort() {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  return port;
}
