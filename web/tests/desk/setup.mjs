/** The first start: a refusal is said at its field, once, and no longer than it is true. */
import assert from 'node:assert/strict';

export async function setup({ page, mock }) {
  await page.goto(mock.url);
  await page.waitForURL('**/setup');
  const input = (name) => page.getByLabel(name, { exact: true });
  const told = (name, text) => page.locator('.field', { has: input(name) }).getByText(text, { exact: false });
  const send = () => page.getByRole('button', { name: 'Set up and sign in' }).click();
  const alone = async () => assert.equal(await page.locator('[role=alert]').count(), 1, 'at its field and nowhere else');
  await input('Set-up token').fill('wrong');
  await input('Name of the company').fill('   ');
  await input('Name').fill('Olga Smirnova');
  await input('Mail address').fill('olga@aegean.example');
  await input('Password').fill('111111111111');
  const faults = [
    ['Set-up token', 'This token is not valid', 'abcd-efgh'],
    ['Name of the company', 'A name has 1 to 64 characters', 'Aegean Repairs'],
    ['Password', 'not all the same', 'a long sentence']
  ];
  for (const [name, text, better] of faults) {
    await send();
    await told(name, text).waitFor();
    await alone();
    await input(name).fill(better);
    assert.equal(await page.locator('[role=alert]').count(), 0, 'a field that was changed is no longer wrong');
  }
  await send();
  await page.waitForURL((url) => url.pathname === '/');
}

setup.setup = true;
