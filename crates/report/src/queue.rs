//! What happened in each queue, per quarter-hour and now.
//!
//! Invariant: `offered = answered + abandoned + short-abandoned + timed out + lost + waiting` at
//! every instant. A wait counts in the interval it began in; handling in the one it ended in.

mod facts;
mod handling;

use std::collections::{BTreeMap, BTreeSet};

use model::event::{Event, QueueOutcome, Recorded};
use model::id::{CallId, QueueEntryId, QueueId};
use model::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};

use crate::interval::start_of;

pub use facts::{EntryFacts, HandleFacts, QueueCounters, QueueInterval};
pub(crate) use handling::Handlings;

/// Threshold of the service level where the configuration names none: 20 s.
pub const SERVICE_LEVEL: Span = Span::from_secs(20);

/// A wait that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct OpenEntry {
    queue: QueueId,
    /// When the entry began: figures count from here.
    since: Timestamp,
    /// When the customer began to wait: older where the agent was lost in conversation and the
    /// customer went back to the old place.
    queued_at: Timestamp,
}

/// All queues of a tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueFold {
    targets: BTreeMap<QueueId, Span>,
    counters: BTreeMap<QueueId, QueueCounters>,
    intervals: BTreeMap<QueueId, BTreeMap<Timestamp, QueueInterval>>,
    changed: BTreeSet<(QueueId, Timestamp)>,
    open: BTreeMap<QueueEntryId, OpenEntry>,
    /// Since when the customers in conversation had waited: the place they go back to.
    places: BTreeMap<CallId, Timestamp>,
    handlings: Handlings,
}

impl QueueFold {
    /// Names the queue's threshold of the service level for waits that end from now on. What was
    /// counted with another stays as it was.
    pub fn set_target(&mut self, queue: QueueId, target: Span) {
        self.targets.insert(queue, target);
    }

    /// Takes in one event. Each may be given only once: see [`crate::Cursor`].
    pub fn apply(&mut self, recorded: &Recorded) {
        let at = recorded.at;
        match &recorded.event {
            Event::Queued { call, entry, queue, .. } => {
                let queued_at = self.places.remove(call).unwrap_or(at);
                self.open.insert(*entry, OpenEntry { queue: *queue, since: at, queued_at });
                let counters = self.counters.entry(*queue).or_default();
                counters.offered += 1;
                counters.waiting += 1;
                self.interval(*queue, at).entries.offered += 1;
            }
            Event::QueueLeft { call, entry, outcome, waited_us, .. } => {
                if let (QueueOutcome::Answered, Some(open)) = (outcome, self.open.get(entry)) {
                    self.places.insert(*call, open.queued_at);
                }
                self.left(*entry, *outcome, *waited_us);
            }
            // The flow or an agent went on: another queue is another wait.
            Event::NodeEntered { call, .. }
            | Event::Transferred { call, .. }
            | Event::Redirected { call, .. } => {
                self.places.remove(call);
            }
            Event::RecordGap { .. } => self.lose_sight(at),
            event => {
                if let Event::CallEnded { call, .. } = event {
                    self.places.remove(call);
                }
                if let Some(booking) = self.handlings.apply(at, event) {
                    let booking = booking.of_queue();
                    booking.book(&mut self.interval(booking.queue, booking.at).handling);
                }
            }
        }
    }

    /// Events are missing. Whatever ran may have ended among them, and nothing would ever say so:
    /// waits count as lost, and a word about one that comes later is of a wait we do not know.
    fn lose_sight(&mut self, at: Timestamp) {
        for (entry, open) in self.open.clone() {
            self.left(entry, QueueOutcome::Lost, at.since(open.since).micros());
        }
        self.places.clear();
        self.handlings = Handlings::default();
    }

    fn left(&mut self, entry: QueueEntryId, outcome: QueueOutcome, waited_us: i64) {
        let Some(OpenEntry { queue, since, .. }) = self.open.remove(&entry) else { return };
        let target = self.targets.get(&queue).copied().unwrap_or(SERVICE_LEVEL);
        self.interval(queue, since).entries.left(outcome, waited_us, target);
        let counters = self.counters.entry(queue).or_default();
        counters.waiting -= 1;
        *match outcome {
            QueueOutcome::Answered => &mut counters.answered,
            QueueOutcome::Abandoned => &mut counters.abandoned,
            QueueOutcome::ShortAbandoned => &mut counters.short_abandoned,
            QueueOutcome::TimedOut => &mut counters.timed_out,
            QueueOutcome::Lost => &mut counters.lost,
        } += 1;
    }

    fn interval(&mut self, queue: QueueId, at: Timestamp) -> &mut QueueInterval {
        let start = start_of(at);
        self.changed.insert((queue, start));
        self.intervals.entry(queue).or_default().entry(start).or_default()
    }

    /// The counters of every queue that ever had an entry.
    #[must_use]
    pub fn counters(&self) -> &BTreeMap<QueueId, QueueCounters> {
        &self.counters
    }

    /// When the customer who has waited longest in the queue began to wait.
    #[must_use]
    pub fn longest_since(&self, queue: QueueId) -> Option<Timestamp> {
        self.open.values().filter(|entry| entry.queue == queue).map(|entry| entry.queued_at).min()
    }

    /// The quarter-hours of a queue, oldest first.
    pub fn intervals(&self, queue: QueueId) -> impl Iterator<Item = (Timestamp, &QueueInterval)> {
        self.intervals.get(&queue).into_iter().flatten().map(|(start, facts)| (*start, facts))
    }

    /// Puts a saved quarter-hour back, before a fold goes on with it after a start.
    pub fn restore(&mut self, queue: QueueId, start: Timestamp, facts: QueueInterval) {
        self.intervals.entry(queue).or_default().insert(start, facts);
    }

    /// The quarter-hours that changed since this was last asked, with their facts: rows to save.
    pub fn take_changed(&mut self) -> Vec<(QueueId, Timestamp, QueueInterval)> {
        std::mem::take(&mut self.changed)
            .into_iter()
            .filter_map(|(queue, start)| {
                let facts = self.intervals.get(&queue)?.get(&start)?;
                Some((queue, start, *facts))
            })
            .collect()
    }

    /// Forgets saved quarter-hours that began before `until`, so that memory stays bounded. A
    /// quarter-hour with a wait that still runs is kept.
    pub fn forget_before(&mut self, until: Timestamp) {
        let needed: BTreeSet<_> =
            self.open.values().map(|entry| (entry.queue, start_of(entry.since))).collect();
        let changed = &self.changed;
        for (queue, intervals) in &mut self.intervals {
            intervals.retain(|start, _| {
                let key = (*queue, *start);
                *start >= until || needed.contains(&key) || changed.contains(&key)
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use model::event::ConsultOutcome;
    use model::random::Random;

    use super::*;
    use crate::story::{SECOND, Story, at, id};

    fn fold(story: &Story) -> QueueFold {
        let mut fold = QueueFold::default();
        for event in &story.events {
            fold.apply(event);
            assert!(fold.counters().values().all(QueueCounters::balanced));
        }
        fold
    }

    #[test]
    fn a_wait_counts_where_it_began_and_handling_where_it_ended() {
        // at(0) is 1,764,000,000 s: 0 s after a quarter-hour. The wait spans a border.
        let mut story = Story::new(1);
        story.queue(890, id(50), 70, id(1));
        story.leave(920, id(50), 70, QueueOutcome::Answered, 30);
        story.connect(920, id(50), 70, id(60));
        story.disconnect(1_700, id(50), id(60));
        story.add(
            1_700,
            Event::WrapUpStarted { call: id(50), queue: id(1), agent: id(60), until: at(1_900) },
        );
        story.end(1_700, id(50), model::event::CallOutcome::Handled);
        story.add(
            1_810,
            Event::WrapUpEnded {
                call: id(50),
                queue: id(1),
                agent: id(60),
                disposition: None,
                resolved: None,
            },
        );
        let fold = fold(&story);
        let intervals: Vec<_> = fold.intervals(id(1)).collect();
        assert_eq!(intervals.len(), 3);
        let (first, second, third) = (intervals[0].1, intervals[1].1, intervals[2].1);
        assert_eq!((first.entries.offered, first.entries.answered), (1, 1));
        assert_eq!(first.entries.answered_in_target, 0);
        assert_eq!(*second, QueueInterval::default(), "taken back when wrap-up began");
        let expected =
            HandleFacts { handled: 1, talk_us: 780 * SECOND, hold_us: 0, wrap_up_us: 110 * SECOND };
        assert_eq!(third.handling, expected);
        assert_eq!(fold.handlings, Handlings::default(), "nothing is kept");
    }

    #[test]
    fn a_call_that_is_left_to_a_colleague_is_handled_once_by_the_queue() {
        let mut story = Story::new(1);
        let (call, ann, bob) = (id(50), id(60), id(61));
        story.queue(0, call, 70, id(1));
        story.leave(5, call, 70, QueueOutcome::Answered, 5);
        story.connect(5, call, 70, ann);
        let (consult, outcome) = (id(90), ConsultOutcome::HandedOver);
        let over = Event::ConsultEnded { call, consult, agent: ann, colleague: bob, outcome };
        story.add(65, over);
        story.disconnect(65, call, ann);
        story.connect(65, call, 70, bob);
        story.disconnect(95, call, bob);
        story.end(95, call, model::event::CallOutcome::Handled);
        let fold = fold(&story);
        let (_, facts) = fold.intervals(id(1)).next().unwrap();
        let expected = HandleFacts { handled: 1, talk_us: 90 * SECOND, hold_us: 0, wrap_up_us: 0 };
        assert_eq!(facts.handling, expected);
        assert_eq!(fold.handlings, Handlings::default());
        let mut agents = crate::AgentFold::default();
        story.events.iter().for_each(|event| agents.apply(event));
        for (agent, talk_s) in [(ann, 60), (bob, 30)] {
            let facts = agents.figures(agent, at(0), at(86_400)).handling;
            assert_eq!((facts.handled, facts.talk_us), (1, talk_s * SECOND), "of each agent");
        }
    }

    #[test]
    fn without_wrap_up_the_conversation_counts_when_it_ends() {
        let mut story = Story::new(1);
        story.queue(0, id(50), 70, id(1));
        story.leave(5, id(50), 70, QueueOutcome::Answered, 5);
        story.connect(5, id(50), 70, id(60));
        story.disconnect(65, id(50), id(60));
        story.end(65, id(50), model::event::CallOutcome::Handled);
        let fold = fold(&story);
        let (_, facts) = fold.intervals(id(1)).next().unwrap();
        assert_eq!((facts.handling.handled, facts.handling.talk_us), (1, 60 * SECOND));
        assert_eq!(facts.entries.answered_in_target, 1);
        assert_eq!(fold.handlings, Handlings::default());
    }

    #[test]
    fn every_outcome_has_its_counter_and_its_threshold() {
        let mut story = Story::new(1);
        let ends = [
            (QueueOutcome::Answered, 20),
            (QueueOutcome::Answered, 21),
            (QueueOutcome::Abandoned, 6),
            (QueueOutcome::Abandoned, 40),
            (QueueOutcome::ShortAbandoned, 2),
            (QueueOutcome::TimedOut, 60),
            (QueueOutcome::Lost, 9),
        ];
        for (n, (outcome, waited_s)) in (70..).zip(ends) {
            story.queue(0, id(n), n, id(1));
            story.leave(waited_s, id(n), n, outcome, waited_s);
        }
        story.queue(61, id(90), 90, id(1));
        let mut fold = fold(&story);
        let expected = QueueCounters {
            offered: 8,
            answered: 2,
            abandoned: 2,
            short_abandoned: 1,
            timed_out: 1,
            lost: 1,
            waiting: 1,
        };
        assert_eq!(fold.counters()[&id(1)], expected);
        assert_eq!(fold.longest_since(id(1)), Some(at(61)));
        let changed = fold.take_changed();
        assert_eq!(changed.len(), 1);
        assert_eq!(changed[0].2.entries.answered_in_target, 1);
        assert_eq!(changed[0].2.entries.abandoned_in_target, 1);
        assert!(fold.take_changed().is_empty());
        fold.forget_before(at(10_000));
        assert_eq!(fold.intervals(id(1)).count(), 1, "a wait that runs still needs it");
    }

    /// A journal of waits at random, some of it missing and named as a gap, as the ledger does.
    fn with_gaps(seed: u64) -> Story {
        let mut random = Random::new(seed);
        let mut story = Story::new(1);
        let (mut open, mut missing) = (Vec::new(), None);
        for n in 0..300 {
            let second = i64::from(n);
            if random.below(3) == 0 && !open.is_empty() {
                let place = usize::try_from(random.below(open.len() as u64)).unwrap();
                let (entry, since) = open.swap_remove(place);
                let outcome = [QueueOutcome::Answered, QueueOutcome::Abandoned][place % 2];
                story.leave(second, id(entry), entry, outcome, second - since);
            } else {
                let entry = 1_000 + u128::try_from(n).unwrap();
                open.push((entry, second));
                story.queue(second, id(entry), entry, id(1));
            }
            match missing {
                None if random.below(40) == 0 => missing = Some(story.events.len()),
                Some(from) if random.below(6) == 0 => {
                    story.lose_since(from, second);
                    missing = None;
                }
                _ => {}
            }
        }
        story
    }

    #[test]
    fn after_a_gap_nothing_waits_for_ever_and_the_identity_holds() {
        let mut gaps = 0;
        for seed in 0..50 {
            let mut fold = QueueFold::default();
            let (mut last_gap, mut lost) = (None, 0);
            for recorded in &with_gaps(seed).events {
                let waiting = fold.counters().get(&id(1)).map_or(0, |counters| counters.waiting);
                fold.apply(recorded);
                if let Event::RecordGap { .. } = recorded.event {
                    (last_gap, gaps) = (Some(recorded.at), gaps + 1);
                    lost += waiting;
                }
                let Some(counters) = fold.counters().get(&id(1)) else { continue };
                assert!(counters.balanced(), "seed {seed}: {counters:?}");
                assert_eq!(counters.lost, lost, "seed {seed}");
                assert_eq!(counters.waiting, fold.open.len() as u64, "seed {seed}");
                if let (Some(gap), Some(oldest)) = (last_gap, fold.longest_since(id(1))) {
                    assert!(gap <= oldest, "seed {seed}: one waits since before the gap");
                }
            }
        }
        assert!(gaps > 50, "only {gaps} gaps");
    }

    #[test]
    fn who_goes_back_to_the_old_place_has_waited_since_then() {
        let mut story = Story::new(1);
        story.queue(0, id(50), 70, id(1));
        story.leave(30, id(50), 70, QueueOutcome::Answered, 30);
        story.connect(30, id(50), 70, id(60));
        story.queue(40, id(51), 71, id(1));
        assert_eq!(fold(&story).longest_since(id(1)), Some(at(40)));
        story.disconnect(90, id(50), id(60));
        story.queue(90, id(50), 72, id(1));
        assert_eq!(fold(&story).longest_since(id(1)), Some(at(0)), "as the agent lost it");
        story.leave(95, id(50), 72, QueueOutcome::TimedOut, 5);
        story.add(95, Event::NodeEntered { call: id(50), node: "other".into() });
        story.queue(95, id(50), 73, id(1));
        story.leave(96, id(51), 71, QueueOutcome::Abandoned, 56);
        assert_eq!(fold(&story).longest_since(id(1)), Some(at(95)), "another wait");
        story.leave(97, id(50), 73, QueueOutcome::Answered, 2);
        story.connect(97, id(50), 73, id(60));
        let (call, agent, queue) = (id(50), id(60), id(1));
        story.add(98, Event::Transferred { call, agent, queue, to: queue });
        story.disconnect(98, id(50), id(60));
        story.queue(98, id(50), 74, id(1));
        assert_eq!(fold(&story).longest_since(id(1)), Some(at(98)), "and one that was sent on");
    }

    #[test]
    fn a_conversation_that_may_have_ended_in_a_gap_is_not_kept() {
        let mut story = Story::new(1);
        story.queue(0, id(50), 70, id(1));
        story.leave(5, id(50), 70, QueueOutcome::Answered, 5);
        story.connect(5, id(50), 70, id(60));
        story.add(90, Event::RecordGap { from_seq: 4, until_seq: 4 });
        let fold = fold(&story);
        assert_eq!(fold.handlings, Handlings::default());
    }

    #[test]
    fn a_configured_threshold_is_used() {
        let mut story = Story::new(1);
        story.queue(0, id(50), 70, id(1));
        story.leave(25, id(50), 70, QueueOutcome::Answered, 25);
        let mut fold = QueueFold::default();
        fold.set_target(id(1), Span::from_secs(30));
        story.events.iter().for_each(|event| fold.apply(event));
        assert_eq!(fold.intervals(id(1)).next().unwrap().1.entries.answered_in_target, 1);
    }
}
