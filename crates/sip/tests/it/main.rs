//! The SIP plane on the wire: real sipp, hand-made peers, the torture messages, junk.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

mod calls;
mod encoding;
mod forms;
mod hostile;
mod inbound;
mod outbound;
mod peer;
mod refer;
mod refresh;
mod registrar;
mod session;
mod streams;
mod support;
mod torture;
mod ways;
