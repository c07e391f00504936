//! The virtual contact centre: customers, agents, telephones and media around the real
//! [`floor::Cell`], on a virtual clock, with invariants checked after every step.
//!
//! A [`Scenario`] says who calls, who works and what goes wrong; a [`World`] runs it. The same
//! scenario and seed give the same run, so a failure is named by its seed. Read `world` for the
//! loop, `check` for what must always hold.

mod agenda;
pub mod check;
pub mod erlang;
mod ledger;
pub mod load;
pub mod replay;
mod scenario;
pub mod stats;
pub mod tenant;
pub mod textbook;
mod trace;
mod world;

pub use ledger::Ledger;
pub use scenario::{Company, Faults, People, Scenario};
pub use trace::Failure;
pub use world::{Diary, Stay, World};
