/** One headless Chromium for pictures and screen tests, with a telephone that needs no server. */
import { chromium } from 'playwright-core';
import { start } from './mock/server.mjs';

export const FROZEN = Date.parse('2026-11-24T08:42:10Z');
export const SIZES = { 1440: { width: 1440, height: 900 }, 390: { width: 390, height: 844 } };

/** Chromium without windows: the same engine, half the work. */
export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium-headless-shell',
    args: ['--no-sandbox', '--disable-gpu', '--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream', '--autoplay-policy=no-user-gesture-required', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run', '--force-color-profile=srgb']
  });
}

/**
 * A window in one language, theme and size that shows screens one after the other, each on a page of
 * its own against the mock as new. What the browser has fetched and compiled stays between them;
 * what a screen has kept, cookies and storage, does not.
 */
export class Window {
  #browser;
  #view;
  #context = null;
  #mock = null;

  constructor(browser, view) {
    this.#browser = browser;
    this.#view = view;
  }

  /** Opens a screen of the catalogue, hands its page to `look` and returns what went wrong. */
  async show(screen, look) {
    this.#mock ??= await start({ frozen: FROZEN });
    this.#mock.fresh({ setup: screen.setup ?? false });
    const { page, problems } = await this.#page(screen);
    try {
      await settle(page, screen, this.#mock);
      problems.push(...((await look(page)) ?? []));
    } catch (error) {
      problems.push(String(error));
    }
    await page.close();
    return problems;
  }

  async close() {
    await this.#context?.close();
    await this.#mock?.close();
  }

  /** A page seated in the scene of a screen, and the list of what goes wrong on it. */
  async #page({ scene, silent = false, denied = false }) {
    const { lang, theme, width } = this.#view;
    this.#context ??= await this.#browser.newContext({ viewport: SIZES[width], deviceScaleFactor: 1, locale: lang === 'fa' ? 'fa-IR' : 'en-GB', timezoneId: 'Europe/Athens', reducedMotion: 'reduce', hasTouch: width === 390 });
    await this.#context.clearCookies();
    if (scene) await this.#context.addCookies([{ name: 'antiphon_session', value: lang === 'fa' ? `${scene}.fa` : scene, url: this.#mock.url }]);
    const page = await this.#context.newPage();
    await page.addInitScript(([theme_, lang_]) => {
      // The storage of a session begins with its page: nothing there is the first look at this screen.
      if (!sessionStorage.getItem('shown')) localStorage.clear();
      sessionStorage.setItem('shown', 'yes');
      localStorage.setItem('antiphon.theme', theme_);
      localStorage.setItem('PARAGLIDE_LOCALE', lang_);
    }, [theme, lang]);
    await page.addInitScript(fakeTelephone);
    if (silent) await page.addInitScript(silentMicrophone);
    if (denied) await page.addInitScript(deniedMicrophone);
    await page.clock.setFixedTime(FROZEN);
    const problems = [];
    page.on('pageerror', (error) => problems.push(String(error)));
    page.on('console', (message) => {
      if (message.type() === 'error' && !/Failed to load resource|WebSocket connection|Not found: \/nowhere/.test(message.text())) problems.push(message.text());
    });
    return { page, problems };
  }
}

/** Only the telephone without a server, for tests that run in real time. */
export function telephoneOnly(context) {
  return context.addInitScript(fakeTelephone);
}

/** Opens a screen of the catalogue and waits until it stands still. */
async function settle(page, screen, mock) {
  const socket = screen.offline ? page.waitForEvent('websocket') : null;
  await page.goto(mock.url + screen.path);
  await page.waitForSelector('.app main > *, .door main, [role=alert]', { timeout: 15_000 });
  if (screen.scene !== 'slow') await page.waitForFunction(() => !document.querySelector('.skeleton'), null, { timeout: 15_000 });
  await page.waitForLoadState('networkidle', { timeout: 2_000 }).catch(() => {});
  await page.evaluate(() => document.fonts.ready);
  if (screen.offline) {
    const closed = (await socket).waitForEvent('close');
    mock.cut();
    // The page has to know of it before its clock goes on.
    await closed;
    await page.evaluate(() => new Promise((resolve) => { setTimeout(resolve, 50); }));
    await page.clock.setFixedTime(FROZEN + 47_000);
    await page.getByRole('status').filter({ hasText: /0:47|۰:۴۷/ }).waitFor();
  }
  await screen.act?.(page);
}

/** Runs in the page: a peer connection that is up as soon as it is answered, since the mock has no media. */
function fakeTelephone() {
  window.RTCPeerConnection = class extends EventTarget {
    iceGatheringState = 'complete';
    connectionState = 'new';
    localDescription = null;
    addTransceiver(track) {
      return { sender: { dtmf: { canInsertDTMF: true, toneBuffer: '', insertDTMF() {} }, replaceTrack: async () => {} }, receiver: { track }, setCodecPreferences() {} };
    }
    async setLocalDescription() {
      this.localDescription = { type: 'offer', sdp: 'mock' };
    }
    async setRemoteDescription() {
      this.connectionState = 'connected';
      this.dispatchEvent(new Event('connectionstatechange'));
    }
    close() {}
  };
}

/** Runs in the page: somebody said no to the microphone. */
function deniedMicrophone() {
  navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('Permission denied', 'NotAllowedError'); };
}

/** Runs in the page: a microphone that is there and hears nothing. */
function silentMicrophone() {
  navigator.mediaDevices.getUserMedia = async () => new AudioContext().createMediaStreamDestination().stream;
}
