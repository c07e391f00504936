import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Me } from '$lib/api';
import { Session } from './session.svelte';

const ME: Me = { user_id: 'u', name: 'Rasa', mail: 'rasa@aegean.example', role: 'agent', language: 'en', agent: true, tenant: { id: 't', name: 'Aegean', zone: 'Europe/Athens', language: 'en' } };
let session: Session;

beforeEach(async () => {
  vi.stubGlobal('fetch', async (_: string, init: RequestInit) => (init.method === 'POST' ? Response.json(ME) : new Response(null, { status: 204 })));
  vi.stubGlobal('localStorage', { getItem: () => 'en' });
  session = new Session();
  await session.signIn('rasa@aegean.example', 'a long sentence');
});
afterEach(() => vi.unstubAllGlobals());

it('knows who was sent away from who left', async () => {
  session.over();
  expect([session.phase, session.sentAway]).toEqual(['out', true]);
  await session.signIn('rasa@aegean.example', 'a long sentence');
  expect([session.phase, session.sentAway]).toEqual(['in', false]);
  await session.signOut();
  expect([session.phase, session.sentAway]).toEqual(['out', false]);
});

it('sends nobody away who was not in', () => {
  const stranger = new Session();
  stranger.over();
  expect(stranger.sentAway).toBe(false);
});

it('lives in the zone of the company as it is now', () => {
  session.companyIs({ name: 'Aegean Marine', zone: 'Asia/Tehran', language: 'fa' });
  expect(session.zone).toBe('Asia/Tehran');
  expect(session.me?.tenant).toEqual({ id: 't', name: 'Aegean Marine', zone: 'Asia/Tehran', language: 'fa' });
});
