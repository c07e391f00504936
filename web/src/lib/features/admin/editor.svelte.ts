/** One thing of the configuration while it is edited: what the server has, what is typed, the version it was based on. */
import { api, Problem } from '$lib/api';

export class Editor<T extends object> {
  draft = $state<T | null>(null);
  problem = $state.raw<Problem | null>(null);
  saving = $state(false);
  #kept = $state('');
  #etag: string | null = null;
  #path = '';

  /** Something differs from what the server has. */
  get dirty(): boolean {
    return this.draft !== null && JSON.stringify(this.draft) !== this.#kept;
  }

  async load(path: string, pick: (data: unknown) => T): Promise<void> {
    this.#path = path;
    this.draft = null;
    this.problem = null;
    try {
      const { data, etag } = await api.request<unknown>('GET', path);
      if (path === this.#path) this.#take(pick(data), etag);
    } catch (thrown) {
      if (path === this.#path) this.problem = Problem.of(thrown);
    }
  }

  /** Something new, that the server does not have yet. */
  begin(path: string, draft: T): void {
    this.#path = path;
    this.problem = null;
    this.#take(draft, null);
  }

  discard(): void {
    if (this.#kept) this.draft = JSON.parse(this.#kept) as T;
    this.problem = null;
  }

  /** Sends the draft; resolves to the answer, or `null` when it was refused. */
  async save<R>(method: 'PUT' | 'POST', body: unknown, path = this.#path): Promise<R | null> {
    if (this.saving || !this.draft) return null;
    const sent = JSON.stringify(this.draft);
    this.saving = true;
    this.problem = null;
    try {
      const { data, etag } = await api.request<R>(method, path, { body, ifMatch: this.#etag, once: method === 'POST' });
      this.#kept = sent;
      this.#etag = etag ?? this.#etag;
      return data ?? ({} as R);
    } catch (thrown) {
      this.problem = Problem.of(thrown);
      return null;
    } finally {
      this.saving = false;
    }
  }

  #take(draft: T, etag: string | null): void {
    this.#kept = JSON.stringify(draft);
    this.draft = JSON.parse(this.#kept) as T;
    this.#etag = etag;
  }
}
