// The very first start: an empty folder, a token on the console, a company, a person.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Browser } from '../lib/browser.mjs';
import { serve } from '../lib/house.mjs';
import { until } from '../lib/wait.mjs';

const PASSWORD = 'a long enough password';

async function firstStart(stage) {
  const folder = mkdtempSync(join(tmpdir(), 'antiphon-first-'));
  const program = serve(join(folder, 'data'), { cwd: folder });
  let browser;
  try {
    const text = await until('the token on the console', () => /token/i.test(program.errors) && /http:\/\/127\.0\.0\.1:\d+/.test(program.errors) && program.errors, 60_000);
    const http = text.match(/http:\/\/127\.0\.0\.1:\d+/)[0];
    const token = text.match(/token\W+(?:is\W+)?([A-Za-z0-9_-]{16,})/i)?.[1];
    assert(token, `no token in: ${text}`);
    const house = { http, folder, account: () => ({ password: PASSWORD }) };
    browser = await Browser.start();
    const desk = await browser.person(house);
    stage.desks.push(desk);
    const { page } = desk;
    await page.goto(http);
    await page.waitForURL('**/setup');
    const fields = page.locator('form input');
    const fill = async (value) => {
      await fields.nth(0).fill(value);
      await fields.nth(1).fill('Harbour Repairs');
      await fields.nth(2).fill('Admin');
      await fields.nth(3).fill('admin@harbour.example');
      await fields.nth(4).fill(PASSWORD);
      await page.locator('button[type=submit]').click();
    };
    await fill('not-the-token');
    await page.getByText('This token is not valid', { exact: false }).waitFor();
    await fill(token);
    await page.waitForURL((url) => url.pathname !== '/setup');
    await page.getByText('Sign in', { exact: true }).waitFor({ state: 'detached' });
    const again = await fetch(`${http}/api/v1/setup`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: http },
      body: JSON.stringify({ token, tenant_name: 'x', zone: 'UTC', language: 'en', admin: { mail: 'x@x.example', name: 'x', password: PASSWORD } })
    });
    assert(again.status >= 400 && again.status < 500, `a second set-up is refused, not ${again.status}`);
    // The person can sign in anew, and not with another password.
    const other = await browser.person(house);
    await other.page.goto(http);
    const signIn = async (password) => {
      await other.page.locator('input[type=email]').fill('admin@harbour.example');
      await other.page.locator('input[type=password]').fill(password);
      await other.page.locator('button[type=submit]').click();
    };
    await signIn('another long password');
    await other.page.getByRole('alert').waitFor();
    await signIn(PASSWORD);
    await other.page.locator('input[type=password]').waitFor({ state: 'detached' });
    const me = await other.page.evaluate(() => fetch('/api/v1/me').then((response) => response.json()));
    assert.equal(me.tenant.name, 'Harbour Repairs');
    assert.equal(me.role, 'administrator');
  } catch (error) {
    error.stack += `\n${program.errors.slice(-1_500)}`;
    throw error;
  } finally {
    await browser?.close();
    await program.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

export const tests = [{ name: 'the first start', deadline_s: 90, run: firstStart }];
