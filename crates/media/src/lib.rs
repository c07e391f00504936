//! The media plane: RTP legs, browser legs, prompts, music, mixing, keys and recordings.
//!
//! It runs on threads of its own and never waits for a disk, a lock or the hub. The hub states what
//! each leg of a call shall hear ([`model::media::Graph`]), the plane makes it so. Read `engine`
//! first, then `stream` (what a leg sends) and `lock` (what it takes).
//!
//! Plain RTP legs report over RTCP on the port above theirs (`rtcp`); RTCP on the RTP port (RFC
//! 5761) is never agreed on.

pub mod clip;
pub mod dtmf;
pub mod g711;
pub mod jitter;
pub mod recording;
pub mod rtcp;
pub mod rtp;
pub mod webrtc;

mod engine;
#[cfg(feature = "floor")]
pub mod floor;
mod lock;
mod metrics;
mod stream;
mod sys;
mod vital;

pub use engine::{Full, MediaConfig, MediaError, MediaHandle, check, start};
pub use metrics::{Metrics, Refused, TICK_LATE_BOUNDS_US};
