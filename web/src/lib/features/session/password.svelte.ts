/** A new password for oneself, while it is typed: nothing of it outlives the dialog. */
import { api, Problem } from '$lib/api';

/** The least the server takes, in characters as people count them. */
const PASSWORD_CHARS_MIN = 12;

export class PasswordChange {
  old = $state('');
  new = $state('');
  again = $state('');
  busy = $state(false);
  problem = $state.raw<Problem | null>(null);

  get short(): boolean {
    return this.new !== '' && [...this.new].length < PASSWORD_CHARS_MIN;
  }

  /** The second typing is no beginning of the first: said while it is typed, not only afterwards. */
  get differs(): boolean {
    return this.again !== '' && !this.new.startsWith(this.again);
  }

  get complete(): boolean {
    return this.old !== '' && this.new !== '' && !this.short && this.new === this.again;
  }

  /** What the server says about the password in force; other refusals belong to the whole form. */
  get wrong(): boolean {
    return this.problem?.code === 'wrong_password';
  }

  /** Sends it; true when it is in force. */
  async send(): Promise<boolean> {
    if (!this.complete || this.busy) return false;
    this.busy = true;
    this.problem = null;
    try {
      await api.request<void>('PUT', '/me/password', { body: { old: this.old, new: this.new } });
      this.clear();
      return true;
    } catch (thrown) {
      this.problem = Problem.of(thrown);
      if (this.wrong) this.old = '';
      return false;
    } finally {
      this.busy = false;
    }
  }

  clear(): void {
    this.old = '';
    this.new = '';
    this.again = '';
    this.problem = null;
  }
}
