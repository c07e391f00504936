import { desk } from '$lib/features/desk/desk.svelte';
import { live } from '$lib/live';
import { house } from './house.svelte';
import { session } from './session.svelte';
import { telephone } from './telephone.svelte';

/** What we may do has changed: without a seat there is no desk and no telephone; with one the telephone follows the desk. */
export async function rightsChanged(): Promise<void> {
  await session.load();
  if (session.phase !== 'in') return;
  house.open();
  if (session.me?.agent) return desk.open();
  telephone.stop();
  desk.close();
  live.forget('me');
}
