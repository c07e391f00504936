//! The things that can be open, as the journal tells of them.

use std::collections::BTreeMap;

use model::event::Consent;
use model::{
    AgentId, CallId, FlowId, LegId, OfferId, QueueEntryId, QueueId, RecordingId, Span, Timestamp,
};

/// A call whose customer is here.
#[derive(Debug, Clone)]
pub struct OpenCall {
    /// The customer's leg.
    pub leg: LegId,
    /// The flow and its version.
    pub flow: (FlowId, u64),
    /// The node the flow is in.
    pub node: Option<String>,
    /// About recording.
    pub consent: Consent,
    /// The recording that runs.
    pub recording: Option<RecordingId>,
    /// The place of the wait that led to a conversation: a wait that follows it without a step of
    /// the flow, because the agent was lost, goes on from there.
    pub(super) place: Option<Timestamp>,
    /// An agent sent it to the queue where it waits or talks, and no step of the flow.
    pub(super) is_sent: bool,
    /// Who did so, until it waits there.
    pub(super) sent_by: Option<AgentId>,
}

/// A wait that runs.
#[derive(Debug, Clone)]
pub struct OpenWait {
    /// Whose.
    pub call: CallId,
    /// Where.
    pub queue: QueueId,
    /// Higher first.
    pub priority: i32,
    /// When it began.
    pub since: Timestamp,
    /// What its place in the line counts from: earlier than `since` after a lost agent.
    pub place: Timestamp,
    /// Skills the flow asks for beside the queue's, with the least level.
    pub skills: BTreeMap<String, u8>,
    /// The offer that rings.
    pub offer: Option<OfferId>,
}

/// An offer that rings.
#[derive(Debug, Clone, Copy)]
pub struct OpenOffer {
    /// Whose.
    pub call: CallId,
    /// Of which wait.
    pub entry: QueueEntryId,
    /// To whom.
    pub agent: AgentId,
    /// Since when.
    pub since: Timestamp,
    /// The longest it may ring by the configuration of its beginning.
    pub ring: Span,
    /// Whether it rings at a SIP telephone instead of the page.
    pub dialled: bool,
}

/// A consultation that rings or runs.
#[derive(Debug, Clone, Copy)]
pub struct OpenConsult {
    /// In which call.
    pub call: CallId,
    /// Whose customer it is.
    pub agent: AgentId,
    /// Who was asked in.
    pub colleague: AgentId,
    /// Since when.
    pub since: Timestamp,
    /// The longest it may ring.
    pub ring: Span,
    /// Whether it rings at a SIP telephone instead of the page.
    pub dialled: bool,
    /// The second line of the agent's telephone that asks, and whether it is up.
    pub via: Option<(LegId, bool)>,
    /// The colleague's leg, once they took it.
    pub leg: Option<LegId>,
    /// Whether the customer is let in.
    pub conference: bool,
    /// Since when the colleague's page is lost.
    pub lost: Option<Timestamp>,
}

/// A call of an agent's telephone to the house itself.
#[derive(Debug, Clone, Copy)]
pub struct OpenErrand {
    /// Whose telephone.
    pub agent: AgentId,
    /// Since when.
    pub since: Timestamp,
    /// What names its graph, once it hears something.
    pub call: Option<CallId>,
}

/// A conversation.
#[derive(Debug, Clone, Copy)]
pub struct OpenTalk {
    /// With whom.
    pub call: CallId,
    /// Of which queue.
    pub queue: QueueId,
    /// The agent's leg.
    pub leg: LegId,
    /// Whether the customer is on hold.
    pub hold: bool,
    /// Since when the page is lost.
    pub lost: Option<Timestamp>,
    /// Whether the agent talks on a SIP telephone instead of the page.
    pub dialled: bool,
}

/// What an agent wants, by the commands the cell was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Not on shift.
    Away,
    /// Takes offers.
    Ready,
    /// On a break.
    Break,
    /// On a break because of a missed offer.
    Missed,
}

/// One agent's shift.
#[derive(Debug, Clone, Copy)]
pub struct Duty {
    /// What the agent wants.
    pub wish: Wish,
    /// The latest of: the wish, the telephone, the end of the last contact.
    pub since: Timestamp,
}
