//! What the hub and the SIP plane say to each other. No SIP message leaves that plane.

use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::domain::Domain;
use crate::id::{DeviceId, LegId, TenantId};
use crate::media::MediaDesc;
use crate::number::DialString;

/// What carries SIP messages (RFC 3261 section 18).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// Datagrams.
    #[default]
    Udp,
    /// A stream.
    Tcp,
    /// A stream that nobody else can read.
    Tls,
}

/// Where a call to a SIP endpoint goes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SipTarget {
    /// The user part of the request URI.
    pub user: DialString,
    /// Address and port to send to, over UDP.
    pub address: SocketAddr,
}

/// Whom to ring.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Callee {
    /// Whoever is at this address.
    At(SipTarget),
    /// A telephone, wherever it registered.
    Phone(DeviceId),
}

/// The protection space of every telephone of the house (RFC 7616 section 3.3, `realm`).
pub const REALM: &str = "antiphon";

/// The hash by which a telephone proves that it knows its secret (RFC 8760).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Digest {
    /// SHA-256.
    #[default]
    Sha256,
    /// MD5, for telephones that know nothing newer. Secrets are long and random, so that nobody
    /// finds one by it.
    Md5,
}

/// What is kept of a telephone's secret: the digest of `username:realm:secret` (RFC 7616 section
/// 3.4.2). Whoever has it can register; it is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Ha1 {
    digest: Digest,
    hex: String,
}

impl Ha1 {
    /// In lower-case hexadecimal digits.
    #[must_use]
    pub fn new(digest: Digest, hex: String) -> Self {
        Self { digest, hex }
    }

    /// How it was made, and how the telephone has to prove that it knows the secret.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The digits.
    #[must_use]
    pub fn hex(&self) -> &str {
        &self.hex
    }
}

impl fmt::Debug for Ha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ha1(..)")
    }
}

/// A telephone that may register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhoneAccount {
    /// The telephone.
    pub device: DeviceId,
    /// By what it names itself: nobody else's in the house.
    pub username: DialString,
    /// How its secret is known.
    pub ha1: Ha1,
}

/// One place at which a telephone can be rung, as it is kept for the time after a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhoneContact {
    /// What requests to it name.
    pub uri: String,
    /// Where they are sent; over a stream the far end of the one that it registered over.
    pub peer: SocketAddr,
    /// By what they are sent.
    #[serde(default)]
    pub transport: Transport,
    /// Preference in thousandths.
    pub q: u16,
    /// Seconds until it ends.
    pub left_s: u64,
    /// Names the telephone whatever its address is (RFC 5626 section 4.1).
    pub instance: Option<String>,
    /// Call-ID of the newest registration.
    pub call_id: String,
    /// Its CSeq.
    pub cseq: u32,
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
    /// Say on an incoming leg that was not answered that somebody is being rung (180).
    Ring {
        /// The leg.
        leg: LegId,
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
        callee: Callee,
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
    /// Say what became of a wish of the far side's (RFC 3515 section 2.4.4).
    Refer {
        /// The leg.
        leg: LegId,
        /// Which wish.
        refer: u32,
        /// The final status of what was asked for, 200 to 699.
        status: u16,
    },
    /// End a leg in whatever state it is: CANCEL, BYE or a refusal.
    Hangup {
        /// The leg.
        leg: LegId,
        /// Why, for the Reason header (RFC 3326) and the status of a refusal.
        cause: LegCause,
    },
    /// The telephones of a tenant that may register, all of them: whoever is not among them any
    /// more, or has another secret, is registered no longer.
    Phones {
        /// Whose.
        tenant: TenantId,
        /// They.
        accounts: Vec<PhoneAccount>,
        /// Where some of them were before a restart. What is known of a telephone goes before it.
        contacts: Vec<(DeviceId, Vec<PhoneContact>)>,
    },
    /// The telephones of every tenant were named. Before, whoever registers is asked to wait.
    PhonesNamed,
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
        /// The telephone of the house that has proven to be the caller, and whose it is.
        telephone: Option<(TenantId, DeviceId)>,
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
    /// The far side asks for its call to go elsewhere (REFER, RFC 3515). It was accepted; answer
    /// with `Refer`.
    Referred {
        /// The leg.
        leg: LegId,
        /// Tells this wish of the leg from any other.
        refer: u32,
        /// The user part of the URI in Refer-To.
        to: DialString,
        /// The leg that Replaces names (RFC 3891), where it is one that stands.
        replaces: Option<LegId>,
    },
    /// A key by SIP INFO (application/dtmf-relay, application/dtmf).
    Digit {
        /// The leg.
        leg: LegId,
        /// `0-9 * # A-D`.
        digit: char,
    },
    /// A telephone registered, again as it may be, or its registration ended.
    Registered {
        /// Whose.
        tenant: TenantId,
        /// The telephone.
        device: DeviceId,
        /// Where it can be rung from now on; nowhere when there are none.
        contacts: Vec<PhoneContact>,
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
    /// The leg that it is about, if it is about one.
    #[must_use]
    pub const fn leg(&self) -> Option<LegId> {
        match self {
            Self::Incoming { leg, .. }
            | Self::Ringing { leg }
            | Self::Answered { leg, .. }
            | Self::Confirmed { leg, .. }
            | Self::Reoffered { leg, .. }
            | Self::ChangeEnded { leg, .. }
            | Self::Digit { leg, .. }
            | Self::Referred { leg, .. }
            | Self::Ended { leg, .. } => Some(*leg),
            Self::Registered { .. } => None,
        }
    }
}
