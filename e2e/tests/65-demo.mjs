// The demo lives by itself: nobody signs in, and calls of the second number are taken, talked through,
// recorded and wrapped up.

import assert from 'node:assert/strict';
import { until } from '../lib/wait.mjs';

async function lives(stage, say) {
  const house = await stage.house({ every: 1 });
  const [main, shop] = house.numbers;
  const done = async () => (await house.get('/api/v1/calls?outcome=handled&limit=200')).items.find((row) => row.disposition);
  const row = await until('a call that was handled and wrapped up', done, 100_000);
  assert.equal(row.dialled, shop);
  assert(row.recorded && row.talk_s > 5 && row.wrap_up_s >= 4, JSON.stringify(row));
  const { recordings } = await house.get(`/api/v1/calls/${row.id}`);
  assert(recordings[0].complete, JSON.stringify(recordings));
  const rows = (await house.get('/api/v1/calls?limit=200')).items;
  const ours = rows.filter((one) => one.dialled === main);
  assert(ours.length > 3 && ours.every((one) => one.agent === null), 'calls of the first number are left for people');
  say(`${row.agent.name} talked ${row.talk_s.toFixed(0)} s: ${row.disposition.label}`);
}

export const tests = [{ name: 'the demo lives by itself', deadline_s: 130, run: lives }];
