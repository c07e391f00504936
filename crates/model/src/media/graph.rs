//! What the legs of a call shall hear, and what is recorded of them.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::{LegId, PlayId, RecordingId};

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
    /// Clips one after the other, then silence and
    /// [`MediaEvent::PlayEnded`](super::MediaEvent::PlayEnded).
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
