/** Forms of the administration: a refusal is said at its field, nothing is sent that cannot be, what is put right says so. */
import assert from 'node:assert/strict';

export async function admin({ page, mock }) {
  await page.context().addCookies([{ name: 'antiphon_session', value: 'ready', url: mock.url }]);
  await page.goto(`${mock.url}/admin/company`);
  const field = (name) => page.locator('.field', { has: page.getByLabel(name, { exact: true }) });
  const sent = [];
  page.on('request', (request) => request.method() !== 'GET' && sent.push(`${request.method()} ${new URL(request.url()).pathname.replace('/api/v1', '')}`));

  await page.getByLabel('Name of the company').fill('Aegean Marine');
  await page.getByLabel('Language', { exact: true }).selectOption('fa');
  await page.keyboard.press('Control+s');
  await field('Language').getByText('has no sound in this language', { exact: false }).waitFor();
  const bar = page.locator('.save [role=alert]');
  assert.match(await bar.innerText(), /Upload it among the prompts first\. not_spoken$/, 'the bar says it once, without the place');
  await page.getByLabel('Language', { exact: true }).selectOption('en');
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
  await page.getByRole('button', { name: 'Discard' }).click();
  assert.equal(await field('Mail address').getByText('Somebody else').count(), 0);

  await page.getByRole('link', { name: 'Queues', exact: true }).click();
  await page.getByRole('link', { name: /^Sales/ }).click();
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

  await page.getByRole('link', { name: 'Numbers', exact: true }).click();
  await page.getByText('sip:+302105550100@127.0.0.1:5060').waitFor();
  sent.length = 0;
  await page.getByLabel('New number').fill('+30 210 555-0100');
  await page.getByRole('button', { name: 'Add' }).click();
  await field('New number').getByText('This number is there already; lead it elsewhere in its row.').waitFor();
  assert.deepEqual(sent, [], 'a number that is there is not led elsewhere');
  await page.getByLabel('New number').fill('100');
  let answer;
  const held = new Promise((resolve) => (answer = resolve));
  await page.route('**/numbers/100', async (route) => {
    await held;
    await route.continue();
  });
  await page.getByRole('button', { name: 'Add' }).dblclick();
  await page.keyboard.press('Enter');
  answer();
  await page.getByRole('button', { name: 'Remove 100' }).waitFor();
  assert.deepEqual(sent, ['PUT /numbers/100'], 'a second click sends nothing');
  await page.getByRole('button', { name: 'Remove 100' }).click();
  await page.getByLabel('New number').fill('100');
  await page.getByRole('button', { name: 'Add' }).click();
  await page.getByRole('button', { name: 'Remove 100' }).waitFor();
  assert.deepEqual(sent.slice(1), ['DELETE /numbers/100', 'PUT /numbers/100'], 'what is still being removed goes first');

  await page.getByRole('link', { name: 'Prompts', exact: true }).click();
  sent.length = 0;
  await page.getByLabel('New prompt').fill('late');
  await page.getByLabel('Language', { exact: true }).fill('english');
  await page.getByLabel('Sound', { exact: true }).setInputFiles({ name: 'late.wav', mimeType: 'audio/wav', buffer: Buffer.alloc(64) });
  await page.getByRole('button', { name: 'Upload' }).click();
  await field('Language').getByText('This is no language tag', { exact: false }).waitFor();
  await page.getByRole('button', { name: 'Remove greeting (Greek)' }).click();
  await page.getByRole('button', { name: 'Remove greeting (Greek)' }).waitFor({ state: 'detached' });
  await page.keyboard.press('Control+z');
  await page.getByRole('button', { name: 'Remove greeting (Greek)' }).waitFor();
  assert.deepEqual(sent, [], 'neither a name for a tag nor an undone removal is sent');
  const close = page.locator('.toast').last().getByRole('button', { name: 'Close' });
  await page.getByRole('button', { name: 'Remove closed (Greek)' }).click();
  await close.click();
  await page.getByRole('button', { name: 'Remove hold-music (Every language)' }).click();
  await close.click();
  await page.getByText('It was not removed. It is in use', { exact: false }).waitFor();
  await page.getByRole('button', { name: 'Remove hold-music (Every language)' }).waitFor();
  assert.equal(await page.getByRole('button', { name: 'Remove closed (Greek)' }).count(), 0);
  assert.deepEqual(sent, ['DELETE /prompts/closed/el', 'DELETE /prompts/hold-music/*']);

  await page.getByRole('link', { name: 'Flows', exact: true }).click();
  await page.getByRole('link', { name: /^Main greeting/ }).click();
  const text = page.getByLabel('Flow document');
  await text.waitFor();
  await page.getByRole('button', { name: 'Steps' }).click();
  await page.getByRole('button', { name: 'Insert menu' }).click();
  const nodes = JSON.parse(await text.inputValue()).nodes;
  assert.equal(nodes['menu-2'].type, 'menu', 'the example stands under a free name');
  assert.equal(await text.evaluate((area) => JSON.parse(`{${area.value.slice(area.value.lastIndexOf('"menu-2"'), area.selectionEnd)}}`)['menu-2'].type), 'menu', 'and is marked');
  await text.fill('{');
  assert.equal(await page.getByRole('button', { name: 'Insert menu' }).isDisabled(), true);
}
