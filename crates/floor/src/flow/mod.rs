//! Call flows: the checker for people who write them, and the interpreter inside the cell.

pub mod check;
pub(crate) mod keys;
mod run;
mod secret;
pub(crate) mod variables;

pub use check::{FlowFault, Names, check};
