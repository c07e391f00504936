/** Notes whose call is off the desk go to the server, also those that an earlier page left behind. */
import { Problem } from '$lib/api';
import type { Drafts } from './drafts.svelte';

/** Until what failed is tried again. */
export const RETRY_MS = 30_000;

export type Send = (call: string, note: string) => Promise<void>;

/** Whether the same request may succeed later. */
const passing = (problem: Problem) => problem.status === 0 || problem.status === 401 || problem.status === 408 || problem.status === 429 || problem.status >= 500;

export class HandIn {
  #drafts: Drafts;
  #send: Send;
  #atWork = new Set<string>();
  /** Refused for good: kept in this browser, and not tried again by this page. */
  #refused = new Set<string>();

  constructor(drafts: Drafts, send: Send) {
    this.#drafts = drafts;
    this.#send = send;
  }

  /**
   * Hands in what is kept for calls that are not `here`. Says whether something is to be tried again;
   * what is refused for good goes to `refused`, once.
   */
  async run(here: readonly string[], refused: (problem: Problem) => void): Promise<boolean> {
    let again = false;
    for (const call of this.#drafts.calls()) {
      if (here.includes(call) || this.#atWork.has(call) || this.#refused.has(call)) continue;
      const { note } = this.#drafts.of(call);
      // A result alone belongs to a wrap-up, which is over.
      if (!note.trim()) {
        this.#drafts.drop(call);
        continue;
      }
      this.#atWork.add(call);
      try {
        await this.#send(call, note);
        this.#drafts.drop(call);
      } catch (thrown) {
        const problem = Problem.of(thrown);
        if (passing(problem)) again = true;
        else {
          this.#refused.add(call);
          refused(problem);
        }
      } finally {
        this.#atWork.delete(call);
      }
    }
    return again;
  }
}
