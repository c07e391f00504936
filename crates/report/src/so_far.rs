//! The lengths of a call while it lasts, for somebody who watches it.
//!
//! Invariant: a length up to the beginning of what runs, with the time since then on top, is what
//! the finished record will say of it.

use model::time::Timestamp;

use crate::call::CallRecord;

/// What of a call runs now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stretch {
    /// The customer waits in a queue.
    Waiting,
    /// Customer and agent talk.
    Talking,
    /// The customer hears music in the conversation.
    Hold,
}

/// Lengths in microseconds up to the beginning of what runs now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SoFar {
    /// Waited.
    pub waited_us: i64,
    /// Talked, hold left out.
    pub talk_us: i64,
    /// On hold.
    pub hold_us: i64,
    /// What runs now, since when.
    pub running: Option<(Stretch, Timestamp)>,
}

impl SoFar {
    /// Of a call that may still be going on.
    #[must_use]
    pub fn of(record: &CallRecord) -> Self {
        let mut so_far = Self {
            waited_us: record.waited_us,
            talk_us: record.talk_us,
            hold_us: record.hold_us,
            running: record.waiting.map(|waiting| (Stretch::Waiting, waiting.since)),
        };
        for clock in record.talks.values() {
            so_far.talk_us += clock.talk_us;
            so_far.hold_us += clock.hold_us;
            let hold = clock.on_hold || clock.lost;
            so_far.running =
                Some((if hold { Stretch::Hold } else { Stretch::Talking }, clock.since));
        }
        so_far
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::{SECOND, Story, at};

    #[test]
    fn what_runs_is_named_with_its_beginning_and_added_when_it_ends() {
        let story = Story::whole_call();
        let mut record = CallRecord::begin(&story.events[0]).unwrap();
        let mut seen = Vec::new();
        for event in &story.events[1..] {
            record.apply(event);
            let now = SoFar::of(&record);
            let lengths = [now.waited_us, now.talk_us, now.hold_us].map(|us| us / SECOND);
            if seen.last() != Some(&(lengths, now.running)) {
                seen.push((lengths, now.running));
            }
        }
        let expected = [
            ([0, 0, 0], None),
            ([0, 0, 0], Some((Stretch::Waiting, at(10)))),
            ([30, 0, 0], None),
            ([30, 0, 0], Some((Stretch::Talking, at(40)))),
            ([30, 20, 0], Some((Stretch::Hold, at(60)))),
            ([30, 20, 20], Some((Stretch::Talking, at(80)))),
            ([30, 40, 20], Some((Stretch::Hold, at(100)))),
            ([30, 40, 25], Some((Stretch::Talking, at(105)))),
            ([30, 75, 25], None),
        ];
        assert_eq!(seen, expected);
    }
}
