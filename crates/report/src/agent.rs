//! What each agent did, per quarter-hour: handling, missed offers, and where the time went.
//!
//! Invariant: the times of an agent's intervals add up to the time since the first sign-in, the
//! time signed out left aside. Days are sums of quarter-hours.

use std::collections::{BTreeMap, BTreeSet};

use model::config::TenantConfig;
use model::event::{AgentState, ConsultOutcome, Event, OfferOutcome, Recorded};
use model::id::{AgentId, QueueId};
use model::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};

use crate::interval::{split, start_of};
use crate::queue::{HandleFacts, Handlings};

/// Where an agent's time went, microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TimeFacts {
    /// Talking, hold and wrap-up.
    pub handling_us: i64,
    /// Ready or being offered something.
    pub available_us: i64,
    /// On a break, that after an offer not answered included.
    pub break_us: i64,
    /// Wanted to work, but the telephone was not connected.
    pub unreachable_us: i64,
}

/// One agent in one quarter-hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AgentInterval {
    /// Handling that ended in it.
    pub handling: HandleFacts,
    /// Offers that rang in vain.
    pub missed: u64,
    /// Offers given back.
    pub declined: u64,
    /// Where the time went.
    pub time: TimeFacts,
}

impl TimeFacts {
    /// Adds other times.
    pub fn add(&mut self, other: &Self) {
        self.handling_us += other.handling_us;
        self.available_us += other.available_us;
        self.break_us += other.break_us;
        self.unreachable_us += other.unreachable_us;
    }

    fn spend(&mut self, state: AgentState, time: Span) {
        let micros = time.micros();
        match state {
            AgentState::SignedOut => {}
            AgentState::Break | AgentState::DidNotAnswer => self.break_us += micros,
            AgentState::NoDevice => self.unreachable_us += micros,
            AgentState::Ready | AgentState::Offered => self.available_us += micros,
            AgentState::Talking | AgentState::Hold | AgentState::WrapUp => {
                self.handling_us += micros;
            }
        }
    }
}

impl AgentInterval {
    /// Adds the facts of another interval or agent.
    pub fn add(&mut self, other: &Self) {
        self.handling.add(&other.handling);
        self.missed += other.missed;
        self.declined += other.declined;
        self.time.add(&other.time);
    }
}

/// The agents of one queue at this instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Staff {
    /// Ready.
    pub ready: u32,
    /// Offered something, talking, on hold or wrapping up.
    pub busy: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Spell {
    state: AgentState,
    /// Time before it is booked already.
    booked_until: Timestamp,
}

/// All agents of a tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentFold {
    spells: BTreeMap<AgentId, Spell>,
    intervals: BTreeMap<AgentId, BTreeMap<Timestamp, AgentInterval>>,
    changed: BTreeSet<(AgentId, Timestamp)>,
    handlings: Handlings,
}

impl AgentFold {
    /// Takes in one event. Each may be given only once: see [`crate::Cursor`].
    pub fn apply(&mut self, recorded: &Recorded) {
        let at = recorded.at;
        match &recorded.event {
            Event::AgentState { agent, state, .. } => {
                self.book_time(*agent, at);
                self.spells.insert(*agent, Spell { state: *state, booked_until: at });
            }
            Event::OfferEnded { agent, outcome: OfferOutcome::NoAnswer, .. }
            | Event::ConsultEnded { colleague: agent, outcome: ConsultOutcome::NoAnswer, .. } => {
                self.interval(*agent, start_of(at)).missed += 1;
            }
            Event::OfferEnded { agent, outcome: OfferOutcome::Declined, .. }
            | Event::ConsultEnded { colleague: agent, outcome: ConsultOutcome::Declined, .. } => {
                self.interval(*agent, start_of(at)).declined += 1;
            }
            // As with queues: what ran may have ended unseen.
            Event::RecordGap { .. } => self.handlings = Handlings::default(),
            event => {
                if let Some(booking) = self.handlings.apply(at, event) {
                    let interval = self.interval(booking.agent, start_of(booking.at));
                    booking.book(&mut interval.handling);
                }
            }
        }
    }

    /// The agents of a queue who could take a contact now, and those who have one. The live views
    /// show what the cell holds; `sim` holds it against this after every step.
    #[must_use]
    pub fn staff(&self, config: &TenantConfig, queue: QueueId) -> Staff {
        let mut staff = Staff::default();
        let serves = config.agents.iter().filter(|(_, agent)| agent.queues.contains(&queue));
        for (agent, _) in serves {
            match self.spells.get(agent).map(|spell| spell.state) {
                Some(AgentState::Ready) => staff.ready += 1,
                Some(
                    AgentState::Offered
                    | AgentState::Talking
                    | AgentState::Hold
                    | AgentState::WrapUp,
                ) => staff.busy += 1,
                Some(
                    AgentState::SignedOut
                    | AgentState::Break
                    | AgentState::DidNotAnswer
                    | AgentState::NoDevice,
                )
                | None => {}
            }
        }
        staff
    }

    /// Books the time of the states that last, so that the facts are complete until `now`.
    pub fn advance(&mut self, now: Timestamp) {
        let agents: Vec<_> = self.spells.keys().copied().collect();
        for agent in agents {
            self.book_time(agent, now);
        }
    }

    fn book_time(&mut self, agent: AgentId, until: Timestamp) {
        let Some(spell) = self.spells.get_mut(&agent) else { return };
        let Spell { state, booked_until } = *spell;
        spell.booked_until = booked_until.max(until);
        if state == AgentState::SignedOut {
            return;
        }
        for (start, time) in split(booked_until, until) {
            self.interval(agent, start).time.spend(state, time);
        }
    }

    fn interval(&mut self, agent: AgentId, start: Timestamp) -> &mut AgentInterval {
        self.changed.insert((agent, start));
        self.intervals.entry(agent).or_default().entry(start).or_default()
    }

    /// The facts of `from..until` as one, both at the border of an interval: an agent's day is
    /// `figures(agent, local midnight, next local midnight)`.
    #[must_use]
    pub fn figures(&self, agent: AgentId, from: Timestamp, until: Timestamp) -> AgentInterval {
        let mut sum = AgentInterval::default();
        if from < until
            && let Some(intervals) = self.intervals.get(&agent)
        {
            intervals.range(from..until).for_each(|(_, facts)| sum.add(facts));
        }
        sum
    }

    /// Everybody who has figures.
    pub fn agents(&self) -> impl Iterator<Item = AgentId> {
        self.intervals.keys().copied()
    }

    /// Puts a saved quarter-hour back, before a fold goes on with it after a start.
    pub fn restore(&mut self, agent: AgentId, start: Timestamp, facts: AgentInterval) {
        self.intervals.entry(agent).or_default().insert(start, facts);
    }

    /// The quarter-hours that changed since this was last asked, with their facts: rows to save.
    pub fn take_changed(&mut self) -> Vec<(AgentId, Timestamp, AgentInterval)> {
        std::mem::take(&mut self.changed)
            .into_iter()
            .filter_map(|(agent, start)| {
                let facts = self.intervals.get(&agent)?.get(&start)?;
                Some((agent, start, *facts))
            })
            .collect()
    }

    /// Forgets saved quarter-hours that began before `until`, so that memory stays bounded.
    pub fn forget_before(&mut self, until: Timestamp) {
        let changed = &self.changed;
        for (agent, intervals) in &mut self.intervals {
            intervals.retain(|start, _| *start >= until || changed.contains(&(*agent, *start)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::{SECOND, Story, at, id};

    #[test]
    fn the_day_of_an_agent() {
        let story = Story::whole_call();
        let mut fold = AgentFold::default();
        story.events.iter().for_each(|event| fold.apply(event));
        let ann = fold.figures(id(60), at(0), at(86_400));
        assert_eq!((ann.missed, ann.handling.handled), (1, 0));
        let bob = fold.figures(id(61), at(0), at(86_400));
        assert_eq!((bob.missed, bob.handling.handled), (0, 1));
        assert_eq!(bob.handling.talk_us, 75 * SECOND);
        assert_eq!(bob.handling.wrap_up_us, 30 * SECOND);
        assert_eq!(fold.figures(id(61), at(900), at(86_400)), AgentInterval::default());
        assert_eq!(fold.figures(id(61), at(900), at(0)), AgentInterval::default());

        let mut restarted = AgentFold::default();
        for (agent, start, facts) in fold.take_changed() {
            restarted.restore(agent, start, facts);
        }
        assert_eq!(restarted.figures(id(61), at(0), at(900)), bob);
        assert!(restarted.take_changed().is_empty());
    }

    #[test]
    fn time_is_cut_at_quarter_hours_and_booked_once() {
        let mut story = Story::new(1);
        for (secs, state) in [
            (0, AgentState::Break),
            (100, AgentState::Ready),
            (800, AgentState::Offered),
            (820, AgentState::Talking),
            (1_000, AgentState::WrapUp),
            (1_030, AgentState::NoDevice),
            (1_040, AgentState::SignedOut),
            (5_000, AgentState::Ready),
        ] {
            story.add(secs, Event::AgentState { agent: id(60), state, reason: None });
        }
        let mut fold = AgentFold::default();
        for event in &story.events {
            fold.apply(event);
            fold.advance(event.at);
        }
        fold.advance(at(5_010));
        fold.advance(at(5_010));
        let first = fold.figures(id(60), at(0), at(900)).time;
        let expected = TimeFacts {
            handling_us: 80 * SECOND,
            available_us: 720 * SECOND,
            break_us: 100 * SECOND,
            unreachable_us: 0,
        };
        assert_eq!(first, expected);
        let rest = fold.figures(id(60), at(900), at(9_000)).time;
        let expected = TimeFacts {
            handling_us: 130 * SECOND,
            available_us: 10 * SECOND,
            break_us: 0,
            unreachable_us: 10 * SECOND,
        };
        assert_eq!(rest, expected);
    }
}
