/**
 * The desk of the signed-in agent: what the server says about them, and the commands. State comes
 * from the topic `me` alone; a command only marks that it is on its way.
 */
import { api, Problem, type AgentState, type DeskInfo, type QueueState } from '$lib/api';
import { m } from '$lib/i18n';
import { live, type Topic } from '$lib/live';
import { Resource } from '$lib/ui/resource.svelte';
import { toasts } from '$lib/ui/toasts.svelte';
import { drafts } from './drafts.svelte';
import { HandIn } from './handin';

export type Command =
  | 'sign-in' | 'sign-out' | 'ready' | 'break'
  | 'accept' | 'decline' | 'hold' | 'resume' | 'transfer' | 'consult' | 'consult-end' | 'hand-over' | 'conference' | 'conference-end' | 'hangup' | 'wrap-up' | 'extend';

class Desk {
  readonly info = new Resource<DeskInfo>(() => api.get<DeskInfo>('/desk'));
  #me = $state.raw<Topic<AgentState> | null>(null);
  #queues = $state.raw<Topic<QueueState>[]>([]);
  #handIn = new HandIn(drafts, async (call, note) => {
    await api.request<void>('PUT', `/calls/${call}/note`, { body: { note }, once: true });
  });
  /** Commands that the server has not answered yet. */
  pending = $state<Command[]>([]);

  /** The own state; `null` until the first snapshot. */
  get me(): AgentState | null {
    return this.#me?.data ?? null;
  }

  get queues(): QueueState[] {
    return this.#queues.flatMap((topic) => (topic.data ? [topic.data] : []));
  }

  /** The contact on the desk: in conversation, or being wrapped up. */
  get contact() {
    return this.me?.call?.contact ?? this.me?.wrap_up?.contact ?? null;
  }

  get onCall(): boolean {
    return Boolean(this.me?.call);
  }

  /** Calls ring at a SIP telephone: it is answered, muted and dialled there, not on the page. */
  get isSip(): boolean {
    return this.me?.device === 'sip' || this.me?.device === 'phone';
  }

  busy(command: Command): boolean {
    return this.pending.includes(command);
  }

  /** Subscribes to the own state and to the own queues. */
  async open(): Promise<void> {
    this.#me = live.topic<AgentState>('me');
    await this.info.load();
    this.#queues = (this.info.data?.queues ?? []).map((queue) => live.topic<QueueState>(`queue:${queue.id}`));
  }

  close(): void {
    this.#me = null;
    this.#queues = [];
    this.info.clear();
  }

  signIn = () => this.#run('sign-in', '/agent/sign-in');
  signOut = () => this.#run('sign-out', '/agent/sign-out');
  ready = () => this.#run('ready', '/agent/ready');
  takeBreak = (reason: string) => this.#run('break', '/agent/break', { reason });

  /** From whatever state, to being ready. */
  async becomeReady(): Promise<boolean> {
    // Signing in ends in a break: nobody is rung before they said that they are ready.
    return (this.me?.state !== 'signed_out' || (await this.signIn())) && this.ready();
  }

  async accept(): Promise<void> {
    const offer = this.me?.offer;
    if (offer) await this.#run('accept', `/offers/${offer.offer}/accept`);
  }

  async decline(reason: string): Promise<void> {
    const offer = this.me?.offer;
    if (offer) await this.#run('decline', `/offers/${offer.offer}/decline`, { reason });
  }

  async toggleHold(): Promise<void> {
    const call = this.me?.call;
    // With a colleague on the line it is said who hears whom in other words.
    if (!call || call.consult) return;
    const way = call.hold_since ? 'resume' : 'hold';
    await this.#run(way, `/calls/${call.contact.call}/${way}`);
  }

  /** Sends the customer to a queue; what is typed stays for the wrap-up that begins. */
  async transfer(queue: string): Promise<void> {
    const call = this.me?.call;
    if (call) await this.#run('transfer', `/calls/${call.contact.call}/transfer`, { queue });
  }

  /** Whether one was asked into the call of a colleague. */
  get isGuest(): boolean {
    const consult = this.me?.call?.consult;
    return Boolean(consult && consult.agent.id !== this.me?.agent);
  }

  /** Rings a colleague; the customer hears music, and is the colleague's on answering if so wished. */
  async consult(colleague: string, handOver: boolean): Promise<void> {
    const call = this.me?.call;
    if (call) await this.#run('consult', `/calls/${call.contact.call}/consult`, { colleague, hand_over: handOver });
  }

  /** Back to the customer, without the colleague. */
  async endConsult(): Promise<void> {
    const call = this.me?.call;
    if (call) await this.#run('consult-end', `/calls/${call.contact.call}/consult/end`);
  }

  /** Leaves the customer to the colleague. */
  async handOver(): Promise<void> {
    const call = this.me?.call;
    if (call) await this.#run('hand-over', `/calls/${call.contact.call}/consult/hand-over`);
  }

  /** Lets the customer in, or talks with the colleague alone again. */
  async toggleConference(): Promise<void> {
    const call = this.me?.call;
    if (!call?.consult) return;
    const path = `/calls/${call.contact.call}/conference`;
    await (call.consult.conference ? this.#run('conference-end', `${path}/end`) : this.#run('conference', path));
  }

  async hangUp(): Promise<void> {
    const call = this.me?.call;
    if (call) await this.#run('hangup', `/calls/${call.contact.call}/hangup`);
  }

  /** Hands in the draft of the wrap-up; the draft goes only after the server has it. */
  async finish(): Promise<void> {
    const contact = this.me?.wrap_up?.contact;
    if (!contact) return;
    const draft = drafts.of(contact.call);
    const body = { disposition: draft.disposition, resolved: draft.resolved, note: draft.note };
    await this.#run('wrap-up', `/calls/${contact.call}/wrap-up`, body, () => {
      // What was typed meanwhile is handed in behind it, as a note.
      if (drafts.of(contact.call).note === body.note) drafts.drop(contact.call);
    });
  }

  /** Hands in notes whose call is off the desk; says whether some are to be tried again. */
  async handInNotes(): Promise<boolean> {
    const { offer, call, wrap_up } = this.me ?? {};
    const here = [offer?.contact.call, call?.contact.call, wrap_up?.contact.call].filter((one) => one !== undefined);
    return this.#handIn.run(here, (problem) => toasts.fail(m.failed_wrap_up(), problem));
  }

  async extend(seconds: number): Promise<void> {
    const contact = this.me?.wrap_up?.contact;
    if (contact) await this.#run('extend', `/calls/${contact.call}/wrap-up/extend`, { seconds });
  }

  /** `done` runs while the command still counts as pending. */
  async #run(command: Command, path: string, body?: unknown, done?: () => void): Promise<boolean> {
    if (this.busy(command)) return false;
    this.pending = [...this.pending, command];
    try {
      await api.command(path, body);
      done?.();
      return true;
    } catch (thrown) {
      const problem = Problem.of(thrown);
      // Done at once, but the record is late: only what is handed in has to be handed in again.
      if (problem.code === 'not_saved' && command !== 'wrap-up') {
        toasts.say(m.done_unsaved());
        return true;
      }
      toasts.fail(failedWord(command), problem);
      return false;
    } finally {
      this.pending = this.pending.filter((other) => other !== command);
    }
  }
}

function failedWord(command: Command): string {
  const words: Record<Command, () => string> = {
    'sign-in': m.failed_sign_in, 'sign-out': m.failed_sign_out, ready: m.failed_ready, break: m.failed_break,
    accept: m.failed_accept, decline: m.failed_decline, hold: m.failed_hold, resume: m.failed_resume,
    transfer: m.failed_transfer, consult: m.failed_consult, 'consult-end': m.failed_consult_end, 'hand-over': m.failed_hand_over,
    conference: m.failed_conference, 'conference-end': m.failed_conference,
    hangup: m.failed_hangup, 'wrap-up': m.failed_wrap_up, extend: m.failed_extend
  };
  return words[command]();
}

export const desk = new Desk();
