// What most tests stand on: a house, a browser, and agents; made when asked for, ended with the test.

import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Browser } from './browser.mjs';
import { House } from './house.mjs';
import { Caller, Telephones } from './phone.mjs';
import { ROOT } from './program.mjs';
import { Seat } from './seat.mjs';

export class Stage {
  #house = null;
  #browser = null;
  #programs = [];
  desks = [];
  callers = [];

  /** The house of this test. */
  async house(options = {}) {
    if (!this.#house) {
      const { data, disk_mb, env, every, ...flow } = options;
      this.#house = await House.start({ data, disk_mb, env, every });
      await this.#house.shorten(flow);
    }
    return this.#house;
  }

  /** `pauses` is about the voice of the page: see `voice()`. */
  async browser(options) {
    this.#browser ??= await Browser.start(options);
    return this.#browser;
  }

  /** An agent who has signed in and is ready. */
  async agent(mail = 'agent@demo.example', options = {}) {
    const desk = await this.person(options);
    await desk.begin(mail);
    return desk;
  }

  async person(options) {
    const desk = await (await this.browser()).person(await this.house(), options);
    this.desks.push(desk);
    return desk;
  }

  caller(options = {}) {
    const caller = new Caller(this.#house, options);
    this.callers.push(caller);
    return caller;
  }

  /** An agent without a page, at the telephone of an address. `house` may be a twin. */
  async seat(name, address, { house = this.#house, begins } = {}) {
    const seat = await Seat.take(house, name, address, { begins });
    this.also(seat);
    return seat;
  }

  /** Telephones of agents, as `phone agents` has them. */
  async telephones(...args) {
    const telephones = await Telephones.start(args);
    this.also(telephones.program);
    return telephones;
  }

  /** A program, or what is like one, that must not outlive the test. */
  also(program) {
    this.#programs.push(program);
  }

  /** What the pages of this test threw and nobody caught. */
  get pageErrors() {
    return this.desks.flatMap((desk) => desk.problems.filter((problem) => problem.startsWith('page error')));
  }

  /** What is left behind when a test fails. */
  async evidence(name) {
    const folder = join(ROOT, 'target/e2e', name.replace(/[^a-z0-9]+/gi, '-').slice(0, 60));
    mkdirSync(folder, { recursive: true });
    const keep = (file, text) => writeFileSync(join(folder, file), text);
    if (this.#house) keep('server.log', this.#house.log);
    this.#programs.forEach(({ name, lines, errors }) => keep(`${name}.txt`, `${lines.join('\n')}\n${errors}`));
    this.callers.forEach((caller, n) => {
      keep(`caller-${n}.jsonl`, `${caller.program.lines.join('\n')}\n${caller.program.errors}`);
      if (caller.saved && existsSync(caller.saved)) copyFileSync(caller.saved, join(folder, `caller-${n}.wav`));
    });
    for (const [n, desk] of this.desks.entries()) {
      keep(`desk-${n}.txt`, [...desk.problems, ...desk.frames].join('\n'));
      await desk.page.screenshot({ path: join(folder, `desk-${n}.png`), timeout: 5_000 }).catch(() => {});
    }
    return folder;
  }

  async end() {
    for (const caller of this.callers) caller.exit();
    for (const program of this.#programs) program.kill('SIGKILL');
    await this.#browser?.close().catch(() => {});
    await this.#house?.stop();
  }
}
