/**
 * The telephone as the screens see it. The only place that knows the class in `$lib/phone`; it
 * outlives navigation, so that leaving a page never ends a call.
 */
import { live } from '$lib/live';
import { Phone } from '$lib/phone';

export type Line = 'off' | 'asking' | 'connecting' | 'up' | 'lost' | 'denied' | 'no_microphone' | 'taken';

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

  /** Connects the telephone of this tab; asks for the microphone the first time. */
  async start(): Promise<void> {
    this.#phone ??= new Phone(live);
    await this.#phone.start();
  }

  stop(): void {
    this.#phone?.stop();
    this.#phone = null;
  }

  /** Tries again, or takes the telephone over from another tab. */
  async retry(): Promise<void> {
    this.stop();
    await this.start();
  }

  setMuted(on: boolean): void {
    this.#phone?.setMuted(on);
  }
  digit(key: string): void {
    this.#phone?.digit(key);
  }
  ring(on: boolean): void {
    this.#phone?.ring(on);
  }
  async chooseDevice(id: string): Promise<void> {
    await this.#phone?.chooseDevice(id);
  }
}

export const telephone = new Telephone();
