// Child processes: found, started, read line by line, and ended by their own id.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { until, within } from './wait.mjs';

export const ROOT = resolve(import.meta.dirname, '../..');
const BIN = process.env.ANTIPHON_BIN_DIR ?? join(ROOT, 'target/debug');
export const ANTIPHON = process.env.ANTIPHON_BIN ?? join(BIN, 'antiphon');
export const PHONE = process.env.PHONE_BIN ?? join(BIN, 'phone');

for (const program of [ANTIPHON, PHONE]) {
  if (!existsSync(program)) throw new Error(`${program} is not built: cargo build --workspace --bins`);
}

/** Runs a program to its end. `ok` are the exit codes that are no failure. */
export async function run(program, args, { ok = [0], timeoutMs = 60_000, ...options } = {}) {
  const limits = { timeout: timeoutMs, maxBuffer: 64 * 1024 * 1024 };
  try {
    const { stdout, stderr } = await promisify(execFile)(program, args, { ...limits, ...options });
    return { code: 0, stdout, stderr };
  } catch (error) {
    if (ok.includes(error.code)) return { code: error.code, stdout: error.stdout, stderr: error.stderr };
    throw new Error(`${program} ${args.join(' ')}: ${error.message}\n${error.stderr ?? ''}`);
  }
}

/** A program that runs beside the test. */
export class Program {
  lines = [];
  errors = '';
  exited = null;
  #child;

  constructor(program, args, options = {}) {
    this.name = program.split('/').pop();
    this.#child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], ...options });
    this.#child.on('error', (error) => (this.errors += `${error.message}\n`));
    this.#child.stdin.on('error', () => {});
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.lines.push(line));
    this.#child.stderr.on('data', (bytes) => (this.errors += bytes));
    // `close` comes after the last line was read, unlike `exit`.
    this.ended = once(this.#child, 'close').then(([code, signal]) => (this.exited = code ?? signal));
  }

  get pid() {
    return this.#child.pid;
  }

  write(line) {
    this.#child.stdin.write(`${line}\n`);
  }

  /** Nothing more is written to it. */
  close() {
    this.#child.stdin.end();
  }

  kill(signal = 'SIGTERM') {
    if (this.exited === null) this.#child.kill(signal);
  }

  /** The first line that `pick` takes; fails at once when the program has ended without it. */
  line(what, pick, deadlineMs) {
    return until(
      `${this.name}: ${what}`,
      () => {
        const found = this.lines.find(pick);
        if (found === undefined && this.exited !== null) {
          throw Object.assign(new Error(`ended with ${this.exited}\n${this.errors.slice(-2_000)}`), { fatal: true });
        }
        return found;
      },
      deadlineMs
    );
  }

  /** Asks it to end, then makes it end. */
  async stop(deadlineMs = 10_000) {
    this.kill('SIGTERM');
    await within(`end of ${this.name}`, this.ended, deadlineMs).catch(async (error) => {
      this.kill('SIGKILL');
      await this.ended;
      throw error;
    });
  }
}
