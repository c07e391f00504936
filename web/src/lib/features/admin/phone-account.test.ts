import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { PhoneAccount } from './phone-account.svelte';

/** A house with one person, whose telephone may have a user name. */
const house = { n: 7, name: null as string | null, device: 'phone' };
let sent: string[];
let account: PhoneAccount;

const json = (status: number, body: object) => Response.json(body, { status, headers: { etag: `"${house.n}"` } });

function answer(method: string, ifMatch: string | null): Response {
  if (method === 'GET') return json(200, { phone_username: house.name });
  if (ifMatch !== `"${house.n}"`) return json(412, { code: 'stale' });
  if (house.device !== 'phone') return json(409, { code: 'no_phone' });
  house.name ??= '4093817265';
  house.n += 1;
  return json(200, { username: house.name, secret: `secret ${house.n}`, server: '192.0.2.20:5060' });
}

beforeEach(async () => {
  Object.assign(house, { n: 7, name: null, device: 'phone' });
  sent = [];
  vi.stubGlobal('fetch', async (url: string, init: RequestInit) => {
    const headers = new Headers(init.headers);
    sent.push([init.method, url, headers.get('if-match')].join(' '));
    expect(headers.get('idempotency-key'), 'no answer with a secret is to be remembered').toBeNull();
    return answer(init.method ?? '', headers.get('if-match'));
  });
  account = new PhoneAccount('u');
  await account.known.load();
  sent.length = 0;
});
afterEach(() => vi.unstubAllGlobals());

it('shows the secret that was made and knows its user name', async () => {
  expect(account.username).toBeNull();
  expect(await account.make()).toBe(true);
  expect(sent).toEqual(['POST /api/v1/users/u/phone-secret "7"']);
  expect([account.made?.secret, account.username]).toEqual(['secret 8', '4093817265']);
  expect(await account.make()).toBe(true);
  expect([account.made?.secret, account.problem]).toEqual(['secret 9', null]);
});

it('goes on when something else was changed meanwhile', async () => {
  house.n = 30;
  expect(await account.make()).toBe(true);
  expect(account.made?.secret).toBe('secret 31');
});

it('does not end a secret that nobody here has seen', async () => {
  Object.assign(house, { n: 8, name: '7180264593' });
  expect(await account.make()).toBe(false);
  expect([account.problem?.code, account.made, account.busy]).toEqual(['stale', null, false]);
  await vi.waitFor(() => expect(account.username).toBe('7180264593'));
  expect(await account.make()).toBe(true);
});

it('says why there is none', async () => {
  house.device = 'browser';
  expect(await account.make()).toBe(false);
  expect(account.problem?.code).toBe('no_phone');
});
