// Telephones with real SIP and real audio, and the diaries they keep: callers, each a `phone call`,
// and those of agents, `phone agents`.

import { join } from 'node:path';
import { of } from './audio.mjs';
import { PHONE, Program } from './program.mjs';
import { CODES, speakerOf, voice } from './voice.mjs';
import { until, within } from './wait.mjs';

let numbers = 2_105_550_000;
let files = 0;
/** Telephones are not left behind, however the tests end. */
const running = new Set();
process.once('exit', () => running.forEach((exit) => exit()));
/** A number that nobody has called from. */
export const freshNumber = () => `+30${(numbers += 1)}`;

export class Caller {
  constructor(house, { number = freshNumber(), chirp = CODES.caller, keys = 'sound+300ms:1', hangUp = null, save = false, pauses = true, more = [] } = {}) {
    this.number = number;
    this.saved = save ? join(house.folder, `caller-${(files += 1)}.wav`) : null;
    const args = ['call', `sip:${house.number}@${house.sip}`, '--json', '--control', '--from', number];
    if (chirp !== null) args.push('--say-again', voice(chirp, { pauses }));
    if (keys) args.push('--keys', keys);
    if (hangUp) args.push('--for', hangUp);
    if (save) args.push('--save', this.saved);
    this.program = new Program(PHONE, [...args, ...more]);
    this.exit = () => this.program.kill('SIGKILL');
    running.add(this.exit);
    void this.program.ended.then(() => running.delete(this.exit));
  }

  get diary() {
    return this.program.lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
  }

  async event(event, deadlineMs = 20_000) {
    const line = await this.program.line(`event ${event}`, (text) => text.includes(`"event":"${event}"`), deadlineMs);
    return JSON.parse(line);
  }

  answered() {
    return this.event('answered');
  }

  command(text) {
    this.program.write(text);
  }

  /** Puts the far side on hold by a re-INVITE, or takes it back; gives the moment at which that was agreed. */
  async hold(on) {
    const agreed = () => this.diary.filter(({ event, message }) => event === 'received' && message === '200 INVITE');
    const known = agreed().length;
    this.command(on ? 'hold' : 'resume');
    const { at } = await until('the far side agrees', () => agreed()[known]);
    return at / 1_000;
  }

  /** Hangs up if the call is still on, and gives what the caller heard: the last line of the diary. */
  async bye() {
    this.command('bye');
    return this.over();
  }

  /**
   * Waits for the end of the call; gives the report, and what was heard: the speakers, every period
   * with its code and moment, and the moments by speaker, all milliseconds UTC.
   */
  async over(deadlineMs = 30_000) {
    const heard = await this.event('heard', deadlineMs);
    // Its end waits for the end of its input.
    this.program.close();
    await within('end of the phone', this.program.ended, 10_000);
    const said = heard.codes.flatMap(({ code, starts }) => starts.map((us) => ({ code, at: us / 1_000 })));
    said.sort((one, two) => one.at - two.at);
    return {
      ...heard.report,
      said,
      heard: [...new Set(said.map(({ code }) => speakerOf(code)))],
      startsOf: (speaker) => of(speaker, said).map(({ at }) => at)
    };
  }
}

/** Telephones of agents at addresses of their own. They answer soon, unless told otherwise. */
export class Telephones {
  static async start(args = []) {
    const telephones = new Telephones();
    telephones.program = new Program(PHONE, ['agents', '--json', '--ring', '200ms', ...args]);
    const line = await telephones.program.line('addresses', (text) => text.includes('"ready"'), 20_000);
    telephones.addresses = JSON.parse(line).addresses;
    return telephones;
  }

  /** The diary of all of them; `agent` is the place among the addresses. */
  get diary() {
    return this.program.lines.slice(1).map((line) => JSON.parse(line));
  }

  /** The entries of one kind. */
  events(event) {
    return this.diary.filter((entry) => entry.event === event);
  }

  /** The entry of one kind after `known` others. */
  event(event, known = 0, deadlineMs = 20_000) {
    return until(`the telephone of an agent: ${event}`, () => this.events(event)[known], deadlineMs);
  }
}
