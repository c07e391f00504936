/**
 * One peer connection: from its offer to its end. A new one is made for every attempt; nothing is
 * renegotiated, because a fresh offer is as quick and has one way to go wrong instead of ten.
 */
import { houseCodecs } from './codecs';

/** How long the offer waits for addresses, in milliseconds. */
const GATHER_MS_MAX = 1_000;
/** How long a connection may be out of touch before it counts as lost. */
const DISCONNECTED_MS_MAX = 2_000;
/** Length of a key and of the pause after it, in milliseconds. */
const KEY_MS = 100;
const PAUSE_MS = 70;

export type Link = 'connecting' | 'up' | 'dead';

export class Connection {
  onLink: ((link: Link) => void) | null = null;
  link: Link = 'connecting';
  #pc: RTCPeerConnection;
  #transceiver: RTCRtpTransceiver;
  #outOfTouch: ReturnType<typeof setTimeout> | undefined;

  constructor(pc: RTCPeerConnection, microphone: MediaStreamTrack, codecs: RTCRtpCodec[]) {
    this.#pc = pc;
    this.#transceiver = pc.addTransceiver(microphone, { direction: 'sendrecv' });
    // Older browsers offer everything; the server chooses PCMU then.
    this.#transceiver.setCodecPreferences?.(houseCodecs(codecs));
    pc.addEventListener('connectionstatechange', () => this.#stateChanged());
  }

  /** What the agent shall hear. */
  get remote(): MediaStreamTrack {
    return this.#transceiver.receiver.track;
  }

  /** The offer with the addresses found within a second. */
  async offer(): Promise<string> {
    await this.#pc.setLocalDescription();
    await this.#gathered();
    return this.#pc.localDescription?.sdp ?? '';
  }

  async answered(sdp: string): Promise<void> {
    await this.#pc.setRemoteDescription({ type: 'answer', sdp });
  }

  /** Another microphone, without a new offer. */
  async speakWith(microphone: MediaStreamTrack): Promise<void> {
    await this.#transceiver.sender.replaceTrack(microphone);
  }

  /** Sends keys; quick presses queue up behind each other. False when the peer takes none. */
  press(key: string): boolean {
    const { dtmf } = this.#transceiver.sender;
    if (!dtmf?.canInsertDTMF) return false;
    dtmf.insertDTMF(dtmf.toneBuffer + key, KEY_MS, PAUSE_MS);
    return true;
  }

  close(): void {
    this.onLink = null;
    clearTimeout(this.#outOfTouch);
    this.link = 'dead';
    this.#pc.close();
  }

  #gathered(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, GATHER_MS_MAX);
      const look = () => {
        if (this.#pc.iceGatheringState !== 'complete') return;
        clearTimeout(timer);
        resolve();
      };
      this.#pc.addEventListener('icegatheringstatechange', look);
      look();
    });
  }

  #stateChanged(): void {
    clearTimeout(this.#outOfTouch);
    switch (this.#pc.connectionState) {
      case 'connected':
        return this.#become('up');
      case 'failed':
      case 'closed':
        return this.#become('dead');
      case 'disconnected':
        this.#outOfTouch = setTimeout(() => this.#become('dead'), DISCONNECTED_MS_MAX);
    }
  }

  #become(link: Link): void {
    if (this.link === link || this.link === 'dead') return;
    this.link = link;
    this.onLink?.(link);
  }
}
