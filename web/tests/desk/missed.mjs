/** What runs out by itself: an offer that nobody takes, and a wrap-up whose result is not complete. */
import assert from 'node:assert/strict';

export async function missed({ page, mock, state, signIn }) {
  await page.goto(mock.url);
  await signIn();
  const missed = page.locator('.figs div', { hasText: 'Did not answer' }).locator('dd');
  await missed.filter({ hasText: '1' }).waitFor();
  await state('Did not answer');
  // The record has it only after the page was told.
  await missed.filter({ hasText: '2' }).waitFor({ timeout: 10_000 });

  await page.locator('.card').getByRole('button', { name: 'Become ready' }).click();
  await state('Offered');
  await page.keyboard.press('F8');
  await state('Talking');
  await page.getByRole('button', { name: 'Hang up' }).click();
  await state('Wrap-up');
  const note = page.locator('#note');
  await note.fill('x'.repeat(3_799));
  assert.equal(await page.locator('#note-room').count(), 0, 'there is room enough');
  await note.press('End');
  await page.keyboard.type('yz');
  await page.getByText('3,801 of 4,000').waitFor();
  await page.getByRole('button', { name: 'No', exact: true }).click();
  const handedIn = page.waitForRequest((request) => request.method() === 'PUT' && request.url().endsWith('/note'), { timeout: 15_000 });
  await page.locator('.toast', { hasText: 'time was up' }).filter({ hasText: '+370 5 255 0187' }).waitFor({ timeout: 15_000 });
  const keeping = await handedIn;
  assert.equal(keeping.postDataJSON().note.length, 3_801, 'the note is not lost with the result');
  const [, call] = keeping.url().match(/calls\/([\w-]+)\/note$/);
  await page.locator(`.wl a[href="/calls/${call}"]`).waitFor();
}

missed.times = { ringS: 2, wrapUpS: 6 };
