// A fresh clone of this checkout, and the commands of the README in it, built from what is built.
//
// The clone stands in the checkout's place (cargo tells crates apart by their folders), its sources have
// the times of the same bytes in the checkout, and cargo writes onto a layer over the checkout's
// artefacts: so it compiles what depends on when it is built and nothing else, and nothing that others
// use is touched. A file that is not in the clone is missed as ever.

import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { ANY_PORT } from './house.mjs';
import { ANTIPHON, Program, ROOT, run } from './program.mjs';
import { within } from './wait.mjs';

/** What cargo has made of this checkout. */
const WARM = dirname(dirname(ANTIPHON));
/** Most that may be built anew, megabytes: the layer is in memory. */
const LAYER_MB = 4_096;
const STOP_MS_MAX = 20_000;

/** In a name space of mounts of its own, which goes with it: `sh -c LAYER sh WARM FOLDER CLONE ROOT COMMAND`. */
const LAYER = `set -e
mount -t tmpfs -o size=${LAYER_MB}m,mode=700 tmpfs "$2"
mkdir "$2/new" "$2/work" "$2/target"
mount -t overlay -o "lowerdir=$1,upperdir=$2/new,workdir=$2/work" overlay "$2/target"
export CARGO_TARGET_DIR="$2/target"
mount --bind "$3" "$4"
cd "$4"
exec sh -ec "$5"`;

const layered = (folder, clone, command) => ['unshare', ['--mount', 'sh', '-c', LAYER, 'sh', WARM, folder, clone, ROOT, command]];

/** The commands that the README shows first, one a line, this repository in place of its mark. */
export function readme() {
  const text = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const [, block] = text.match(/^```\n([\s\S]*?)^```$/m) ?? [];
  if (!block?.includes('<this repository>')) throw new Error(`the README begins with no clone: ${block}`);
  return block.trim().split('\n').map((line) => line.replace('<this repository>', ROOT));
}

/** Why no clone can be built here, if so. */
export async function noClone() {
  if (!existsSync(join(WARM, 'debug/.fingerprint'))) return `${WARM} is no target of cargo, all would be compiled`;
  const folder = mkdtempSync(join(tmpdir(), 'antiphon-layer-'));
  const tried = await run(...layered(folder, ROOT, 'true')).catch((error) => error);
  rmSync(folder, { recursive: true, force: true });
  if (tried instanceof Error) return 'no layer can be mounted here';
  if (process.env.CI === 'true') return null;
  const { stdout } = await run('git', ['-C', ROOT, 'status', '--porcelain', '--', 'crates', 'Cargo.lock']);
  return stdout ? 'what is built is not what is committed' : null;
}

const running = new Set();
process.once('exit', () => running.forEach((clone) => clone.kill('SIGKILL')));

export class Clone {
  /** `line` is a command that clones into a folder and goes into it. */
  static async make(line) {
    const clone = new Clone();
    clone.empty = mkdtempSync(join(tmpdir(), 'antiphon-clone-'));
    const { stdout } = await run('sh', ['-ec', `${line}\npwd`], { cwd: clone.empty });
    clone.folder = stdout.trim().split('\n').at(-1);
    const list = await run('git', ['-C', clone.folder, 'ls-files', '-z']);
    for (const path of list.stdout.split('\0').filter(Boolean)) clone.#age(path);
    return clone;
  }

  #age(path) {
    const [mine, theirs] = [join(this.folder, path), join(ROOT, path)];
    if (!existsSync(theirs) || !readFileSync(mine).equals(readFileSync(theirs))) return;
    const { mtime } = statSync(theirs);
    utimesSync(mine, mtime, mtime);
  }

  /** Starts another command of the README in it. All ports are free ones. */
  start(line) {
    const layer = join(this.empty, 'layer');
    mkdirSync(layer);
    // As in a shell that was just opened: nothing of a make around this one.
    const { MAKEFLAGS, MFLAGS, MAKELEVEL, ...env } = process.env;
    const ports = { ANTIPHON_HTTP__LISTEN: '127.0.0.1:0', ANTIPHON_SIP__LISTEN: '127.0.0.1:0', ...ANY_PORT };
    this.program = new Program(...layered(layer, this.folder, line), { cwd: this.folder, env: { ...env, ...ports }, detached: true });
    running.add(this);
    void this.program.ended.then(() => running.delete(this));
    return this.program;
  }

  /** To all that the command has started. */
  kill(signal) {
    if (this.program?.exited === null) process.kill(-this.program.pid, signal);
  }

  /** As by Ctrl-C. */
  async stop() {
    try {
      this.kill('SIGINT');
      if (this.program) await within('the end of the clone', this.program.ended, STOP_MS_MAX);
    } finally {
      this.kill('SIGKILL');
      rmSync(this.empty, { recursive: true, force: true });
    }
  }
}
