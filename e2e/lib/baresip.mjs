// baresip, another SIP and RTP implementation, with a file for a voice: as a caller, and as the
// telephone of an agent.

import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hear } from './audio.mjs';
import { Program, run } from './program.mjs';
import { voice } from './voice.mjs';
import { until } from './wait.mjs';
import { RATE, channels } from './wav.mjs';

/** baresip 1.0 does not use 127.0.0.1. */
const OWN_IP = '127.0.0.2';
const MODULES = ['/usr/lib/baresip/modules', '/usr/lib/x86_64-linux-gnu/baresip/modules'];

/** Why baresip cannot be used here, if so. */
export async function noBaresip() {
  if (!existsSync('/usr/bin/baresip')) return 'there is no baresip';
  const { stdout } = await run('ip', ['addr', 'show', 'lo']).catch(() => ({ stdout: '' }));
  if (stdout.includes(`${OWN_IP}/`)) return null;
  const added = await run('ip', ['addr', 'add', `${OWN_IP}/8`, 'dev', 'lo']).catch((error) => error);
  return added instanceof Error ? `${OWN_IP} cannot be added to lo` : null;
}

/** A baresip in a folder of its own, which says the chirps of a code and records both sides there. */
function start(folder, { user, at = OWN_IP, over = 'udp', code, account = 'regint=0', commands = [] }) {
  mkdirSync(folder, { recursive: true });
  const modules = MODULES.find((path) => existsSync(path));
  writeFileSync(join(folder, 'accounts'), `<sip:${user}@${at};transport=${over}>;audio_codecs=pcmu/8000/1;dtmfmode=rtpevent;${account}\n`);
  writeFileSync(join(folder, 'contacts'), '');
  writeFileSync(
    join(folder, 'config'),
    [
      `sip_listen ${OWN_IP}:0`, `net_interface lo`, `audio_source aufile,${voice(code)}`, `audio_player aufile,${join(folder, 'out.wav')}`,
      'audio_srate 8000', 'audio_channels 1', 'audio_buffer 20-160', 'rtp_ports 30000-39998', `snd_path ${folder}`, 'call_local_timeout 120',
      `module_path ${modules}`, 'module stdio.so', 'module g711.so', 'module aufile.so', 'module sndfile.so', 'module_app menu.so', 'module_app account.so', 'module_app debug_cmd.so'
    ].join('\n') + '\n'
  );
  // A telephone is a machine of its own, which does not wait for what is done on this one.
  return new Program('nice', ['-n', '-10', '/usr/bin/baresip', '-f', folder, ...commands], { cwd: folder });
}

const recordings = (folder) => readdirSync(folder).filter((name) => name.endsWith('.wav')).map((name) => join(folder, name));

/** A call whose voice is the chirps of a code; what it hears is in one of its `sounds()`. */
export async function baresip(house, number, code) {
  const folder = join(house.folder, 'baresip');
  const program = start(folder, { user: number, code, commands: ['-e', `/dial sip:${house.number}@${house.sip}`] });
  return { program, sounds: () => recordings(folder) };
}

const LOOK_MS = 10;
/** So long after a sample a look still tells when that was. */
const NEAR_MS = 1_500;
const HEADER_BYTES = 44;

/** A recording that is watched while it grows, so that the moment of each sample is known. */
class Tape {
  /** How long it was, milliseconds, and when that was first seen. */
  #grown = [];

  look(file) {
    this.file = file;
    const ms = ((statSync(file).size - HEADER_BYTES) / 2 / RATE) * 1_000;
    if (ms > (this.#grown.at(-1)?.ms ?? 0)) this.#grown.push({ ms, at: Date.now() });
  }

  /** When a place was recorded: the quickest of the looks soon after it tells, for any may be late. */
  #moment(ms) {
    const near = this.#grown.filter((look) => look.ms > ms && look.ms < ms + NEAR_MS);
    return Math.min(...near.map((look) => look.at - look.ms)) + ms;
  }

  /** The codes on the tape, and its periods, each with its moment. */
  async periods(folder) {
    // The lengths in the header are written when the call is over; what is there is there.
    const bytes = readFileSync(this.file);
    bytes.writeUInt32LE(bytes.length - HEADER_BYTES, HEADER_BYTES - 4);
    const { said, codes } = await hear(folder, channels(bytes).channels[0]);
    return { codes, said: said.map(({ code, at }) => ({ code, at: this.#moment(at) })) };
  }
}

/**
 * The telephone of an agent, which answers at once and is good for one call. Its voice must be one that
 * tells its place: when its file is over, it hangs up.
 */
export class Telephone {
  #tapes = { enc: new Tape(), dec: new Tape() };

  /** `user` is who is called there. */
  static start(house, user, code) {
    return Telephone.#start(house, { user, code, account: 'regint=0;answermode=auto' });
  }

  /** One that registers; `server`, `username` and `secret` are what has to be entered there, and `over` which transport. */
  static registering(house, { server, username, secret, over }, code) {
    const account = `regint=60;auth_user=${username};auth_pass=${secret};answermode=auto`;
    return Telephone.#start(house, { user: username, at: server, over, code, account });
  }

  static async #start(house, { user, at, over, code, account }) {
    const telephone = new Telephone();
    telephone.at = at;
    telephone.folder = join(house.folder, `telephone-${user}`);
    telephone.program = start(telephone.folder, { user, at, over, code, account });
    await telephone.says(/baresip is ready/);
    telephone.program.write('/sipstat');
    [, telephone.address] = await telephone.says(new RegExp(`(${OWN_IP.replaceAll('.', '\\.')}:\\d+) \\(UDP\\)`));
    telephone.watch = setInterval(() => telephone.#look(), LOOK_MS);
    return telephone;
  }

  #look() {
    for (const file of recordings(this.folder)) {
      const side = file.match(/-(enc|dec)\.wav$/)?.[1];
      if (side) this.#tapes[side].look(file);
    }
  }

  /** Until it prints something; gives the match. */
  says(pattern, deadlineMs) {
    return until(`baresip: ${pattern}`, () => `${this.program.lines.join('\n')}\n${this.program.errors}`.match(pattern), deadlineMs);
  }

  hangUp() {
    this.program.write('/hangup');
  }

  /** Sends the call on by its own key, to a number or an extension. */
  transfer(to) {
    this.program.write(`/transfer sip:${to}@${this.at}`);
  }

  /** Calls somebody; gives what tells the codes that were heard in that call, once it is over. */
  call(number) {
    const before = new Set(recordings(this.folder));
    this.program.write(`/dial sip:${number}@${this.at}`);
    return async () => {
      const file = recordings(this.folder).find((name) => !before.has(name) && name.endsWith('-dec.wav'));
      if (!file) return [];
      const bytes = readFileSync(file);
      bytes.writeUInt32LE(bytes.length - HEADER_BYTES, HEADER_BYTES - 4);
      return (await hear(this.folder, channels(bytes).channels[0])).codes;
    };
  }

  /** Calls the house, until that hangs up; gives the codes that were heard. */
  async dials(code) {
    const ends = () => this.lines.filter((line) => /: session closed|: Call with .* terminated/.test(line)).length;
    const ended = ends();
    const heard = this.call(code);
    await until(`baresip: the call to ${code} is over`, () => ends() > ended);
    return heard();
  }

  /** Holds by its own key, or is back. */
  hold(on) {
    this.program.write(on ? '/hold' : '/resume');
  }

  /** The periods it heard, each with its code and moment, and the codes. */
  heard() {
    return this.#tapes.dec.periods(this.folder);
  }

  /** The same of what it said. */
  said() {
    return this.#tapes.enc.periods(this.folder);
  }

  /** For the evidence of a failed test. */
  get name() {
    return 'telephone';
  }

  get lines() {
    return this.program.lines;
  }

  get errors() {
    return this.program.errors;
  }

  kill() {
    clearInterval(this.watch);
    this.program.kill('SIGKILL');
  }
}
