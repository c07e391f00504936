//! A small SIP and RTP telephone for the demo, the benchmarks and the fault tests.
//!
//! It shares codecs and the media vocabulary with the product but never its call logic: signalling
//! ([`message`], [`dialog`]), pacing and measuring are its own, so that what it writes into its
//! [`diary`] is an independent witness. Thousands of calls live in one task ([`Phone`]). Read
//! [`plan`] for what a telephone can be told, [`chirp`] for how tests know who hears whom.

pub mod chirp;
pub mod clock;
pub mod dialog;
pub mod diary;
mod exchange;
mod fft;
mod line;
pub mod message;
mod phone;
pub mod plan;
pub mod sdp;
pub mod voice;
pub mod wav;

pub use phone::{Call, Config, Phone};
