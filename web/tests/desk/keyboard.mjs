/** One call without the mouse: accept on the card, keys, hold, mute, hang up, wrap up; then an offer is declined. Whatever has the focus shows it. */
import assert from 'node:assert/strict';

/** Runs in the page: what has the focus, by its name, and whether one sees it. */
function focus() {
  const element = document.activeElement === document.body ? null : document.activeElement;
  const ring = (one) => one !== null && (getComputedStyle(one).boxShadow !== 'none' || getComputedStyle(one).outlineStyle !== 'none');
  return { name: (element?.getAttribute('aria-label') ?? element?.textContent ?? '').trim(), seen: ring(element) || ring(element?.closest('.input') ?? null) };
}

export async function keyboard({ page, mock, state, signIn }) {
  const { keyboard: keys } = page;
  /** Walks with Tab until something of this name has the focus; every stop on the way has to show itself. */
  async function to(name, step = 'Tab') {
    for (let stops = 0; stops < 60; stops += 1) {
      await keys.press(step);
      const at = await page.evaluate(focus);
      if (at.name === '') continue; // the page itself
      assert(at.seen, `the focus is seen on "${at.name}"`);
      if (name.test(at.name)) return;
    }
    assert.fail(`${name} is reached by Tab`);
  }
  const command = async (words) => {
    await keys.press('Control+k');
    await page.locator('dialog[open] input').waitFor();
    await keys.type(words);
    await keys.press('Enter');
  };

  await page.goto(`${mock.url}/sign-in`);
  await signIn();
  await state('Offered');
  await page.locator('[aria-live=assertive]').filter({ hasText: /^Incoming call: \+370/ }).waitFor({ state: 'attached' });
  await to(/^Incoming call$/);
  await keys.press('Enter');
  await state('Talking');

  await to(/^Mute$/);
  await keys.press('Space');
  await page.locator('.phone .key[aria-pressed=true]', { hasText: 'Muted' }).waitFor();
  await keys.press('m');
  await page.locator('.phone .key[aria-pressed=false]', { hasText: 'Mute' }).waitFor();
  await to(/^Keypad$/);
  await keys.press('Enter');
  await page.locator('.phone [role=group]').waitFor();
  assert.deepEqual(await page.evaluate(focus), { name: 'Keypad', seen: true }, 'the keys have the focus and show it');
  await keys.press('Escape');
  assert.match((await page.evaluate(focus)).name, /^Keypad$/);
  assert.equal(await page.evaluate(() => document.activeElement?.getAttribute('aria-expanded')), 'false', 'the focus is back where it was');
  await keys.press('h');
  await state('Hold');
  await command('back to');
  await state('Talking');
  await to(/^Hang up$/);
  await keys.press('Enter');
  await state('Wrap-up');

  await page.locator('h1').first().click(); // the focus went with the button
  await to(/^1 minute more$/);
  await page.locator('#note').focus();
  await keys.type('asked for the invoice');
  await keys.press('Tab');
  await keys.type('invoice');
  await keys.press('Enter');
  await to(/^Yes$/);
  await keys.press('Space');
  await to(/^Finish/);
  await keys.press('Enter');
  await state('Ready');

  await state('Offered');
  await to(/^Decline/);
  await keys.press('Enter');
  await page.locator('[role=menu]').waitFor();
  await keys.press('ArrowDown');
  await page.locator('[role=menuitem]:focus').waitFor();
  await keys.press('Enter');
  await state('Break');
}
