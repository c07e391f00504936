/** The shapes of the API. Ids are UUID text, times RFC 3339 in UTC, durations seconds (`_s`). */

export type Role = 'agent' | 'supervisor' | 'administrator';

export interface Me {
  user_id: string;
  name: string;
  mail: string;
  role: Role;
  language: string;
  tenant: { id: string; name: string; zone: string; language: string };
  /** Whether this person takes contacts. */
  agent: boolean;
}

export interface Named {
  id: string;
  name: string;
}

export interface Choice {
  code: string;
  label: string;
}

export interface Page<T> {
  items: T[];
  next_cursor?: string | null;
}

export interface Setup {
  token: string;
  tenant_name: string;
  zone: string;
  language: string;
  admin: { mail: string; name: string; password: string };
}

export interface DeskInfo {
  dispositions: Choice[];
  break_reasons: Choice[];
  queues: Named[];
  today: { handled: number; talk_s: number; missed: number };
}

export type AgentStateName =
  | 'signed_out'
  | 'break'
  | 'did_not_answer'
  | 'no_device'
  | 'ready'
  | 'offered'
  | 'talking'
  | 'hold'
  | 'wrap_up';

export type Consent = 'unasked' | 'given' | 'refused';

export interface Fact {
  kind: 'chosen' | 'typed';
  key?: string | null;
  label: string;
  value?: string | null;
}

export interface Contact {
  call: string;
  caller?: string | null;
  dialled: string;
  queue: Named;
  language: string;
  facts: Fact[];
  queued_at: string;
  consent: Consent;
}

export interface Offer {
  offer: string;
  contact: Contact;
  offered_at: string;
  until: string;
  ready_since: string;
  eligible: number;
}

export interface LiveCall {
  contact: Contact;
  connected_at: string;
  hold_since?: string | null;
  recording: boolean;
}

export interface WrapUp {
  contact: Contact;
  since: string;
  until: string;
  talk_s: number;
}

/** Topic `me`. */
export interface AgentState {
  agent: string;
  state: AgentStateName;
  reason?: string | null;
  since: string;
  device_up: boolean;
  offer?: Offer | null;
  call?: LiveCall | null;
  wrap_up?: WrapUp | null;
}

/** Topic `queue:<id>`. */
export interface QueueState {
  queue: Named;
  waiting: number;
  longest_since?: string | null;
  ready: number;
  busy: number;
}

export type Outcome = 'handled' | 'abandoned' | 'left_in_flow' | 'flow_ended' | 'refused' | 'failed';

export interface CallRow {
  id: string;
  started_at: string;
  ended_at?: string | null;
  caller?: string | null;
  dialled: string;
  queue?: Named | null;
  agent?: Named | null;
  outcome?: Outcome | null;
  waited_s?: number | null;
  talk_s?: number | null;
  hold_s?: number | null;
  wrap_up_s?: number | null;
  disposition?: Choice | null;
  resolved?: boolean | null;
  recorded: boolean;
  live: boolean;
}

export type LaneKind = 'customer' | 'flow' | 'queue' | 'agent';
export type SegmentKind =
  | 'ring'
  | 'connected'
  | 'node'
  | 'waiting'
  | 'offered'
  | 'talking'
  | 'hold'
  | 'wrap_up'
  | 'lost';

export interface Segment {
  kind: SegmentKind;
  label: string;
  start_at: string;
  end_at?: string | null;
  detail?: string | null;
}

export interface Lane {
  lane: LaneKind;
  label: string;
  agent_id?: string | null;
  segments: Segment[];
}

export interface Recording {
  n: number;
  start_at: string;
  length_s: number;
  complete: boolean;
  paused?: { start_at: string; end_at: string }[] | null;
}

export interface CallDetail extends CallRow {
  language: string;
  consent: Consent;
  facts: Fact[];
  note?: string | null;
  flow: { id: string; name: string; version: number };
  ladder: {
    start_at: string;
    end_at?: string | null;
    lanes: Lane[];
    marks: { at: string; kind: string; label: string }[];
  };
  recordings: Recording[];
}

export interface Waveform {
  step_ms: number;
  left: number[];
  right: number[];
}

export interface CallBack {
  call: string;
  caller?: string | null;
  queue: Named;
  waiting_since: string;
  listed_at: string;
  done: boolean;
}

export type Device =
  | { kind: 'browser' }
  | { kind: 'sip'; target: { user: string; address: string } };

export interface User {
  id: string;
  mail: string;
  name: string;
  role: Role;
  language: string;
  queues: string[];
  skills: Record<string, number>;
  /** Without one this person takes no calls. */
  device: Device | null;
}

export type UserInput = Omit<User, 'id'> & { password?: string };

/** The fields of a queue; times in milliseconds. */
export interface QueueConfig {
  name: string;
  strategy: 'longest_ready';
  skills: Record<string, number>;
  ring_ms: number;
  wrap_up_ms: number;
  music: string;
  service_level_ms: number;
  short_abandon_ms: number;
  length_max: number;
}

export type QueueRow = QueueConfig & { id: string };

export interface FlowDocument {
  schema: number;
  start: string;
  nodes: Record<string, unknown>;
}

export interface FlowDetail extends Named {
  draft: FlowDocument;
  published?: { version: number; flow: FlowDocument } | null;
}

export type FlowRow = Named & { published?: { version: number } | null };

export interface Fault {
  pointer: string;
  code: string;
  detail: string;
}

export interface NumberRow {
  dialled: string;
  flow: string;
}

export interface PromptRow {
  name: string;
  variants: Record<string, { length_ms: number }>;
}

export interface ConfigVersion {
  n: number;
  at: string;
  by?: string | null;
  summary: string;
}
