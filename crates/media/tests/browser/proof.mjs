// A real Chromium against the real browser leg: what the page says arrives at the house and the
// other way round, told apart by chirp sequences; cut directions are noticed; keys arrive.
//
//   node proof.mjs [path of the built example browser_host]
//
// Needs `npm ci` in web/ (playwright-core and Vite) and Debian's Chromium.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import {
  HOUSE,
  PAGE,
  RATE,
  find,
  fromMuLaw,
  sequence,
  sequenceSeconds,
  toMuLaw,
  wav
} from './chirps.mjs';
import { pageScript } from './page.mjs';

const root = resolve(import.meta.dirname, '../../../..');
const { chromium } = createRequire(join(root, 'web/package.json'))('playwright-core');

const DEADLINE_MS = 20_000;
/** Likeness over which a chirp is heard, and under which it is not. Noise gives about 0.1. */
const HEARD = 0.5;
const NOT_HEARD = 0.35;
/** How much is heard at a time: two passes of a sequence. */
const SPAN_S = 2 * sequenceSeconds(PAGE);
/** Longest way from the page's microphone over the house back to the page's loudspeaker. */
const ROUND_TRIP_S_MAX = 0.6;

function within(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing within ${DEADLINE_MS} ms`)), DEADLINE_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** The house's side: the example, spoken to in lines. */
class House {
  #process;
  #lines = [];
  #waiting = [];
  /** The codecs of the last offer. */
  offered = [];
  onLine = null;

  constructor(binary) {
    this.#process = spawn(binary, [], { stdio: ['pipe', 'pipe', 'inherit'] });
    createInterface({ input: this.#process.stdout }).on('line', (line) => {
      this.#lines.push(line);
      this.onLine?.(line);
      this.#waiting.splice(0).forEach((wake) => wake());
    });
  }

  send(line) {
    this.#process.stdin.write(`${line}\n`);
  }

  /** The rest of the next line that begins with this word. */
  async next(word) {
    const take = async () => {
      for (;;) {
        const n = this.#lines.findIndex((line) => line.split(' ')[0] === word);
        if (n >= 0) return this.#lines.splice(n, 1)[0].slice(word.length + 1);
        await new Promise((wake) => this.#waiting.push(wake));
      }
    };
    return within(take(), `host line "${word}"`);
  }

  async answer(sdp) {
    this.offered = [...sdp.matchAll(/^a=rtpmap:\d+ (.*?)\r?$/gm)].map(([, codec]) => codec);
    this.send(`offer ${Buffer.from(sdp).toString('hex')}`);
    return Buffer.from(await this.next('answer'), 'hex').toString();
  }

  /** Mu-law bytes heard from now on until there are `seconds` of them. */
  async hear(seconds) {
    this.send('take');
    await this.next('heard');
    let heard = Buffer.alloc(0);
    await within(
      (async () => {
        while (heard.length < seconds * RATE) {
          await new Promise((wake) => setTimeout(wake, 100));
          this.send('take');
          heard = Buffer.concat([heard, Buffer.from(await this.next('heard'), 'hex')]);
        }
      })(),
      `${seconds} s of audio from the page`
    );
    return fromMuLaw(heard);
  }

  async stop() {
    this.#process.stdin.end();
    await within(once(this.#process, 'exit'), 'end of the host');
  }
}

async function servePage() {
  const server = createServer((_, response) => {
    response.setHeader('content-type', 'text/html');
    response.end('<!doctype html><title>proof</title>');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

const flags = (voice) => [
  '--no-sandbox',
  '--disable-gpu',
  '--use-fake-ui-for-media-stream',
  '--use-fake-device-for-media-stream',
  `--use-file-for-fake-audio-capture=${voice}`,
  '--autoplay-policy=no-user-gesture-required',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run'
];

function report(name, found) {
  const figures = Object.entries(found).map(([key, value]) => `${key} ${value.toFixed(2)}`);
  console.log(`${name}: ${figures.join(', ')}`);
}

/**
 * Listens until the whole sequence is heard in order and in time, and gives what was heard then.
 * A busy machine tears holes into a browser's audio, so one span with a hole is no failure.
 */
async function untilHeard(listen, chirps, name) {
  const until = Date.now() + DEADLINE_MS;
  for (;;) {
    const heard = await listen();
    const found = find(heard, chirps);
    report(name, found);
    if (found.least >= HEARD && found.outOfStep <= 0.03) return heard;
    assert(Date.now() < until, `${name}: every chirp of the sequence is heard`);
  }
}

function assertNotHeard(heard, chirps, name) {
  const found = find(heard, chirps);
  report(name, found);
  assert(found.most <= NOT_HEARD, `${name}: nothing of the sequence is heard`);
}

/** The server between one page at a time and the house: the frames of the WebSocket, no socket. */
class Server {
  #house;
  #owner = null;
  taken = [];

  constructor(house) {
    this.#house = house;
    house.onLine = (line) => {
      if (line === 'up' || line === 'down') void this.tell({ type: 'rtc.state', up: line === 'up' });
    };
  }

  tell(frame, page = this.#owner) {
    return page?.evaluate((f) => globalThis.proof.receive(f), frame).catch(() => {});
  }

  async take(page, frame) {
    if (frame.type === 'rtc.close' && page === this.#owner) this.#owner = null;
    if (frame.type !== 'rtc.offer') return;
    if (this.#owner && this.#owner !== page) this.taken.push(frame.epoch);
    this.#owner = page;
    await this.tell({ type: 'rtc.answer', sdp: await this.#house.answer(frame.sdp) }, page);
  }
}

const look = (page) => page.evaluate(() => globalThis.proof.look());

/** Waits until the page's telephone looks like this. */
async function until(page, what, wanted) {
  const fits = (want) =>
    Object.entries(want).every(([key, value]) => globalThis.proof.look()[key] === value);
  await page.waitForFunction(fits, wanted, { timeout: DEADLINE_MS, polling: 20 }).catch(async () => {
    throw new Error(`${what}: ${JSON.stringify(await look(page))}`);
  });
}

/** What the page says and hears during this time, at 8 kHz. */
async function record(page, seconds) {
  const { local, remote } = await page.evaluate((s) => globalThis.proof.hear(s), seconds);
  return { local: Float32Array.from(local), remote: Float32Array.from(remote) };
}

async function proveConnection(house, page) {
  house.send(`play ${toMuLaw(sequence(HOUSE, RATE)).toString('hex')}`);
  const began = Date.now();
  await page.evaluate(() => globalThis.proof.start());
  await until(page, 'connected', { state: 'up' });
  console.log(`from start to media: ${Date.now() - began} ms`);
  await house.next('up');
  assert.deepEqual(house.offered, ['PCMU/8000', 'telephone-event/8000'], 'the page offers mu-law');
}

async function proveBothWays(house, page) {
  const hearPage = async () => (await record(page, SPAN_S)).remote;
  const [said, heard] = await Promise.all([
    untilHeard(() => house.hear(SPAN_S), PAGE, 'page to house'),
    untilHeard(hearPage, HOUSE, 'house to page')
  ]);
  assertNotHeard(said, HOUSE, 'house to itself');
  assertNotHeard(heard, PAGE, 'page to itself');
}

async function proveCuts(house, page) {
  house.send('hush');
  await page.evaluate(() => globalThis.proof.phone.setMuted(true));
  // What is under way is heard out first: buffers of the page and of the wire.
  await record(page, 1);
  const [said, { remote }] = await Promise.all([house.hear(SPAN_S), record(page, SPAN_S)]);
  assertNotHeard(said, PAGE, 'muted page to house');
  assertNotHeard(remote, HOUSE, 'silent house to page');
  await page.evaluate(() => globalThis.proof.phone.setMuted(false));
}

async function proveDelay(house, page) {
  house.send('echo');
  let local;
  const echo = async () => {
    const both = await record(page, SPAN_S);
    local = both.local;
    return both.remote;
  };
  const remote = await untilHeard(echo, PAGE, 'echo of the page');
  const cycle = sequenceSeconds(PAGE);
  const roundTrip = (find(remote, PAGE).at - find(local, PAGE).at + cycle) % cycle;
  console.log(`round trip ${(roundTrip * 1000).toFixed(0)} ms`);
  assert(roundTrip <= ROUND_TRIP_S_MAX, 'there and back in time');
  const { inputLevel, outputLevel, silent } = await look(page);
  assert(inputLevel > 0.2 && outputLevel > 0.2 && !silent, 'both meters move');
}

async function proveKeys(house, page) {
  assert(await page.evaluate(() => globalThis.proof.keys('19*#')), 'keys are taken');
  let keys = '';
  while (keys.length < 4) keys += await house.next('digit');
  assert.equal(keys, '19*#');
}

/** The house forgets the leg and says so; the page offers anew and audio flows again. */
async function proveRecovery(house, page, server) {
  const began = Date.now();
  house.send('drop');
  await server.tell({ type: 'rtc.state', up: false });
  await house.next('up');
  await until(page, 'connected again', { state: 'up' });
  console.log(`from loss to media: ${Date.now() - began} ms`);
  house.send('echo');
  await untilHeard(async () => (await record(page, SPAN_S)).remote, PAGE, 'echo after the loss');
}

async function proveOneOwner(house, first, second, server) {
  await second.evaluate(() => void globalThis.proof.start());
  await until(second, 'the other tab has it', { state: 'taken' });
  assert.equal((await look(first)).state, 'up');
  await second.evaluate(() => globalThis.proof.start({ takeOver: true }));
  await until(second, 'taken over', { state: 'up' });
  await until(first, 'given away', { state: 'taken' });
  assert.deepEqual(server.taken, [], 'the first let go before the second offered');
  await house.next('up');
  await second.close();
  await until(first, 'inherited from a closed tab', { state: 'up' });
  await first.evaluate(() => globalThis.proof.phone.stop());
  await house.next('down');
}

const folder = mkdtempSync(join(tmpdir(), 'antiphon-proof-'));
const voice = join(folder, 'page.wav');
writeFileSync(voice, wav(sequence([...PAGE, ...PAGE, ...PAGE, ...PAGE], 48_000), 48_000));
const house = new House(process.argv[2] ?? join(process.env.ANTIPHON_BIN_DIR ?? join(root, 'target/debug'), 'examples/browser_host'));
const web = await servePage();
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', headless: true, args: flags(voice) });
let failed = false;
try {
  const script = await pageScript(join(root, 'web'));
  const server = new Server(house);
  const context = await browser.newContext();
  const openTab = async () => {
    const page = await context.newPage();
    page.on('console', (message) => console.log(`page: ${message.text()}`));
    page.on('pageerror', (error) => console.log(`page: ${error.stack}`));
    await page.exposeFunction('toServer', (frame) => server.take(page, frame));
    await page.goto(`http://127.0.0.1:${web.address().port}/`);
    await page.addScriptTag({ content: script, type: 'module' });
    await page.waitForFunction(() => globalThis.proof !== undefined, undefined, { timeout: DEADLINE_MS });
    return page;
  };
  const page = await openTab();
  await proveConnection(house, page);
  await proveBothWays(house, page);
  await proveCuts(house, page);
  await proveDelay(house, page);
  await proveKeys(house, page);
  await proveRecovery(house, page, server);
  await proveOneOwner(house, page, await openTab(), server);
  console.log('7 passed, 0 failed');
} catch (error) {
  failed = true;
  console.error(error);
  console.log('stopped at the first failure: 1 failed');
} finally {
  await browser.close();
  web.close();
  await house.stop();
  rmSync(folder, { recursive: true });
}
process.exit(failed ? 1 : 0);
