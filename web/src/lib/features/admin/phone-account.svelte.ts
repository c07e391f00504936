/** The account by which somebody's telephone registers. Its secret is here while it is shown, and nowhere else. */
import { api, Problem, type PhoneSecret, type User } from '$lib/api';
import { Resource } from '$lib/ui/resource.svelte';
import { guarded } from './conflict.svelte';

export class PhoneAccount {
  /** The user name in force, `null` while there is no secret; with the version that says so. */
  readonly known: Resource<api.Reply<string | null>>;
  made = $state.raw<PhoneSecret | null>(null);
  problem = $state.raw<Problem | null>(null);
  busy = $state(false);
  /** It knows no SHA-256. */
  older = $state(false);
  #path: string;

  constructor(user: string) {
    this.#path = `/users/${user}`;
    this.known = new Resource(() => this.#read());
  }

  get username(): string | null {
    return this.known.data?.data ?? null;
  }

  /** Makes a secret in the place of the one that was seen; true when there is one to show. */
  async make(): Promise<boolean> {
    const seen = this.known.data;
    if (!seen || this.busy) return false;
    this.busy = true;
    this.problem = null;
    try {
      // Without the key of a command: the house would remember the secret with its answer.
      const send = (ifMatch: string | null) => api.request<PhoneSecret>('POST', `${this.#path}/phone-secret`, { ifMatch, body: { digest: this.older ? 'md5' : 'sha256' } });
      const outcome = await guarded({ name: '', seen: seen.data, etag: seen.etag, read: () => this.#read(), send, ask: async () => 'later' });
      // Somebody else made the first one meanwhile: to end that is another question.
      if (!outcome.done) throw new Problem({ status: 412, code: 'stale' });
      const { data, etag } = outcome.result;
      this.made = data;
      this.known.data = { data: data.username, etag };
      return true;
    } catch (thrown) {
      this.problem = Problem.of(thrown);
      void this.known.load();
      return false;
    } finally {
      this.busy = false;
    }
  }

  async #read(): Promise<api.Reply<string | null>> {
    const { data, etag } = await api.request<User>('GET', this.#path);
    return { data: data.phone_username ?? null, etag };
  }
}
