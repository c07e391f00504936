// The same desk from right to left, on a large and on a small screen, with a call in progress.

import assert from 'node:assert/strict';
import { CODES } from '../lib/voice.mjs';

const SMALL = { width: 390, height: 844 };

/** Runs in the page: what is wider than the screen. */
function overflow() {
  const wide = [...document.querySelectorAll('body *')].filter((element) => {
    const box = element.getBoundingClientRect();
    const scrolls = (one) => one && (/(auto|scroll|hidden)/.test(getComputedStyle(one).overflowX) || scrolls(one.parentElement));
    return box.width > 0 && (box.left < -1 || box.right > innerWidth + 1) && !scrolls(element.parentElement);
  });
  return [document.documentElement.scrollWidth > innerWidth && 'page', ...wide.map((one) => one.outerHTML.slice(0, 120))].filter(Boolean);
}

async function persian(stage) {
  await stage.house();
  const desk = await stage.person({ language: 'fa' });
  await desk.signIn();
  await desk.page.getByRole('button', { name: 'اعلام آمادگی' }).first().click();
  await desk.shows('ready');
  const caller = stage.caller();
  await desk.offerCard.waitFor();
  await desk.page.getByRole('button', { name: 'پذیرش' }).first().click();
  await desk.conversation.waitFor();
  await desk.hears(CODES.caller);
  const look = () => desk.page.evaluate(() => ({ dir: document.documentElement.dir, lang: document.documentElement.lang }));
  assert.deepEqual(await look(), { dir: 'rtl', lang: 'fa' });
  assert.deepEqual(await desk.page.evaluate(overflow), []);
  await desk.page.setViewportSize(SMALL);
  await desk.conversation.waitFor();
  assert.deepEqual(await desk.page.evaluate(overflow), [], 'nothing runs out of a small screen');
  await desk.page.getByRole('button', { name: 'پایان تماس' }).last().click();
  await desk.shows('wrap_up');
  assert.deepEqual(await desk.page.evaluate(overflow), []);
  assert((await caller.over()).heard.includes(CODES.page));
}

export const tests = [{ name: 'the desk in Persian', deadline_s: 60, run: persian }];
