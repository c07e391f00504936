// The true call: a customer rings, presses a key, waits; an agent answers in a real browser.

import assert from 'node:assert/strict';
import { delays, hear, of, source } from '../lib/audio.mjs';
import { CLICK_MS_GOAL, clickToAudio, figures, silentHouse, told } from '../lib/click.mjs';
import { assertLength, waitBegan } from '../lib/record.mjs';
import { CODES, PERIOD_MS, said } from '../lib/voice.mjs';
import { pause, percentile, until } from '../lib/wait.mjs';
import { channels } from '../lib/wav.mjs';

const DELAY_MS_MAX = 300;
/** From the wait to its music, a first look into a cold folder on a loaded machine included. */
const MUSIC_MS_MAX = 600;
const CLICKS = 20;
const PLAY_MS = 1_000;
/** A needle is drawn to the pixel. */
const SEEK_OFF_S = 0.15;
const NOTE = 'Asked for the delivery date.';

/** Both directions of a conversation at once, by the page's own ears and the caller's diary. */
export function judge(page, caller) {
  const missing = [];
  if (!page.codes.includes(CODES.caller)) missing.push('caller to page');
  if (!caller.heard.includes(CODES.page)) missing.push('page to caller');
  const leaked = [
    ...page.codes.filter((code) => code !== CODES.caller).map((code) => `page hears ${code}`),
    ...caller.heard
      .filter((code) => ![CODES.page, CODES.menu, CODES.music].includes(code))
      .map((code) => `caller hears ${code}`)
  ];
  return { missing, leaked };
}

async function theTrueCall(stage, say) {
  const house = await stage.house();
  say(`house up in ${house.startedMs} ms`);
  const desk = await stage.person();
  await desk.signIn();
  const caller = stage.caller({ save: true });
  // Nobody is ready yet: the caller waits with music.
  await house.callOf(caller.number, (call) => call.queue);
  await pause(2_000);
  await queueOnDesk(desk);
  await desk.ready();
  const card = await desk.offered(caller.number);
  assert.match(card, /Sales/, 'the card says what was pressed');
  const click = await desk.accept();
  const heard = await desk.listen('remote', 6_000);

  // Hold: music for the caller, and not the page; back again.
  const holdKey = desk.page.locator('footer.phone .key').nth(1);
  await holdKey.click();
  const heldAt = await desk.lastClick();
  await desk.shows('hold');
  const held = await desk.listen('remote', 3_000);
  await holdKey.click();
  const resumedAt = await desk.lastClick();
  await desk.shows('talking');
  await desk.listen('remote', 3_000);
  const spoken = await desk.heardSince('local', click);
  await desk.hangUp();
  const diary = await caller.over();
  await desk.wrapUp({ note: NOTE });

  const { missing, leaked } = judge(heard, diary);
  assert.deepEqual({ missing, leaked }, { missing: [], leaked: [] });
  assert.deepEqual(held.codes, [], 'on hold the page hears nobody');

  // Each side against what the other said, on the clock that both go by.
  const toPage = delays(of(CODES.caller, heard.said), said(CODES.caller, diary.sound_began_at / 1_000, diary.ended_at / 1_000));
  const toCaller = delays(of(CODES.page, diary.said).filter(({ at }) => at + PERIOD_MS < heldAt), source(CODES.page, of(CODES.page, spoken.said)));
  const spread = (each) => `p50 ${percentile(each, 50).toFixed(0)} most ${each.at(-1).toFixed(0)} ms`;
  say(`delay caller to page ${spread(toPage)}, page to caller ${spread(toCaller)}`);
  assert(toPage.at(-1) <= DELAY_MS_MAX && toCaller.at(-1) <= DELAY_MS_MAX, 'the delay is small enough');

  const { startsOf } = diary;
  const inHold = (ms) => ms > heldAt + 1_000 && ms + PERIOD_MS < resumedAt;
  assert(startsOf(CODES.music).some(inHold), 'on hold the caller hears music');
  assert(!startsOf(CODES.page).some(inHold), 'on hold the caller does not hear the page');
  assert(startsOf(CODES.page).some((ms) => ms > resumedAt), 'after the hold the caller hears the page');

  const call = await figuresAgree(house, caller, diary, { click, heldMs: resumedAt - heldAt }, say);
  await todayAgrees(desk, call);
  await screensShow(desk, house, caller);
  await plays(desk, call, say);
  assert.deepEqual(desk.problems, [], 'the page has no fault to tell');
}

/** The length that a cell shows, in seconds. */
const shown = (text) => text.trim().split(':').reduce((sum, part) => sum * 60 + Number(part), 0);

/** While one caller waits and nobody is ready, the desk says just that. */
async function queueOnDesk(desk) {
  const cells = desk.page.locator('tr').filter({ has: desk.page.getByRole('cell', { name: 'Sales', exact: true }) }).locator('td');
  const { texts, waited } = await until('the queue on the desk', async () => {
    const texts = await cells.allInnerTexts();
    return texts[1] === '1' && { texts, waited: shown(texts[2]) };
  });
  assert.deepEqual([texts[3], texts[4]], ['0', '0'], 'nobody is ready and nobody is busy');
  assert(waited >= 1 && waited <= 4, `the longest wait is about 2 s, not ${texts[2]}`);
}

/** The agent's day is this one call. */
async function todayAgrees(desk, call) {
  const { today } = await desk.page.evaluate(() => fetch('/api/v1/desk').then((response) => response.json()));
  assert.deepEqual(today, { handled: 1, talk_s: call.talk_s, missed: 0 });
  const talk = Math.round(call.talk_s);
  await until('the figures of the day on the desk', async () => {
    const [handled, talked, average, missed] = await desk.page.locator('dl.figs dd').allInnerTexts();
    return handled === '1' && missed === '0' && shown(talked) === talk && shown(average) === talk;
  });
}

/** The call record, its ladder and its recording against the caller's own diary and the agent's clicks. */
async function figuresAgree(house, caller, diary, { click, heldMs }, say) {
  const row = await house.callOf(caller.number, (call) => call.disposition);
  const call = await house.call(row.id);
  assert.equal(call.outcome, 'handled');
  assert.equal(call.disposition.code, 'answered');
  assert.equal(call.resolved, true);
  assert.equal(call.note, NOTE);
  assert(call.facts.some((fact) => fact.kind === 'chosen' && fact.label === 'Sales'), 'what was chosen is kept');
  const long = (diary.ended_at - diary.answered_at) / 1e6;
  const segments = call.ladder.lanes.flatMap((lane) => lane.segments.map((segment) => ({ ...segment, lane: lane.lane })));
  for (const kind of ['waiting', 'offered', 'talking', 'hold', 'wrap_up']) {
    assert(segments.some((segment) => segment.kind === kind), `the ladder shows ${kind}`);
  }
  const music = diary.startsOf(CODES.music);
  const waiting = segments.find((segment) => segment.kind === 'waiting');
  const waitFrom = Date.parse(waiting.start_at);
  say(`up ${long.toFixed(2)} s, waited ${call.waited_s} s, talked ${call.talk_s} s, held ${call.hold_s} s; music ${(music[0] - waitFrom).toFixed(0)} ms after the wait began`);
  assert(Math.abs(music[0] - waitFrom) <= MUSIC_MS_MAX, 'the music begins with the wait');
  const end = (Date.parse(call.ended_at) * 1_000 - diary.ended_at) / 1e3;
  assert(Math.abs(end) <= 100, `the record ends with the diary (${end} ms)`);
  const talk = segments.filter((segment) => ['talking', 'hold'].includes(segment.kind) && segment.lane === 'agent');
  const talkFrom = Math.min(...talk.map((segment) => Date.parse(segment.start_at)));
  const page = diary.startsOf(CODES.page)[0];
  const lastMusic = Math.max(...music.filter((ms) => ms < page)) + PERIOD_MS;
  // A period counts without one of its sweeps and its pause: so far may they seem to overlap.
  assert(talkFrom > lastMusic - 400 && talkFrom < page + 150 && page - lastMusic < 3 * PERIOD_MS, `music until ${lastMusic - talkFrom} ms, page from ${page - talkFrom} ms, counted from the talk`);
  const together = diary.ended_at / 1e6 - talkFrom / 1e3;
  assert(Math.abs(call.talk_s + call.hold_s - together) <= 0.1, `talk and hold make ${together} s, as in the diary`);
  assert(Math.abs(call.waited_s - (talkFrom - waitFrom) / 1e3) <= 0.1, `wait is ${(talkFrom - waitFrom) / 1e3} s on the ladder`);
  const began = waitBegan(diary);
  const waitUntil = began + call.waited_s * 1e3;
  assert(waitUntil > lastMusic - 400 && waitUntil < page + 150, `the wait ends between music and page: ${waitUntil - lastMusic} and ${page - waitUntil} ms`);
  const off = [assertLength('the wait', call.waited_s, click - began), assertLength('the talk', call.talk_s, diary.ended_at / 1e3 - click - heldMs), assertLength('the hold', call.hold_s, heldMs)];
  say(`in the record wait, talk and hold are ${off.join(', ')} ms longer`);

  assert(call.recordings.length > 0, 'the call was recorded');
  const { channels: [left, right] } = channels(await house.recording(call.id, call.recordings[0].n));
  const [customer, ours] = [await hear(house.folder, left), await hear(house.folder, right)];
  assert(customer.codes.includes(CODES.caller) && !customer.codes.includes(CODES.page), 'left is the customer alone');
  assert(ours.codes.includes(CODES.page) && !ours.codes.includes(CODES.caller), 'right is what the customer heard');
  const [recording] = call.recordings;
  const recordedFrom = Date.parse(recording.start_at);
  const recordedFor = diary.ended_at / 1e6 - recordedFrom / 1e3;
  assert(Math.abs(recording.length_s - recordedFor) <= 0.3, `the recording is ${recording.length_s} s of ${recordedFor} s`);
  const inFile = recordedFrom + ours.periods.get(CODES.page)[0] - page;
  assert(Math.abs(inFile) <= 150, `the page speaks in the file when the caller heard it (${inFile} ms)`);
  return call;
}

/** The list and the page of the call. */
async function screensShow(desk, house, caller) {
  const { page } = desk;
  const row = await house.callOf(caller.number);
  await page.goto(`${house.http}/calls`);
  await page.locator(`a[href*="${row.id}"]`).first().click();
  await page.locator('section.tl').waitFor();
  await page.getByText(NOTE).waitFor();
  await page.getByText('Sales').first().waitFor();
  await until('a recording on the page', () => page.locator('.needle').count());
}

/** The player: it plays in time, goes to where the waveform is clicked and is heard from there, and stops. */
async function plays(desk, call, say) {
  const { page } = desk;
  const start = Date.parse(call.ladder.start_at);
  const segments = call.ladder.lanes.flatMap((lane) => lane.segments);
  const length = (Math.max(...segments.map(({ end_at }) => Date.parse(end_at))) - start) / 1e3;
  const axis = await page.locator('.touch').boundingBox();
  /** Seconds from the start of the ladder, by where the needle stands. */
  const position = async () => {
    const box = await page.locator('.needle').boundingBox();
    return { s: ((box.x + box.width / 2 - axis.x) / axis.width) * length, at: Date.now() / 1e3 };
  };
  const near = (what, one, other, off_s = SEEK_OFF_S) => assert(Math.abs(one - other) <= off_s, `${what}: ${one.toFixed(2)} s, not ${other.toFixed(2)} s`);

  const from = (Date.parse(call.recordings[0].start_at) - start) / 1e3;
  near('the needle stands where the recording begins', (await position()).s, from);
  await page.getByRole('button', { name: 'Play' }).click();
  const first = await until('it moves', async () => {
    const now = await position();
    return now.s > from + 0.3 && now;
  });
  await pause(PLAY_MS);
  const second = await position();
  near('it plays in time', second.s - first.s, second.at - first.at, 0.3);

  // Into the hold, where the customer heard music.
  const hold = segments.find(({ kind }) => kind === 'hold');
  const wanted = (Date.parse(hold.start_at) - start) / 1e3 + 0.3;
  const wave = await page.locator('.clip').boundingBox();
  const askedAt = Date.now();
  await page.mouse.click(axis.x + (wanted / length) * axis.width, wave.y + wave.height / 2);
  const there = await position();
  const passed = there.at - askedAt / 1e3;
  assert(there.s >= wanted - SEEK_OFF_S && there.s <= wanted + passed + SEEK_OFF_S, `it goes to ${wanted.toFixed(2)} s, not to ${there.s.toFixed(2)} s`);
  const { codes } = await desk.listen('player', 3 * PERIOD_MS, askedAt);
  assert.deepEqual(codes, [CODES.music], 'and is heard from there');

  await page.getByRole('button', { name: 'Pause' }).click();
  await page.getByRole('button', { name: 'Play' }).waitFor();
  const stood = await position();
  await pause(500);
  near('it stands still', (await position()).s, stood.s, 0.001);
  say(`played from ${from.toFixed(1)} s, sought ${wanted.toFixed(1)} s of ${length.toFixed(1)} s, stopped at ${stood.s.toFixed(1)} s`);
}

/** From the click on Accept to both hearing the other, often enough for a 95th percentile. */
async function clicks(stage, say) {
  const house = await stage.house();
  await silentHouse(house);
  await stage.browser({ pauses: false });
  const desk = await stage.agent();
  const calls = [];
  for (let n = 0; n < CLICKS; n++) {
    calls.push(await clickToAudio(desk, (options) => stage.caller(options)));
    await desk.shows('ready');
  }
  const seen = figures(calls);
  say(`${calls.length} calls: ${told(seen)} (goal p95 ${CLICK_MS_GOAL} ms)`);
  assert(seen.both.p95 <= CLICK_MS_GOAL, 'the click is answered soon');
}

/** The same judgement must see a cut direction. */
async function aCutIsSeen(stage) {
  await stage.house();
  const desk = await stage.agent();
  await desk.mute(true);
  const deaf = stage.caller();
  await desk.offered(deaf.number);
  await desk.accept();
  const heard = await desk.listen('remote', 3_000);
  await desk.hangUp();
  assert.deepEqual(judge(heard, await deaf.over()).missing, ['page to caller']);
  await desk.wrapUp();
  await desk.mute(false);
  await desk.shows('ready');
  const silent = stage.caller({ chirp: null });
  await desk.offered(silent.number);
  await desk.accept();
  const nothing = await desk.listen('remote', 3_000);
  await desk.hangUp();
  assert.deepEqual(judge(nothing, await silent.over()).missing, ['caller to page']);
}

export const tests = [
  { name: 'the true call', deadline_s: 120, run: theTrueCall },
  { name: 'click to audio', deadline_s: 240, run: clicks },
  { name: 'a cut direction is seen', deadline_s: 90, run: aCutIsSeen }
];
