/** Forms of the administration: a refusal is said at its field, nothing is sent that cannot be, what is put right says so. */
import assert from 'node:assert/strict';

export async function admin({ page, mock }) {
  await page.context().addCookies([{ name: 'antiphon_session', value: 'ready', url: mock.url }]);
  await page.goto(`${mock.url}/admin/company`);
  const field = (name) => page.locator('.field', { has: page.getByLabel(name, { exact: true }) });

  await page.getByLabel('Name of the company').fill('Aegean Marine');
  await page.getByLabel('Language', { exact: true }).selectOption('fa');
  await page.keyboard.press('Control+s');
  await field('Language').getByText('has no sound in this language', { exact: false }).waitFor();
  const bar = page.locator('.save [role=alert]');
  assert.match(await bar.innerText(), /Upload it among the prompts first\. not_spoken$/, 'the bar says it once, without the place');
  await page.getByLabel('Language', { exact: true }).selectOption('en');
  assert.equal(await field('Language').getByText('has no sound').count(), 0, 'a field that was changed is no longer wrong');
  await page.locator('.save').getByText('Not saved yet').waitFor();
  await page.getByLabel('Time zone').selectOption('Asia/Tehran');
  await page.keyboard.press('Control+s');
  await page.getByText('Saved, in force from the next call').first().waitFor();
  await page.getByRole('button', { name: 'Account of' }).click();
  await page.getByRole('menu').getByText('Aegean Marine').waitFor();
  await page.keyboard.press('Escape');

  await page.getByRole('link', { name: 'Users', exact: true }).click();
  await page.getByRole('link', { name: /^Navid Rahimi/ }).click();
  await page.getByLabel('Mail address').fill('olga@aegean.example');
  await page.keyboard.press('Control+s');
  await field('Mail address').getByText('Somebody else has this mail address.').waitFor();
  await page.getByLabel('Name', { exact: true }).fill('Navid R.');
  assert.equal(await field('Mail address').getByText('Somebody else').count(), 1, 'another field does not mend it');
  await page.getByLabel('Mail address').fill('olga.s@aegean.example');
  assert.equal(await field('Mail address').getByText('Somebody else').count(), 0);
  await page.locator('.save').getByText('Not saved yet').waitFor();
  await page.getByRole('button', { name: 'Discard' }).click();

  await page.getByRole('link', { name: 'Queues', exact: true }).click();
  let letGo;
  const kept = new Promise((resolve) => (letGo = resolve));
  await page.route('**/api/v1/prompts?*', async (route) => {
    await kept;
    await route.continue();
  });
  await page.locator('.list a[href="/admin/queues/new"]').click();
  await page.getByRole('link', { name: /^Sales/ }).click();
  await page.getByLabel('Places').waitFor();
  letGo();
  await page.getByLabel('Music').locator('option').first().waitFor({ state: 'attached' });
  assert.equal(await page.getByLabel('Name', { exact: true }).inputValue(), 'Sales', 'a new queue that was left does not come late');
  await page.getByLabel('Places').fill('5000');
  await page.keyboard.press('Tab');
  await field('Places').getByText('From 1 to 2,000; set to 2,000.').waitFor();
  assert.equal(await page.getByLabel('Places').inputValue(), '2000');
  await page.getByLabel('Places').fill('50');
  assert.equal(await page.getByText('set to 2,000').count(), 0, 'said until the next input');
  await page.getByLabel('Ring', { exact: true }).fill('1');
  await page.keyboard.press('Tab');
  await field('Ring').getByText('From 5 to 300; set to 5.').waitFor();
  await page.getByRole('button', { name: 'Discard' }).click();
  assert.equal(await page.getByText('set to 5').count(), 0, 'the old number is no news');
  async function retype(name, text) {
    await page.getByLabel(name, { exact: true }).press('Control+a');
    await page.keyboard.type(text);
  }
  const ring = page.getByLabel('Ring', { exact: true });
  const rings = await ring.inputValue();
  await retype('Ring', '12x');
  await page.keyboard.press('Tab');
  assert.equal(await ring.inputValue(), rings, 'what is no number gives way to what was there, not to what it began with');
  const saved = page.waitForRequest((request) => request.method() === 'PUT' && request.url().includes('/queues/'));
  await retype('Places', '5000');
  await page.keyboard.press('Control+s');
  assert.equal((await saved).postDataJSON().length_max, 2000, 'no number on its way to what was typed is saved');
  await field('Places').getByText('From 1 to 2,000; set to 2,000.').waitFor();
  assert.deepEqual(await page.evaluate(() => [document.activeElement?.value, document.activeElement?.getAttribute('role')]), ['2000', 'spinbutton'], 'the focus stays');

  await page.getByRole('link', { name: 'Results', exact: true }).click();
  const row = page.locator('.row:not(.head)').nth(7);
  const word = row.getByLabel('Words');
  await word.fill('Warranty\u0007');
  await page.getByLabel('Words').first().fill(' Late repair ');
  const refused = page.waitForRequest((request) => request.url().endsWith('/dispositions') && request.method() === 'PUT');
  await page.keyboard.press('Control+s');
  assert.equal((await refused).postDataJSON().items[0].label, 'Late repair', 'no blank around it is sent');
  await row.getByText('A name has 1 to 64 characters').waitFor();
  assert.equal(await page.locator('.row [role=alert]').count(), 1, 'the row that is wrong, and no other');
  assert.doesNotMatch(await bar.innerText(), /items/, 'the bar says it once, without the place');
  await word.fill('Warranty');
  await page.locator('.save').getByText('Not saved yet').waitFor();
  await page.keyboard.press('Control+s');
  await page.locator('.save').getByText('Saved, in force').waitFor();

  await page.getByRole('link', { name: 'Flows', exact: true }).click();
  await page.getByRole('link', { name: /^Main greeting/ }).click();
  const text = page.getByLabel('Flow document');
  await text.waitFor();
  await page.getByRole('button', { name: 'Steps' }).click();
  const before = await text.inputValue();
  await page.getByRole('button', { name: 'Insert menu' }).click();
  const added = await text.inputValue();
  assert.equal(JSON.parse(added).nodes['menu-2'].type, 'menu', 'the example stands under a free name');
  assert.equal(await text.evaluate((area) => area.value.slice(area.selectionStart, area.selectionEnd)), 'menu-2', 'and the name is marked');
  await page.keyboard.type('choice');
  assert.equal(await text.inputValue(), added.replace('menu-2', 'choice'), 'the next keys rename it');
  for (let n = 0; n < 9 && (await text.inputValue()) !== before; n += 1) await page.keyboard.press('Control+z');
  assert.equal(await text.inputValue(), before, 'the undo of the field takes it back');
  await page.locator('.faults').getByText('No faults').waitFor();
  await text.fill('{');
  assert.equal(await page.getByRole('button', { name: 'Insert menu' }).isDisabled(), true);
  await page.getByRole('complementary', { name: 'Steps' }).getByRole('button', { name: 'Close' }).click();
  assert.equal(await page.evaluate(() => document.activeElement?.getAttribute('aria-label')), 'Steps', 'the focus goes back to where it came from');
}
