/** Something read from the server: what is known stays on the screen while it is read again. */
import { Problem } from '$lib/api';

export class Resource<T> {
  data = $state.raw<T | null>(null);
  problem = $state.raw<Problem | null>(null);
  loading = $state(false);
  #read: () => Promise<T>;
  #turn = 0;

  constructor(read: () => Promise<T>) {
    this.#read = read;
  }

  /** Reads; of several at once only the newest counts. */
  async load(): Promise<void> {
    const turn = ++this.#turn;
    this.loading = true;
    try {
      const data = await this.#read();
      if (turn !== this.#turn) return;
      this.data = data;
      this.problem = null;
    } catch (thrown) {
      if (turn === this.#turn) this.problem = Problem.of(thrown);
    } finally {
      if (turn === this.#turn) this.loading = false;
    }
  }

  /** Forgets what was read, for a new subject. */
  clear(): void {
    this.#turn += 1;
    this.data = null;
    this.problem = null;
    this.loading = false;
  }
}
