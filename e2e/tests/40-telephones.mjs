// Other makers' telephones: SIPp and baresip, answered by a click in a real browser.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { firstSound, hear } from '../lib/audio.mjs';
import { baresip, noBaresip } from '../lib/baresip.mjs';
import { freshNumber } from '../lib/phone.mjs';
import { noSipp, sipp } from '../lib/sipp.mjs';
import { CODES, PERIOD_MS } from '../lib/voice.mjs';
import { pause, until, within } from '../lib/wait.mjs';
import { channels } from '../lib/wav.mjs';

const WAIT_MS = 2_000;

async function sippCalls(stage, say) {
  const house = await stage.house({ menu_s: 6, wrap_up_ms: 0 });
  const desk = await stage.person();
  await desk.signIn();
  const number = freshNumber();
  const caller = sipp(house, number);
  stage.also(caller);
  // Nobody is ready yet: it waits.
  await house.callOf(number, (call) => call.queue);
  await pause(WAIT_MS);
  await desk.ready();
  const card = await desk.offered(number);
  assert.match(card, /Sales/, 'the key was heard');
  await desk.accept();
  // What SIPp hears it sends back: the page hears itself once the recorded voice is over.
  const { codes } = await desk.hears(CODES.page);
  assert.deepEqual(codes, [CODES.page]);
  await desk.hangUp();
  await within('the end of sipp', caller.ended, 20_000);
  assert.equal(caller.exited, 0, caller.errors);
  const row = await house.callOf(number, (call) => call.outcome === 'handled');
  assert(row.waited_s * 1_000 >= WAIT_MS, `it waited, not ${row.waited_s} s`);
  say(`waited ${row.waited_s} s, talked ${row.talk_s} s`);
  await sippSpeaks(stage, house, desk);
}

/** Nothing is sent back in this call: whatever the page hears is what SIPp plays. */
async function sippSpeaks(stage, house, desk) {
  const number = freshNumber();
  const caller = sipp(house, number, { echo: false });
  stage.also(caller);
  await desk.offered(number);
  const click = await desk.accept();
  const heard = await desk.listen('remote', 4_000, click);
  assert.notEqual(firstSound(heard.samples, 0), null, 'the page hears what SIPp plays');
  assert.deepEqual(heard.codes, [], 'and no chirps, its own or others');
  await desk.hangUp();
  await within('the end of sipp', caller.ended, 20_000);
  assert.equal(caller.exited, 0, caller.errors);
}

async function baresipCalls(stage, say) {
  const house = await stage.house({ menu_s: 2 });
  const desk = await stage.person();
  await desk.signIn();
  const number = freshNumber();
  const { program, sounds } = await baresip(house, number, CODES.caller);
  stage.also(program);
  // A key before the call stands would be a command of baresip's menu.
  await until('baresip: call established', () => /call established/i.test(program.lines.join('\n') + program.errors));
  await pause(2 * PERIOD_MS);
  program.write('1');
  await house.callOf(number, (call) => call.queue);
  // Long enough for two whole periods of the music, wherever it begins.
  await pause(6 * PERIOD_MS);
  await desk.ready();
  await desk.offered(number);
  await desk.accept();
  const heard = await desk.hears(CODES.caller);
  assert.deepEqual(heard.codes, [CODES.caller]);
  await desk.listen('remote', 3_000);
  await desk.hangUp();
  const row = await house.callOf(number, (call) => call.outcome === 'handled');
  program.write('/quit');
  await within('the end of baresip', program.ended, 20_000);
  const received = sounds().find((file) => file.endsWith('-dec.wav'));
  const { codes, periods } = await hear(house.folder, channels(readFileSync(received)).channels[0]);
  // The prompt, then the music, then the page; nobody else, and not its own voice.
  assert.deepEqual(codes, [CODES.page, CODES.menu, CODES.music]);
  const [menu, music, page] = [CODES.menu, CODES.music, CODES.page].map((code) => periods.get(code));
  assert(menu.at(-1) < music[0] && music.at(-1) < page[0], `in this order: prompt ${menu}, music ${music}, page ${page}`);
  assert(music.length >= 2 && page.length >= 3, 'for as long as it lasted');
  say(`waited ${row.waited_s} s, talked ${row.talk_s} s, heard the prompt from ${menu[0]} ms, music from ${music[0]} ms, the page from ${page[0]} ms`);
}

export const tests = [
  { name: 'SIPp calls', deadline_s: 90, skip: noSipp, run: sippCalls },
  { name: 'baresip calls', deadline_s: 90, skip: noBaresip, run: baresipCalls }
];
