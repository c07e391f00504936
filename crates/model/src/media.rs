//! Media as data: what a leg can carry, what each leg of a call shall hear, what is recorded.
//!
//! Media is declarative: the floor states the whole wish of a call as a [`Graph`] with a growing
//! revision, the media plane compares, applies the newest and reports [`MediaEvent::Applied`].
//! Hold, music, whisper, conference and pause are all the same mechanism.

mod graph;
mod port;

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

pub use graph::{ClipId, ClipIdError, Graph, Hears, RecordWish};
pub use port::{LegQuality, MediaCommand, MediaEvent, MediaFault};

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
            ..ours
        };
        let expected = MediaDesc {
            codecs: vec![Codec::Pcma],
            dtmf: Some(96),
            direction: Direction::RecvOnly,
            ..ours
        };
        assert_eq!(ours.answering(&offer), expected);
        let full =
            MediaDesc { codecs: Codec::ALL.to_vec(), direction: Direction::SendRecv, ..expected };
        assert_eq!(expected.offering(), full, "an offer is whole again");
        let deaf = MediaDesc { dtmf: None, ..expected };
        assert_eq!(deaf.offering().dtmf, Some(KEYS_PAYLOAD_TYPE));
    }
}
