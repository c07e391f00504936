//! Calls: one customer's stay from arrival to leaving.
//!
//! Invariant: a call is in exactly one stage, and the stage owns everything that lasts only as
//! long as it does.

mod arrival;
mod consult;
mod end;
mod graph;
mod refer;
mod talk;
mod transfer;
mod wait;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use model::effect::{Fact, KeyMode};
use model::event::Consent;
use model::media::{ClipId, Graph};
use model::view::ConsultMissed;
use model::{
    AgentId, CallId, DialString, FlowId, LegId, OfferId, PartyId, PlayId, QueueEntryId, QueueId,
    RecordingId, SecretId, Timestamp,
};
use serde::{Deserialize, Serialize};

pub(crate) use crate::call::consult::{Consult, Joined, Wish};
pub(crate) use crate::call::end::By;
use crate::cell::Cell;
use crate::queue::{Place, Skills};

/// One call.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Call {
    /// The customer's leg.
    pub(crate) leg: LegId,
    pub(crate) caller: Option<DialString>,
    pub(crate) party: PartyId,
    pub(crate) dialled: DialString,
    pub(crate) flow: FlowId,
    pub(crate) flow_version: u64,
    /// The node the flow stands on; the queue node while the call waits and talks.
    pub(crate) node: String,
    pub(crate) language: String,
    pub(crate) consent: Consent,
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) facts: Vec<Fact>,
    /// Keys that no node has taken yet.
    pub(crate) keys: VecDeque<char>,
    /// The second that keys are counted in, and how many have come in it.
    pub(crate) keys_since: Timestamp,
    pub(crate) keys_in_second: u32,
    /// How the shell passes keys, where the flow can ask for a secret; otherwise nothing was said.
    pub(crate) guard: Option<Guard>,
    /// Nodes passed in the call's whole life, and since it last waited.
    pub(crate) steps: u32,
    pub(crate) steps_without_wait: u32,
    pub(crate) recording: Option<RecordingId>,
    /// The queue that an agent sent the call to, in place of the one that its node names.
    #[serde(default)]
    pub(crate) sent_to: Option<QueueId>,
    /// Who sent the call on, and does not get it back as soon as it waits.
    #[serde(default)]
    pub(crate) sent_by: Option<AgentId>,
    /// Whether an agent has talked to the customer.
    pub(crate) was_handled: bool,
    pub(crate) stage: Stage,
    /// The revision and the graph that were sent last.
    pub(crate) rev: u64,
    pub(crate) graph: Graph,
}

/// Where a call stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Stage {
    /// The customer's leg is being answered.
    Answering,
    /// The flow speaks or listens.
    Flow(Ask),
    /// The call waits for an agent.
    Waiting(Box<Wait>),
    /// Customer and agent are connected.
    Talking(Box<Talk>),
}

/// What the present node of the flow is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ask {
    /// What the caller hears; silence while only keys are awaited.
    pub(crate) playing: Option<Playing>,
    /// How often the node may still ask, this time included.
    pub(crate) tries_left: u32,
    /// Keys collected so far.
    pub(crate) typed: String,
    /// The secret that is being typed in place of them.
    pub(crate) secret: Option<Secret>,
}

/// A secret under way. Its digits are not here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Secret {
    pub(crate) id: SecretId,
    pub(crate) digits: u8,
}

/// What was said to the shell about the keys of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Guard {
    /// The mode that was said last; none when the shell has left it by itself.
    pub(crate) said: Option<KeyMode>,
    /// Keys are being held before a late key is given up.
    pub(crate) holding: bool,
}

impl Ask {
    /// Nothing is asked yet.
    pub(crate) fn silent() -> Self {
        Self { playing: None, tries_left: 0, typed: String::new(), secret: None }
    }

    /// Digits typed so far.
    pub(crate) fn length(&self) -> usize {
        self.secret.map_or(self.typed.len(), |secret| usize::from(secret.digits))
    }
}

/// A play-out to the customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Playing {
    pub(crate) play: PlayId,
    pub(crate) clips: Vec<ClipId>,
}

/// One wait in one queue.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Wait {
    pub(crate) entry: QueueEntryId,
    pub(crate) queue: QueueId,
    /// The place in the line.
    pub(crate) place: Place,
    /// When the customer's wait began, as agents see it; older than the entry after a lost agent.
    pub(crate) queued_at: Timestamp,
    /// When this entry began: figures count from here.
    pub(crate) entered_at: Timestamp,
    /// Skills that the flow's node asks for.
    pub(crate) asked_by_node: Skills,
    /// These and the queue's own, and the class of the line the contact stands in.
    pub(crate) asked: Skills,
    pub(crate) class: String,
    pub(crate) offer: Option<OfferId>,
    /// Agents who gave this contact back a short while ago.
    pub(crate) excluded: BTreeSet<AgentId>,
    /// The prompts before the music.
    pub(crate) playing: Option<Playing>,
}

/// One conversation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Talk {
    pub(crate) agent: AgentId,
    /// The agent's leg; the one that was lost while `lost`.
    pub(crate) leg: LegId,
    /// A SIP telephone's leg ends with the conversation, a page's stays.
    pub(crate) dialled: bool,
    pub(crate) offer: OfferId,
    pub(crate) entry: QueueEntryId,
    pub(crate) queue: QueueId,
    pub(crate) queued_at: Timestamp,
    pub(crate) connected_at: Timestamp,
    pub(crate) hold_since: Option<Timestamp>,
    /// Who holds; the customer hears music until nobody does.
    #[serde(default)]
    pub(crate) holds: Holds,
    /// The page is gone and may come back.
    pub(crate) lost: bool,
    /// When the telephone last wished to send the customer on in vain.
    #[serde(default)]
    pub(crate) not_sent_at: Option<Timestamp>,
    /// The colleague who was asked in.
    #[serde(default)]
    pub(crate) consult: Option<Box<Consult>>,
    /// How the last consultation led nowhere.
    #[serde(default)]
    pub(crate) consult_missed: Option<ConsultMissed>,
}

/// Why a customer hears music in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Holds {
    pub(crate) by_command: bool,
    pub(crate) at_telephone: bool,
    /// The agent asks a colleague, and the customer was not let in.
    #[serde(default)]
    pub(crate) in_consult: bool,
}

impl Talk {
    /// Whether the customer hears music: the agent wants it, or is not there and nobody else is. A
    /// colleague in a conference stays with the customer while the agent's telephone holds.
    pub(crate) fn holds_customer(&self) -> bool {
        let Holds { by_command, at_telephone, in_consult } = self.holds;
        by_command || in_consult || at_telephone && !self.is_conference()
    }

    /// Whether a colleague is there and the customer is let in.
    pub(crate) fn is_conference(&self) -> bool {
        let joined = self.consult.as_ref().and_then(|consult| consult.joined);
        joined.is_some_and(|joined| joined.conference)
    }
}

impl Cell {
    pub(crate) fn wait_mut(&mut self, call: CallId) -> Option<&mut Wait> {
        match &mut self.calls.get_mut(&call)?.stage {
            Stage::Waiting(wait) => Some(wait),
            _ => None,
        }
    }

    pub(crate) fn wait(&self, call: CallId) -> Option<&Wait> {
        match &self.calls.get(&call)?.stage {
            Stage::Waiting(wait) => Some(wait),
            _ => None,
        }
    }

    pub(crate) fn talk(&self, call: CallId) -> Option<&Talk> {
        match &self.calls.get(&call)?.stage {
            Stage::Talking(talk) => Some(talk),
            _ => None,
        }
    }

    pub(crate) fn talk_mut(&mut self, call: CallId) -> Option<&mut Talk> {
        match &mut self.calls.get_mut(&call)?.stage {
            Stage::Talking(talk) => Some(talk),
            _ => None,
        }
    }

    pub(crate) fn is_on_hold(&self, call: CallId) -> bool {
        self.talk(call).is_some_and(|talk| talk.hold_since.is_some())
    }
}
