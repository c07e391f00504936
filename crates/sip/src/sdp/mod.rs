//! Session descriptions: reading (RFC 4566), offer and answer (RFC 3264), reduced to one G.711
//! audio stream.
//!
//! Input comes from strangers: whatever the bytes, the result is a description or a fault, and the
//! work is linear in their length, which is bounded.

mod read;
mod write;

use model::media::MediaDesc;

pub use write::{Origin, answer, offer};

/// A session description of the far side: the audio stream we can use, and the shape of the rest,
/// which an answer must mirror.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The first audio stream that we can use.
    pub media: MediaDesc,
    /// Every m= line in order.
    pub lines: Vec<Line>,
    /// Which of `lines` is `media`.
    pub audio: usize,
}

/// One m= line, as much of it as the line that refuses it must repeat (RFC 3264 section 6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// `audio`, `video`, ...
    pub media: String,
    /// `RTP/AVP`, ...
    pub protocol: String,
    /// The formats, as they were listed.
    pub formats: String,
}

/// Why a session description cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SdpFault {
    /// Over `limits::SDP_BYTES_MAX`, or more m= lines than `limits::SDP_STREAMS_MAX`.
    #[error("the session description is too long")]
    TooLong,
    /// Not lines of `x=value`.
    #[error("a line of the session description is malformed")]
    Line,
    /// A m= or c= line that does not follow the grammar, or v= is not 0.
    #[error("the session description is malformed")]
    Malformed,
    /// No usable address for the audio stream: none, a host name, or multicast.
    #[error("the audio stream has no unicast address")]
    Address,
    /// No audio stream over plain RTP that is not refused.
    #[error("no audio stream over RTP/AVP is offered")]
    NoAudio,
    /// Neither PCMU nor PCMA.
    #[error("no common codec: PCMU or PCMA is needed")]
    NoCodec,
}

impl SdpFault {
    /// Whether the text broke the grammar (400); otherwise it asks for what we cannot do (488).
    #[must_use]
    pub const fn is_malformed(self) -> bool {
        matches!(self, Self::Line | Self::Malformed)
    }
}

/// Reads the audio stream of a session description.
///
/// # Errors
/// A fault that says whether the text is broken or asks for what the house cannot do.
pub fn parse(body: &[u8]) -> Result<MediaDesc, SdpFault> {
    read::session(body).map(|session| session.media)
}

/// Reads a session description with the shape that an answer needs.
///
/// # Errors
/// As [`parse`].
pub fn session(body: &[u8]) -> Result<Session, SdpFault> {
    read::session(body)
}

#[cfg(test)]
mod tests;
