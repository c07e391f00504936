//! Everything to do, and what a cell puts out.

use serde::{Deserialize, Serialize};

use crate::event::Recorded;
use crate::id::{AgentId, CallId, LegId, PartyId, QueueId, RequestId, SecretId};
use crate::media::Graph;
use crate::number::DialString;
use crate::refusal::Refusal;
use crate::sip::{Callee, LegCause};
use crate::time::Timestamp;

/// One output of a cell. Order matters and is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Output {
    /// Something happened.
    Event(Recorded),
    /// Something has to be done.
    Effect(Effect),
    /// The view of something changed and should be pushed again.
    Touched(Topic),
}

/// What a page can watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// One agent's own state, offer, call and wrap-up.
    Agent(AgentId),
    /// One queue's live figures.
    Queue(QueueId),
    /// Whether what happens is kept.
    Record,
}

/// When an effect may be carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plane {
    /// At once: a call never waits for a disk.
    Now,
    /// A row of the same commit as the events before it.
    WithCommit,
    /// A promise: only after the commit.
    AfterCommit,
}

/// Something to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Answer the leg of a customer, or of a telephone that dialled.
    Answer {
        /// The leg.
        leg: LegId,
    },
    /// Refuse such a leg.
    Refuse {
        /// The leg.
        leg: LegId,
        /// SIP status, 400 to 699.
        status: u16,
    },
    /// Say to a telephone that dialled that whom it called is being rung.
    Ring {
        /// The leg.
        leg: LegId,
    },
    /// Ring a SIP device. The shell prepares media, dials, and reports `LegUp` and `LegEnded`.
    Dial {
        /// The new leg, minted by the cell.
        leg: LegId,
        /// Whom.
        callee: Callee,
        /// The number to show.
        caller: Option<DialString>,
    },
    /// How keys of the customer's leg are passed from now on. Said of the calls whose flow can ask
    /// for a secret, before they are answered and before the prompt of each node.
    Keys {
        /// The leg.
        leg: LegId,
        /// How.
        mode: KeyMode,
        /// Whether `Input::KeysHeld` is wanted behind the keys that were passed before.
        confirm: bool,
    },
    /// Tell the far side of a leg what became of its `Input::Referred`.
    Refer {
        /// The leg.
        leg: LegId,
        /// Which wish.
        refer: u32,
        /// As a SIP status: 200 when it was done.
        status: u16,
    },
    /// End a leg: CANCEL, BYE or refusal. `LegEnded` follows.
    Hangup {
        /// The leg.
        leg: LegId,
        /// Why.
        cause: LegCause,
    },
    /// Put this graph into force.
    Media {
        /// The call.
        call: CallId,
        /// Grows by one with each graph of the call.
        rev: u64,
        /// The wish.
        graph: Graph,
    },
    /// The call is over: no graph any more.
    MediaEnd {
        /// The call.
        call: CallId,
    },
    /// Keep what the caller chose or typed.
    SaveFact {
        /// The call.
        call: CallId,
        /// What.
        fact: Fact,
    },
    /// Keep what an agent wants, for the next start.
    SaveIntent {
        /// Who.
        agent: AgentId,
        /// What.
        intent: AgentIntent,
    },
    /// Keep the agent's note.
    SaveNote {
        /// The call.
        call: CallId,
        /// Who wrote.
        agent: AgentId,
        /// At most `limits::NOTE_CHARS_MAX` characters.
        text: String,
    },
    /// Put the caller on the call-back list.
    ListCallback {
        /// The call that was lost.
        call: CallId,
        /// Whom to call.
        party: PartyId,
        /// For which queue.
        queue: QueueId,
        /// Since when the caller had waited.
        waiting_since: Timestamp,
    },
    /// Answer a command.
    Reply {
        /// Which.
        request: RequestId,
        /// Done, or why not.
        result: Result<(), Refusal>,
    },
}

impl Effect {
    /// When this effect may be carried out.
    #[must_use]
    pub fn plane(&self) -> Plane {
        match self {
            Self::Answer { .. }
            | Self::Refuse { .. }
            | Self::Ring { .. }
            | Self::Dial { .. }
            | Self::Keys { .. }
            | Self::Refer { .. }
            | Self::Hangup { .. }
            | Self::Media { .. }
            | Self::MediaEnd { .. } => Plane::Now,
            Self::SaveFact { .. }
            | Self::SaveIntent { .. }
            | Self::SaveNote { .. }
            | Self::ListCallback { .. } => Plane::WithCommit,
            // A refusal promises nothing, but it must not overtake the reply before it.
            Self::Reply { .. } => Plane::AfterCommit,
        }
    }
}

/// How the shell passes the keys of a leg to the cell. A leg that nothing was said of passes all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyMode {
    /// Keep them until the next word: what asks next may ask for a secret.
    Hold,
    /// Nobody asks, and what is typed means nothing.
    Drop,
    /// Pass one as it is, then hold: it may lead to a secret.
    One,
    /// Pass this one as it is, then hold. Any other is typed ahead of what asks next.
    Only(char),
    /// Count the digits and pass `Input::SecretKey` for each.
    Secret {
        /// What stands for them.
        secret: SecretId,
        /// The digit that ends the secret by its number; the shell holds the keys behind it.
        digits_max: u8,
        /// The key that ends it early.
        terminator: char,
    },
}

/// What an agent wants, whatever contact it has at the moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "intent", rename_all = "snake_case")]
pub enum AgentIntent {
    /// Not on shift.
    SignedOut,
    /// Take offers.
    Ready,
    /// On shift and take none.
    Break {
        /// A code of `TenantConfig::break_reasons`; none after sign-in or a missed offer.
        reason: Option<String>,
    },
}

/// What a caller chose or typed, in words an agent can read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// How it came.
    pub kind: FactKind,
    /// The node's name for a choice, the variable for a typed value.
    pub key: String,
    /// The label of the choice or of the variable.
    pub label: String,
    /// The key or the digits; of a secret one `•` for each digit.
    pub value: String,
    /// Stands for the digits of a secret, which the shell has counted and let go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretId>,
}

/// How a fact came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FactKind {
    /// Chosen in a menu.
    Chosen,
    /// Typed.
    Typed,
}
