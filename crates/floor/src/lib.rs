//! The live floor of one tenant as a pure state machine: calls, flows, queues, offers, agents.
//!
//! [`Cell::handle`] takes one input and the time, [`Cell::poll`] gives what follows until it is
//! empty, [`Cell::deadline`] says when to come back. Nothing here reads a clock, does IO or rolls
//! unseeded dice: the same inputs give the same outputs, bit for bit.

mod agent;
mod call;
mod cell;
mod command;
mod configure;
mod errand;
mod fault;
pub mod flow;
mod live;
mod matching;
mod mutation;
mod offer;
mod outbox;
mod queue;
mod timer;
mod view;

pub use cell::Cell;
pub use fault::Fault;
pub use live::{Live, QueueLive};
pub use mutation::Mutation;
pub use timer::Reason;
