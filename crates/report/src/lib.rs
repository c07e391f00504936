//! Every number of the house: pure folds over the journal, and one function per KPI.
//!
//! Start with [`Books`], which feeds every fold from one stream of events, once per event. `kpi`
//! holds the formulas; `call` and `ladder` tell the story of one call; `queue` and `agent` keep
//! the 15 minute facts. Nothing here reads a clock, and no formula exists anywhere else.

pub mod agent;
pub mod books;
pub mod call;
pub mod cursor;
pub mod interval;
pub mod kpi;
pub mod ladder;
pub mod queue;
pub mod so_far;
#[cfg(test)]
mod story;

pub use agent::{AgentFold, AgentInterval};
pub use books::Books;
pub use call::{CallFold, CallRecord};
pub use cursor::{Cursor, Step};
pub use interval::INTERVAL;
pub use ladder::{Ladder, ladder};
pub use queue::{QueueCounters, QueueFold, QueueInterval};
pub use so_far::{SoFar, Stretch};
