//! What the hub and the SIP plane say to each other. No SIP message leaves that plane.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::domain::Domain;
use crate::id::LegId;
use crate::media::MediaDesc;
use crate::number::DialString;

/// Where a call to a SIP endpoint goes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SipTarget {
    /// The user part of the request URI.
    pub user: DialString,
    /// Address and port to send to, over UDP.
    pub address: SocketAddr,
}

/// Why a leg ended. One word per reason in database, API and screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LegCause {
    /// The far side hung up.
    FarHangup,
    /// We hung up.
    Hangup,
    /// The far side gave up before it was answered (CANCEL).
    Cancelled,
    /// 486, 600.
    Busy,
    /// 408, 480, or our own ring timer.
    NoAnswer,
    /// 603 and other refusals by a person or device.
    Declined,
    /// 404, 5xx, no route, transaction timeout.
    Unreachable,
    /// Our 200 was never acknowledged.
    NoAck,
    /// No media came for too long.
    MediaTimeout,
    /// We refused the call: no such number, overload, bad offer.
    Refused,
    /// A fault of ours; only this call was ended.
    InternalError,
    /// The process died with the call, or was stopped.
    NodeFailure,
}

/// What the hub asks of the SIP plane. Commands for a leg that is gone are ignored.
#[derive(Debug, Clone, PartialEq)]
pub enum SipCommand {
    /// Answer an incoming leg with 200.
    Answer {
        /// The leg.
        leg: LegId,
        /// Our description: an answer, or our offer if the INVITE had none.
        local: MediaDesc,
    },
    /// Refuse an incoming leg that was not answered.
    Reject {
        /// The leg.
        leg: LegId,
        /// The final status, 300 to 699.
        status: u16,
        /// Seconds for Retry-After, with 503.
        retry_after_s: Option<u32>,
    },
    /// Call somebody.
    Dial {
        /// The new leg.
        leg: LegId,
        /// Whom.
        target: SipTarget,
        /// What the far side shall see as the caller.
        caller: Caller,
        /// Our offer.
        local: MediaDesc,
    },
    /// Answer a re-INVITE or UPDATE with the same or a new description.
    Reanswer {
        /// The leg.
        leg: LegId,
        /// Which change is answered.
        change: u32,
        /// Our answer, or our offer where the change brought none.
        local: MediaDesc,
    },
    /// Refuse a change: the session stands as it was (RFC 3261 section 14.2).
    RefuseChange {
        /// The leg.
        leg: LegId,
        /// Which change is refused.
        change: u32,
        /// The final status, 400 to 699.
        status: u16,
    },
    /// End a leg in whatever state it is: CANCEL, BYE or a refusal.
    Hangup {
        /// The leg.
        leg: LegId,
        /// Why, for the Reason header (RFC 3326) and the status of a refusal.
        cause: LegCause,
    },
}

/// Who calls, as shown by the far side; nothing here is proven.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Caller {
    /// The user part of From, if it can be dialled.
    pub number: Option<DialString>,
    /// The display name, control characters removed, at most 64 characters.
    pub name: Option<String>,
}

/// What the SIP plane tells the hub.
#[derive(Debug, Clone, PartialEq)]
pub enum SipEvent {
    /// A new call arrived. It was not answered yet; 100 was sent.
    Incoming {
        /// Names the leg from now on; minted by the SIP plane.
        leg: LegId,
        /// Who calls.
        caller: Caller,
        /// The user part of the request URI.
        dialled: DialString,
        /// The host of the request URI where it is a domain name, `None` where it is an address.
        domain: Option<Domain>,
        /// Where it came from.
        source: SocketAddr,
        /// The offer, or `None` for an INVITE without a description.
        offer: Option<MediaDesc>,
        /// The Call-ID header, for the trace.
        sip_call_id: String,
    },
    /// The far side rings (180, 183).
    Ringing {
        /// The leg.
        leg: LegId,
    },
    /// The far side answered; ACK was sent.
    Answered {
        /// The leg.
        leg: LegId,
        /// The far side's description.
        remote: MediaDesc,
        /// Where the answer came from.
        source: SocketAddr,
    },
    /// Our 200 was acknowledged. `remote` is the answer where our 200 was the offer.
    Confirmed {
        /// The leg.
        leg: LegId,
        /// The answer that came with ACK.
        remote: Option<MediaDesc>,
    },
    /// The far side wants to change the session (re-INVITE, UPDATE). Answer with `Reanswer` or
    /// `RefuseChange`; until `ChangeEnded` the session stands as it was.
    Reoffered {
        /// The leg.
        leg: LegId,
        /// Tells this change of the leg from any other.
        change: u32,
        /// The new offer, or `None` when it asks us to offer.
        offer: Option<MediaDesc>,
        /// Where it came from.
        source: SocketAddr,
    },
    /// What became of a change: our answer was sent, or the far side cancelled it, or it was
    /// refused or answered too late and the session stands as it was (RFC 3261 section 14).
    ChangeEnded {
        /// The leg.
        leg: LegId,
        /// Which change.
        change: u32,
        /// Whether our answer was sent.
        taken: bool,
    },
    /// A key by SIP INFO (application/dtmf-relay, application/dtmf).
    Digit {
        /// The leg.
        leg: LegId,
        /// `0-9 * # A-D`.
        digit: char,
    },
    /// The leg is over. The last event of a leg, exactly once.
    Ended {
        /// The leg.
        leg: LegId,
        /// Why.
        cause: LegCause,
        /// The far side's final status of a refused call.
        status: Option<u16>,
    },
}

impl SipEvent {
    /// The leg that it is about.
    #[must_use]
    pub const fn leg(&self) -> LegId {
        match self {
            Self::Incoming { leg, .. }
            | Self::Ringing { leg }
            | Self::Answered { leg, .. }
            | Self::Confirmed { leg, .. }
            | Self::Reoffered { leg, .. }
            | Self::ChangeEnded { leg, .. }
            | Self::Digit { leg, .. }
            | Self::Ended { leg, .. } => *leg,
        }
    }
}
