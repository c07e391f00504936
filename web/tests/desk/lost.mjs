/** What a lost connection and a slow answer must not cost: quiet after an offer's end, and words that were typed meanwhile. */
import assert from 'node:assert/strict';

export async function lost({ page, mock, state, signIn, choose }) {
  await page.addInitScript(() => {
    window.tones = 0;
    const start = OscillatorNode.prototype.start;
    OscillatorNode.prototype.start = function (...when) {
      window.tones += 1;
      return start.apply(this, when);
    };
  });
  await page.clock.install();
  await page.goto(mock.url);
  await signIn();
  const tones = () => page.evaluate(() => window.tones);
  const rungFor = async (ms) => {
    const before = await tones();
    await page.clock.fastForward(ms);
    return (await tones()) - before;
  };

  await state('Offered');
  await page.keyboard.press('F8');
  await state('Talking');
  await page.getByRole('button', { name: 'Hang up' }).click();
  await state('Wrap-up');
  const note = page.locator('#note');
  await note.fill('first');
  await choose('warr');
  await page.getByRole('button', { name: 'Yes' }).click();
  let answered;
  const held = new Promise((resolve) => (answered = resolve));
  await page.route('**/wrap-up', async (route) => {
    await held;
    await route.continue();
  });
  const handedIn = page.waitForRequest('**/wrap-up');
  await page.keyboard.press('Control+Enter');
  assert.equal((await handedIn).postDataJSON().note, 'first');
  await note.fill('first, then more');
  const added = page.waitForRequest((request) => request.method() === 'PUT' && request.url().endsWith('/note'));
  answered();
  assert.equal((await added).postDataJSON().note, 'first, then more');

  await state('Offered');
  await page.waitForFunction(() => window.tones > 0);
  assert.ok((await rungFor(4_000)) > 0, 'the bell goes on while a call is offered');
  mock.cut();
  await page.getByText('Not connected for').waitFor();
  await rungFor(60_000);
  assert.equal(await rungFor(10_000), 0, 'the bell ends with its offer, also without a connection');
}
