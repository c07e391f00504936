//! The virtual contact centre at work: hundreds of seeded runs, each with its own swarm of habits
//! and faults, every invariant after every step.

mod diaries;
mod mmn;
#[cfg(feature = "mutations")]
mod mutations;
mod seeds;
mod seen;
