//! The diaries of the customers.

use model::{LegId, Timestamp};

use super::World;

/// What the customers wrote down themselves: never read from the floor's events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diary {
    /// Customers who rang.
    pub rang: u64,
    /// Of those who talked to somebody, in the order of their leaving.
    pub stays: Vec<Stay>,
}

/// The stay of a customer who talked to somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stay {
    /// The telephone rang.
    pub rang_at: Timestamp,
    /// The first word of an agent.
    pub talked_at: Timestamp,
    /// The end as the customer heard it.
    pub left_at: Timestamp,
}

impl Stay {
    /// From ringing to the first word, microseconds.
    #[must_use]
    pub fn wait_us(&self) -> i64 {
        self.talked_at.since(self.rang_at).micros()
    }

    /// From the first word to the end, microseconds.
    #[must_use]
    pub fn talk_us(&self) -> i64 {
        self.left_at.since(self.talked_at).micros()
    }
}

impl World {
    /// Whoever talked to somebody writes it down on leaving.
    pub(super) fn write_diary(&mut self, leg: LegId) {
        let Some(customer) = self.customers.get(&leg) else { return };
        if let Some(talked_at) = customer.talks_since {
            let rang_at = customer.rang_at;
            self.diary.stays.push(Stay { rang_at, talked_at, left_at: self.now });
        }
    }
}
