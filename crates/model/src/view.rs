//! What a page sees of the live floor: snapshots that the hub pushes when they change.

use serde::{Deserialize, Serialize};

use crate::effect::Fact;
use crate::event::{AgentState, Consent, ConsultOutcome};
use crate::id::{AgentId, CallId, LegId, OfferId, PartyId, QueueId};
use crate::number::DialString;
use crate::time::Timestamp;

/// One agent's whole live situation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentView {
    /// Who.
    pub agent: AgentId,
    /// The derived state.
    pub state: AgentState,
    /// The code of the break.
    pub reason: Option<String>,
    /// Since when this state lasts.
    pub since: Timestamp,
    /// Whether the telephone is connected.
    pub device_up: bool,
    /// The offer that rings.
    pub offer: Option<OfferView>,
    /// The conversation.
    pub call: Option<CallView>,
    /// The contact that is being wrapped up.
    pub wrap_up: Option<WrapUpView>,
}

/// An offer as its card shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferView {
    /// Names it.
    pub offer: OfferId,
    /// The contact.
    pub contact: ContactView,
    /// When it rang first.
    pub offered_at: Timestamp,
    /// When it is taken back.
    pub until: Timestamp,
    /// Why this agent: since when ready, the longest of how many eligible.
    pub ready_since: Timestamp,
    /// How many agents were eligible.
    pub eligible: u32,
    /// The colleague who asks one in; the customer is theirs.
    pub asked_by: Option<AgentId>,
}

/// Who is on the contact and what is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactView {
    /// The call.
    pub call: CallId,
    /// Who.
    pub party: PartyId,
    /// The number as shown.
    pub caller: Option<DialString>,
    /// The number that was dialled.
    pub dialled: DialString,
    /// Which queue.
    pub queue: QueueId,
    /// BCP 47 tag.
    pub language: String,
    /// What the caller chose and typed, in order.
    pub facts: Vec<Fact>,
    /// When the wait began.
    pub queued_at: Timestamp,
    /// What the caller said about recording.
    pub consent: Consent,
}

/// A conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallView {
    /// Who.
    pub contact: ContactView,
    /// When the two were connected.
    pub connected_at: Timestamp,
    /// The agent's leg.
    pub leg: LegId,
    /// Since when the customer is on hold.
    pub hold_since: Option<Timestamp>,
    /// Whether it is being recorded now.
    pub recording: bool,
    /// The consultation that rings or runs.
    pub consult: Option<ConsultView>,
    /// How the last one led nowhere, until the next.
    pub consult_missed: Option<ConsultMissed>,
}

/// A consultation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsultView {
    /// Whose customer it is.
    pub agent: AgentId,
    /// Who was asked in.
    pub colleague: AgentId,
    /// Since when the two talk; not yet while it rings.
    pub joined_at: Option<Timestamp>,
    /// Whether the customer hears and speaks too.
    pub conference: bool,
    /// Whether the customer is the colleague's as soon as they take it.
    pub hand_over: bool,
    /// Whether the agent talks with the colleague on a second line of the telephone, which lets the
    /// customer in, or not, by itself.
    pub second_line: bool,
}

/// A consultation that came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsultMissed {
    /// Who was asked.
    pub colleague: AgentId,
    /// What became of it.
    pub outcome: ConsultOutcome,
}

/// A wrap-up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrapUpView {
    /// Who it was.
    pub contact: ContactView,
    /// When the conversation ended.
    pub since: Timestamp,
    /// When it ends by itself.
    pub until: Timestamp,
    /// Length of the conversation with hold, microseconds.
    pub talk_us: i64,
}

/// Live figures of a queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueView {
    /// Which.
    pub queue: QueueId,
    /// Contacts that wait, those being offered included.
    pub waiting: u32,
    /// When the longest of them began.
    pub longest_since: Option<Timestamp>,
    /// Agents of the queue that are ready.
    pub ready: u32,
    /// Agents of the queue that are offered, talk, hold or wrap up.
    pub busy: u32,
}

/// Whether what happens is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordView {
    /// Since when nothing is kept for sure and nothing is promised; `None` while all is well.
    pub late_since: Option<Timestamp>,
}
