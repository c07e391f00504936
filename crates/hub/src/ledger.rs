//! The ledger of one cell: what happened and is not saved yet, and the promises that wait for it.
//!
//! Invariants: one batch of a tenant is under way at a time; a promise is released only after
//! every event before it is saved; what waits is bounded, and what falls out is named in a
//! `RecordGap` in its place.

use std::collections::VecDeque;

use model::event::{Event, Recorded};
use model::id::RequestId;
use model::limits;
use model::refusal::Refusal;
use model::time::{Span, Timestamp};
use store::FloorRow;

/// An answer to a command, held until its events are saved.
pub(crate) type Promise = (RequestId, Result<(), Refusal>);

#[derive(Debug, Default)]
struct Batch {
    events: VecDeque<Recorded>,
    rows: Vec<FloorRow>,
    promises: Vec<Promise>,
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.events.is_empty() && self.rows.is_empty() && self.promises.is_empty()
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    waiting: Batch,
    under_way: Option<(Batch, Timestamp)>,
    degraded: bool,
    gap: Option<(u64, u64)>,
}

impl Ledger {
    pub(crate) fn event(&mut self, recorded: Recorded) {
        self.waiting.events.push_back(recorded);
        if self.waiting.events.len() > limits::UNSAVED_EVENTS_MAX
            && let Some(oldest) = self.waiting.events.pop_front()
        {
            let from = self.gap.map_or(oldest.seq, |(from, _)| from);
            self.gap = Some((from, oldest.seq));
        }
    }

    pub(crate) fn row(&mut self, row: FloorRow) {
        // Rows are the last to be given up: they are bounded by calls, not by time.
        if self.waiting.rows.len() < limits::UNSAVED_EVENTS_MAX {
            self.waiting.rows.push(row);
        }
    }

    /// Holds a promise, or refuses it at once while the record is late.
    pub(crate) fn promise(&mut self, promise: Promise) -> Option<Promise> {
        let (request, result) = promise;
        if self.degraded {
            return Some((request, result.and(Err(Refusal::NotSaved))));
        }
        self.waiting.promises.push((request, result));
        None
    }

    /// The next batch to save, if none is under way.
    pub(crate) fn take(&mut self, now: Timestamp) -> Option<(Vec<Recorded>, Vec<FloorRow>)> {
        if self.under_way.is_some() || self.waiting.is_empty() {
            return None;
        }
        if let (Some((from_seq, until_seq)), Some(first)) =
            (self.gap.take(), self.waiting.events.front())
        {
            let event = Event::RecordGap { from_seq, until_seq };
            let gap = Recorded { seq: until_seq, event, ..first.clone() };
            self.waiting.events.push_front(gap);
        }
        let batch = std::mem::take(&mut self.waiting);
        let copy = (batch.events.iter().cloned().collect(), batch.rows.clone());
        self.under_way = Some((batch, now));
        Some(copy)
    }

    /// The batch is saved: its promises may be spoken, and the house is whole again.
    pub(crate) fn saved(&mut self) -> Vec<Promise> {
        self.degraded = false;
        self.under_way.take().map(|(batch, _)| batch.promises).unwrap_or_default()
    }

    /// The batch failed: keep it for another try, refuse its promises.
    pub(crate) fn failed(&mut self) -> Vec<Promise> {
        let Some((mut batch, _)) = self.under_way.take() else { return Vec::new() };
        self.degraded = true;
        batch.events.append(&mut self.waiting.events);
        batch.rows.append(&mut self.waiting.rows);
        let mut promises = std::mem::take(&mut batch.promises);
        promises.append(&mut self.waiting.promises);
        self.waiting = batch;
        refuse(promises)
    }

    /// Past this moment the batch under way is late.
    pub(crate) fn late_at(&self) -> Option<Timestamp> {
        let (_, since) = self.under_way.as_ref().filter(|_| !self.degraded)?;
        Some(*since + Span::from_millis(limits::COMMIT_LATE_MS))
    }

    /// The batch under way is late: nothing more is promised until it is saved.
    pub(crate) fn late(&mut self) -> Vec<Promise> {
        self.degraded = true;
        let mut promises = std::mem::take(&mut self.waiting.promises);
        if let Some((batch, _)) = &mut self.under_way {
            promises.append(&mut batch.promises);
        }
        refuse(promises)
    }

    /// Whether everything is saved.
    pub(crate) fn is_clear(&self) -> bool {
        self.under_way.is_none() && self.waiting.is_empty()
    }
}

fn refuse(promises: Vec<Promise>) -> Vec<Promise> {
    let refuse = |(request, result): Promise| (request, result.and(Err(Refusal::NotSaved)));
    promises.into_iter().map(refuse).collect()
}

#[cfg(test)]
mod tests {
    use model::event::AgentState;
    use model::id::IdMint;

    use super::*;

    fn recorded(seq: u64) -> Recorded {
        let now = Timestamp::from_micros(1);
        let mut mint = IdMint::new(1);
        let event =
            Event::AgentState { agent: mint.mint(now), state: AgentState::Ready, reason: None };
        Recorded { tenant: mint.mint(now), seq, at: now, config: 1, event }
    }

    fn request(n: u64) -> RequestId {
        IdMint::new(n).mint(Timestamp::from_micros(1))
    }

    #[test]
    fn a_promise_is_spoken_after_its_events_are_saved() {
        let now = Timestamp::from_micros(5);
        let mut ledger = Ledger::default();
        ledger.event(recorded(1));
        assert_eq!(ledger.promise((request(1), Ok(()))), None);
        assert_eq!(ledger.take(now).map(|(events, _)| events.len()), Some(1));
        ledger.event(recorded(2));
        assert_eq!(ledger.promise((request(2), Ok(()))), None);
        assert!(ledger.take(now).is_none(), "one batch at a time");
        assert_eq!(ledger.saved(), [(request(1), Ok(()))]);
        assert_eq!(ledger.take(now).map(|(events, _)| events.len()), Some(1));
        assert_eq!(ledger.saved(), [(request(2), Ok(()))]);
        assert!(ledger.is_clear());
    }

    #[test]
    fn a_failed_batch_is_kept_and_nothing_is_promised_until_it_is_saved() {
        let now = Timestamp::from_micros(5);
        let mut ledger = Ledger::default();
        ledger.event(recorded(1));
        ledger.promise((request(1), Ok(())));
        ledger.take(now);
        ledger.event(recorded(2));
        assert_eq!(ledger.failed(), [(request(1), Err(Refusal::NotSaved))]);
        let refused = ledger.promise((request(2), Ok(())));
        assert_eq!(refused, Some((request(2), Err(Refusal::NotSaved))));
        let (events, _) = ledger.take(now).expect("both events");
        assert_eq!(events.iter().map(|event| event.seq).collect::<Vec<_>>(), [1, 2]);
        ledger.saved();
        assert_eq!(ledger.promise((request(3), Ok(()))), None, "whole again");
    }

    #[test]
    fn what_does_not_fit_is_named_as_a_gap() {
        let mut ledger = Ledger::default();
        let over = 3;
        let count = u64::try_from(limits::UNSAVED_EVENTS_MAX).expect("fits") + over;
        for seq in 1..=count {
            ledger.event(recorded(seq));
        }
        let (events, _) = ledger.take(Timestamp::from_micros(5)).expect("a batch");
        let first = events.first().map(|recorded| (recorded.seq, recorded.event.clone()));
        assert_eq!(first, Some((3, Event::RecordGap { from_seq: 1, until_seq: 3 })));
        assert_eq!(events.get(1).map(|recorded| recorded.seq), Some(4));
    }
}
