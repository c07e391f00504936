/** Numbers and sounds, which are changed one by one: each act is about its own thing, and what is held back outlives the screen. */
import assert from 'node:assert/strict';

export async function lists({ page, mock }) {
  await page.context().addCookies([{ name: 'antiphon_session', value: 'ready', url: mock.url }]);
  const sent = [];
  page.on('request', (request) => request.method() !== 'GET' && sent.push(`${request.method()} ${new URL(request.url()).pathname.replace('/api/v1', '')}`));
  const open = (name) => page.getByRole('link', { name, exact: true }).click();
  const button = (name) => page.getByRole('button', { name, exact: true });
  const field = (name) => page.locator('.field', { has: page.getByLabel(name, { exact: true }) });
  const focused = () => page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent?.trim());
  const closeToast = (text) => page.locator('.toast', { hasText: text }).getByRole('button', { name: 'Close' }).click();
  /** Keeps requests back until the way to let them go is called. */
  async function keep(path, method) {
    let letGo;
    const kept = new Promise((resolve) => (letGo = resolve));
    await page.route(path, async (route) => {
      if (route.request().method() === method) await kept;
      await route.continue();
    });
    return letGo;
  }
  const context = { page, sent, open, button, field, focused, closeToast, keep };

  await page.goto(`${mock.url}/admin/numbers`);
  await page.getByText('sip:+302105550100@127.0.0.1:5060').waitFor();
  await numbers(context);
  await removals(context);
  await open('Prompts');
  await sounds(context);
  await uploads(context);
}

async function numbers({ page, sent, button, field, keep }) {
  const input = page.getByLabel('New number');
  async function add(text) {
    await input.fill(text);
    await button('Add').click();
  }
  await add('+30 210 555-0100');
  await field('New number').getByText('This number is there already; lead it elsewhere in its row.').waitFor();
  for (const text of ['-', 'a b@c']) {
    await add(text);
    await field('New number').getByText('This is no number that can be dialled.').waitFor();
  }
  assert.deepEqual(sent, [], 'nothing is sent that leads nowhere');
  await add('\u202a210.555.0100\u202c');
  await button('Remove 2105550100').waitFor();
  await add('0210/555');
  await button('Remove 0210555').waitFor();
  assert.deepEqual(sent.splice(0), ['PUT /numbers/2105550100', 'PUT /numbers/0210555']);

  const letGo = await keep('**/numbers/100', 'PUT');
  await input.fill('100');
  await button('Add').dblclick();
  await page.keyboard.press('Enter');
  await input.fill('101');
  letGo();
  await button('Remove 100').waitFor();
  assert.deepEqual(sent.splice(0), ['PUT /numbers/100'], 'a second click sends nothing');
  assert.equal(await input.inputValue(), '101', 'what was typed meanwhile stays');
}

async function removals({ page, sent, open, button, focused, closeToast, keep }) {
  const input = page.getByLabel('New number');
  await button('Remove 0210555').click();
  assert.equal(await focused(), 'Remove 100', 'the focus passes to what stands there now');
  await button('Remove 100').click();
  assert.equal(await focused(), 'Add', 'and from the last row to what follows it');
  await input.fill('');
  await open('Prompts');
  await open('Numbers');
  await button('Remove 2105550100').waitFor();
  await page.getByRole('button', { name: 'Account of' }).click();
  await page.getByRole('menuitemradio', { name: 'فارسی' }).click();
  // The rows that stand in place of those not read yet are none.
  const rows = (lang) => page.locator(`html[lang=${lang}] .row:not([role=status] *)`);
  await rows('fa').first().waitFor();
  assert.equal(await rows('fa').count(), 3, 'neither another screen nor another language brings a row back');
  await page.locator('header .face').click();
  await page.getByRole('menuitemradio', { name: 'English' }).click();
  await rows('en').first().waitFor();
  for (const number of ['100', '0210555']) {
    await page.keyboard.press('Control+z');
    await button(`Remove ${number}`).waitFor();
  }

  // One is held back, one is being removed, and something else is not read yet.
  await button('Remove 2105550100').click();
  await open('Prompts');
  await button('Remove hold-music (Every language)').click();
  await closeToast('hold-music');
  await page.getByText('It was not removed. It is in use', { exact: false }).waitFor();
  await open('Numbers');
  const letGo = await keep('**/numbers/100', 'DELETE');
  await button('Remove 100').click();
  await closeToast(/: 100\b/);
  await input.fill('100');
  await button('Add').click();
  await input.fill('1');
  letGo();
  await button('Remove 100').waitFor();
  assert.deepEqual(sent.filter((one) => one.endsWith('/100')), ['DELETE /numbers/100', 'PUT /numbers/100'], 'what is being removed goes first');
  assert.equal(await page.locator('.toast', { hasText: 'in_use' }).count(), 1, 'what was refused can still be read');
  await page.locator('.toast', { hasText: '2105550100' }).getByRole('button', { name: 'Undo' }).click();
  await button('Remove 2105550100').waitFor();
}

async function sounds({ page, sent, button, field, closeToast, focused }) {
  sent.length = 0;
  await page.getByLabel('New prompt').fill('late');
  await page.getByLabel('Language', { exact: true }).fill('english');
  await page.getByLabel('Sound', { exact: true }).setInputFiles(wav('late'));
  await button('Upload').click();
  await field('Language').getByText('This is no language tag', { exact: false }).waitFor();
  await button('Remove greeting (Greek)').click();
  await button('Remove greeting (Greek)').waitFor({ state: 'detached' });
  assert.match(await focused(), /^Remove .* \(English\)$/);
  await page.keyboard.press('Control+z');
  await button('Remove greeting (Greek)').waitFor();
  assert.deepEqual(sent, [], 'neither a name for a tag nor an undone removal is sent');
  await button('Remove closed (Greek)').click();
  await closeToast('closed');
  await button('Remove closed (Greek)').waitFor({ state: 'detached' });
  assert.deepEqual(sent.splice(0), ['DELETE /prompts/closed/el']);
}

const wav = (name) => ({ name: `${name}.wav`, mimeType: 'audio/wav', buffer: Buffer.alloc(64) });

async function uploads({ page, sent, button, keep }) {
  const input = page.getByLabel('New prompt');
  await page.getByLabel('Language', { exact: true }).fill('en');
  const letGo = await keep('**/prompts/late/en', 'PUT');
  await button('Upload').click();
  const row = page.locator('.sound').first();
  const chosen = row.locator('input[type=file]');
  await chosen.setInputFiles(wav('another'));
  assert.equal(await chosen.inputValue(), '', 'the same file can be chosen again');
  await row.getByText('Being uploaded').waitFor();
  await input.fill('later');
  assert.deepEqual(sent, ['PUT /prompts/late/en'], 'one after the other');
  letGo();
  await button('Remove late (English)').waitFor();
  await row.getByText('Being uploaded').waitFor({ state: 'detached' });
  assert.match(sent.splice(0).join(), /^PUT \/prompts\/late\/en,PUT \/prompts\/greeting\/\w+$/, 'and none is dropped');
  assert.equal(await input.inputValue(), 'later', 'what was typed meanwhile stays, whatever was uploaded');
  await input.fill('last');
  await button('Upload').click();
  await button('Remove last (English)').waitFor();
  await page.waitForFunction(() => document.querySelector('.add input')?.value === '');
}
