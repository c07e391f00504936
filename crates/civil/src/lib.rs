//! Civil time: opening hours in a zone, and whether a calendar can be used.
//!
//! Invariant: the zone data is the one compiled in, so a replay on another machine decides alike.
//! A civil minute that a clock change repeats is open both times or not at all; one that it skips
//! is never asked for.

mod check;
mod hours;
mod zone;

pub use check::{CalendarFault, check};
pub use hours::is_open;
pub use zone::{ZoneError, tzdb_version};
