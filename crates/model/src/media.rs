//! Media as data: what a leg can carry, what each leg of a call shall hear, what is recorded.
//!
//! Media is declarative: the floor states the whole wish of a call as a [`Graph`] with a growing
//! revision, the media plane compares, applies the newest and reports [`MediaEvent::Applied`].
//! Hold, music, whisper, conference and pause are all the same mechanism.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::id::{CallId, LegId, PlayId, RecordingId, TenantId};

/// An audio codec that needs no licence and no transcoding inside the house (ITU-T G.711).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Codec {
    /// Mu-law, RTP payload type 0.
    Pcmu,
    /// A-law, RTP payload type 8.
    Pcma,
}

impl Codec {
    /// Every codec of the house, in our order of preference.
    pub const ALL: [Self; 2] = [Self::Pcmu, Self::Pcma];

    /// The static RTP payload type (RFC 3551 section 6).
    #[must_use]
    pub const fn payload_type(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
        }
    }
}

/// Which way media flows, from the point of view of whoever wrote the description (RFC 4566 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Both ways.
    #[default]
    SendRecv,
    /// The writer only sends: it put us on hold.
    SendOnly,
    /// The writer only listens.
    RecvOnly,
    /// Nothing flows.
    Inactive,
}

/// One side's audio of a session description, reduced to what the house works with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaDesc {
    /// Where the writer wants to receive RTP.
    pub address: IpAddr,
    /// The UDP port there; 0 means the stream is refused.
    pub port: u16,
    /// Codecs in the writer's order of preference; never empty in a usable description.
    pub codecs: Vec<Codec>,
    /// Payload type of telephone-event/8000 (RFC 4733), if offered.
    pub dtmf: Option<u8>,
    /// Which way media flows.
    pub direction: Direction,
    /// Packet time in milliseconds, 20 unless told.
    pub ptime_ms: u8,
}

/// Payload type of telephone-event (RFC 4733) in our own offers.
pub const KEYS_PAYLOAD_TYPE: u8 = 101;

impl Direction {
    /// The same as the other side writes it.
    #[must_use]
    pub const fn mirrored(self) -> Self {
        match self {
            Self::SendRecv => Self::SendRecv,
            Self::SendOnly => Self::RecvOnly,
            Self::RecvOnly => Self::SendOnly,
            Self::Inactive => Self::Inactive,
        }
    }
}

impl MediaDesc {
    /// Our answer to an offer (RFC 3264 section 6), where `self` is our description so far: the
    /// same port, the peer's first codec, its telephone-event number, its direction mirrored.
    #[must_use]
    pub fn answering(&self, offer: &Self) -> Self {
        let first = offer.codecs.first();
        Self {
            codecs: first.map_or_else(|| self.codecs.clone(), |codec| vec![*codec]),
            dtmf: offer.dtmf,
            direction: offer.direction.mirrored(),
            ..self.clone()
        }
    }

    /// Our offer in a running session, where `self` is our description so far: everything that we
    /// can do, whatever was agreed on before (RFC 3261 section 14.2, RFC 6337 section 3.2.1). The
    /// telephone-event number in use is kept (RFC 3264 section 8.3.2).
    #[must_use]
    pub fn offering(&self) -> Self {
        Self {
            codecs: Codec::ALL.to_vec(),
            dtmf: self.dtmf.or(Some(KEYS_PAYLOAD_TYPE)),
            direction: Direction::SendRecv,
            ..self.clone()
        }
    }
}

/// The far side of a plain RTP leg, as its signalling describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its own description.
    pub desc: MediaDesc,
    /// Where its SIP messages come from. Behind an address translation its description names a
    /// private address, and its RTP comes from this one.
    pub signalled_from: Option<IpAddr>,
}

impl From<MediaDesc> for Peer {
    /// A peer of whose signalling nothing is known.
    fn from(desc: MediaDesc) -> Self {
        Self { desc, signalled_from: None }
    }
}

/// A piece of sound: SHA-256 of the normalised 8 kHz mono 16 bit samples.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClipId([u8; 32]);

impl ClipId {
    /// From the digest itself.
    #[must_use]
    pub const fn from_digest(digest: [u8; 32]) -> Self {
        Self(digest)
    }
}

impl fmt::Display for ClipId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ClipId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClipId({self})")
    }
}

impl FromStr for ClipId {
    type Err = ClipIdError;
    fn from_str(text: &str) -> Result<Self, ClipIdError> {
        let mut digest = [0_u8; 32];
        if text.len() != 64 || !text.is_ascii() {
            return Err(ClipIdError);
        }
        for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| ClipIdError)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| ClipIdError)?;
        }
        Ok(Self(digest))
    }
}

/// The text was not a SHA-256 in hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected 64 hexadecimal digits")]
pub struct ClipIdError;

impl TryFrom<String> for ClipId {
    type Error = ClipIdError;
    fn try_from(text: String) -> Result<Self, ClipIdError> {
        text.parse()
    }
}

impl From<ClipId> for String {
    fn from(clip: ClipId) -> Self {
        clip.to_string()
    }
}

/// The whole media wish of one call.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Graph {
    /// What each leg of the call hears. A leg that is not named hears silence and is not heard.
    pub hears: BTreeMap<LegId, Hears>,
    /// What is being recorded, if anything.
    pub record: Option<RecordWish>,
}

/// What one leg hears.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hears {
    /// Nothing, as a continuous silent stream.
    Silence,
    /// Other legs: one is relayed on arrival, several are mixed on the clock.
    Legs(Vec<LegId>),
    /// Clips one after the other, then silence and [`MediaEvent::PlayEnded`].
    ///
    /// The same `play` in a later revision goes on where it is.
    Play {
        /// Names this play-out.
        play: PlayId,
        /// At most `limits::PLAY_ITEMS_MAX` clips.
        clips: Vec<ClipId>,
    },
    /// One clip in a loop. All who wait hear the same position.
    Music(ClipId),
}

/// A two-sided recording seen from one leg: side A is what it says, side B what it hears.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordWish {
    /// Names the file.
    pub recording: RecordingId,
    /// The customer's leg.
    pub leg: LegId,
    /// While true both sides are written as silence.
    pub paused: bool,
}

/// What the hub asks of the media plane.
#[derive(Debug, Clone)]
pub enum MediaCommand {
    /// Make a plain RTP leg. `remote` is the peer's description where it is known already.
    /// Answered by `Prepared` or `PrepareFailed`.
    Prepare {
        /// The new leg.
        leg: LegId,
        /// The peer with its offer, or `None` when we offer first.
        remote: Option<Peer>,
    },
    /// The peer's description arrived or changed (answer, re-INVITE). Unlocks the source lock.
    Remote {
        /// An existing leg.
        leg: LegId,
        /// Our description as it was last told to the peer.
        local: MediaDesc,
        /// The peer with its newest description.
        remote: Peer,
    },
    /// Make or renew the browser leg from the page's offer. Answered by `BrowserAnswer` or
    /// `BrowserRefused` with the same number.
    BrowserOffer {
        /// A new leg, or an existing browser leg whose page was loaded anew.
        leg: LegId,
        /// Tells this offer from every other.
        offer: u64,
        /// The page's session description.
        sdp: String,
    },
    /// Make a clip known before a graph names it, and hold it until `ClipGone`. Given twice it is
    /// held twice.
    Clip {
        /// Its name.
        clip: ClipId,
        /// 8 kHz mono samples.
        samples: Arc<[i16]>,
    },
    /// One holder less: forget the clip with the last. Whoever hears it hears it to its end.
    ClipGone {
        /// Its name.
        clip: ClipId,
    },
    /// State the whole wish of a call. An older `rev` than the last is ignored.
    Graph {
        /// Whose legs these are.
        call: CallId,
        /// Whose call it is: recordings go to the tenant's folder.
        tenant: TenantId,
        /// Grows with every change of the call's graph.
        rev: u64,
        /// The wish.
        graph: Graph,
        /// Where a recording named by the graph is written (a file that does not exist yet).
        recording_file: Option<PathBuf>,
    },
    /// The call is over: forget its graph, finish its recording. Legs stay until closed.
    CallEnded {
        /// The call.
        call: CallId,
    },
    /// Close a leg and free its port.
    Close {
        /// The leg.
        leg: LegId,
    },
}

/// What the media plane tells the hub.
#[derive(Debug, Clone, PartialEq)]
pub enum MediaEvent {
    /// The leg has a port.
    Prepared {
        /// The leg.
        leg: LegId,
        /// What to tell the peer. As an answer it names exactly one codec.
        local: MediaDesc,
    },
    /// No leg was made.
    PrepareFailed {
        /// The leg.
        leg: LegId,
        /// Why.
        why: MediaFault,
    },
    /// Our answer to the page's offer.
    BrowserAnswer {
        /// The leg.
        leg: LegId,
        /// Which offer is answered.
        offer: u64,
        /// The session description for the page.
        sdp: String,
    },
    /// The page's offer was not taken; the leg, if there is one, keeps the page it has.
    BrowserRefused {
        /// The leg.
        leg: LegId,
        /// Which offer.
        offer: u64,
        /// Why.
        why: MediaFault,
    },
    /// The page's media is up (ICE and DTLS done).
    BrowserUp {
        /// The leg.
        leg: LegId,
    },
    /// The page's media is gone.
    BrowserDown {
        /// The leg.
        leg: LegId,
    },
    /// The graph of this revision is in force.
    Applied {
        /// The call.
        call: CallId,
        /// The newest revision applied.
        rev: u64,
    },
    /// A play-out came to its end.
    PlayEnded {
        /// The call.
        call: CallId,
        /// Who heard it.
        leg: LegId,
        /// Which one.
        play: PlayId,
    },
    /// A key was pressed: one event per press, `0-9 * # A-D`.
    Digit {
        /// Who pressed.
        leg: LegId,
        /// Which key.
        digit: char,
    },
    /// No packet came from the peer for this long although it should send.
    Silent {
        /// The leg.
        leg: LegId,
        /// Milliseconds since the last packet.
        silent_ms: i64,
    },
    /// A recording file is finished, whole or not.
    RecordingEnded {
        /// The call.
        call: CallId,
        /// The file.
        recording: RecordingId,
        /// Its length in milliseconds.
        length_ms: i64,
        /// SHA-256 of the file, hexadecimal.
        sha256: String,
        /// False when blocks were lost or the disk refused.
        complete: bool,
    },
    /// The leg was closed; its figures.
    Closed {
        /// The leg.
        leg: LegId,
        /// What was measured.
        quality: LegQuality,
    },
}

/// Why the media plane could not do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum MediaFault {
    /// No codec in common.
    #[error("no codec in common")]
    NoCodec,
    /// No UDP port is free in the configured range.
    #[error("no RTP port is free")]
    NoPort,
    /// The ticks are late: no new work is taken.
    #[error("the media plane is overloaded")]
    Overloaded,
    /// The page's session description cannot be used.
    #[error("the session description cannot be used")]
    BadDescription,
}

/// What was measured on one leg over its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LegQuality {
    /// RTP packets taken.
    pub packets_in: u64,
    /// RTP packets sent.
    pub packets_out: u64,
    /// Packets that never came, by sequence number.
    pub packets_lost: u64,
    /// Packets from a stranger, of a wrong payload type or malformed, all dropped.
    pub packets_refused: u64,
    /// Interarrival jitter (RFC 3550 section 6.4.1), microseconds, highest seen.
    pub jitter_us_max: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_mirrors_the_offer_on_the_same_port() {
        let ours = MediaDesc {
            address: IpAddr::from([192, 0, 2, 1]),
            port: 4_000,
            codecs: vec![Codec::Pcmu],
            dtmf: Some(101),
            direction: Direction::SendRecv,
            ptime_ms: 20,
        };
        let offer = MediaDesc {
            port: 9_000,
            codecs: vec![Codec::Pcma, Codec::Pcmu],
            dtmf: Some(96),
            direction: Direction::SendOnly,
            ..ours.clone()
        };
        let expected = MediaDesc {
            codecs: vec![Codec::Pcma],
            dtmf: Some(96),
            direction: Direction::RecvOnly,
            ..ours.clone()
        };
        assert_eq!(ours.answering(&offer), expected);
        let full = MediaDesc {
            codecs: Codec::ALL.to_vec(),
            direction: Direction::SendRecv,
            ..expected.clone()
        };
        assert_eq!(expected.offering(), full, "an offer is whole again");
        let deaf = MediaDesc { dtmf: None, ..expected };
        assert_eq!(deaf.offering().dtmf, Some(KEYS_PAYLOAD_TYPE));
    }
}
