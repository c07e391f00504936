/**
 * The telephone as the screens see it. The only place that knows the class in `$lib/phone`; it
 * outlives navigation, so that leaving a page never ends a call.
 */
import type { AgentState } from '$lib/api';
import { live } from '$lib/live';
import { Phone, type PhoneState } from '$lib/phone';

export type Line = PhoneState;

class Telephone {
  #phone = $state.raw<Phone | null>(null);

  get line(): Line {
    return this.#phone?.state ?? 'off';
  }
  get muted(): boolean {
    return this.#phone?.muted ?? false;
  }
  /** 0 to 1. */
  get inputLevel(): number {
    return this.#phone?.inputLevel ?? 0;
  }
  /** 0 to 1. */
  get outputLevel(): number {
    return this.#phone?.outputLevel ?? 0;
  }
  /** The microphone has heard nothing for a while although it should. */
  get silent(): boolean {
    return this.#phone?.silent ?? false;
  }
  /** The name of the microphone, as the machine calls it. */
  get device(): string {
    return this.#phone?.deviceLabel ?? '';
  }
  get devices(): { id: string; label: string }[] {
    return this.#phone?.devices ?? [];
  }
  /** The chosen microphone; `''`, the system's choice, also while the chosen one is gone. */
  get microphone(): string {
    const chosen = this.#phone?.microphone ?? '';
    return this.devices.some((one) => one.id === chosen) ? chosen : '';
  }
  /** Loudspeakers and earpieces; empty where the browser lets no page choose. */
  get speakers(): { id: string; label: string }[] {
    return this.#phone?.speakers ?? [];
  }
  /** The chosen one of them; `''` is the system's choice. */
  get speaker(): string {
    const chosen = this.#phone?.speaker ?? '';
    return this.speakers.some((one) => one.id === chosen) ? chosen : '';
  }
  /** Sound waits until the page is touched. */
  get needsGesture(): boolean {
    return this.#phone?.needsGesture ?? false;
  }
  /** Whether offers ring aloud. */
  get ringsAloud(): boolean {
    return this.#phone?.soundOn ?? true;
  }
  /** Who has the telephone while the line is `taken`. */
  get takenBy(): 'tab' | 'computer' {
    return this.#phone?.takenBy ?? 'tab';
  }
  /** The page itself may not use a microphone: it is neither https nor on this machine. */
  get insecure(): boolean {
    return this.#phone?.fault === 'insecure_page';
  }

  /**
   * The page has a telephone only where calls ring in the browser; `undefined` while that is not known.
   * Asks for the microphone the first time. A call that began here is not cut when they ring elsewhere.
   */
  follow(device: AgentState['device'] | undefined, onCall: boolean): void {
    if (device === undefined) return;
    if (device !== 'browser') {
      if (!onCall) this.stop();
    } else if (!this.#phone) {
      this.#phone = new Phone(live);
      void this.#phone.start();
    }
  }

  stop(): void {
    this.#phone?.stop();
    this.#phone = null;
  }

  /** Tries again, or takes the telephone over from another tab. */
  async retry(): Promise<void> {
    this.#phone ??= new Phone(live);
    if (this.line === 'taken') return this.#phone.start({ takeOver: true });
    this.#phone.stop();
    await this.#phone.start();
  }

  setMuted(on: boolean): void {
    this.#phone?.setMuted(on);
  }
  /** Sends one key; false when the line does not take it. */
  digit(key: string): boolean {
    return this.#phone?.digit(key) ?? false;
  }
  ring(on: boolean): void {
    this.#phone?.ring(on);
  }
  ringAloud(on: boolean): void {
    this.#phone?.setSound(on);
  }
  async chooseSpeaker(id: string): Promise<void> {
    await this.#phone?.chooseSpeaker(id);
  }
  async chooseDevice(id: string): Promise<void> {
    await this.#phone?.chooseDevice(id);
  }
}

export const telephone = new Telephone();
