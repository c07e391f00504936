//! Tests of the floor at its boundary: inputs in, outputs as lines of text.

mod driver;
mod flow_check;
mod ladders;
mod swarm;
mod world;
