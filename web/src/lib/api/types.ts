/**
 * The names the screens use for the shapes of the API. REST shapes come from `schema.d.ts`, which `npm run types`
 * makes of the server's OpenAPI document. The topics of the WebSocket are in no document and are written out. Ids
 * are UUID text, times RFC 3339 in UTC, durations seconds (`_s`).
 */
import type { components } from './schema';

type Schemas = components['schemas'];
/** `T` with some of its fields narrowed. */
type With<T, Narrow> = Omit<T, keyof Narrow> & Narrow;

export interface Page<T> {
  items: T[];
  next_cursor?: string | null;
}

export type Role = Schemas['RoleName'];
export type Me = Schemas['Me'];
export type Named = Schemas['Named'];
export type Choice = Schemas['Choice'];
export type Setup = Schemas['SetupBody'];
export type Company = Schemas['Company'];
export type Reach = Schemas['Reach'];
export type DeskInfo = Schemas['Desk'];
export type Colleague = With<Schemas['Colleague'], { state: AgentStateName }>;
export type CallBack = Schemas['CallbackRow'];
export type Fault = Schemas['Fault'];
export type NumberRow = Schemas['NumberRow'];
export type PromptRow = Schemas['PromptRow'];
export type ConfigVersion = Schemas['VersionRow'];
export type Waveform = Schemas['Waveform'];
export type Recording = Schemas['RecordingRow'];

export type Consent = Schemas['ConsentName'];
export type Fact = Schemas['FactRow'];
export type Outcome = Schemas['OutcomeName'];
export type CallRow = Schemas['CallRow'];

export type LaneKind = Schemas['LaneName'];
export type SegmentKind = Schemas['SegmentName'];
export type Segment = Schemas['SegmentRow'];
export type Lane = Schemas['LaneRow'];
export type Ladder = Schemas['LadderRow'];
export type CallDetail = Schemas['CallDetail'];

export type User = Schemas['UserRow'];
export type Device = Schemas['DeviceBody'];
export type PhoneSecret = Schemas['PhoneSecret'];
/** A person as typed; an empty password changes none, no device means no calls. */
export type UserInput = Omit<With<Required<Schemas['UserBody']>, { device: Device | null }>, 'password'> & { password?: string };
/** Times in milliseconds. */
export type QueueConfig = Required<Schemas['QueueBody']>;
export type QueueRow = QueueConfig & { id: string };
export type FlowRow = Schemas['FlowRow'];
export type FlowDetail = Schemas['FlowDetail'];

export type Interval = Schemas['Interval'];
export type Calendar = Required<Schemas['Calendar']>;
/** By id; a key that is no id makes a new one. */
export type Calendars = Record<string, Calendar>;

export type AgentStateName = 'signed_out' | 'break' | 'did_not_answer' | 'no_device' | 'ready' | 'offered' | 'talking' | 'hold' | 'wrap_up';

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
  /** The colleague who asks one in. */
  asked_by?: Named | null;
}

/** A colleague who was asked into a conversation. */
export interface Consult {
  /** Whose customer it is. */
  agent: Named;
  colleague: Named;
  /** Absent while it rings. */
  joined_at?: string | null;
  conference: boolean;
  /** The customer is the colleague's as soon as they take it. */
  hand_over: boolean;
  /** On a second line of the agent's telephone, which lets the customer in by itself. */
  second_line: boolean;
}

export type ConsultOutcome = 'declined' | 'no_answer' | 'withdrawn' | 'device_lost' | 'not_rung' | 'over' | 'handed_over';

export interface LiveCall {
  contact: Contact;
  connected_at: string;
  hold_since?: string | null;
  recording: boolean;
  consult?: Consult | null;
  /** How the last one led nowhere. */
  consult_missed?: { colleague: Named; outcome: ConsultOutcome } | null;
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
  /** What calls ring at. */
  device: Device['kind'] | null;
  /** It can be reached. */
  device_up: boolean;
  offer?: Offer | null;
  call?: LiveCall | null;
  wrap_up?: WrapUp | null;
}

/** Topic `record`. */
export interface RecordState {
  /** Since when nothing is kept for sure; absent while all is well. */
  late_since?: string | null;
}

/** Topic `queue:<id>`. */
export interface QueueState {
  queue: Named;
  waiting: number;
  longest_since?: string | null;
  ready: number;
  busy: number;
}
