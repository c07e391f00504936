// What a process asks of the system, in order: strace attached to a running house, its lines read,
// and a judgement of whether a promise was spoken after what it promises was on the disk.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Program, run } from './program.mjs';
import { until } from './wait.mjs';

const CALLS = 'read,recvfrom,fdatasync,fsync,write,writev,pwrite64,sendto,sendmsg';
/** More than a page of the database. */
const TEXT_BYTES = 4_200;

/** Why strace cannot be used here, if so. */
export async function noStrace() {
  if (!existsSync('/usr/bin/strace')) return 'there is no strace';
  const tried = await run('strace', ['-f', '-e', 'trace=none', 'true']).catch((error) => error);
  return tried instanceof Error ? 'strace may not trace here' : null;
}

async function attach(pid, args) {
  const program = new Program('/usr/bin/strace', ['-f', ...args, '-p', String(pid)]);
  await until('strace is attached', () => {
    if (program.exited !== null) throw Object.assign(new Error(program.errors), { fatal: true });
    return /attached/.test(program.errors);
  });
  return program;
}

/** From now on the disk fails whenever a file is synced. */
export const failSyncs = (pid, file) => attach(pid, ['-P', file, '-e', 'trace=fsync,fdatasync', '-e', 'inject=fsync,fdatasync:error=EIO', '-o', '/dev/null']);

/** Watches a process until `stop()`, which gives what it did: [`parse`]. */
export async function watch(pid, folder) {
  const file = join(folder, `strace-${pid}.txt`);
  const program = await attach(pid, ['-ttt', '-y', '-s', String(TEXT_BYTES), '-e', `trace=${CALLS}`, '-o', file]);
  return {
    program,
    async stop() {
      // It lets go of the process and leaves it running.
      program.kill('SIGINT');
      await program.ended;
      return parse(readFileSync(file, 'utf8'));
    }
  };
}

const LINE = /^(\d+) +(\d+\.\d+) (.*)$/;
const WHOLE = /^(\w+)\((.*)\) += (-?\d+)(?: .*)?$/;
const BEGUN = /^(\w+)\((.*) <(?:unfinished|detached) \.\.\.>$/;
const RESUMED = /^<\.\.\. (\w+) resumed>(.*)\) += (-?\d+)(?: .*)?$/;

/**
 * The calls of a trace: name, arguments, result, and where in the order of the trace each began and
 * returned. A call that another thread interrupts has two lines; one that had not returned when the
 * trace was let go of has begun: who hears an answer hears it before the tracer does.
 */
export function parse(text) {
  const calls = [];
  const open = new Map();
  text.split('\n').forEach((line, at) => {
    const [, thread, , rest] = line.match(LINE) ?? [];
    if (!rest) return;
    const whole = rest.match(WHOLE);
    if (whole) return calls.push({ name: whole[1], args: whole[2], result: Number(whole[3]), begun: at, returned: at });
    const begun = rest.match(BEGUN);
    if (begun) {
      const call = { name: begun[1], args: begun[2], result: null, begun: at, returned: Infinity };
      open.set(thread, call);
      return calls.push(call);
    }
    const resumed = rest.match(RESUMED);
    const call = open.get(thread);
    if (resumed && call?.name === resumed[1]) {
      Object.assign(call, { args: call.args + resumed[2], result: Number(resumed[3]), returned: at });
      open.delete(thread);
    }
  });
  return calls;
}

const READS = ['read', 'recvfrom'];
const WRITES = ['write', 'writev', 'pwrite64', 'sendto', 'sendmsg'];
const SYNCS = ['fdatasync', 'fsync'];
const LOG = '-wal>';
const descriptor = (call) => call.args.match(/^\d+/)?.[0];
const bytes = (call) => call.args.match(/"((?:[^"\\]|\\.)*)"/)?.[1] ?? '';

/** The read that brings a text; it may come in pieces. */
function readOf(calls, text) {
  const came = new Map();
  return calls.find((call) => {
    const from = descriptor(call);
    if (WRITES.includes(call.name)) came.delete(from);
    if (!READS.includes(call.name)) return false;
    came.set(from, (came.get(from) ?? '') + bytes(call));
    return came.get(from).includes(text);
  });
}

/**
 * Whether a command was on the disk before its answer left. `asked` is a text in the request, `saved`
 * a text in what is kept; the answer is what goes back over the connection of the request. Gives the
 * reason why not, or `null`.
 */
export function brokenPromise(calls, { asked, saved, answer = 'HTTP/1.1 2' }) {
  const isLog = (call) => call.args.split(',', 1)[0].endsWith(LOG);
  const request = readOf(calls, asked);
  if (!request) return `no request with ${asked}`;
  const reply = calls.find((call) => call.begun > request.returned && WRITES.includes(call.name) && descriptor(call) === descriptor(request) && call.args.includes(answer));
  if (!reply) return `no answer to ${asked}`;
  const kept = calls.find((call) => call.begun > request.returned && WRITES.includes(call.name) && isLog(call) && call.args.includes(saved));
  if (!kept || kept.returned > reply.begun) return `${saved} was not written into the log before the answer`;
  const isSync = (call) => SYNCS.includes(call.name) && isLog(call) && call.result === 0;
  const synced = calls.some((call) => isSync(call) && call.begun > kept.returned && call.returned < reply.begun);
  return synced ? null : 'the answer was sent before the log was on the disk';
}
