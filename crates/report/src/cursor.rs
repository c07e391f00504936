//! The place of a fold in its tenant's journal. A fold moves only forward: an event that was
//! applied never counts again, and one that is missing is noticed.

use model::event::Recorded;
use model::id::TenantId;
use serde::{Deserialize, Serialize};

/// Which event comes next, of whose journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    tenant: TenantId,
    last_seq: u64,
}

/// What a fold has to do with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It is the next one: apply it.
    Next,
    /// Apply it, but the events `from_seq..=until_seq` before it are missing.
    AfterGap {
        /// The first that is missing.
        from_seq: u64,
        /// The last that is missing.
        until_seq: u64,
    },
    /// It was applied before: leave it.
    Repeated,
    /// It is of another tenant: leave it.
    Foreign,
}

impl Step {
    /// Whether the event is to be applied.
    #[must_use]
    pub fn applies(self) -> bool {
        matches!(self, Self::Next | Self::AfterGap { .. })
    }
}

impl Cursor {
    /// At the beginning of the tenant's journal: the next event is number 1.
    #[must_use]
    pub fn new(tenant: TenantId) -> Self {
        Self::after(tenant, 0)
    }

    /// Behind `last_seq`, for a fold whose state was saved there.
    #[must_use]
    pub fn after(tenant: TenantId, last_seq: u64) -> Self {
        Self { tenant, last_seq }
    }

    /// The last event that was applied, 0 for none.
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// Moves behind `recorded` if it is new, and says what to do with it.
    pub fn step(&mut self, recorded: &Recorded) -> Step {
        if recorded.tenant != self.tenant {
            return Step::Foreign;
        }
        let expected = self.last_seq + 1;
        if recorded.seq < expected {
            return Step::Repeated;
        }
        self.last_seq = recorded.seq;
        if recorded.seq == expected {
            Step::Next
        } else {
            Step::AfterGap { from_seq: expected, until_seq: recorded.seq - 1 }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::{Story, id};
    use model::event::Event;

    #[test]
    fn repeats_gaps_and_strangers_are_told_apart() {
        let mut story = Story::new(1);
        for _ in 0..5 {
            story.add(0, Event::CallAnswered { call: id(9) });
        }
        let mut cursor = Cursor::new(story.tenant);
        assert_eq!(cursor.step(&story.events[0]), Step::Next);
        assert_eq!(cursor.step(&story.events[0]), Step::Repeated);
        assert_eq!(cursor.step(&story.events[3]), Step::AfterGap { from_seq: 2, until_seq: 3 });
        assert_eq!(cursor.step(&story.events[1]), Step::Repeated);
        assert_eq!(cursor.last_seq(), 4);

        let mut twin = story.events[4].clone();
        twin.tenant = id(2);
        assert_eq!(cursor.step(&twin), Step::Foreign);
        assert_eq!(cursor.step(&story.events[4]), Step::Next);
    }
}
