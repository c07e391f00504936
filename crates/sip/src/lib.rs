//! The SIP plane: sockets, pre-filter, dialogs and session descriptions. It knows legs only.
//!
//! Datagrams pass a stateless filter ([`filter`]) before `rsipstack` makes a transaction of them;
//! one task ([`core`]) owns every leg and every dialog, so that races (CANCEL against answer, BYE
//! against BYE) are decided by the order in which that task reads them. Invariant: every leg that
//! was named in an event or a `Dial` ends with exactly one `SipEvent::Ended`, its last event.
//!
//! `rsipstack` prints whole messages, keys included, at INFO: a program that links this crate
//! keeps the log target `rsipstack` at WARN.

mod addr;
mod ban;
mod config;
mod core;
mod counters;
mod filter;
mod handle;
mod parts;
mod rate;
mod reply;
pub mod sdp;
mod shared;
mod socket;
mod tags;
mod via;
mod wire;

pub use config::{Cidr, CidrError, SipConfig};
pub use counters::Counters;
pub use handle::{Full, SipError, SipHandle, start};
