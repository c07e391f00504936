/** A desk phone: the page asks for no microphone and answers nothing, the telephone does. Its secret is shown once and costs nothing typed. */
import assert from 'node:assert/strict';

const SCENE = 'live.phone';

export async function phone({ page, mock, state }) {
  await page.context().addCookies([{ name: 'antiphon_session', value: SCENE, url: mock.url }]);
  await page.addInitScript(() => {
    window.asked = 0;
    navigator.mediaDevices.getUserMedia = () => {
      window.asked += 1;
      return Promise.reject(new Error('not asked for'));
    };
  });
  const sent = [];
  page.on('websocket', (socket) => socket.on('framesent', ({ payload }) => sent.push(JSON.parse(String(payload)).type)));
  page.on('request', (request) => request.url().endsWith('/accept') && sent.push('accept'));
  await page.goto(mock.url);
  const bar = page.locator('.phone');
  await bar.getByText('Desk phone registered').waitFor();
  assert.equal(await bar.getByRole('button').count(), 0, 'the page has nothing to connect and no sound to choose');

  await state('Offered');
  const card = page.locator('.offer:visible');
  await card.getByText('Answer on your telephone').waitFor();
  assert.equal(await card.getByRole('button', { name: /^Accept/ }).count(), 0);
  await page.keyboard.press('F8');
  await card.focus();
  await page.keyboard.press('Enter');
  await page.keyboard.press('Control+k');
  await page.getByRole('dialog').getByText('Decline', { exact: false }).first().waitFor();
  assert.equal(await page.getByRole('dialog').getByText('Accept', { exact: true }).count(), 0);
  await page.keyboard.press('Escape');
  mock.lift(SCENE);
  await state('Talking');
  assert.deepEqual(await bar.getByRole('button').allInnerTexts(), ['Hold', 'Transfer', 'Hang up'], 'mute and keys are the telephone\'s');
  await page.keyboard.press('m');
  await page.keyboard.press('h');
  await state('Hold');
  await bar.getByRole('button', { name: 'Hang up' }).click();
  await state('Wrap-up');
  assert.deepEqual(sent.filter((one) => one === 'accept' || one.startsWith('rtc.')), []);
  assert.equal(await page.evaluate(() => window.asked), 0);
}

export async function secret({ page, mock }) {
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.context().addCookies([{ name: 'antiphon_session', value: 'ready', url: mock.url }]);
  await page.goto(`${mock.url}/admin/users`);
  const people = page.getByRole('region', { name: 'Users' });
  const make = page.getByRole('button', { name: 'Make a secret' });

  await people.getByText('Navid Rahimi').click();
  await page.getByRole('button', { name: 'Desk phone or app' }).click();
  await page.getByText('Save first; then make its secret.').waitFor();
  assert.equal(await make.count(), 0);
  await page.keyboard.press('Control+s');
  await page.getByText('It has no secret yet').waitFor();
  await page.getByLabel('Name', { exact: true }).fill('Navid R.');
  await make.click();
  await page.getByText('192.0.2.20:5060').waitFor();
  await page.getByRole('button', { name: 'Copy: Password' }).click();
  await page.getByText('Copied').first().waitFor();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  await page.getByText(copied, { exact: true }).waitFor();
  assert.equal(await page.getByLabel('Name', { exact: true }).inputValue(), 'Navid R.', 'what was typed is still there');
  await page.keyboard.press('Control+s');
  await page.locator('.save').getByText('Saved, in force').waitFor();
  assert.equal(await page.getByRole('dialog').count(), 0, 'our own secret is no change by somebody else');
  await page.getByText(copied, { exact: true }).waitFor();

  await page.getByRole('button', { name: 'Make a new secret' }).click();
  const question = page.getByRole('dialog', { name: 'New secret for the phone of Navid R.?' });
  assert.equal(await page.evaluate(() => document.activeElement?.textContent?.trim()), 'Cancel', 'the safe act has the focus');
  await question.getByText('unregistered at once').waitFor();
  await question.getByRole('button', { name: 'Make a new secret' }).click();
  await question.waitFor({ state: 'detached' });

  await people.getByText('Olga Smirnova').click();
  await page.getByText('4093817265').waitFor();
  assert.equal(await page.getByText(copied, { exact: true }).count(), 0, 'a secret that was left is gone');
}
