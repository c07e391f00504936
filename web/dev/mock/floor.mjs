/** A small living floor for `npm run mock`: offers come, ring out, are answered and wrapped up. */
import { colleagues, handledRow } from './data.mjs';
import { agentState, offer, queueState, recordState } from './scenes.mjs';

const iso = (ms) => new Date(ms).toISOString();
/** What happens is in the record so many milliseconds after it was told, as behind a commit. */
const COMMIT_MS = 150;

export class Floor {
  constructor(scene, clock, tell, { ringS = 20, wrapUpS = 60 } = {}) {
    this.ringS = ringS;
    this.wrapUpS = wrapUpS;
    this.scene = scene;
    this.clock = clock;
    this.tell = tell;
    this.seq = 1;
    this.state = agentState(scene, clock());
    this.timer = null;
    this.serial = 0;
    this.missed = 0;
    /** Rows of calls that ended here, the newest first. */
    this.ended = [];
    if (scene.state === 'live') this.next(4);
  }

  change(changes) {
    this.state = { ...this.state, since: iso(this.clock()), ...changes };
    this.seq += 1;
    this.tell('me', this.seq, this.state);
  }

  after(seconds, act) {
    clearTimeout(this.timer);
    this.timer = setTimeout(act, seconds * 1000);
  }

  /** Nobody looks any more. */
  stop() {
    clearTimeout(this.timer);
    this.tell = () => {};
  }

  next(seconds) {
    if (this.scene.state !== 'live') return;
    this.after(seconds, () => {
      if (this.state.state !== 'ready') return;
      this.serial += 1;
      const one = offer(this.scene.lang, this.clock(), this.ringS, 0);
      one.offer = `${one.offer.slice(0, -4)}${String(this.serial).padStart(4, '0')}`;
      one.contact.call = `${one.contact.call.slice(0, -4)}${String(2000 + this.serial)}`;
      this.change({ state: 'offered', offer: one });
      this.after(this.ringS, () => {
        this.change({ state: 'did_not_answer', offer: null });
        setTimeout(() => (this.missed += 1), COMMIT_MS);
      });
    });
  }

  /** The offer is taken: on the page, or by lifting the telephone. */
  answered() {
    clearTimeout(this.timer);
    this.change({ state: 'talking', offer: null, call: { contact: this.state.offer.contact, connected_at: iso(this.clock()), hold_since: null, recording: true } });
  }

  wrapUpOver() {
    const { contact, talk_s: talk } = this.state.wrap_up;
    setTimeout(() => this.ended.unshift(handledRow(this.scene.lang, this.clock(), contact, talk)), COMMIT_MS);
    this.change({ state: 'ready', wrap_up: null });
  }

  command(path, body) {
    const now = this.clock();
    const { call, wrap_up: wrapUp } = this.state;
    if (path === '/agent/sign-in' || path === '/agent/ready') {
      if (!call && !wrapUp) this.change({ state: 'ready', reason: null, offer: null, device_up: true });
      this.next(6);
      return null;
    }
    if (path === '/agent/break') return this.change({ state: 'break', reason: body.reason, offer: null });
    if (path === '/agent/sign-out') return this.change({ state: 'signed_out', reason: null, offer: null });
    const [, kind, , act, more] = path.split('/');
    if (kind === 'offers') {
      if (!this.state.offer) return { status: 409, code: 'offer_gone' };
      if (act === 'accept') return this.state.device === 'browser' ? this.answered() : { status: 409, code: 'wrong_state' };
      clearTimeout(this.timer);
      return this.change({ state: 'break', reason: null, offer: null });
    }
    if (act === 'hold' && call) return this.change({ state: 'hold', call: { ...call, hold_since: iso(now) } });
    if (act === 'consult' && call) return this.consult(call, more, body);
    if (act === 'conference' && call?.consult?.joined_at) {
      const all = more !== 'end';
      return this.change({ state: all ? 'talking' : 'hold', call: { ...call, hold_since: all ? null : iso(now), consult: { ...call.consult, conference: all } } });
    }
    if (act === 'resume' && call) return this.change({ state: 'talking', call: { ...call, hold_since: null } });
    if ((act === 'hangup' || act === 'transfer') && call) return this.part(call);
    if (act === 'wrap-up' && wrapUp) {
      if (more === 'extend') return this.change({ since: this.state.since, wrap_up: { ...wrapUp, until: iso(Date.parse(wrapUp.until) + body.seconds * 1000) } });
      this.wrapUpOver();
      this.next(6);
      return null;
    }
    return { status: 409, code: 'wrong_state' };
  }

  /** The conversation is over for the agent. */
  part(call) {
    const now = this.clock();
    this.after(this.wrapUpS, () => this.wrapUpOver());
    return this.change({ state: 'wrap_up', call: null, wrap_up: { contact: call.contact, since: iso(now), until: iso(now + this.wrapUpS * 1000), talk_s: (now - Date.parse(call.connected_at)) / 1000 } });
  }

  /** A colleague who takes it at once, is gone again, or gets the customer. */
  consult(call, more, body) {
    const now = this.clock();
    if (more === 'end') return this.change({ state: 'talking', call: { ...call, hold_since: null, consult: null } });
    if (more === 'hand-over') return this.part(call);
    const [agent, ...others] = colleagues(this.scene.lang, now).map(({ id, name, free }) => ({ id, name, free }));
    const colleague = others.find(({ id, free }) => id === body.colleague && free);
    if (!colleague) return { status: 409, code: 'not_free' };
    const consult = { agent, colleague, joined_at: null, conference: false, hand_over: Boolean(body.hand_over), second_line: false };
    this.change({ state: 'hold', call: { ...call, hold_since: iso(now), consult, consult_missed: null } });
    setTimeout(() => {
      const { call: still } = this.state;
      if (still?.consult?.hand_over) this.part(still);
      else if (still?.consult) this.change({ call: { ...still, consult: { ...still.consult, joined_at: iso(this.clock()) } } });
    }, 1_000);
    return null;
  }

  topic(name) {
    if (name === 'me') return { seq: this.seq, data: this.state };
    if (name === 'record') return { seq: 1, data: recordState(this.scene, this.clock()) };
    const at = ['000000000001', '000000000002', '000000000003'].findIndex((tail) => name.endsWith(tail));
    return at < 0 ? null : { seq: 1, data: queueState(this.scene, this.clock(), at) };
  }
}
