/** Short messages at the edge. A toast that offers undo keeps its act back until it is gone. */
import { Problem } from '$lib/api';
import { problemText } from './problem-text';

export interface Toast {
  id: number;
  tone: 'plain' | 'bad';
  text: string;
  code?: string;
  undo?: () => void;
}

const PLAIN_MS = 5_000;
const BAD_MS = 10_000;
/** Long enough to see what went wrong and to reach the button. */
const UNDO_MS = 8_000;
/** So many are shown at once; those that offer undo stay beyond it. */
export const TOASTS_MAX = 4;

export class Toasts {
  list = $state.raw<Toast[]>([]);
  #next = 1;
  #pending = new Map<number, { timer: ReturnType<typeof setTimeout>; act?: () => unknown }>();

  say(text: string): void {
    this.#add({ tone: 'plain', text }, PLAIN_MS);
  }

  /** Something was lost that nobody refused. */
  warn(text: string): void {
    this.#add({ tone: 'bad', text }, BAD_MS);
  }

  /** A refusal, with its code to quote. */
  fail(what: string, thrown: unknown): void {
    const problem = Problem.of(thrown);
    this.#add({ tone: 'bad', text: `${what} ${problemText(problem)}`, code: problem.code }, BAD_MS);
  }

  /**
   * Does `act` when the toast goes, unless the person undoes it before. Gives the way to have it done
   * now, which waits also for an act that has begun.
   */
  undoable(text: string, act: () => unknown, undone: () => void): () => Promise<void> {
    const id = this.#next;
    let begun: unknown;
    const undo = () => {
      this.#drop(id);
      undone();
    };
    this.#add({ tone: 'plain', text, undo }, UNDO_MS, () => (begun = act()));
    return async () => {
      await this.dismiss(id);
      await begun;
    };
  }

  /** Closing a toast that holds an act back does it now; settles when that is done. */
  async dismiss(id: number): Promise<void> {
    const act = this.#pending.get(id)?.act;
    this.#drop(id);
    await act?.();
  }

  /** Undoes the newest that can be undone; false when there is none. */
  undoLast(): boolean {
    const last = this.list.findLast((toast) => toast.undo);
    last?.undo?.();
    return last !== undefined;
  }

  /** The page or the session is being left: whatever is held back is done now, and over when this is. */
  async flush(): Promise<void> {
    await Promise.allSettled([...this.#pending.keys()].map((id) => this.dismiss(id)));
  }

  #add(toast: Omit<Toast, 'id'>, ms: number, act?: () => unknown): void {
    const id = this.#next++;
    // The oldest that only says something makes room; one that can be undone never does.
    const oldest = this.list.length >= TOASTS_MAX ? this.list.find((one) => !one.undo) : undefined;
    if (oldest) this.#drop(oldest.id);
    this.list = [...this.list, { ...toast, id }];
    const timer = setTimeout(() => void this.dismiss(id), ms);
    this.#pending.set(id, act ? { timer, act } : { timer });
  }

  #drop(id: number): void {
    clearTimeout(this.#pending.get(id)?.timer);
    this.#pending.delete(id);
    this.list = this.list.filter((toast) => toast.id !== id);
  }
}

export const toasts = new Toasts();
