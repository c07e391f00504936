//! All folds of one tenant behind one cursor: the figures of the house, live.
//!
//! Invariant: the books depend on the journal alone. The same events give the same books, whether
//! they come once, twice or with a pause in between.

use model::config::TenantConfig;
use model::event::Recorded;
use model::id::TenantId;
use model::time::Span;
use serde::{Deserialize, Serialize};

use crate::agent::AgentFold;
use crate::cursor::{Cursor, Step};
use crate::queue::QueueFold;

/// The figures of one tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Books {
    cursor: Cursor,
    /// Per queue.
    pub queues: QueueFold,
    /// Per agent.
    pub agents: AgentFold,
}

impl Books {
    /// Empty books at the beginning of the tenant's journal.
    #[must_use]
    pub fn new(tenant: TenantId) -> Self {
        Self::after(Cursor::new(tenant))
    }

    /// Empty books that begin at a later place.
    #[must_use]
    pub fn after(cursor: Cursor) -> Self {
        Self { cursor, queues: QueueFold::default(), agents: AgentFold::default() }
    }

    /// Takes over the thresholds of a new configuration.
    pub fn configure(&mut self, config: &TenantConfig) {
        for (id, queue) in &config.queues {
            self.queues.set_target(*id, Span::from_millis(queue.service_level_ms));
        }
    }

    /// Takes in one event, once, and says whether it was new and whether some are missing.
    pub fn apply(&mut self, recorded: &Recorded) -> Step {
        let step = self.cursor.step(recorded);
        if step.applies() {
            self.queues.apply(recorded);
            self.agents.apply(recorded);
        }
        step
    }

    /// The last event that is in the books.
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        self.cursor.last_seq()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::Story;

    #[test]
    fn twice_is_once_and_saved_books_go_on() {
        let story = Story::whole_call();
        let mut once = Books::new(story.tenant);
        let mut twice = Books::new(story.tenant);
        for event in &story.events {
            assert_eq!(once.apply(event), Step::Next);
            twice.apply(event);
            assert_eq!(twice.apply(event), Step::Repeated);
            let saved = serde_json::to_string(&twice).unwrap();
            twice = serde_json::from_str(&saved).unwrap();
        }
        assert_eq!(once, twice);
        assert_eq!(once.last_seq(), story.events.len() as u64);
    }

    #[test]
    fn a_gap_is_reported() {
        let story = Story::whole_call();
        let mut books = Books::new(story.tenant);
        books.apply(&story.events[0]);
        let step = books.apply(&story.events[4]);
        assert_eq!(step, Step::AfterGap { from_seq: 2, until_seq: 4 });
    }
}
