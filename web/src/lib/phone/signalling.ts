/**
 * What the telephone needs of the connection to the server: the WebSocket of the page, seen
 * through a keyhole, so that the telephone can be tried without one.
 */

/** Any message of the WebSocket; the telephone looks at `welcome`, `error` and `rtc.*` only. */
export interface Frame {
  type: string;
  [key: string]: unknown;
}

export interface Signalling {
  /** Says who this tab is at every connect; the telephone raises it when it takes over. */
  epoch: number;
  /** Sends if connected; says whether it did. */
  send(frame: Frame): boolean;
  /** Hears every message that is no topic update; returns the way to stop. */
  listen(listener: (frame: Frame) => void): () => void;
}
