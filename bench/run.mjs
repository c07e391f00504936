// The benchmarks of the house: every figure beside the floor of the same run and its goal.
//
//   node bench/run.mjs --bin-dir DIR [--quick] [--only WORD,...] [--repeats N]
//
// `make bench` builds the release programs and comes here. The product runs on the first core, all
// that loads it elsewhere. One table at the end; everything measured is in target/bench.json.

import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { FAR, isOpen, judged, medians, missesFar, table } from './lib/figures.mjs';

const { values: options } = parseArgs({
  options: {
    'bin-dir': { type: 'string' },
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    repeats: { type: 'string' }
  }
});
const root = resolve(import.meta.dirname, '..');
const bin = resolve(options['bin-dir'] ?? join(root, 'target/release'));
const repeats = Number(options.repeats ?? (options.quick ? 1 : 3));
// The programs are looked for when these are loaded.
process.env.ANTIPHON_BIN_DIR = bin;
const { loadAverage, quiet } = await import('./lib/host.mjs');
const parts = {
  ...(await import('./parts/examples.mjs')),
  ...(await import('./parts/soak.mjs')),
  ...(await import('./parts/browsers.mjs')),
  ...(await import('./parts/refused.mjs')),
  ...(await import('./parts/calls.mjs')),
  ...(await import('./parts/click.mjs')),
  ...(await import('./parts/queue.mjs')),
  ...(await import('./parts/standing.mjs'))
};

// An interrupted run leaves nobody behind: whoever is still our child ends with us, by its id.
process.on('exit', () => {
  for (const task of readdirSync('/proc/self/task')) {
    const children = readFileSync(`/proc/self/task/${task}/children`, 'utf8');
    for (const pid of children.split(' ').filter(Boolean)) process.kill(Number(pid), 'SIGKILL');
  }
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130));

const development = /(^|\/)debug$/.test(bin);
const wanted = (options.only ?? '').split(',').filter(Boolean);
const chosen = Object.entries(parts).filter(
  ([name, part]) => part.run && (wanted.length === 0 || wanted.some((word) => word === name || part.goals.includes(word)))
);
if (chosen.length === 0) {
  console.error(`nothing is called ${options.only}; parts: ${Object.keys(parts).filter((name) => parts[name].run).join(' ')}`);
  process.exit(2);
}

const machine = `${cpus().length} x ${cpus()[0].model.trim()}`;
const build = development ? 'development build: figures only show that they can be had' : 'release build';
console.log(`${machine}; ${build}; ${repeats} repeats, median; load ${loadAverage()}\n`);
const results = [];
const hosts = {};
for (const [name, part] of chosen) results.push(...(await measure(name, part)));
report();

/** One part, repeated; a part that fails is a figure that is missing. */
async function measure(name, part) {
  const rounds = [];
  hosts[name] = [];
  for (let round = 1; round <= (part.once ? 1 : repeats); round += 1) {
    const host = await quiet();
    hosts[name].push(host);
    console.log(`${name}, round ${round}: host ${(100 * host.idle).toFixed(0)} % idle, load ${host.load}`);
    const say = (text) => console.log(`  ${text}`);
    const missing = (error) => part.goals.map((goal) => ({ goal, name, missing: error.message.split('\n')[0].slice(0, 120) }));
    const figures = await part.run({ bin, quick: options.quick, say }).catch((error) => {
      say(`failed: ${error.stack}`);
      return missing(error);
    });
    rounds.push(figures);
  }
  const busy = hosts[name].some((host) => !host.trusted);
  const doubt = development ? 'development build' : busy ? 'busy host' : '';
  return medians(rounds).map((figure) => ({ part: name, ...judged(figure, doubt) }));
}

function report() {
  // A figure without a number comes first.
  const order = (figure) => Number(figure.goal.slice(1));
  results.sort((one, two) => order(one) - order(two));
  console.log(`\n${table(results)}\n`);
  const busy = Object.entries(hosts).filter(([, rounds]) => rounds.some((host) => !host.trusted));
  if (busy.length) console.log(`The host was too busy to trust: ${busy.map(([name]) => name).join(', ')}.`);
  const count = (word) => results.filter((figure) => figure.verdict.startsWith(word)).length;
  const file = join(root, 'target/bench.json');
  mkdirSync(join(root, 'target'), { recursive: true });
  const build = development ? 'development' : 'release';
  writeFileSync(file, `${JSON.stringify({ at: new Date().toISOString(), machine, build, quick: options.quick, repeats, hosts, figures: results }, null, 2)}\n`);
  // What the design stands or falls with.
  const first = results.filter((figure) => ['G1', 'G2', 'G3'].includes(figure.goal));
  const far = first.filter(missesFar);
  const open = first.filter(isOpen);
  for (const { goal, name } of far) console.log(`${goal} ${name} misses by more than ${100 * FAR} %.`);
  for (const { goal, name, verdict } of open) console.log(`${goal} ${name} is open: ${verdict}.`);
  if (far.length || (open.length && !options.quick && !development)) process.exitCode = 1;
  console.log(`${count('met')} goals met, ${count('MISSED')} missed, ${count('not judged')} not judged, ${count('not measured')} not measured; ${file}`);
}
