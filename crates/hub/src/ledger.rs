//! The ledger of one cell: what happened and is not saved yet, and the promises that wait for it.
//!
//! Invariants: one batch of a tenant is under way at a time; a promise is released only after
//! every event before it is saved, and with it nothing waits for company; what waits is bounded,
//! and what falls out is named in a `RecordGap` in its place.

use std::collections::{BTreeMap, VecDeque};

use model::event::{Event, Recorded};
use model::id::{CallId, RequestId};
use model::limits;
use model::refusal::Refusal;
use model::time::{Span, Timestamp};
use store::FloorRow;

/// An answer to a command, held until its events are saved.
pub(crate) type Promise = (RequestId, Result<(), Refusal>);

/// Rows in the order in which they came, with one row per call: the newest, in the place of the
/// first. What is written of them, and when in the transaction, is the store's business.
#[derive(Debug, Default)]
struct Rows {
    list: Vec<FloorRow>,
    calls: BTreeMap<CallId, usize>,
}

impl Rows {
    /// Keeps a row. False when there is no room for it.
    fn keep(&mut self, row: FloorRow) -> bool {
        if let FloorRow::Call(call) = &row {
            if let Some(place) = self.calls.get(&call.call) {
                self.list[*place] = row;
                return true;
            }
            if self.list.len() < limits::UNSAVED_EVENTS_MAX {
                self.calls.insert(call.call, self.list.len());
            }
        }
        let room = self.list.len() < limits::UNSAVED_EVENTS_MAX;
        if room {
            self.list.push(row);
        }
        room
    }
}

#[derive(Debug, Default)]
struct Batch {
    events: VecDeque<Recorded>,
    rows: Rows,
    promises: Vec<Promise>,
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.events.is_empty() && self.rows.list.is_empty() && self.promises.is_empty()
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    waiting: Batch,
    /// When the oldest of what waits was seen to wait.
    waiting_since: Option<Timestamp>,
    under_way: Option<(Batch, Timestamp)>,
    /// Since when something waits to be saved while nothing is promised: the house is degraded.
    late_since: Option<Timestamp>,
    /// First and last number of what fell out before the oldest event that waits.
    gap: Option<(u64, u64)>,
    /// Rows that found no room since the record is late.
    rows_lost: u64,
}

impl Ledger {
    pub(crate) fn event(&mut self, recorded: Recorded) {
        self.waiting.events.push_back(recorded);
        self.bound_events();
    }

    /// Drops the oldest events that are too many; a gap among them hands its range on.
    fn bound_events(&mut self) {
        while self.waiting.events.len() > limits::UNSAVED_EVENTS_MAX
            && let Some(oldest) = self.waiting.events.pop_front()
        {
            let (from, until) = match oldest.event {
                Event::RecordGap { from_seq, until_seq } => (from_seq, until_seq),
                _ => (oldest.seq, oldest.seq),
            };
            let gap = self.gap.map_or((from, until), |(a, b)| (a.min(from), b.max(until)));
            self.gap = Some(gap);
        }
    }

    /// Puts the gap in its place: before the oldest event that waits.
    fn name_gap(&mut self) {
        if let Some(first) = self.waiting.events.front()
            && let Some((from_seq, until_seq)) = self.gap.take()
        {
            let event = Event::RecordGap { from_seq, until_seq };
            let gap = Recorded { seq: until_seq, event, ..first.clone() };
            self.waiting.events.push_front(gap);
        }
    }

    pub(crate) fn row(&mut self, row: FloorRow) {
        if self.waiting.rows.keep(row) {
            return;
        }
        if self.rows_lost == 0 {
            tracing::error!("the record is late and full: rows beside its events are lost");
        }
        self.rows_lost += 1;
    }

    /// Holds a promise, or refuses it at once while the record is late.
    pub(crate) fn promise(&mut self, promise: Promise) -> Option<Promise> {
        let (request, result) = promise;
        if self.late_since.is_some() {
            return Some((request, result.and(Err(Refusal::NotSaved))));
        }
        self.waiting.promises.push((request, result));
        None
    }

    /// When the next batch is to be taken; `None` while one is under way or nothing waits. An event
    /// seldom comes alone: without a promise the first waits a little for the others.
    pub(crate) fn due(&mut self, now: Timestamp) -> Option<Timestamp> {
        if self.waiting.is_empty() {
            return None;
        }
        let since = *self.waiting_since.get_or_insert(now);
        if self.under_way.is_some() {
            return None;
        }
        let promised = !self.waiting.promises.is_empty();
        Some(if promised { now } else { since + Span::from_millis(limits::GATHER_MS) })
    }

    /// The next batch to save, if none is under way.
    pub(crate) fn take(&mut self, now: Timestamp) -> Option<(Vec<Recorded>, Vec<FloorRow>)> {
        if self.under_way.is_some() || self.waiting.is_empty() {
            return None;
        }
        self.name_gap();
        self.waiting_since = None;
        let batch = std::mem::take(&mut self.waiting);
        let copy = (batch.events.iter().cloned().collect(), batch.rows.list.clone());
        self.under_way = Some((batch, now));
        Some(copy)
    }

    /// The batch is saved: its promises may be spoken, and the house is whole again.
    pub(crate) fn saved(&mut self) -> Vec<Promise> {
        self.late_since = None;
        let rows_lost = std::mem::take(&mut self.rows_lost);
        if rows_lost > 0 {
            tracing::error!(rows_lost, "the record is whole again, save for these rows");
        }
        self.under_way.take().map(|(batch, _)| batch.promises).unwrap_or_default()
    }

    /// The batch failed: keep it for another try, refuse its promises.
    pub(crate) fn failed(&mut self) -> Vec<Promise> {
        let Some((mut batch, since)) = self.under_way.take() else { return Vec::new() };
        self.late_since.get_or_insert(since);
        self.waiting_since = Some(since);
        // What fell out while the batch was under way is missing behind it, not before it.
        self.name_gap();
        let mut newer = std::mem::take(&mut self.waiting);
        batch.events.append(&mut newer.events);
        let mut promises = std::mem::take(&mut batch.promises);
        promises.append(&mut newer.promises);
        self.waiting = batch;
        newer.rows.list.into_iter().for_each(|row| self.row(row));
        self.bound_events();
        refuse(promises)
    }

    /// Past this moment the batch under way is late.
    pub(crate) fn late_at(&self) -> Option<Timestamp> {
        let (_, since) = self.under_way.as_ref().filter(|_| self.late_since.is_none())?;
        Some(*since + Span::from_millis(limits::COMMIT_LATE_MS))
    }

    /// The batch under way is late: nothing more is promised until it is saved.
    pub(crate) fn late(&mut self) -> Vec<Promise> {
        let mut promises = std::mem::take(&mut self.waiting.promises);
        if let Some((batch, since)) = &mut self.under_way {
            self.late_since.get_or_insert(*since);
            promises.append(&mut batch.promises);
        }
        refuse(promises)
    }

    /// Since when nothing is promised; `None` while the record keeps up.
    pub(crate) fn late_since(&self) -> Option<Timestamp> {
        self.late_since
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
    fn what_nobody_waits_for_waits_for_company() {
        let (now, later) = (Timestamp::from_micros(5), Timestamp::from_micros(900));
        let gathered = now + Span::from_millis(limits::GATHER_MS);
        let mut ledger = Ledger::default();
        assert_eq!(ledger.due(now), None, "nothing waits");
        ledger.event(recorded(1));
        assert_eq!(ledger.due(now), Some(gathered));
        ledger.event(recorded(2));
        assert_eq!(ledger.due(later), Some(gathered), "counted from the first");
        ledger.promise((request(1), Ok(())));
        assert_eq!(ledger.due(later), Some(later), "somebody waits for the answer");
        ledger.take(later);
        ledger.event(recorded(3));
        assert_eq!(ledger.due(later), None, "one batch at a time");
        ledger.saved();
        let after = later + Span::from_millis(limits::GATHER_MS);
        assert_eq!(ledger.due(gathered + Span::from_secs(1)), Some(after), "the commit counts");
        ledger.take(after);
        ledger.event(recorded(4));
        ledger.failed();
        assert_eq!(ledger.due(gathered), Some(after + Span::from_millis(limits::GATHER_MS)));
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
        assert_eq!(ledger.late_since(), Some(now));
        let (events, _) = ledger.take(now).expect("both events");
        assert_eq!(events.iter().map(|event| event.seq).collect::<Vec<_>>(), [1, 2]);
        ledger.saved();
        assert_eq!(ledger.promise((request(3), Ok(()))), None, "whole again");
        assert_eq!(ledger.late_since(), None);
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

    const MAX: u64 = limits::UNSAVED_EVENTS_MAX as u64;

    /// Every number up to `last` is an event or inside a gap, once, and in order.
    fn complete(events: &[Recorded], last: u64) {
        let mut next = 1;
        for recorded in events {
            let (from, until) = match recorded.event {
                Event::RecordGap { from_seq, until_seq } => (from_seq, until_seq),
                _ => (recorded.seq, recorded.seq),
            };
            assert_eq!((from, recorded.seq), (next, until));
            next = until + 1;
        }
        assert_eq!(next, last + 1);
    }

    #[test]
    fn a_gap_keeps_its_begin_when_it_falls_out_itself() {
        let now = Timestamp::from_micros(5);
        let mut ledger = Ledger::default();
        (1..=MAX + 3).for_each(|seq| ledger.event(recorded(seq)));
        ledger.take(now);
        ledger.failed();
        (MAX + 4..=MAX + 9).for_each(|seq| ledger.event(recorded(seq)));
        let (events, _) = ledger.take(now).expect("a batch");
        complete(&events, MAX + 9);
        assert_eq!(events[0].event, Event::RecordGap { from_seq: 1, until_seq: 9 });
    }

    #[test]
    fn what_falls_out_behind_a_hanging_batch_is_named_behind_it() {
        let now = Timestamp::from_micros(5);
        let mut ledger = Ledger::default();
        (1..=10).for_each(|seq| ledger.event(recorded(seq)));
        ledger.take(now);
        (11..=MAX + 20).for_each(|seq| ledger.event(recorded(seq)));
        ledger.failed();
        let (events, _) = ledger.take(now).expect("a batch");
        complete(&events, MAX + 20);
        assert_eq!(events[0].event, Event::RecordGap { from_seq: 1, until_seq: 20 });
    }

    #[test]
    fn two_failures_keep_a_bounded_ledger() {
        let now = Timestamp::from_micros(5);
        let mut ledger = Ledger::default();
        (1..=MAX).for_each(|seq| ledger.event(recorded(seq)));
        for try_n in 1..=2 {
            ledger.take(now);
            (try_n * MAX + 1..=(try_n + 1) * MAX).for_each(|seq| ledger.event(recorded(seq)));
            ledger.failed();
            assert_eq!(ledger.waiting.events.len() as u64, MAX);
        }
        let (events, _) = ledger.take(now).expect("a batch");
        complete(&events, 3 * MAX);
    }

    fn intent() -> FloorRow {
        let agent = IdMint::new(1).mint(Timestamp::from_micros(1));
        FloorRow::AgentIntent { agent, intent: serde_json::Value::Null }
    }

    fn call(n: u64, talk_us: i64) -> FloorRow {
        let now = Timestamp::from_micros(1);
        let mut mint = IdMint::new(n);
        FloorRow::Call(Box::new(store::CallRow {
            call: mint.mint(now),
            party: mint.mint(now),
            leg: mint.mint(now),
            dialled: "100".parse().expect("a number"),
            flow: mint.mint(now),
            flow_version: 1,
            language: "en".to_owned(),
            consent: model::event::Consent::default(),
            started_at: now,
            answered_at: None,
            ended_at: None,
            queue: None,
            waiting_since: None,
            agent: None,
            waited_us: 0,
            talk_us,
            hold_us: 0,
            wrap_us: 0,
            outcome: None,
            cause: None,
            disposition: None,
            resolved: None,
            recorded: false,
            finished: false,
        }))
    }

    fn talks(rows: &[FloorRow]) -> Vec<i64> {
        let talk = |row: &FloorRow| match row {
            FloorRow::Call(call) => Some(call.talk_us),
            _ => None,
        };
        rows.iter().filter_map(talk).collect()
    }

    #[test]
    fn the_newest_row_of_a_call_wins_even_when_nothing_else_fits() {
        let now = Timestamp::from_micros(5);
        let mut ledger = Ledger::default();
        ledger.row(call(1, 1));
        (1..MAX).for_each(|_| ledger.row(intent()));
        assert_eq!(ledger.rows_lost, 0);
        ledger.row(call(1, 2));
        assert_eq!(ledger.rows_lost, 0, "it takes the place of the older one");
        ledger.row(intent());
        ledger.row(call(2, 1));
        assert_eq!(ledger.rows_lost, 2, "counted");
        ledger.take(now);
        ledger.row(call(1, 3));
        ledger.failed();
        let (_, rows) = ledger.take(now).expect("a batch");
        assert_eq!((rows.len() as u64, talks(&rows)), (MAX, vec![3]));
        ledger.saved();
        assert_eq!(ledger.rows_lost, 0);
    }
}
