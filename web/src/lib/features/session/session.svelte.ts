/** Who is signed in, in which company. One per tab. */
import { api, Problem, type Company, type Me, type Setup } from '$lib/api';
import { language } from '$lib/i18n/locale.svelte';

export class Session {
  me = $state.raw<Me | null>(null);
  /** `unknown` until the server has answered. */
  phase = $state<'unknown' | 'setup' | 'out' | 'in' | 'unreachable'>('unknown');
  problem = $state.raw<Problem | null>(null);
  /** The server ended the session, not this person: said at the door. */
  sentAway = $state(false);

  /** The zone of the company, or of this machine before signing in. */
  get zone(): string {
    return this.me?.tenant.zone ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
  }

  get administrator(): boolean {
    return this.me?.role === 'administrator';
  }

  /** Asks the server who we are; what is unknown stays unknown when it does not answer. */
  async load(): Promise<void> {
    this.problem = null;
    try {
      this.#enter(await api.get<Me>('/me'));
    } catch (thrown) {
      const problem = Problem.of(thrown);
      if (problem.status !== 401) {
        this.problem = problem;
        this.phase = 'unreachable';
        return;
      }
      await this.#door();
    }
  }

  async signIn(mail: string, password: string): Promise<void> {
    const { data } = await api.request<Me>('POST', '/session', { body: { mail, password } });
    this.#enter(data);
  }

  async setup(setup: Setup): Promise<void> {
    const { data } = await api.request<Me>('POST', '/setup', { body: setup });
    this.#enter(data);
  }

  /** Ends the session; throws when the server did not. */
  async signOut(): Promise<void> {
    try {
      await api.request<void>('DELETE', '/session');
    } catch (thrown) {
      // Over already. Anything else: the session is still in force, and saying otherwise is a risk.
      if (Problem.of(thrown).status !== 401) throw thrown;
    }
    this.over();
    this.sentAway = false;
  }

  /** The server says that the session is over. */
  over(): void {
    this.me = null;
    if (this.phase !== 'in') return;
    this.phase = 'out';
    this.sentAway = true;
  }

  /** Remembers the language for this person on the server, too. */
  async setLanguage(tag: string): Promise<void> {
    if (!this.me) return;
    const { data } = await api.request<Me>('PATCH', '/me', { body: { language: tag } });
    this.me = data;
  }

  /** The company as the server has it now: its name and zone show at once. */
  companyIs(company: Company): void {
    if (this.me) this.me = { ...this.me, tenant: { ...this.me.tenant, ...company } };
  }

  async #door(): Promise<void> {
    try {
      const { needed } = await api.get<{ needed: boolean }>('/setup');
      this.phase = needed ? 'setup' : 'out';
    } catch (thrown) {
      this.problem = Problem.of(thrown);
      this.phase = 'unreachable';
    }
  }

  #enter(me: Me): void {
    this.me = me;
    this.phase = 'in';
    this.sentAway = false;
    language.suggest(me.language);
  }
}

export const session = new Session();
