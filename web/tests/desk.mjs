/** The pages under the hand, in a real browser against the living mock. `npm run test:desk -- [filter]`. */
import assert from 'node:assert/strict';
import { launch, telephoneOnly } from '../dev/browser.mjs';
import { start } from '../dev/mock/server.mjs';
import { account } from './desk/account.mjs';
import { admin } from './desk/admin.mjs';
import { call } from './desk/call.mjs';
import { consult } from './desk/consult.mjs';
import { hold } from './desk/hold.mjs';
import { house } from './desk/house.mjs';
import { keyboard } from './desk/keyboard.mjs';
import { lists } from './desk/lists.mjs';
import { lost } from './desk/lost.mjs';
import { missed } from './desk/missed.mjs';
import { phone, secret } from './desk/phone.mjs';
import { setup } from './desk/setup.mjs';

const STATE_MS = 15_000;
const browser = await launch();
const tests = Object.entries({ call, consult, keyboard, account, lost, hold, admin, lists, setup, house, missed, phone, secret }).filter(([name]) => name.includes(process.argv[2] ?? ''));
let passed = 0;

async function run(name, test) {
  const mock = await start({ times: test.times, setup: test.setup });
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: 'en-GB', permissions: ['microphone'] });
  await telephoneOnly(context);
  const page = await context.newPage();
  const problems = [];
  page.on('pageerror', (error) => problems.push(String(error)));
  const state = (word) => page.locator('header .own').filter({ hasText: word }).waitFor({ timeout: STATE_MS });
  async function signIn() {
    await page.locator('input[type=email]').fill('rasa@aegean.example');
    await page.locator('input[type=password]').fill('a long sentence');
    await page.locator('button[type=submit]').click();
  }
  /** Chooses the one result that fits, when the list has come. */
  async function choose(typed) {
    await page.getByRole('combobox', { name: 'Result' }).fill(typed);
    await page.getByRole('option').first().waitFor();
    await page.keyboard.press('Enter');
    await page.getByRole('listbox').waitFor({ state: 'hidden' });
  }
  try {
    await test({ page, mock, state, signIn, choose });
    assert.deepEqual(problems, []);
    passed += 1;
  } catch (error) {
    console.log(`FAILED ${name}: ${error.stack ?? error}\n${problems.join('\n')}\nat ${page.url()}`);
  } finally {
    await context.close();
    await mock.close();
  }
}

/** Tests mostly wait for the clock of the mock; they know nothing of each other. */
const AT_ONCE = 4;
const left = [...tests];
async function take() {
  for (let next = left.shift(); next; next = left.shift()) await run(...next);
}

await Promise.all(Array.from({ length: AT_ONCE }, take));
await browser.close();
console.log(`desk: ${passed} passed, ${tests.length - passed} failed`);
process.exitCode = passed === tests.length ? 0 : 1;
