// What the machine tells: CPU and memory of one process, how busy everybody else is, who runs where.
//
// CPU is time on a processor as the kernel counts it, never wall time: other load hardly touches it.

import { availableParallelism } from 'node:os';
import { readFileSync, readdirSync } from 'node:fs';
import { run } from '../../e2e/lib/program.mjs';
import { pause } from '../../e2e/lib/wait.mjs';

/** The kernel's clock tick in /proc, milliseconds: 100 per second on every Linux. */
const TICK_MS = 10;
/** Below this share of idle time before a part, its figures are not to be trusted. */
const IDLE_LEAST = 0.9;

/** User and system time of a process so far, milliseconds. */
export function cpuMs(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

/** Resident memory of a process, kB. */
export function rssKb(pid) {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}

export function threads(pid) {
  return readdirSync(`/proc/${pid}/task`).length;
}

/** Puts all threads of a process on the first core; what it starts later follows. */
export async function pin(pid) {
  if (availableParallelism() > 1) await run('taskset', ['--all-tasks', '--pid', '--cpu-list', '0', String(pid)]);
}

/** A command that runs anywhere but on the first core. */
export function elsewhere(program, args) {
  const cores = availableParallelism();
  return cores > 1 ? ['taskset', ['--cpu-list', `1-${cores - 1}`, program, ...args]] : [program, args];
}

export const loadAverage = () => readFileSync('/proc/loadavg', 'utf8').split(' ').slice(0, 3).join(' ');

/** How busy others keep the machine: looked at while nothing of ours runs. */
export async function quiet() {
  const before = hostTimes();
  await pause(1_000);
  const after = hostTimes();
  const idle = (after.idle - before.idle) / (after.all - before.all);
  return { idle, load: loadAverage(), trusted: idle >= IDLE_LEAST };
}

function hostTimes() {
  const times = readFileSync('/proc/stat', 'utf8').split('\n')[0].split(/\s+/).slice(1, 9).map(Number);
  return { idle: times[3] + times[4], all: times.reduce((sum, time) => sum + time, 0) };
}

/** CPU and wall milliseconds of a process, counted from now. */
export function meter(pid) {
  const [cpu, wall] = [cpuMs(pid), performance.now()];
  return () => {
    const [cpu_ms, wall_ms] = [cpuMs(pid) - cpu, performance.now() - wall];
    return { cpu_ms, wall_ms, percent: (100 * cpu_ms) / wall_ms };
  };
}
