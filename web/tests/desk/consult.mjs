/** A colleague is asked in from the menu, let in and out, let go, and gets the customer. */
import assert from 'node:assert/strict';

export async function consult({ page, mock, state, signIn }) {
  await page.goto(mock.url);
  await signIn();
  await state('Offered');
  await page.keyboard.press('F8');
  await state('Talking');
  const key = (name) => page.locator('.keys').getByRole('button', { name, exact: true });
  const says = (text) => page.locator('.phone').getByRole('status').filter({ hasText: text }).waitFor();
  async function ask() {
    await key('Transfer').click();
    // Who is not free is there to be seen and cannot be chosen.
    const busy = page.getByRole('menuitem', { name: /Helen Marsh/ });
    await busy.waitFor();
    assert.equal(await busy.getAttribute('aria-disabled'), 'true');
    await page.getByRole('menuitem', { name: /Navid Rahimi/ }).click();
    await says('Ringing Navid Rahimi');
    assert.equal(await key('Hand over').count(), 0, 'nobody is there yet who could take over');
    assert.equal(await key('Transfer').count(), 0, 'one at a time');
  }

  await ask();
  await state('Hold');
  await says('With Navid Rahimi');
  const sent = [];
  page.on('request', (request) => request.method() === 'POST' && sent.push(request.url().split('/').at(-1)));
  await page.keyboard.press('h');
  await key('All three').click();
  await state('Talking');
  await says('All three, with Navid Rahimi');
  assert.deepEqual(sent, ['conference'], 'the key for hold means nothing here');
  await key('Colleague alone').click();
  await state('Hold');
  await key('Back to the caller').click();
  await state('Talking');
  await key('Transfer').waitFor();

  await ask();
  await says('With Navid Rahimi');
  await page.keyboard.press('Control+k');
  await page.getByRole('option', { name: 'Hand over' }).click();
  await state('Wrap-up');

  // The customer is theirs as soon as they answer.
  await page.context().addCookies([{ name: 'antiphon_session', value: 'talking', url: mock.url }]);
  await page.goto(mock.url);
  await state('Talking');
  await key('Transfer').click();
  const atOnce = page.getByRole('menuitemcheckbox', { name: 'Send at once, without talking first' });
  await atOnce.click();
  assert.equal(await atOnce.getAttribute('aria-checked'), 'true', 'the menu stays open');
  await page.getByRole('menuitem', { name: /Navid Rahimi/ }).click();
  await says('Sending to Navid Rahimi');
  await state('Wrap-up');

  // As the colleague one can leave, and nothing else.
  await page.context().addCookies([{ name: 'antiphon_session', value: 'guest', url: mock.url }]);
  await page.goto(mock.url);
  await says('With Navid Rahimi');
  await page.locator('.phone').getByRole('button', { name: 'Leave' }).waitFor();
  for (const name of ['Hold', 'Transfer', 'Keypad', 'All three', 'Hand over', 'Back to the caller']) assert.equal(await key(name).count(), 0, name);
  sent.length = 0;
  await page.keyboard.press('h');
  await page.evaluate(() => fetch('/api/v1/me').then((answer) => answer.text()));
  assert.deepEqual(sent, []);
}
