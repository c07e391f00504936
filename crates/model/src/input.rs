//! Everything that arrives at a cell.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::config::TenantConfig;
use crate::id::{
    AgentId, CallId, DeviceId, LegId, OfferId, PartyId, PlayId, QueueId, RequestId, SecretId,
};
use crate::number::DialString;
use crate::sip::LegCause;

/// One arrival. The shell stamps it with `now`; the cell does exactly one mutation for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// A new configuration.
    Config(Arc<TenantConfig>),
    /// The deadline that the cell named has come: its earliest timer fires, and no other. Harmless
    /// when too early or repeated.
    Wake,
    /// The wall clock was set. House time goes on and is drawn to it slowly.
    ClockJumped {
        /// How far it was set ahead of what it would have been, microseconds; negative when back.
        by_us: i64,
    },
    /// A customer rings. Answered with `Effect::Answer` or `Effect::Refuse`.
    CallOffered {
        /// The customer's leg.
        leg: LegId,
        /// The number of the customer as shown, for branches; never copied into an event.
        caller: Option<DialString>,
        /// Who it is, as a row the shell writes.
        party: PartyId,
        /// The number that was dialled.
        dialled: DialString,
    },
    /// A telephone of an agent, which has proven that it is the one, dials what is no number of the
    /// company. Answered with `Effect::Answer` or `Effect::Refuse`.
    PhoneDialled {
        /// The telephone's leg.
        leg: LegId,
        /// The telephone.
        device: DeviceId,
        /// What was dialled.
        dialled: DialString,
    },
    /// A leg that we dialled or answered is up, with media.
    LegUp {
        /// The leg.
        leg: LegId,
    },
    /// A leg is over, for the first and only time.
    LegEnded {
        /// The leg.
        leg: LegId,
        /// Why.
        cause: LegCause,
    },
    /// The far side of a leg holds it, or is back: with a key of its own, whatever that is.
    LegHeld {
        /// The leg.
        leg: LegId,
        /// Whether it holds.
        is_held: bool,
    },
    /// The far side of a leg asks for its call to go elsewhere, by a key of its own (RFC 3515).
    /// Answered with one `Effect::Refer`, at once or later.
    Referred {
        /// The leg.
        leg: LegId,
        /// Tells this wish of the leg from any other.
        refer: u32,
        /// Where to: a number of the company, or an agent's extension.
        to: DialString,
        /// In place of this leg: the other line of the telephone.
        replaces: Option<LegId>,
    },
    /// A key was pressed on a leg.
    Digit {
        /// The leg.
        leg: LegId,
        /// `0-9 * # A-D`.
        digit: char,
    },
    /// A key of a secret was pressed on a leg: which digit it was, only the shell knows.
    SecretKey {
        /// The leg.
        leg: LegId,
        /// The secret it is part of.
        secret: SecretId,
        /// Whether it was the terminator and no digit.
        is_end: bool,
    },
    /// The shell holds the keys of a leg, as `Effect::Keys` wanted it confirmed: whatever was
    /// passed before has arrived.
    KeysHeld {
        /// The leg.
        leg: LegId,
    },
    /// A play-out came to its end.
    PlayEnded {
        /// The call.
        call: CallId,
        /// Which one.
        play: PlayId,
    },
    /// The page of an agent has its media leg up. A second one replaces the first.
    DeviceUp {
        /// The agent.
        agent: AgentId,
        /// The browser leg.
        leg: LegId,
    },
    /// The page of an agent is gone (socket closed, media lost).
    DeviceDown {
        /// The agent.
        agent: AgentId,
        /// The browser leg that went.
        leg: LegId,
    },
    /// A telephone that registers can be rung from now on, or not any more.
    Phone {
        /// The telephone.
        device: DeviceId,
        /// Whether it can be rung.
        is_up: bool,
    },
    /// Handling of the earliest due timer panicked in the shell's guard: forget that timer and end
    /// the call it was about. A wrap-up has no call any more: its timer comes again later.
    WakeFailed,
    /// Even `WakeFailed` panicked: the earliest due timer comes again after
    /// `limits::TIMER_PUT_OFF_MS`, so that it keeps no other from firing.
    TimerPutOff,
    /// Handling of this call panicked in the shell's guard: end it alone.
    CallFailed {
        /// The call.
        call: CallId,
    },
    /// Somebody commands. Answered by `Effect::Reply` when `request` is given.
    Command {
        /// Names the reply.
        request: Option<RequestId>,
        /// Who acts.
        agent: AgentId,
        /// What to do.
        command: Command,
    },
}

/// What an agent can ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Begin the shift: signed in, on a break until ready.
    SignIn,
    /// End the shift. A call that is up is kept and followed by sign-out.
    SignOut,
    /// Take offers.
    Ready,
    /// Take no offers after the present contact.
    Break {
        /// A code of `TenantConfig::break_reasons`.
        reason: String,
    },
    /// Take the offer.
    Accept {
        /// The offer.
        offer: OfferId,
    },
    /// Give the offer back; the contact keeps its place and does not come back at once.
    Decline {
        /// The offer.
        offer: OfferId,
        /// Why: a code of [`crate::event::DeclineReason`]; any other text counts as `other`.
        reason: String,
    },
    /// Let the customer hear music and nobody else.
    Hold {
        /// The call.
        call: CallId,
    },
    /// Talk again.
    Resume {
        /// The call.
        call: CallId,
    },
    /// Send the customer to a queue, with all that is known of them, and wrap up.
    Transfer {
        /// The call.
        call: CallId,
        /// Where to.
        queue: QueueId,
    },
    /// Ask a colleague in: their telephone rings, and the customer hears music.
    Consult {
        /// The call.
        call: CallId,
        /// The colleague.
        colleague: AgentId,
        /// Leave the customer to them as soon as they take it; until then, and if they do not, the
        /// customer is on hold.
        #[serde(default)]
        hand_over: bool,
    },
    /// All three talk.
    Conference {
        /// The call.
        call: CallId,
    },
    /// Talk with the colleague alone again; the customer hears music.
    EndConference {
        /// The call.
        call: CallId,
    },
    /// Leave the customer to the colleague, with all that is known of them, and wrap up.
    HandOver {
        /// The call.
        call: CallId,
    },
    /// Let the colleague go, or stop ringing them, and talk to the customer again. As the
    /// colleague, leave.
    EndConsult {
        /// The call.
        call: CallId,
    },
    /// End the call for all; as a colleague who was asked in, leave it.
    Hangup {
        /// The call.
        call: CallId,
    },
    /// More time to wrap up.
    ExtendWrapUp {
        /// The call.
        call: CallId,
        /// Milliseconds more.
        by_ms: i64,
    },
    /// Finish the wrap-up.
    WrapUp {
        /// The call.
        call: CallId,
        /// A code of `TenantConfig::dispositions`.
        disposition: String,
        /// Was the customer's request resolved?
        resolved: bool,
        /// Free text; goes to the call's note, never into an event.
        note: String,
    },
}
