export { clock } from './clock.svelte';
export { live, Live, Topic, type ServerMessage } from './live.svelte';
