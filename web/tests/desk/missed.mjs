/** What runs out by itself: an offer that nobody takes, and a wrap-up whose result is not complete. */
import assert from 'node:assert/strict';

export async function missed({ page, mock, state, signIn }) {
  await page.goto(mock.url);
  await signIn();
  await state('Offered');
  const reread = page.waitForRequest((request) => request.url().endsWith('/api/v1/desk'), { timeout: 10_000 });
  await state('Did not answer');
  await reread;

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
  assert.equal((await handedIn).postDataJSON().note.length, 3_801, 'the note is not lost with the result');
}

missed.times = { ringS: 2, wrapUpS: 6 };
