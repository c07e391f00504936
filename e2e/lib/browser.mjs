// An agent at a real browser: Chromium without a window, the real screens, a microphone that says
// chirps, and a tap on what the page says and hears.

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { hear } from './audio.mjs';
import { ROOT } from './program.mjs';
import { CODES, voice } from './voice.mjs';
import { pause, until } from './wait.mjs';

const { chromium } = createRequire(join(ROOT, 'web/package.json'))('playwright-core');
/** How long a click is given to show its effect. */
const AGAIN_MS = 3_000;
const SIZE = { width: 1440, height: 900 };

/** Runs in the page before anything else. */
function tap() {
  const RATE = 8_000;
  const taps = { local: null, remote: null, player: null };
  const state = { clicks: [], links: [], loadedAt: Date.now() };
  const listen = async (side, track) => {
    const mine = { chunks: [] };
    taps[side] = mine;
    const reader = new MediaStreamTrackProcessor({ track }).readable.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done || taps[side] !== mine) return;
      const step = value.sampleRate / RATE;
      const plane = new Float32Array(value.numberOfFrames);
      // Of a recording the second channel is the one in which something changes: what the customer heard.
      value.copyTo(plane, { planeIndex: value.numberOfChannels - 1, format: 'f32-planar' });
      const samples = new Int16Array(Math.floor(plane.length / step));
      for (let n = 0; n < samples.length; n++) {
        let sum = 0;
        for (let k = 0; k < step; k++) sum += plane[n * step + k];
        samples[n] = Math.round((sum / step) * 32_767);
      }
      const at = value.timestamp / 1_000;
      value.close();
      // What it says was over when it came: the quickest chunk tells how the clocks lie.
      mine.chunks.push({ at, samples, offset: Date.now() - at - (samples.length * 1_000) / RATE });
    }
  };
  const Real = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Real {
    constructor(...args) {
      super(...args);
      state.pc = this;
      this.addEventListener('track', ({ track }) => void listen('remote', track));
      this.addEventListener('connectionstatechange', () => state.links.push([Date.now(), this.connectionState]));
    }
  };
  const devices = navigator.mediaDevices;
  const get = devices?.getUserMedia.bind(devices);
  if (devices) {
    devices.getUserMedia = async (wanted) => {
      const stream = await get(wanted);
      state.microphone = stream.getAudioTracks()[0];
      void listen('local', state.microphone);
      return stream;
    };
  }
  // The player of recordings is an element in no document.
  const Sound = window.Audio;
  window.Audio = function (...args) {
    const sound = new Sound(...args);
    const played = () => sound.currentSrc && void listen('player', sound.captureStream().getAudioTracks()[0]);
    sound.addEventListener('playing', played, { once: true });
    return sound;
  };
  // When the finger moved, not when the page had time for it.
  window.addEventListener('click', (click) => state.clicks.push(Date.now() - (performance.now() - click.timeStamp)), true);
  globalThis.e2e = {
    state,
    /** Samples of one side from a moment on, as integers, and the moment of the first. */
    since(side, from) {
      const chunks = taps[side]?.chunks.filter((chunk) => chunk.offset + chunk.at >= from) ?? [];
      if (chunks.length === 0) return { at: 0, samples: [] };
      const offset = Math.min(...chunks.map((chunk) => chunk.offset));
      const samples = [];
      for (const chunk of chunks) {
        // A gap in the stream stays a gap in time.
        const due = Math.round(((chunk.at - chunks[0].at) * RATE) / 1_000) - RATE / 50;
        while (samples.length < due) samples.push(0);
        samples.push(...chunk.samples);
      }
      return { at: offset + chunks[0].at, samples };
    },
    /** Milliseconds of one side that have been recorded after a moment. */
    length(side, from) {
      const last = taps[side]?.chunks.at(-1);
      return last ? last.offset + last.at + (last.samples.length * 1_000) / RATE - from : 0;
    }
  };
}

export class Browser {
  static async start({ pauses = true } = {}) {
    const microphone = voice(CODES.page, { rate: 48_000, pauses });
    const browser = await chromium.launch({
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: [
        '--headless', '--no-sandbox', '--disable-gpu', '--use-fake-ui-for-media-stream',
        '--use-fake-device-for-media-stream', `--use-file-for-fake-audio-capture=${microphone}`,
        '--autoplay-policy=no-user-gesture-required', '--disable-background-networking',
        '--disable-component-update', '--disable-sync', '--no-first-run'
      ]
    });
    return new Browser(browser);
  }

  constructor(browser) {
    this.browser = browser;
    this.contexts = [];
  }

  /** A person of their own: cookies, storage, one page. */
  async person(house, { language = 'en', size = SIZE } = {}) {
    const context = await this.browser.newContext({ viewport: size, locale: language === 'fa' ? 'fa-IR' : 'en-GB', ignoreHTTPSErrors: true });
    context.setDefaultTimeout(30_000);
    await context.addInitScript((locale) => localStorage.setItem('PARAGLIDE_LOCALE', locale), language);
    await context.addInitScript(tap);
    this.contexts.push(context);
    return new Desk(house, context, await context.newPage());
  }

  async closeContexts() {
    await Promise.all(this.contexts.splice(0).map((context) => context.close().catch(() => {})));
  }

  async close() {
    await this.browser.close();
  }
}

/** The words on the buttons, by language. */
const WORDS = {
  en: { ready: 'Become ready', accept: 'Accept', hangUp: 'Hang up', hold: 'Hold', resume: 'Back to the caller', finish: 'Finish', decline: 'Decline' },
  fa: {}
};

export class Desk {
  problems = [];
  /** What went over the WebSocket, for the evidence of a failed test. */
  frames = [];

  constructor(house, context, page) {
    this.house = house;
    this.context = context;
    this.#watch(page);
  }

  #watch(page) {
    this.page = page;
    page.on('pageerror', (error) => this.problems.push(`page error: ${error.message}`));
    page.on('websocket', (socket) => {
      const note = (way) => ({ payload }) => this.frames.push(`${new Date().toISOString()} ${way} ${payload}`);
      socket.on('framesent', note('->'));
      socket.on('framereceived', note('<-'));
    });
    page.on('console', (message) => {
      if (message.type() === 'error' && !/401 \(Unauthorized\)/.test(message.text())) this.problems.push(`console: ${message.text()}`);
    });
  }

  /** `at` is the address of the page. */
  async signIn(mail = 'agent@demo.example', at = this.house.http) {
    const { password } = this.house.account(mail);
    await this.page.goto(at);
    await this.page.locator('input[type=email]').fill(mail);
    await this.page.locator('input[type=password]').fill(password);
    await this.page.locator('button[type=submit]').click();
    await this.page.locator('footer.phone').waitFor();
  }

  button(name) {
    return this.page.getByRole('button', { name: WORDS.en[name], exact: false });
  }

  get offerCard() {
    return this.page.locator('article.offer').first();
  }

  get conversation() {
    return this.page.locator('section.conv');
  }

  /** The state that the server shows for this agent, as the screen has it. */
  shows(state, deadlineMs = 20_000) {
    return until(`the desk shows ${state}`, () => this.page.locator(`.own .st.${state}`).count(), deadlineMs);
  }

  /** After a restart of the house an agent may be ready again without a click; whoever is waited for is rung at once. */
  async ready() {
    const is = (state) => this.page.locator(`.own .st.${state}`).count();
    const button = this.button('ready').first();
    let clickedAt = 0;
    let clicks = 0;
    await until('the desk is ready', async () => {
      if ((await is('ready')) || (await is('offered'))) return true;
      // A disk that is late refuses a promise; a person clicks again.
      if (Date.now() - clickedAt > AGAIN_MS && (await button.count()) && (await button.isEnabled())) {
        clickedAt = Date.now();
        clicks += 1;
        await button.click({ timeout: AGAIN_MS }).catch(() => {});
      }
      return false;
    }, 30_000);
    // Each click that had to be repeated may have been refused in the browser's words as well; no other refusal is excused.
    for (let again = 1; again < clicks; again += 1) {
      const at = this.problems.findLastIndex((problem) => /503 \(Service Unavailable\)/.test(problem));
      if (at >= 0) this.problems.splice(at, 1);
    }
  }

  /** Signed in, telephone connected, ready. */
  async begin(mail) {
    await this.signIn(mail);
    await this.ready();
    await this.linked();
  }

  async linked(deadlineMs = 20_000) {
    await until('the telephone of the page is connected', () => this.page.evaluate(() => globalThis.e2e.state.pc?.connectionState === 'connected'), deadlineMs);
  }

  async offered(caller, deadlineMs = 30_000) {
    await this.offerCard.waitFor({ timeout: deadlineMs });
    const text = (await this.offerCard.innerText()).replace(/[\s\u2066-\u2069\u200e\u200f\u00a0]/g, '');
    if (!text.includes(caller.replace(/^\+/, ''))) throw new Error(`the offer card names another caller than ${caller}: ${text}`);
    return text;
  }

  /** Clicks Accept and gives the moment of the click, milliseconds UTC. */
  async accept() {
    await this.offerCard.locator('button').first().click();
    await this.conversation.waitFor();
    return this.lastClick();
  }

  lastClick() {
    return this.page.evaluate(() => globalThis.e2e.state.clicks.at(-1));
  }

  hangUp() {
    return this.page.locator('footer.phone .end button').last().click();
  }

  /** Result, resolved, note, finish. */
  async wrapUp({ note = 'e2e', result = 'Question answered' } = {}) {
    await this.shows('wrap_up');
    await this.page.locator('#note').fill(note);
    await this.page.locator('section.result input').click();
    await this.page.getByRole('option', { name: result }).click();
    await this.page.locator('.seg button').first().click();
    await this.button('finish').click();
    await until('wrap-up is over', async () => (await this.page.locator('.own .st.wrap_up').count()) === 0);
  }

  mute(on) {
    return this.page.evaluate((live) => (globalThis.e2e.state.microphone.enabled = live), !on);
  }

  /** What one side of the page's telephone carries during so many milliseconds from now on. */
  async listen(side, ms, from = Date.now()) {
    await until(
      `${ms} ms of the page's ${side} sound`,
      () => this.page.evaluate(([s, f]) => globalThis.e2e.length(s, f), [side, from]).then((length) => length >= ms),
      ms + 15_000
    );
    return this.heardSince(side, from);
  }

  async heardSince(side, from) {
    const { at, samples } = await this.page.evaluate(([s, f]) => globalThis.e2e.since(s, f), [side, from]);
    return { at, samples, ...(await hear(this.house.folder, samples, at)) };
  }

  /** Waits until a code is heard by the page; gives what was heard. */
  async hears(code, { from = Date.now(), deadlineMs = 20_000 } = {}) {
    const end = Date.now() + deadlineMs;
    for (;;) {
      const heard = await this.heardSince('remote', from);
      if (heard.codes.includes(code)) return heard;
      if (Date.now() > end) throw new Error(`the page does not hear code ${code}, only ${JSON.stringify(heard.codes)} in ${heard.samples.length / 8} ms (${heard.file})`);
      await pause(200);
    }
  }
}
