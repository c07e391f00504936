//! What the hub hands over to be kept: one batch per turn of a cell, all or nothing.

use model::effect::Fact;
use model::event::{CallOutcome, Consent};
use model::number::DialString;
use model::sip::LegCause;
use model::{
    AgentId, CallId, FlowId, LegId, PartyId, QueueId, Recorded, RecordingId, TenantId, Timestamp,
};

/// Events and rows of one tenant that belong together: either all are kept or none.
#[derive(Debug, Clone)]
pub struct FloorBatch {
    /// Whose.
    pub tenant: TenantId,
    /// New events in the order of `seq`.
    pub events: Vec<Recorded>,
    /// Rows to write, in this order.
    pub rows: Vec<FloorRow>,
}

/// One row beside the events: what an event may not say (names, numbers, text) and the state that
/// a restart needs.
#[derive(Debug, Clone)]
pub enum FloorRow {
    /// Who is on a contact. Written once; a later one with the same id replaces it.
    Party {
        /// Its id in events.
        party: PartyId,
        /// The number as shown.
        number: Option<String>,
        /// The display name as shown.
        name: Option<String>,
    },
    /// What the caller chose or typed.
    Fact {
        /// The call.
        call: CallId,
        /// Its place among the facts of the call, from 0.
        n: u32,
        /// What.
        fact: Fact,
        /// When.
        at: Timestamp,
    },
    /// What the agent wrote; the newest note of an agent on a call replaces the one before.
    Note {
        /// The call.
        call: CallId,
        /// Who wrote.
        agent: AgentId,
        /// Free text.
        text: String,
        /// When.
        at: Timestamp,
    },
    /// A caller to be called back. A second one for the same call changes nothing.
    Callback {
        /// The call that was lost.
        call: CallId,
        /// Whom to call.
        party: PartyId,
        /// For which queue.
        queue: QueueId,
        /// Since when the caller had waited.
        waiting_since: Timestamp,
        /// When it was listed.
        listed_at: Timestamp,
    },
    /// The record of a call as it is now; replaces the one before.
    Call(Box<CallRow>),
    /// What an agent wants (signed in, ready, break), for the next start.
    AgentIntent {
        /// Who.
        agent: AgentId,
        /// The cell's own document.
        intent: serde_json::Value,
    },
    /// The telephone of an agent was connected; replaces the one before.
    DeviceUp {
        /// Who.
        agent: AgentId,
        /// Its leg.
        leg: LegId,
    },
    /// The telephone of an agent is gone. Of a leg that was replaced it changes nothing.
    DeviceDown {
        /// Who.
        agent: AgentId,
        /// Its leg.
        leg: LegId,
    },
    /// A recording as it is now; replaces the one before.
    Recording(RecordingRow),
}

/// The record of a call. Durations in microseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRow {
    /// Names it.
    pub call: CallId,
    /// Who called.
    pub party: PartyId,
    /// The customer's leg.
    pub leg: LegId,
    /// What was dialled.
    pub dialled: DialString,
    /// The flow it began in.
    pub flow: FlowId,
    /// The version of that flow.
    pub flow_version: u64,
    /// BCP 47 tag.
    pub language: String,
    /// What the caller said about recording.
    pub consent: Consent,
    /// When it arrived.
    pub started_at: Timestamp,
    /// When the house answered.
    pub answered_at: Option<Timestamp>,
    /// When it was over; `None` while it lives.
    pub ended_at: Option<Timestamp>,
    /// The last queue it waited in.
    pub queue: Option<QueueId>,
    /// Since when it waits; `None` when it does not wait now.
    pub waiting_since: Option<Timestamp>,
    /// The last agent who talked.
    pub agent: Option<AgentId>,
    /// Time in queues.
    pub waited_us: i64,
    /// Time with an agent, hold not counted.
    pub talk_us: i64,
    /// Time on hold.
    pub hold_us: i64,
    /// Wrap-up of its agents.
    pub wrap_us: i64,
    /// How it ended.
    pub outcome: Option<CallOutcome>,
    /// Why the customer's leg ended.
    pub cause: Option<LegCause>,
    /// The result the agent chose.
    pub disposition: Option<String>,
    /// Whether the agent said it was resolved.
    pub resolved: Option<bool>,
    /// Whether any of it was recorded.
    pub recorded: bool,
    /// Whether nothing of it can change any more: it is over, and nobody wraps it up.
    pub finished: bool,
}

/// One recording file of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingRow {
    /// Names it in events.
    pub recording: RecordingId,
    /// The call.
    pub call: CallId,
    /// Its place among the files of the call, from 1.
    pub n: u32,
    /// Whose sound it holds.
    pub legs: Vec<LegId>,
    /// When it began.
    pub started_at: Timestamp,
    /// Where it is, relative to the data folder, with `/`.
    pub path: String,
    /// Its length in milliseconds, 0 while it grows.
    pub length_ms: i64,
    /// Whether it was finished with nothing lost.
    pub complete: bool,
    /// SHA-256 of the finished file, hexadecimal; empty when a crash left nothing to be heard.
    pub sha256: Option<String>,
}
