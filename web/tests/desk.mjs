/**
 * One call from the agent's side, in a real browser against the living mock: sign in, be ready, accept by
 * F8 on another page, hold, write, hang up, choose the result by typing, finish. `npm run test:desk`.
 */
import assert from 'node:assert/strict';
import { launch, telephoneOnly } from '../dev/browser.mjs';
import { start } from '../dev/mock/server.mjs';

const mock = await start();
const browser = await launch();
const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: 'en-GB', permissions: ['microphone'] });
await telephoneOnly(context);
const page = await context.newPage();
const problems = [];
page.on('pageerror', (error) => problems.push(String(error)));
const own = page.locator('header .own');
const state = (word) => own.filter({ hasText: word }).waitFor({ timeout: 15_000 });

try {
  await page.goto(`${mock.url}/calls`);
  await page.waitForURL('**/sign-in?to=%2Fcalls');
  await page.locator('input[type=email]').fill('rasa@aegean.example');
  await page.locator('input[type=password]').fill('wrong');
  await page.locator('button[type=submit]').click();
  await page.locator('[role=alert]').waitFor();
  await page.locator('input[type=password]').fill('a long sentence');
  await page.locator('button[type=submit]').click();
  await page.waitForURL('**/calls');

  await state('Offered');
  const focused = await page.evaluate(() => document.activeElement?.closest('.offer') !== null);
  assert.equal(focused, false, 'an offer never takes the focus');
  await page.keyboard.press('F8');
  await page.waitForURL((url) => url.pathname === '/');
  await state('Talking');

  await page.locator('#note').fill('hold me m h');
  await state('Talking'); // letters in the note are no commands
  await page.locator('h1').click();
  await page.keyboard.press('h');
  await state('Hold');
  await page.keyboard.press('h');
  await state('Talking');
  await page.getByRole('link', { name: 'Calls', exact: true }).click();
  await page.getByRole('button', { name: 'Hang up' }).waitFor();
  await page.getByRole('link', { name: 'Desk', exact: true }).click();

  mock.cut();
  await page.getByText('Not connected for').waitFor();
  mock.mend();
  await page.getByText('Not connected for').waitFor({ state: 'detached', timeout: 20_000 });
  assert.equal(await page.locator('#note').inputValue(), 'hold me m h', 'a lost connection loses nothing typed');

  await page.getByRole('button', { name: 'Hang up' }).click();
  await state('Wrap-up');
  await page.reload();
  assert.equal(await page.locator('#note').inputValue(), 'hold me m h', 'a reload loses nothing typed');
  const finish = page.getByRole('button', { name: /^Finish/ });
  assert.equal(await finish.isDisabled(), true);
  await page.getByRole('combobox', { name: 'Result' }).fill('warr');
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Yes' }).click();
  await page.keyboard.press('Control+Enter');
  await state('Ready');

  await page.keyboard.press('Control+k');
  await page.keyboard.type('lunch');
  await page.keyboard.press('Enter');
  await state('Break');
  assert.deepEqual(problems, []);
  console.log('desk: 1 passed, 0 failed');
} catch (error) {
  console.log(`FAILED ${error.stack ?? error}\n${problems.join('\n')}\nat ${page.url()}`);
  process.exitCode = 1;
} finally {
  await browser.close();
  await mock.close();
}
