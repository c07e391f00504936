/** Acts that are held back while they can be undone: by thing and not by screen, so that one which is opened anew knows them too. */
import { SvelteMap } from 'svelte/reactivity';
import { toasts, type Toasts } from './toasts.svelte';

export class Held {
  /** By thing, the way to have its act done now. */
  #acts = new SvelteMap<string, () => Promise<void>>();
  #toasts: Toasts;

  constructor(of: Toasts = toasts) {
    this.#toasts = of;
  }

  has(thing: string): boolean {
    return this.#acts.has(thing);
  }

  /** Holds `act` back; the thing counts as held until that is over or undone. Faults are told by `act`. */
  hold(thing: string, text: string, act: () => Promise<unknown>): void {
    const over = () => this.#acts.delete(thing);
    this.#acts.set(thing, this.#toasts.undoable(text, () => act().finally(over), over));
  }

  /** Has the act about one thing done now, and no other; over when that is, also when it had begun. */
  async settle(thing: string): Promise<void> {
    await this.#acts.get(thing)?.();
  }
}

export const held = new Held();
