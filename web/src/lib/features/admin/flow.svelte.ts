/** A flow while it is edited: text, faults, draft on the server, published version. */
import { api, Problem, type Fault, type FlowDetail } from '$lib/api';
import { guarded } from './conflict.svelte';
import { locate, parseJson } from './pointer';

const CHECK_MS = 500;

export interface LocatedFault extends Fault {
  line: number;
  start: number;
  end: number;
}

/** Faults at their lines, causes first: a wrong name leaves nodes behind that no way leads to. */
function located(text: string, faults: Fault[]): LocatedFault[] {
  const rank = (fault: Fault) => (fault.code === 'unreachable' ? 1 : 0);
  return faults.map((fault) => ({ ...fault, ...locate(text, fault.pointer) })).sort((a, b) => rank(a) - rank(b) || a.line - b.line);
}

export class FlowEditor {
  detail = $state.raw<FlowDetail | null>(null);
  text = $state('');
  faults = $state.raw<LocatedFault[]>([]);
  problem = $state.raw<Problem | null>(null);
  checking = $state(false);
  saving = $state(false);
  #kept = $state('');
  #etag: string | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  get dirty(): boolean {
    return this.text !== this.#kept;
  }

  /** The draft differs from what callers hear. */
  get unpublished(): boolean {
    const published = this.detail?.published?.flow;
    return JSON.stringify(this.detail?.draft) !== JSON.stringify(published);
  }

  async load(id: string): Promise<void> {
    this.detail = null;
    this.problem = null;
    try {
      const { data, etag } = await api.request<FlowDetail>('GET', `/flows/${id}`);
      this.#take(data, etag);
      await this.check();
    } catch (thrown) {
      this.problem = Problem.of(thrown);
    }
  }

  type(text: string): void {
    this.text = text;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.check(), CHECK_MS);
  }

  discard(): void {
    this.text = this.#kept;
    this.problem = null;
    void this.check();
  }

  /** Asks the server for faults; broken JSON is found here. */
  async check(): Promise<void> {
    clearTimeout(this.#timer);
    const text = this.text;
    const parsed = parseJson(text);
    if (!parsed.ok) {
      this.faults = [{ pointer: '', code: 'bad_json', detail: parsed.detail, line: parsed.line, start: parsed.at, end: parsed.at }];
      return;
    }
    this.checking = true;
    try {
      const { data } = await api.request<{ faults: Fault[] }>('POST', '/flows/check', { body: parsed.value });
      if (text === this.text) this.faults = located(text, data.faults);
    } catch (thrown) {
      this.problem = Problem.of(thrown);
    } finally {
      this.checking = false;
    }
  }

  async saveDraft(): Promise<boolean> {
    const parsed = parseJson(this.text);
    if (!parsed.ok) return false;
    return this.#send('PUT', 'draft', parsed.value);
  }

  async publish(): Promise<boolean> {
    if (this.dirty && !(await this.saveDraft())) return false;
    return this.#send('POST', 'publish');
  }

  async #send(method: 'PUT' | 'POST', what: string, body?: unknown): Promise<boolean> {
    if (!this.detail || this.saving) return false;
    const id = this.detail.id;
    const sent = this.text;
    this.saving = true;
    this.problem = null;
    try {
      const read = () => api.request<FlowDetail>('GET', `/flows/${id}`);
      const send = (ifMatch: string | null) => api.request(method, `/flows/${id}/${what}`, { body, ifMatch, once: method === 'POST' });
      const outcome = await guarded<FlowDetail, unknown>({ name: this.detail.name, seen: this.detail, etag: this.#etag, read, send });
      if (!outcome.done) {
        if (outcome.theirs) this.#take(outcome.theirs, outcome.etag);
        return false;
      }
      const { data, etag } = await read();
      this.detail = data;
      this.#etag = etag;
      this.#kept = sent;
      return true;
    } catch (thrown) {
      const problem = Problem.of(thrown);
      this.problem = problem;
      if (problem.errors.length > 0) this.faults = located(sent, problem.errors);
      return false;
    } finally {
      this.saving = false;
    }
  }

  #take(detail: FlowDetail, etag: string | null): void {
    this.detail = detail;
    this.#etag = etag;
    this.text = JSON.stringify(detail.draft, null, 2);
    this.#kept = this.text;
  }
}
