/** Hold and back: the lists beside the call are no news, so nothing of them is read again or flickers. */
import assert from 'node:assert/strict';

/** Longer than the record is waited for. */
const FOLLOWED_MS = 3_000;

export async function hold({ page, mock, state, signIn, choose }) {
  await page.clock.install();
  await page.goto(mock.url);
  await signIn();
  const lists = [];
  page.on('request', (request) => {
    if (/\/callbacks|[?&](caller|agent)=/.test(request.url())) lists.push(request.url());
  });
  /** Until what was begun is read; the marker comes behind all of it. */
  async function settled() {
    await page.clock.fastForward(FOLLOWED_MS);
    await page.evaluate(() => fetch('/api/v1/me').then((answer) => answer.text()));
  }
  await state('Offered');
  await page.keyboard.press('F8');
  await state('Talking');
  await settled();
  const earlier = page.locator('.ctx .past').first();
  await earlier.waitFor();
  const row = await earlier.elementHandle();
  lists.length = 0;
  for (const word of ['Hold', 'Talking']) {
    await page.keyboard.press('h');
    await state(word);
    await settled();
  }
  assert.deepEqual(lists, []);
  assert.equal(await row.evaluate((element) => element.isConnected), true, 'the earlier calls stand still');

  const waiting = (n) => ({ call: `0193d900-0000-7000-8000-${String(n).padStart(12, '0')}`, caller: '+302105550142', queue: { id: 'q', name: 'Repairs' }, waiting_since: '2026-11-24T08:00:00Z', listed_at: '2026-11-24T08:04:00Z', done: false });
  await page.route('**/api/v1/callbacks*', (route) => route.fulfill({ json: { items: Array.from({ length: 200 }, (_, n) => waiting(n)), next_cursor: 'more' } }));
  await page.getByRole('button', { name: 'Hang up' }).click();
  await state('Wrap-up');
  await choose('warr');
  await page.getByRole('button', { name: 'Yes' }).click();
  await page.keyboard.press('Control+Enter');
  await state('Ready');
  await settled();
  await page.locator('.wl-g', { hasText: 'To call back 200+' }).waitFor();
  assert.ok(lists.some((url) => url.includes('/callbacks')), 'they are read when the call is over');
  assert.ok(!lists.some((url) => url.includes('cursor=')), 'and no page but the first');
}
