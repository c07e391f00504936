/**
 * Two people change the configuration at once. Its ETag counts every edit, so that most refusals with 412 are
 * about something else: then the edit is sent again on the newest version. Only when the very thing differs
 * from what was seen a person decides.
 */
import { Problem, type api } from '$lib/api';

/** Save over theirs, take theirs, or leave both as they are for now. */
export type Choice = 'mine' | 'theirs' | 'later';
/** How often an edit is sent anew while others keep editing beside it. */
const ATTEMPTS_MAX = 4;

interface Question {
  /** What both changed, as people call it. */
  name: string;
  /** Ours takes it away. */
  removes: boolean;
  answer: (choice: Choice) => void;
}

class Conflict {
  open = $state.raw<Question | null>(null);

  ask(name: string, removes = false): Promise<Choice> {
    this.open?.answer('later');
    return new Promise((resolve) => {
      this.open = { name, removes, answer: resolve };
    });
  }

  decide(choice: Choice): void {
    this.open?.answer(choice);
    this.open = null;
  }
}

export const conflict = new Conflict();

/** One edit of one thing. `T` is the thing as the server gives it, `null` when it has none. */
export interface GuardedEdit<T, R> {
  name: string;
  /** The edit takes the thing away. */
  removes?: boolean;
  /** What the person saw while deciding, and the version it came with. */
  seen: T | null;
  etag: string | null;
  /** Reads the thing anew. */
  read: () => Promise<api.Reply<T | null>>;
  send: (etag: string | null) => Promise<R>;
  /** Asks the person; only tests bring another one. */
  ask?: (name: string, removes?: boolean) => Promise<Choice>;
}

export type Outcome<T, R> = { done: true; result: R } | { done: false; theirs: T | null; etag: string | null };

/** Sends an edit that never goes over somebody else's unseen. Other refusals are thrown. */
export async function guarded<T, R>(edit: GuardedEdit<T, R>): Promise<Outcome<T, R>> {
  let { seen, etag } = edit;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return { done: true, result: await edit.send(etag) };
    } catch (thrown) {
      const stale = thrown instanceof Problem && thrown.status === 412;
      if (!stale || attempt === ATTEMPTS_MAX) throw thrown;
    }
    const now = await edit.read();
    const same = canonical(now.data) === canonical(seen);
    const choice = same ? 'mine' : await (edit.ask ?? ((name, removes) => conflict.ask(name, removes)))(edit.name, edit.removes);
    if (choice !== 'mine') return { done: false, theirs: choice === 'theirs' ? now.data : null, etag: now.etag };
    ({ data: seen, etag } = now);
  }
}

/** JSON with the keys of every object in order, so that equal things are equal text. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner) ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1))) : inner
  );
}
