/** The house is down, comes back, or sends somebody away: the page says so and reads anew what may have changed. */
import assert from 'node:assert/strict';

export async function house({ page, mock, state, signIn }) {
  let onNews = () => {};
  page.on('websocket', (socket) => socket.on('framereceived', ({ payload }) => String(payload).includes('"topic":"me"') && onNews()));
  await page.route('**/api/v1/**', (route) => route.abort());
  await page.goto(mock.url);
  await page.getByText('The server does not answer', { exact: true }).waitFor();
  await page.getByText('Check the network', { exact: false }).waitFor();
  await page.getByText('unreachable', { exact: true }).waitFor();
  await page.unroute('**/api/v1/**');
  await page.context().addCookies([{ name: 'antiphon_session', value: 'dead', url: mock.url }]);
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.getByText('The server failed', { exact: true }).waitFor();
  await page.getByText('internal · req-7f3a').waitFor();
  await page.context().clearCookies();
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.locator('input[type=email]').waitFor();
  assert.equal(await page.getByText('You were signed out here').count(), 0, 'nobody was here before');
  await signIn();
  await state('Ready');

  const lists = [];
  page.on('request', (request) => request.url().includes('/api/v1/callbacks') && lists.push(request.url()));
  async function again() {
    mock.cut();
    await page.getByText('Not connected for').waitFor();
    const before = lists.length;
    const news = new Promise((resolve) => (onNews = resolve));
    mock.mend();
    await page.getByText('Not connected for').waitFor({ state: 'detached', timeout: 20_000 });
    // The own state is the last that comes back; whatever hangs on it is asked for before the page is drawn twice.
    await news;
    await page.evaluate(() => new Promise((done) => { requestAnimationFrame(() => requestAnimationFrame(done)); }));
    assert.equal(lists.length, before + 1, 'read once, when the house is back');
  }
  await page.locator('.wl').getByText('To call back').waitFor();
  await again();
  await page.getByRole('link', { name: 'Call back', exact: true }).click();
  await page.locator('.item').first().waitFor();
  await again();

  await page.context().clearCookies();
  mock.cut();
  mock.mend();
  await page.waitForURL('**/sign-in**', { timeout: 20_000 });
  await page.getByText('You were signed out here').waitFor();
  const described = await page.evaluate(() => document.getElementById(document.activeElement?.getAttribute('aria-describedby') ?? '')?.textContent);
  assert.match(described ?? '', /You were signed out here/, 'it is read out with the field that has the focus');
  await signIn();
  await page.getByRole('button', { name: 'Account of' }).click();
  await page.getByRole('menuitem', { name: 'Sign out' }).click();
  await page.locator('input[type=email]').waitFor();
  assert.equal(await page.getByText('You were signed out here').count(), 0, 'whoever leaves knows why');
}
