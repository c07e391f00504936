//! What a leg hears, resolved from the graph to slots and sounds.

use std::sync::Arc;

use model::media::ClipId;

use crate::engine::sound::{Playing, Sound};
use crate::stream::Source;

/// What the clock has to do for one leg.
#[derive(Debug)]
pub(crate) enum Plan {
    /// Not in a call: nothing is sent.
    Idle,
    /// A continuous silent stream.
    Silence,
    /// One other leg, on arrival.
    Relay,
    /// Several legs, on the clock.
    Mix(Vec<u32>),
    /// Clips, then silence.
    Play(Box<Playing>),
    /// A clip in a loop.
    Music { clip: ClipId, sound: Arc<Sound> },
}

impl Plan {
    /// Whether the leg hears people, who expect to hear it as well.
    pub(crate) fn is_conversation(&self) -> bool {
        matches!(self, Self::Relay | Self::Mix(_))
    }

    /// How the outward stream tells this plan's frames from another's.
    pub(crate) fn source(&self) -> Source {
        Source::Clock(match self {
            Self::Idle | Self::Silence | Self::Relay => 0,
            Self::Mix(_) => 1,
            Self::Play(_) => 2,
            Self::Music { .. } => 3,
        })
    }
}
