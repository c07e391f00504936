//! The store as its users see it, on real files.

mod floor;
mod house;
mod kill;
