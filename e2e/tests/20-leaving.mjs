// Callers who leave: in the prompt, in the menu, in the queue, while offered, and while answered.

import assert from 'node:assert/strict';
import { assertLength, waitBegan } from '../lib/record.mjs';
import { pause, until } from '../lib/wait.mjs';

const ROUNDS = 12;
/** Somebody lets it ring for a while. */
const RINGS_MS = 1_000;
/** Between the agreement on a moment and the moment. */
const LEAD_MS = 400;
const STEP_MS = 48;
const STEP_MS_MIN = 3;

/** The row of a call that is over. */
const ended = (house, caller) => house.callOf(caller.number, (call) => !call.live && call.outcome);

async function earlyLeavers(stage, say) {
  const house = await stage.house({ first: 'welcome' });
  const inPrompt = stage.caller({ keys: '', hangUp: '300ms' });
  await inPrompt.over();
  const first = await ended(house, inPrompt);
  // The menu speaks after the welcome; its second sound is the menu.
  const inMenu = stage.caller({ keys: '', hangUp: '2600ms' });
  await inMenu.over();
  const second = await ended(house, inMenu);
  const inQueue = stage.caller({ keys: 'sound+2600ms:1', hangUp: 'chirp14+1s' });
  const diary = await inQueue.over();
  const third = await ended(house, inQueue);
  say(`prompt: ${first.outcome}, menu: ${second.outcome}, queue: ${third.outcome}`);
  for (const [row, node] of [[first, 'welcome'], [second, 'menu']]) {
    assert.equal(row.outcome, 'left_in_flow');
    const { ladder } = await house.call(row.id);
    const passed = ladder.lanes.find(({ lane }) => lane === 'flow').segments.map(({ label }) => label);
    assert.equal(passed.at(-1), node, `left in ${node}, not behind ${passed}`);
    assert(!row.queue && !row.agent, 'never waited');
    assert(!row.recorded, 'nothing was recorded before the consent');
  }
  assert.equal(third.outcome, 'abandoned');
  assert.equal(third.queue.name, 'Sales');
  const off = assertLength('the wait', third.waited_s, diary.ended_at / 1_000 - waitBegan(diary));
  say(`waited ${third.waited_s} s, ${off} ms longer than the caller says`);
}

async function whileOffered(stage) {
  const house = await stage.house();
  const desk = await stage.agent();
  const caller = stage.caller();
  await desk.offered(caller.number);
  await pause(RINGS_MS);
  const diary = await caller.bye();
  await desk.offerCard.waitFor({ state: 'detached' });
  await desk.shows('ready');
  const row = await ended(house, caller);
  assert.equal(row.outcome, 'abandoned');
  assertLength('the wait', row.waited_s, diary.ended_at / 1_000 - waitBegan(diary));
  // Nobody is stuck: the next one is served.
  const next = stage.caller();
  await desk.offered(next.number);
  await desk.accept();
  await desk.hangUp();
  await next.over();
}

/**
 * Hang-up and answer at the same instant. Which of the two comes first is not left to luck: after each
 * round the hang-up moves towards the moment where the outcome turns, in ever smaller steps.
 */
async function atTheInstant(stage, say) {
  const house = await stage.house({ wrap_up_ms: 1_000 });
  const desk = await stage.agent();
  const outcomes = { abandoned: [], handled: [] };
  let [after, step] = [0, STEP_MS];
  for (let n = 0, last = null; n < ROUNDS; n++) {
    const row = await answerAndHangUp(stage, house, desk, after);
    assert(row.outcome in outcomes, `one outcome, not ${row.outcome}`);
    assert.equal(Boolean(row.agent) && row.talk_s !== undefined && row.talk_s !== null, row.outcome === 'handled');
    outcomes[row.outcome].push(after);
    if (last !== null && last !== row.outcome) step = Math.max(STEP_MS_MIN, step / 2);
    last = row.outcome;
    after += row.outcome === 'handled' ? -step : step;
    await until('the agent is free again', async () => {
      if (await desk.page.locator('.own .st.wrap_up').count()) return false;
      return desk.page.locator('.own .st.ready').count();
    });
  }
  say(`hung up so many ms after the click: ${JSON.stringify(outcomes)}`);
  assert(outcomes.abandoned.length > 0 && outcomes.handled.length > 0, 'now the caller was first, now the agent');
  const rows = await house.calls();
  assert.equal(rows.length, ROUNDS, 'one record for each call');
}

/** One call: the page clicks by itself at a moment that is agreed before; the caller leaves around it. */
async function answerAndHangUp(stage, house, desk, after) {
  const caller = stage.caller();
  await desk.offered(caller.number);
  const at = Date.now() + LEAD_MS;
  const click = desk.page.evaluate(async (moment) => {
    const button = document.querySelector('article.offer button');
    await new Promise((wake) => setTimeout(wake, moment - Date.now()));
    button.click();
  }, at);
  await Promise.all([click, pause(at + after - Date.now()).then(() => caller.command('bye'))]);
  await caller.over();
  return ended(house, caller);
}

export const tests = [
  { name: 'callers leave in prompt, menu and queue', deadline_s: 60, run: earlyLeavers },
  { name: 'a caller leaves while offered', deadline_s: 60, run: whileOffered },
  { name: 'a caller leaves as the agent answers', deadline_s: 150, run: atTheInstant }
];
