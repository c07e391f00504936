/** The record follows the floor: what was pushed a moment ago is in a commit that gathers for some 36 ms, and may be late. */
import { house } from './house.svelte';

/** Milliseconds until what was pushed can be read. */
const SOON_MS = 300;
/** Once more, for a commit that took its time. */
const AGAIN_MS = 1_500;

/** Reads the record whenever `what` has changed, and when a record that was late is whole again. Call while a component is made. */
export function follow(what: () => unknown, read: () => void): void {
  const now = $derived(JSON.stringify([what(), house.lateSince]));
  let known: string | null = null;
  $effect(() => {
    const news = known !== null && known !== now;
    known = now;
    if (!news) return;
    const timers = [SOON_MS, AGAIN_MS].map((ms) => setTimeout(read, ms));
    return () => timers.forEach(clearTimeout);
  });
}
