// kill -9 at a random moment, with calls, waiting callers, recordings and writes in flight.

import assert from 'node:assert/strict';
import { channels } from '../lib/wav.mjs';
import { CODES } from '../lib/voice.mjs';
import { ANTIPHON, run } from '../lib/program.mjs';
import { pause, until, within } from '../lib/wait.mjs';

const ROUNDS = process.env.EFFORT === 'full' ? 60 : 20;
const CALLS = 22;
const READY_MS_MAX = 3_000;
const LOST_MS_MAX = 1_000;
/** For those who were connected to notice that the house is gone. */
const END_MS_MAX = 10_000;
/** The lights go out so long after everything is under way. */
const KILL_MS_MAX = 1_200;
const SEED = Number(process.env.E2E_SEED ?? Date.now() % 1_000_000);

/** Mulberry32: chance that can be had again. */
function chance(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Writes until the lights go out, and remembers what was tried and what was acknowledged. */
class Writing {
  acknowledged = [];
  tried = 0;
  fault = null;
  #run;

  constructor(house, n) {
    this.#run = this.#write(house, n).catch((error) => (this.fault = error));
  }

  /** Waits until it has noticed that nobody answers. */
  async end() {
    await within('the end of the writing', this.#run, END_MS_MAX);
    if (this.fault) throw this.fault;
  }

  async #write(house, n) {
    for (let k = 0; ; k++) {
      const code = `round_${n}_${k}`;
      try {
        const { items } = await house.get('/api/v1/break-reasons');
        const known = items.filter((one) => !one.code.startsWith('round_'));
        this.tried = k;
        await house.request('PUT', '/api/v1/break-reasons', { items: [...known, { code, label: code }] });
      } catch (error) {
        // Nobody answers any more: that is the crash.
        if (!error.status) return;
        // A disk that is late promises nothing; any other refusal is a fault.
        if (error.code !== 'not_saved') throw error;
        continue;
      }
      this.acknowledged.push(k);
    }
  }
}

/** Every item of a list, page after page. */
async function all(house, path) {
  const found = [];
  for (let cursor = ''; cursor !== null; ) {
    const page = await house.get(`${path}?limit=200${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
    found.push(...page.items);
    cursor = page.next_cursor ?? null;
  }
  return found;
}

/** Some stand in the menu, most wait, one is served to the end, the next one talks. */
async function busyHouse(stage, house, desk, n) {
  const callers = Array.from({ length: CALLS }, (_, k) => stage.caller({ chirp: k === 0 ? CODES.caller : CODES.other, keys: k % 4 === 3 ? '' : 'sound+200ms:1' }));
  await desk.offerCard.waitFor({ timeout: 60_000 });
  await desk.accept();
  await desk.hangUp();
  await desk.wrapUp({ note: `round ${n}` });
  await desk.offerCard.waitFor();
  await desk.accept();
  return callers;
}

const waits = (call) => call.live && call.queue && !call.agent;

async function round(stage, house, desk, n, random) {
  const before = new Set((await house.calls()).map((call) => call.id));
  const mine = async () => (await house.calls()).filter((call) => !before.has(call.id));
  const callers = await busyHouse(stage, house, desk, n);
  const busy = await until(
    'calls, waiting callers and a conversation',
    async () => {
      const live = (await mine()).filter((call) => call.live);
      return live.length >= 20 && live.filter(waits).length >= 10 && live.some((call) => call.agent) && live;
    },
    60_000
  );
  const writing = new Writing(house, n);
  await until('writes are acknowledged', () => writing.fault ?? writing.acknowledged.length >= 2);
  await pause(random() * KILL_MS_MAX);
  const killedAt = await house.crash();
  await writing.end();
  // What is measured next is the start of the house, not the end of two dozen telephones beside it.
  for (const caller of callers) caller.exit();
  await within('the end of the callers', Promise.all(callers.map((caller) => caller.program.ended)), END_MS_MAX);
  const readyMs = await house.again();

  const rows = await mine();
  assert.deepEqual(busy.filter(({ id }) => !rows.some((row) => row.id === id)), [], 'every call is known');
  assert.deepEqual(rows.filter((row) => row.live || !row.outcome), [], 'every call has an end');
  const calls = await Promise.all(rows.map((row) => house.call(row.id)));
  assert.deepEqual(calls.filter((call) => call.disposition).map((call) => call.note), [`round ${n}`], 'the wrap-up is kept');
  const waited = busy.filter(waits).map(({ id }) => id);
  const listed = (await all(house, '/api/v1/callbacks')).map((item) => item.call);
  assert.deepEqual(waited.filter((id) => listed.filter((one) => one === id).length !== 1), [], 'all who waited are on the call-back list, once');
  await lastWriteIsKept(house, n, writing);
  const lost = await soundLost(house, calls, killedAt);
  return { readyMs, calls: busy.length, waited: waited.length, writes: writing.acknowledged.length, recordings: lost.length, lostMs: Math.round(Math.max(...lost)) };
}

async function lastWriteIsKept(house, n, { acknowledged, tried }) {
  const { items } = await house.get('/api/v1/break-reasons');
  const kept = items.map(({ code }) => code).filter((code) => code.startsWith('round_'));
  const promised = acknowledged.at(-1);
  // Those after it were tried, but not promised: each may have been kept, its answer lost.
  const fits = Array.from({ length: tried - promised + 1 }, (_, k) => `round_${n}_${promised + k}`);
  assert(kept.length === 1 && fits.includes(kept[0]), `the last write ${fits[0]} is kept, not ${kept}`);
}

/** By how much each recording that was running ends before the crash, milliseconds. */
async function soundLost(house, calls, killedAt) {
  const running = calls.filter((call) => call.outcome === 'failed').flatMap((call) => call.recordings.map((one) => ({ ...one, call: call.id })));
  assert(running.length > 10, `conversations and waits were recorded (${running.length})`);
  return Promise.all(running.map(async ({ call, n, start_at }) => {
    const begun = killedAt - Date.parse(start_at);
    // One that had just begun may have nothing to play yet.
    if (begun < LOST_MS_MAX) return 0;
    const { channels: [left] } = channels(await house.recording(call, n));
    const lost = begun - left.length / 8;
    assert(lost <= LOST_MS_MAX, `a recording ends ${lost} ms before the crash`);
    return lost;
  }));
}

async function crashes(stage, say) {
  const house = await stage.house();
  const desk = await stage.agent();
  const random = chance(SEED);
  const figures = [];
  say(`E2E_SEED=${SEED}`);
  for (let n = 0; n < ROUNDS; n++) {
    const since = Date.now();
    // The house has a new port, and its example company new passwords.
    if (n > 0) await desk.begin();
    figures.push(await round(stage, house, desk, n, random));
    say(`round ${n + 1} (${((Date.now() - since) / 1_000).toFixed(1)} s): ${JSON.stringify(figures.at(-1))}`);
  }
  const slowest = (look) => Math.max(...figures.map(look));
  say(`${figures.length} rounds; ready again within ${slowest((one) => one.readyMs)} ms (goal ${READY_MS_MAX} ms), at most ${slowest((one) => one.lostMs)} ms of sound lost`);
  assert(slowest((one) => one.readyMs) <= READY_MS_MAX);
  // The flight log, torn by each crash, still replays to the same decisions.
  await house.program.stop();
  const { stdout } = await run(ANTIPHON, ['replay', '--data', house.data, '--json'], { timeoutMs: 120_000 });
  const segments = stdout.trim().split('\n').map((line) => JSON.parse(line));
  say(`replayed ${segments.map((one) => one.decisions).join(' + ')} decisions`);
  assert(segments.length >= figures.length && segments.every((one) => one.difference === null));
}

export const tests = [{ name: 'kill -9 under load', deadline_s: 60 + ROUNDS * 40, run: crashes }];
