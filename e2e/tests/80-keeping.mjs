// What the house keeps: a backup while it runs, a restore that serves, a flight log that replays.

import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Browser } from '../lib/browser.mjs';
import { serve } from '../lib/house.mjs';
import { ANTIPHON, run } from '../lib/program.mjs';
import { until } from '../lib/wait.mjs';

async function keeping(stage, say) {
  const house = await stage.house();
  const desk = await stage.agent();
  const caller = stage.caller();
  await desk.offered(caller.number);
  await desk.accept();
  await desk.listen('remote', 2_500);
  await desk.hangUp();
  await caller.over();
  await desk.wrapUp({ note: 'kept' });
  const row = await house.callOf(caller.number, (call) => call.disposition);
  const waiting = stage.caller();
  const backup = join(house.folder, 'backup');
  await run(ANTIPHON, ['backup', '--data', house.data, '--to', backup]);
  await waiting.bye();

  const restored = join(house.folder, 'restored');
  await run(ANTIPHON, ['restore', '--from', backup, '--data', restored]);
  if (!existsSync(join(restored, 'house.key')) && existsSync(join(house.data, 'house.key'))) {
    // The key is kept apart from the backup; without it nothing sealed can be read.
    writeFileSync(join(restored, 'house.key'), readFileSync(join(house.data, 'house.key')), { mode: 0o600 });
  }
  const second = serve(restored, { cwd: house.folder });
  const browser = await Browser.start();
  try {
    const http = (await until('the address', () => second.errors.match(/http:\/\/127\.0\.0\.1:\d+/), 60_000))[0];
    const person = await browser.person({ http, folder: house.folder, account: (mail) => house.account(mail) });
    stage.desks.push(person);
    await person.signIn();
    await person.page.goto(`${http}/calls/${row.id}`);
    await person.page.getByText('kept').first().waitFor();
    const sound = await person.page.evaluate((id) => fetch(`/api/v1/calls/${id}/recordings/1`).then((response) => response.arrayBuffer().then((bytes) => [response.status, bytes.byteLength])), row.id);
    assert(sound[0] === 200 && sound[1] > 30_000, `the recording came along: ${sound}`);
  } catch (error) {
    error.stack += `\n${second.errors.slice(-1_500)}`;
    throw error;
  } finally {
    await browser.close();
    await second.stop();
  }

  await house.program.stop();
  const { stdout } = await run(ANTIPHON, ['replay', '--data', house.data, '--json'], { ok: [0] });
  const segments = stdout.trim().split('\n').filter(Boolean).map((line) => JSON.parse(line));
  say(`replayed ${segments.map((one) => one.decisions).join(' + ')} decisions`);
  assert(segments.length > 0 && segments.every((one) => one.decisions > 0 && one.difference === null));
}

export const tests = [{ name: 'backup, restore and replay', deadline_s: 120, run: keeping }];
