//! Call flows: the checker for people who write them, and the interpreter inside the cell.

pub mod check;
mod keys;
mod run;
mod variables;

pub use check::{FlowFault, Names, check};
