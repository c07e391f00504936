/** Changing one's password and taking somebody out: asked before, refused in words, undone where it can be. */
import assert from 'node:assert/strict';

export async function account({ page, mock, signIn }) {
  await page.goto(`${mock.url}/sign-in?to=${encodeURIComponent('/admin/users')}`);
  await signIn();
  await page.waitForURL('**/admin/users');

  await page.getByRole('button', { name: 'Account of' }).click();
  await page.getByRole('menuitem', { name: 'Change password' }).click();
  const dialog = page.getByRole('dialog', { name: 'Change password' });
  const field = (name) => dialog.getByLabel(name, { exact: true });
  const send = dialog.getByRole('button', { name: 'Change password' });
  await field('Present password').waitFor();
  assert.equal(await page.evaluate(() => document.activeElement?.getAttribute('autocomplete')), 'current-password', 'the first field has the focus');
  await field('Present password').fill('wrong');
  await field('New password').fill('short');
  await dialog.getByText('At least 12 characters, and not all the same.', { exact: true }).waitFor();
  assert.equal(await send.isDisabled(), true);
  await field('New password').fill('a new sentence');
  await field('New password again').fill('a now');
  await dialog.getByText('The two are not the same.').waitFor();
  await field('New password again').fill('a new sentence');
  await page.keyboard.press('Enter');
  await dialog.getByText('This is not your password.').waitFor();
  assert.equal(await field('Present password').inputValue(), '', 'the wrong one is gone');
  await page.keyboard.type('an old sentence');
  await send.click();
  await dialog.waitFor({ state: 'detached' });
  await page.getByText('Password changed').waitFor();
  await page.keyboard.press('Control+k');
  await page.keyboard.type('password');
  await page.keyboard.press('Enter');
  await dialog.waitFor();
  assert.equal(await field('New password').inputValue(), '', 'nothing of it is kept');
  await page.keyboard.press('Escape');

  const people = page.getByRole('region', { name: 'Users' });
  const remove = page.getByRole('button', { name: 'Remove the user' });
  await people.getByText('Rasa Kazlauskienė').click();
  await page.getByText('Nobody removes their own account.').waitFor();
  assert.equal(await remove.count(), 0, 'nobody is offered to remove themselves');

  await people.getByText('Olga Smirnova').click();
  await remove.click();
  const question = page.getByRole('dialog', { name: 'Remove Olga Smirnova?' });
  assert.equal(await page.evaluate(() => document.activeElement?.textContent?.trim()), 'Cancel', 'the safe act has the focus');
  await question.getByRole('button', { name: 'Remove the user' }).click();
  await question.getByText('It was not removed.', { exact: false }).waitFor();
  await question.getByText('not_saved').waitFor();
  await question.getByRole('button', { name: 'Cancel' }).click();

  await people.getByText('Navid Rahimi').click();
  await remove.click();
  await page.getByRole('dialog').getByRole('button', { name: 'Remove the user' }).click();
  await page.waitForURL('**/admin/users');
  await page.getByText('Removed: Navid Rahimi').waitFor();
  await people.getByText('Navid Rahimi').waitFor({ state: 'detached' });

  // Three acts are held back at once, and Ctrl+Z takes the newest back.
  await page.getByRole('link', { name: 'Call back' }).click();
  const open = page.locator('.item', { has: page.getByRole('button', { name: 'Done' }) });
  for (let n = 0; n < 3; n += 1) await open.first().getByRole('button').click();
  assert.equal(await page.getByRole('button', { name: 'Undo' }).count(), 3);
  await page.keyboard.press('Control+z');
  assert.equal(await open.count(), 1);
  await page.getByRole('link', { name: 'Calls', exact: true }).click();
  await page.getByRole('link', { name: 'Call back' }).click();
  await open.first().waitFor();
  assert.equal(await open.count(), 1, 'what is held back is known to the page that is opened anew');
}
