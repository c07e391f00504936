//! The SIP plane: sockets and connections, pre-filter, dialogs and session descriptions. It knows
//! legs only.
//!
//! Messages pass a stateless filter ([`filter`]), then find their [`transaction`]; one task
//! ([`core`]) owns the port, every transaction, every leg and every dialog, so that races (CANCEL
//! against answer, BYE against BYE) are decided by the order in which that task reads them.
//! Invariant: every leg that was named in an event or a `Dial` ends with exactly one
//! `SipEvent::Ended`, its last event.

mod addr;
mod ban;
mod config;
mod core;
mod counters;
mod digest;
mod filter;
mod handle;
mod homes;
mod location;
mod lockout;
mod message;
mod parts;
mod rate;
mod registrar;
mod reply;
pub mod sdp;
mod shared;
mod socket;
mod stream;
mod tags;
mod transaction;
mod via;
mod way;
mod wire;

pub use config::{Cidr, CidrError, SipConfig, SipTls};
pub use counters::Counters;
pub use handle::{Full, SipError, SipHandle, start};
