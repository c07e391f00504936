//! Everything that happened: the journal's vocabulary. Ids and codes only, never names, numbers or
//! text, so that erasing a person never rewrites history.

use serde::{Deserialize, Serialize};

use crate::id::{
    AgentId, CallId, FlowId, LegId, OfferId, PartyId, QueueEntryId, QueueId, RecordingId, TenantId,
};
use crate::number::DialString;
use crate::sip::LegCause;
use crate::time::Timestamp;

/// An event with its place in the tenant's journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// Whose journal.
    pub tenant: TenantId,
    /// Place in the journal: contiguous from 1 per tenant.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// The configuration version it happened under.
    pub config: u64,
    /// What.
    pub event: Event,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// A call arrived.
    CallStarted {
        call: CallId,
        leg: LegId,
        party: PartyId,
        dialled: DialString,
        flow: FlowId,
        flow_version: u64,
    },
    /// The customer's leg was answered.
    CallAnswered { call: CallId },
    /// The flow entered a node.
    NodeEntered { call: CallId, node: String },
    /// The caller chose in a menu.
    Chosen { call: CallId, node: String, key: char },
    /// The caller typed a value; the value itself is a fact row.
    Collected { call: CallId, node: String, variable: String },
    /// The caller was told of recording.
    ConsentTaken { call: CallId, consent: Consent },
    /// The language of the call was chosen: BCP 47 tag.
    LanguageSet { call: CallId, language: String },
    /// A wait began.
    Queued { call: CallId, entry: QueueEntryId, queue: QueueId, priority: i32 },
    /// A wait ended. Exactly one per `Queued`.
    QueueLeft {
        call: CallId,
        entry: QueueEntryId,
        queue: QueueId,
        outcome: QueueOutcome,
        waited_us: i64,
    },
    /// An agent's slot was leased for a contact.
    Offered {
        call: CallId,
        entry: QueueEntryId,
        queue: QueueId,
        offer: OfferId,
        agent: AgentId,
        ready_since: Timestamp,
    },
    /// The lease ended. Exactly one per `Offered`.
    OfferEnded {
        call: CallId,
        offer: OfferId,
        agent: AgentId,
        outcome: OfferOutcome,
        /// With `Declined`, if the agent gave one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<DeclineReason>,
    },
    /// Agent and customer are connected.
    Connected { call: CallId, entry: QueueEntryId, queue: QueueId, agent: AgentId, leg: LegId },
    /// The agent left the conversation.
    Disconnected { call: CallId, queue: QueueId, agent: AgentId, leg: LegId, cause: LegCause },
    /// The agent sent the customer from one queue to another; `Disconnected` and `Queued` follow.
    Transferred { call: CallId, agent: AgentId, queue: QueueId, to: QueueId },
    /// The agent sent the customer to a number of the company; `Disconnected` follows, and the flow
    /// of that number begins.
    Redirected {
        call: CallId,
        agent: AgentId,
        queue: QueueId,
        dialled: DialString,
        flow: FlowId,
        flow_version: u64,
    },
    /// The agent asked a colleague in, whose telephone rings.
    ConsultStarted { call: CallId, consult: OfferId, agent: AgentId, colleague: AgentId },
    /// The colleague took it: the two talk alone.
    ConsultJoined { call: CallId, consult: OfferId, colleague: AgentId, leg: LegId },
    /// The customer was let in: all three talk.
    ConferenceStarted { call: CallId, consult: OfferId },
    /// The customer hears music again, or the consultation is over.
    ConferenceEnded { call: CallId, consult: OfferId },
    /// The consultation is over. Exactly one per `ConsultStarted`.
    ConsultEnded {
        call: CallId,
        consult: OfferId,
        agent: AgentId,
        colleague: AgentId,
        outcome: ConsultOutcome,
    },
    /// The customer was put on hold.
    HoldStarted { call: CallId, agent: AgentId },
    /// Hold ended, by the agent or with the conversation.
    HoldEnded { call: CallId, agent: AgentId },
    /// The page of the talking agent was lost; the customer hears music.
    AgentLost { call: CallId, agent: AgentId },
    /// The page came back.
    AgentRegained { call: CallId, agent: AgentId },
    /// A recording began.
    RecordingStarted { call: CallId, recording: RecordingId },
    /// The recording ended.
    RecordingEnded { call: CallId, recording: RecordingId },
    /// Wrap-up began.
    WrapUpStarted { call: CallId, queue: QueueId, agent: AgentId, until: Timestamp },
    /// Wrap-up got more time.
    WrapUpExtended { call: CallId, agent: AgentId, until: Timestamp },
    /// Wrap-up ended.
    WrapUpEnded {
        call: CallId,
        queue: QueueId,
        agent: AgentId,
        disposition: Option<String>,
        resolved: Option<bool>,
    },
    /// The call is over. Exactly one per `CallStarted`.
    CallEnded { call: CallId, cause: LegCause, outcome: CallOutcome },
    /// A caller who could not be kept was put on the call-back list.
    CallbackListed { call: CallId, party: PartyId, queue: QueueId },
    /// An agent's state changed.
    AgentState { agent: AgentId, state: AgentState, reason: Option<String> },
    /// The telephone of an agent was connected.
    DeviceUp { agent: AgentId, leg: LegId },
    /// The telephone of an agent was lost.
    DeviceDown { agent: AgentId, leg: LegId },
    /// Events could not be saved and are missing.
    RecordGap { from_seq: u64, until_seq: u64 },
    /// The wall clock was set, by this much; the times of all events follow it slowly.
    ClockJumped { by_us: i64 },
}

impl Event {
    /// The call it is about; none for the events of agents and of the journal itself.
    #[must_use]
    pub fn call(&self) -> Option<CallId> {
        match self {
            Self::CallStarted { call, .. }
            | Self::CallAnswered { call }
            | Self::NodeEntered { call, .. }
            | Self::Chosen { call, .. }
            | Self::Collected { call, .. }
            | Self::ConsentTaken { call, .. }
            | Self::LanguageSet { call, .. }
            | Self::Queued { call, .. }
            | Self::QueueLeft { call, .. }
            | Self::Offered { call, .. }
            | Self::OfferEnded { call, .. }
            | Self::Connected { call, .. }
            | Self::Disconnected { call, .. }
            | Self::Transferred { call, .. }
            | Self::Redirected { call, .. }
            | Self::ConsultStarted { call, .. }
            | Self::ConsultJoined { call, .. }
            | Self::ConferenceStarted { call, .. }
            | Self::ConferenceEnded { call, .. }
            | Self::ConsultEnded { call, .. }
            | Self::HoldStarted { call, .. }
            | Self::HoldEnded { call, .. }
            | Self::AgentLost { call, .. }
            | Self::AgentRegained { call, .. }
            | Self::RecordingStarted { call, .. }
            | Self::RecordingEnded { call, .. }
            | Self::WrapUpStarted { call, .. }
            | Self::WrapUpExtended { call, .. }
            | Self::WrapUpEnded { call, .. }
            | Self::CallEnded { call, .. }
            | Self::CallbackListed { call, .. } => Some(*call),
            Self::AgentState { .. }
            | Self::DeviceUp { .. }
            | Self::DeviceDown { .. }
            | Self::RecordGap { .. }
            | Self::ClockJumped { .. } => None,
        }
    }
}

/// Whether the caller agreed to be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Consent {
    /// Never asked: nothing is recorded.
    #[default]
    Unasked,
    /// Told and did not refuse.
    Given,
    /// Refused.
    Refused,
}

/// How a wait ended. The identity of kpi.md counts each once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueOutcome {
    /// An agent took it.
    Answered,
    /// The caller left after the short-abandon threshold.
    Abandoned,
    /// The caller left before it.
    ShortAbandoned,
    /// The longest wait passed and the flow went on.
    TimedOut,
    /// The house failed.
    Lost,
}

/// How an offer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OfferOutcome {
    /// The agent took it.
    Accepted,
    /// The agent gave it back.
    Declined,
    /// The ring time passed.
    NoAnswer,
    /// The caller left, or the longest wait passed.
    Withdrawn,
    /// The agent's telephone was lost or could not be reached.
    DeviceLost,
    /// The house could not ring the telephone: no room, or a fault. Nobody missed anything.
    NotRung,
}

/// How a consultation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsultOutcome {
    /// The colleague does not want to talk.
    Declined,
    /// The ring time passed.
    NoAnswer,
    /// The agent or the call was over before the colleague answered.
    Withdrawn,
    /// The colleague's telephone was lost or could not be reached.
    DeviceLost,
    /// The house could not ring the telephone: no room, or a fault. Nobody missed anything.
    NotRung,
    /// The two had talked, and one of them or the call ended it.
    Over,
    /// The customer was left to the colleague.
    HandedOver,
}

/// Why an agent gave an offer back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeclineReason {
    /// Not ready to talk.
    NotPrepared,
    /// Not the right one for this contact.
    CannotHelp,
    /// Telephone or computer.
    Technical,
    /// Something else.
    Other,
}

impl DeclineReason {
    /// From the code that was sent. Nothing gives no reason; unknown text is never kept, so that no
    /// name gets into the journal.
    #[must_use]
    pub fn of_code(code: &str) -> Option<Self> {
        match code {
            "" => None,
            "not_prepared" => Some(Self::NotPrepared),
            "cannot_help" => Some(Self::CannotHelp),
            "technical" => Some(Self::Technical),
            _ => Some(Self::Other),
        }
    }
}

/// How a call ended, as one word for its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallOutcome {
    /// At least one agent talked to the customer.
    Handled,
    /// Left while waiting.
    Abandoned,
    /// Left in the flow before any wait.
    LeftInFlow,
    /// The flow itself came to its end.
    FlowEnded,
    /// Refused: no such number, limits.
    Refused,
    /// The house failed.
    Failed,
}

/// The state of an agent, derived from intent and leases, one word everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentState {
    /// Not on shift.
    SignedOut,
    /// On a break, with a reason.
    Break,
    /// On a break because an offer was not answered.
    DidNotAnswer,
    /// Wants offers but the telephone is not connected.
    NoDevice,
    /// Waits for work.
    Ready,
    /// An offer rings.
    Offered,
    /// Talks.
    Talking,
    /// Talks, the customer is on hold.
    Hold,
    /// Wraps up.
    WrapUp,
}
