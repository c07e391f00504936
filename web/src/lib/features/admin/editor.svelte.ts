/** One thing of the configuration while it is edited: what the server has, what is typed, the version it was based on. */
import { api, Problem } from '$lib/api';
import { standing } from '$lib/ui/problem-text';
import { guarded } from './conflict.svelte';

export class Editor<T extends object> {
  draft = $state<T | null>(null);
  problem = $state.raw<Problem | null>(null);
  saving = $state(false);
  #kept = $state('');
  /** What was refused last. */
  #sent = $state.raw<object | null>(null);
  /** The thing as the server last gave it. */
  #seen = $state.raw<T | null>(null);
  #etag: string | null = null;
  #path = '';
  #pick: ((data: unknown) => T) | null = null;

  get seen(): T | null {
    return this.#seen;
  }

  /** Something differs from what the server has. */
  get dirty(): boolean {
    return this.draft !== null && JSON.stringify(this.draft) !== this.#kept;
  }

  /** What the last refusal still says of what is typed now; `beside` is sent beside the draft. */
  refusal(beside: object = {}): Problem | null {
    return standing(this.problem, this.#sent, { ...this.draft, ...beside });
  }

  async load(path: string, pick: (data: unknown) => T): Promise<void> {
    this.#path = path;
    this.#pick = pick;
    this.draft = null;
    this.problem = null;
    try {
      const { data, etag } = await api.request<unknown>('GET', path);
      if (path !== this.#path) return;
      this.#seen = pick(data);
      this.#take(this.#seen, etag);
    } catch (thrown) {
      if (path === this.#path) this.problem = Problem.of(thrown);
    }
  }

  /** Something new, that the server does not have yet. */
  begin(path: string, draft: T): void {
    this.#path = path;
    this.#pick = null;
    this.problem = null;
    this.#seen = null;
    this.#take(draft, null);
  }

  discard(): void {
    if (this.#kept) this.draft = JSON.parse(this.#kept) as T;
    this.problem = null;
    this.#sent = null;
  }

  /** Sends the draft, and what is `beside` it; resolves to the answer, or `null` when it was refused or somebody else's stays. */
  async save<R>(name: string, method: 'PUT' | 'POST', beside: object = {}): Promise<R | null> {
    if (this.saving || !this.draft) return null;
    const path = this.#path;
    // No name and no code has blanks around it: the server would refuse what nobody sees.
    const sent = JSON.stringify(this.draft, (_, value: unknown) => (typeof value === 'string' ? value.trim() : value));
    if (sent !== JSON.stringify(this.draft)) this.draft = JSON.parse(sent) as T;
    const body = { ...(JSON.parse(sent) as T), ...beside };
    this.#sent = null;
    this.saving = true;
    this.problem = null;
    try {
      const outcome = await guarded({ ...this.#edit(name), send: (ifMatch) => api.request<R>(method, path, { body, ifMatch, once: method === 'POST' }) });
      if (path !== this.#path) return null;
      if (!outcome.done) {
        if (outcome.theirs) this.#take((this.#seen = outcome.theirs), outcome.etag);
        return null;
      }
      const { data, etag } = outcome.result;
      this.#kept = sent;
      this.#etag = etag ?? this.#etag;
      if (this.#pick && data) this.#seen = this.#pick(data);
      return data ?? ({} as R);
    } catch (thrown) {
      this.problem = Problem.of(thrown);
      this.#sent = body;
      return null;
    } finally {
      this.saving = false;
    }
  }

  /** Removes the thing; false when somebody else changed it meanwhile and theirs stays. Refusals are thrown. */
  remover(name: string): () => Promise<boolean> {
    const path = this.#path;
    const edit = this.#edit(name);
    return async () => (await guarded({ ...edit, removes: true, send: (ifMatch) => api.request<void>('DELETE', path, { ifMatch }) })).done;
  }

  /** What is known of the thing now, bound to it: the person may go on to another one. */
  #edit(name: string) {
    const [path, pick] = [this.#path, this.#pick];
    const read = async () => {
      const { data, etag } = await api.request<unknown>('GET', path);
      return { data: pick ? pick(data) : null, etag };
    };
    return { name, seen: this.#seen, etag: this.#etag, read };
  }

  #take(draft: T, etag: string | null): void {
    this.#kept = JSON.stringify(draft);
    this.draft = JSON.parse(this.#kept) as T;
    this.#etag = etag;
  }
}
