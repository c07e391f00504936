//! Tests of the floor at its boundary: inputs in, outputs as lines of text.

#![expect(clippy::unwrap_used, reason = "a script that cannot be read stops the test")]

mod driver;
mod flow_check;
mod flow_fuzz;
mod handbook;
mod ladders;
mod secret;
mod swarm;
mod world;
