export type { Device, MicrophoneFault } from './microphone';
export { Phone, type PhoneState } from './phone.svelte';
export { browserPlatform, type Platform } from './platform';
export type { Frame, Signalling } from './signalling';
