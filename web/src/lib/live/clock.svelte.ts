/**
 * The server's time on this screen. Timers count from events that the server stamped, so a wrong
 * clock on the desk must not show in them: every `welcome` corrects the difference.
 */
export class Clock {
  /** Server time, milliseconds since 1970, a new value every second. */
  now = $state(Date.now());
  #offset = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Begins to tick; returns the way to stop. */
  start(): () => void {
    const tick = () => {
      this.now = this.read();
      // Aligned to the second, so that all timers turn together.
      this.#timer = setTimeout(tick, 1000 - (this.now % 1000) + 5);
    };
    tick();
    return () => clearTimeout(this.#timer);
  }

  /** The server said what time it is. */
  correct(serverAt: string): void {
    const at = Date.parse(serverAt);
    if (Number.isNaN(at)) return;
    this.#offset = at - Date.now();
    this.now = this.read();
  }

  /** Server time now, not only at the last tick. */
  read(): number {
    return Date.now() + this.#offset;
  }

  /** Whole seconds since a time, never below zero. */
  since(at: string): number {
    return Math.max(0, Math.floor((this.now - Date.parse(at)) / 1000));
  }

  /** Whole seconds until a time, rounded up, never below zero. */
  until(at: string): number {
    return Math.max(0, Math.ceil((Date.parse(at) - this.now) / 1000));
  }
}

export const clock = new Clock();
