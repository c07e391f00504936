/** One call with the mouse: sign in, be ready, accept by F8 on another page, hold, write, hang up, choose the result by typing, finish. */
import assert from 'node:assert/strict';

export async function call({ page, mock, state, signIn, choose }) {
  await page.goto(`${mock.url}/calls`);
  await page.waitForURL('**/sign-in?to=%2Fcalls');
  await page.locator('input[type=email]').fill('rasa@aegean.example');
  await page.locator('input[type=password]').fill('wrong');
  await page.locator('button[type=submit]').click();
  await page.locator('[role=alert]').waitFor();
  await signIn();
  await page.waitForURL('**/calls');

  await state('Offered');
  await page.waitForFunction(() => document.title.startsWith('Incoming call'));
  const focused = await page.evaluate(() => document.activeElement?.closest('.offer') !== null);
  assert.equal(focused, false, 'an offer never takes the focus');
  await page.keyboard.press('F8');
  await page.waitForURL((url) => url.pathname === '/');
  await state('Talking');
  await page.waitForFunction(() => document.title === 'Desk - Antiphon');

  await page.locator('#note').fill('hold me m h');
  await state('Talking'); // letters in the note are no commands
  const notes = [];
  page.on('request', (request) => request.url().endsWith('/note') && notes.push(request.method()));
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

  await page.getByRole('button', { name: 'Mute', exact: true }).click();
  await page.waitForFunction(() => sessionStorage.getItem('antiphon-phone-muted') === 'yes');
  await page.getByRole('button', { name: 'Hang up' }).click();
  await state('Wrap-up');
  await page.waitForFunction(() => sessionStorage.getItem('antiphon-phone-muted') === null);
  await page.reload();
  assert.equal(await page.locator('#note').inputValue(), 'hold me m h', 'a reload loses nothing typed');
  const finish = page.getByRole('button', { name: /^Finish/ });
  assert.equal(await finish.isDisabled(), true);
  await choose('warr');
  await page.getByRole('button', { name: 'Yes' }).click();
  await page.keyboard.press('Control+Enter');
  await state('Ready');
  assert.deepEqual(notes, [], 'a note goes with its wrap-up, not once more by itself');

  await page.keyboard.press('Control+k');
  await page.keyboard.type('lunch');
  await page.keyboard.press('Enter');
  await state('Break');
}
