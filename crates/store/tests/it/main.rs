//! The store as its users see it, on real files.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as the tests do")]

mod backup;
mod config;
mod fence;
mod floor;
mod house;
mod kill;
mod phone;
