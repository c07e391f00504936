/** What the house says about itself to everybody: whether its record keeps what happens. */
import type { RecordState } from '$lib/api';
import { live, type Topic } from '$lib/live';

class House {
  #record = $state.raw<Topic<RecordState> | null>(null);

  /** Since when nothing is kept for sure; `null` while all is well. */
  get lateSince(): string | null {
    return this.#record?.data?.late_since ?? null;
  }

  open(): void {
    this.#record = live.topic<RecordState>('record');
  }

  close(): void {
    this.#record = null;
  }
}

export const house = new House();
