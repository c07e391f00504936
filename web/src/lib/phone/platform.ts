/**
 * The browser as the telephone uses it, in one place, so that tests can bring their own.
 */
import { Connection } from './connection';
import type { MediaDevicesLike } from './microphone';
import type { ChannelLike, LocksLike, StorageLike } from './ownership';
import { Sound } from './sound';

export type SoundLike = Pick<
  Sound,
  'onNeedsGesture' | 'speak' | 'hear' | 'levels' | 'ring' | 'chooseSpeaker' | 'canChooseSpeaker' | 'close'
>;

export interface Platform {
  /** `undefined` on a page that is neither https nor loopback. */
  devices: MediaDevicesLike | undefined;
  /** `undefined` on such a page too. */
  locks: LocksLike | undefined;
  /** Shared by the tabs of this browser. */
  storage: StorageLike;
  /** Of this tab alone: it outlives a reload and ends with the tab. */
  session: StorageLike;
  channel(): ChannelLike;
  connection(microphone: MediaStreamTrack): Connection;
  sound(): SoundLike;
  /** Milliseconds that never jump. */
  now(): number;
}

export function browserPlatform(): Platform {
  return {
    devices: navigator.mediaDevices as MediaDevices | undefined,
    locks: navigator.locks as unknown as LocksLike | undefined,
    storage: localStorage,
    session: sessionStorage,
    channel: () => new BroadcastChannel('antiphon-phone') as unknown as ChannelLike,
    connection: (microphone) => {
      const codecs = RTCRtpReceiver.getCapabilities('audio')?.codecs ?? [];
      return new Connection(new RTCPeerConnection(), microphone, codecs);
    },
    sound: () => new Sound(),
    now: () => performance.now()
  };
}
