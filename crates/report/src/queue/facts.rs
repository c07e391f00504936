//! The figures of queues: what a quarter-hour holds, and what runs now.

use model::event::QueueOutcome;
use model::time::Span;
use serde::{Deserialize, Serialize};

/// Queue entries by how they ended. All counts are entries, all at the clock of entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EntryFacts {
    /// Waits that began.
    pub offered: u64,
    /// Ended by an agent.
    pub answered: u64,
    /// Of them, within the threshold of the service level.
    pub answered_in_target: u64,
    /// The caller left, not earlier than the short-abandon threshold.
    pub abandoned: u64,
    /// Of them, within the threshold of the service level.
    pub abandoned_in_target: u64,
    /// The caller left before the short-abandon threshold.
    pub short_abandoned: u64,
    /// The longest wait passed.
    pub timed_out: u64,
    /// The house failed.
    pub lost: u64,
    /// Sum of the waits of the answered, microseconds.
    pub answered_wait_us: i64,
}

/// Conversations that are over, wrap-up included, at the clock of their end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HandleFacts {
    /// Conversations.
    pub handled: u64,
    /// Talking, microseconds.
    pub talk_us: i64,
    /// Hold, microseconds.
    pub hold_us: i64,
    /// Wrapping up, microseconds.
    pub wrap_up_us: i64,
}

/// One queue in one quarter-hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct QueueInterval {
    /// Entries that began in it.
    pub entries: EntryFacts,
    /// Handling that ended in it.
    pub handling: HandleFacts,
}

/// The counters of one queue since the beginning, with what waits now. The live views show
/// `waiting` from the cell, which cannot read its own journal; `sim` holds the two against each
/// other after every step of every run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct QueueCounters {
    /// Waits that began.
    pub offered: u64,
    /// Ended by an agent.
    pub answered: u64,
    /// The caller left.
    pub abandoned: u64,
    /// The caller left at once.
    pub short_abandoned: u64,
    /// The longest wait passed.
    pub timed_out: u64,
    /// The house failed.
    pub lost: u64,
    /// Waits that run.
    pub waiting: u64,
}

impl QueueCounters {
    /// The identity of the KPI book.
    #[must_use]
    pub fn balanced(&self) -> bool {
        let left =
            self.answered + self.abandoned + self.short_abandoned + self.timed_out + self.lost;
        self.offered == left + self.waiting
    }
}

impl EntryFacts {
    /// Adds the facts of another interval or queue.
    pub fn add(&mut self, other: &Self) {
        self.offered += other.offered;
        self.answered += other.answered;
        self.answered_in_target += other.answered_in_target;
        self.abandoned += other.abandoned;
        self.abandoned_in_target += other.abandoned_in_target;
        self.short_abandoned += other.short_abandoned;
        self.timed_out += other.timed_out;
        self.lost += other.lost;
        self.answered_wait_us += other.answered_wait_us;
    }

    pub(super) fn left(&mut self, outcome: QueueOutcome, waited_us: i64, target: Span) {
        let in_target = u64::from(waited_us <= target.micros());
        match outcome {
            QueueOutcome::Answered => {
                self.answered += 1;
                self.answered_in_target += in_target;
                self.answered_wait_us += waited_us;
            }
            QueueOutcome::Abandoned => {
                self.abandoned += 1;
                self.abandoned_in_target += in_target;
            }
            QueueOutcome::ShortAbandoned => self.short_abandoned += 1,
            QueueOutcome::TimedOut => self.timed_out += 1,
            QueueOutcome::Lost => self.lost += 1,
        }
    }
}

impl HandleFacts {
    /// Adds the facts of another interval, queue or agent.
    pub fn add(&mut self, other: &Self) {
        self.handled += other.handled;
        self.talk_us += other.talk_us;
        self.hold_us += other.hold_us;
        self.wrap_up_us += other.wrap_up_us;
    }

    pub(super) fn take(&mut self, other: &Self) {
        self.handled -= other.handled;
        self.talk_us -= other.talk_us;
        self.hold_us -= other.hold_us;
        self.wrap_up_us -= other.wrap_up_us;
    }
}
