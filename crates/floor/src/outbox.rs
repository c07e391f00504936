//! What the cell puts out, in order, and what has still to be looked at before the drain.
//!
//! Invariant: events leave with contiguous sequence numbers.

use std::collections::{BTreeSet, VecDeque};

use model::{AgentId, CallId, Output, QueueEntryId, QueueId};
use serde::{Deserialize, Serialize};

/// Outputs of the present input.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Outbox {
    pub(crate) next_seq: u64,
    pub(crate) queue: VecDeque<Output>,
}

/// Things that one mutation changed. Emptied before `handle` returns, so never in a snapshot.
#[derive(Debug, Clone, Default)]
pub(crate) struct Changed {
    /// Calls whose graph may differ.
    pub(crate) calls: BTreeSet<CallId>,
    /// Agents whose state or view may differ.
    pub(crate) agents: BTreeSet<AgentId>,
    /// Queues whose figures differ.
    pub(crate) queues: BTreeSet<QueueId>,
    /// Entries that may be matched now and could not before.
    pub(crate) free_entries: BTreeSet<QueueEntryId>,
    /// Agents who may be matched now and could not before.
    pub(crate) free_agents: BTreeSet<AgentId>,
}
