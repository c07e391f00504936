//! Call flows: the checker for people who write them. The interpreter runs inside the cell.

pub mod check;

pub use check::{FlowFault, Names, check};
