//! What the hub and the media plane say to each other.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{ClipId, Graph, MediaDesc, Peer};
use crate::id::{CallId, LegId, PlayId, RecordingId, TenantId};

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
    /// Answered by `PrepareFailed` when nothing can be sent to the peer.
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
    /// No leg was made, or nothing can be sent to the peer of one that is there.
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
    /// No packet came from the peer for this long although it should send. Told every few seconds
    /// of a leg in a conversation, and of one that only listens after
    /// `limits::SILENT_LISTENING_MS_MAX`.
    Silent {
        /// The leg.
        leg: LegId,
        /// Milliseconds since the last packet, or since the conversation began.
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
