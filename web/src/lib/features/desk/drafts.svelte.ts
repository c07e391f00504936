/** Notes and results that are not handed in yet: kept in this browser, so that no reload loses them. */
export interface Draft {
  note: string;
  disposition: string | null;
  resolved: boolean | null;
  /** Whose it is: several people may use one browser after each other. */
  by: string | null;
  /** When it was last kept, milliseconds since 1970; 0 for never. */
  keptAt: number;
}

/** A result that was begun and not finished: no wrap-up takes it. */
export function isHalf({ disposition, resolved }: Pick<Draft, 'disposition' | 'resolved'>): boolean {
  return (disposition === null) !== (resolved === null);
}

/** Most drafts that are kept; the oldest leave first. */
export const DRAFTS_MAX = 20;
const PREFIX = 'antiphon.draft.';

export class Drafts {
  /** Who writes now, the id of a user. */
  owner: string | null = null;
  #open = $state<Record<string, Draft>>({});
  #storage: Storage;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  /** The draft of a call, empty if there is none. */
  of(call: string): Draft {
    return this.#open[call] ?? this.#read(call);
  }

  /** Calls with a draft of whoever writes now, kept by an earlier page too. */
  calls(): string[] {
    const kept = Object.keys(this.#storage).filter((key) => key.startsWith(PREFIX)).map((key) => key.slice(PREFIX.length));
    return [...new Set([...kept, ...Object.keys(this.#open)])].filter((call) => [null, this.owner].includes(this.of(call).by));
  }

  change(call: string, change: Partial<Draft>): void {
    const draft = { ...this.of(call), ...change, by: this.owner, keptAt: Date.now() };
    this.#open[call] = draft;
    this.#keep(call, draft);
  }

  drop(call: string): void {
    delete this.#open[call];
    this.#storage.removeItem(PREFIX + call);
  }

  /** Another page of this browser wrote on, or handed in: what is kept is newer than what is here. */
  heard({ key }: { key: string | null }): void {
    if (key?.startsWith(PREFIX)) delete this.#open[key.slice(PREFIX.length)];
  }

  #read(call: string): Draft {
    const empty: Draft = { note: '', disposition: null, resolved: null, by: null, keptAt: 0 };
    try {
      const kept: unknown = JSON.parse(this.#storage.getItem(PREFIX + call) ?? 'null');
      return kept && typeof kept === 'object' ? { ...empty, ...kept } : empty;
    } catch {
      return empty;
    }
  }

  #keep(call: string, draft: Draft): void {
    try {
      this.#storage.setItem(PREFIX + call, JSON.stringify(draft));
      this.#prune();
    } catch {
      // Storage is full or forbidden: the draft lives as long as this page.
    }
  }

  #prune(): void {
    const keys = Object.keys(this.#storage).filter((key) => key.startsWith(PREFIX));
    if (keys.length <= DRAFTS_MAX) return;
    const age = (key: string) => (JSON.parse(this.#storage.getItem(key) ?? '{}') as Partial<Draft>).keptAt ?? 0;
    for (const key of keys.sort((a, b) => age(a) - age(b)).slice(0, keys.length - DRAFTS_MAX)) this.#storage.removeItem(key);
  }
}

export const drafts = new Drafts(localStorage);
