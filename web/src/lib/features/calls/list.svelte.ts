/**
 * The call list: pages by cursor, and a quiet look for news. What is new is counted and enters on a
 * click; what is known changes in its place; nothing moves by itself.
 */
import { api, Problem, type CallRow, type Page } from '$lib/api';

export const PAGE = 50;
/** The most rows that the server gives at once. */
const LOOK_MAX = 200;

export class CallList {
  rows = $state.raw<CallRow[]>([]);
  /** Calls that arrived since the list was read. */
  fresh = $state.raw<CallRow[]>([]);
  next = $state<string | null>(null);
  phase = $state<'loading' | 'shown' | 'failed'>('loading');
  problem = $state.raw<Problem | null>(null);
  more = $state<'idle' | 'loading' | 'failed'>('idle');
  #query: Record<string, string | null | undefined> = {};
  #turn = 0;

  /** Shows the calls of a query from the newest on. */
  async show(query: Record<string, string | null | undefined>): Promise<void> {
    const turn = ++this.#turn;
    this.#query = query;
    this.phase = 'loading';
    this.problem = null;
    this.fresh = [];
    try {
      const page = await this.#page(null);
      if (turn !== this.#turn) return;
      this.rows = page.items;
      this.next = page.next_cursor ?? null;
      this.phase = 'shown';
    } catch (thrown) {
      if (turn !== this.#turn) return;
      this.problem = Problem.of(thrown);
      this.phase = 'failed';
    }
  }

  reload(): Promise<void> {
    return this.show(this.#query);
  }

  async loadMore(): Promise<void> {
    if (!this.next || this.more === 'loading') return;
    const turn = this.#turn;
    this.more = 'loading';
    try {
      const page = await this.#page(this.next);
      if (turn !== this.#turn) return;
      const known = new Set(this.rows.map((row) => row.id));
      this.rows = [...this.rows, ...page.items.filter((row) => !known.has(row.id))];
      this.next = page.next_cursor ?? null;
      this.more = 'idle';
    } catch {
      this.more = 'failed';
    }
  }

  /** Looks for news without moving anything; a failure is not worth a word, the next look may succeed. */
  async look(): Promise<void> {
    if (this.phase !== 'shown') return;
    const turn = this.#turn;
    const page = await this.#page(null, this.#reach()).catch(() => null);
    if (!page || turn !== this.#turn) return;
    const newest = new Map(page.items.map((row) => [row.id, row]));
    const known = new Set(this.rows.map((row) => row.id));
    this.rows = this.rows.map((row) => newest.get(row.id) ?? row);
    const first = this.rows[0]?.started_at ?? '';
    this.fresh = page.items.filter((row) => !known.has(row.id) && row.started_at >= first);
  }

  /** Whether any call shown still goes on. */
  get live(): boolean {
    return this.rows.some((row) => row.live);
  }

  /** So many rows that the look meets every live call, also when as many again came before it. */
  #reach(): number {
    const last = this.rows.findLastIndex((row) => row.live);
    return last < PAGE / 2 ? PAGE : Math.min(LOOK_MAX, 2 * (last + 1));
  }

  /** The new ones enter at the top. */
  enter(): void {
    this.rows = [...this.fresh, ...this.rows];
    this.fresh = [];
  }

  #page(cursor: string | null, limit = PAGE): Promise<Page<CallRow>> {
    return api.get<Page<CallRow>>('/calls', { query: { ...this.#query, limit, cursor } });
  }
}
