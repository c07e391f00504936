//! Live counters of a cell, kept beside the journal so that the two can be compared.
//!
//! Invariant: per queue, offered = answered + abandoned + short-abandoned + timed out + lost +
//! waiting, at every instant.

use std::collections::BTreeMap;

use model::QueueId;
use model::event::QueueOutcome;
use serde::{Deserialize, Serialize};

/// What a cell counts and holds at this instant.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Live {
    /// Every queue that had a contact since the cell began or that is configured.
    pub queues: BTreeMap<QueueId, QueueLive>,
    /// Calls that are up.
    pub calls: u32,
    /// Legs the cell knows: customers', agents' pages, dialled telephones.
    pub legs: u32,
    /// Offers that ring.
    pub offers: u32,
    /// Agents with a lease of any kind.
    pub leased: u32,
    /// Keys over `limits::DIGITS_PER_SECOND_MAX` since the cell began.
    pub keys_refused: u64,
}

/// The figures of one queue. All but `waiting` count since the cell began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct QueueLive {
    /// Contacts that entered.
    pub offered: u64,
    /// An agent took it.
    pub answered: u64,
    /// The caller left after the short-abandon threshold.
    pub abandoned: u64,
    /// The caller left before it.
    pub short_abandoned: u64,
    /// The flow went on.
    pub timed_out: u64,
    /// The house failed.
    pub lost: u64,
    /// Contacts that wait now, those being offered included.
    pub waiting: u64,
}

impl QueueLive {
    pub(crate) fn count(&mut self, outcome: QueueOutcome) {
        *match outcome {
            QueueOutcome::Answered => &mut self.answered,
            QueueOutcome::Abandoned => &mut self.abandoned,
            QueueOutcome::ShortAbandoned => &mut self.short_abandoned,
            QueueOutcome::TimedOut => &mut self.timed_out,
            QueueOutcome::Lost => &mut self.lost,
        } += 1;
    }
}
