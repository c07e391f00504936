//! The live floor of one tenant as a pure state machine: calls, flows, queues, offers, agents.
//!
//! [`Cell::handle`] takes one input and the time, [`Cell::poll`] gives what follows until it is
//! empty, [`Cell::deadline`] says when to come back. Nothing here reads a clock, does IO or rolls
//! unseeded dice: the same inputs give the same outputs, bit for bit.

mod cell;
pub mod flow;
mod live;
mod mutation;
mod outbox;
mod timer;

pub use cell::Cell;
pub use live::{Live, QueueLive};
pub use mutation::Mutation;
pub use timer::Reason;
