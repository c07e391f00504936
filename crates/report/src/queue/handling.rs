//! From events about conversations to finished handling.

use std::collections::{BTreeMap, BTreeSet};

use model::event::{ConsultOutcome, Event};
use model::id::{AgentId, CallId, QueueId};
use model::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::HandleFacts;
use crate::call::TalkClock;

/// The handling of one call by one agent: conversation, then perhaps wrap-up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Handling {
    Talking { queue: QueueId, clock: TalkClock, part: Part },
    Parted { queue: QueueId, at: Timestamp, facts: HandleFacts, part: Part },
    WrapUp { since: Timestamp, facts: HandleFacts, part: Part },
}

/// What part of a queue's handling of one call it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Part {
    /// It began with this agent.
    First,
    /// A colleague left the customer to this agent.
    Further,
}

/// Conversations under way, by call and agent. Turns events into finished handling.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Handlings {
    open: BTreeMap<CallId, BTreeMap<AgentId, Handling>>,
    /// Calls that are left to a colleague in this instant.
    handed_over: BTreeSet<CallId>,
}

/// Finished handling to be put into, or taken back out of, the facts of `at`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Booking {
    pub(crate) queue: QueueId,
    pub(crate) agent: AgentId,
    pub(crate) at: Timestamp,
    pub(crate) facts: HandleFacts,
    pub(crate) part: Part,
    /// A wrap-up began after all: the conversation counts when that is over.
    pub(crate) taken_back: bool,
}

impl Booking {
    /// As the queue counts: one call is handled once, by however many agents.
    pub(crate) fn of_queue(mut self) -> Self {
        if self.part == Part::Further {
            self.facts.handled = 0;
        }
        self
    }

    pub(crate) fn book(&self, facts: &mut HandleFacts) {
        if self.taken_back { facts.take(&self.facts) } else { facts.add(&self.facts) }
    }
}

impl Handlings {
    pub(crate) fn apply(&mut self, at: Timestamp, event: &Event) -> Option<Booking> {
        match event {
            Event::ConsultEnded { call, outcome: ConsultOutcome::HandedOver, .. } => {
                self.handed_over.insert(*call);
                None
            }
            Event::Connected { call, queue, agent, .. } => {
                let further = self.handed_over.remove(call);
                let part = if further { Part::Further } else { Part::First };
                let clock = TalkClock::started(at);
                let talking = Handling::Talking { queue: *queue, clock, part };
                self.open.entry(*call).or_default().insert(*agent, talking);
                None
            }
            Event::HoldStarted { call, agent } => self.clock(*call, *agent, |c| {
                c.set_hold(at, true);
            }),
            Event::HoldEnded { call, agent } => self.clock(*call, *agent, |c| {
                c.set_hold(at, false);
            }),
            Event::AgentLost { call, agent } => self.clock(*call, *agent, |c| {
                c.set_lost(at, true);
            }),
            Event::AgentRegained { call, agent } => self.clock(*call, *agent, |c| {
                c.set_lost(at, false);
            }),
            Event::Disconnected { call, agent, .. } => self.part(at, *call, *agent),
            Event::WrapUpStarted { call, agent, .. } => self.wrap(at, *call, *agent),
            Event::WrapUpEnded { call, queue, agent, .. } => {
                self.wrapped(at, *call, *queue, *agent)
            }
            Event::CallEnded { call, .. } => {
                self.handed_over.remove(call);
                self.forget_parted(*call);
                None
            }
            _ => None,
        }
    }

    fn clock(
        &mut self,
        call: CallId,
        agent: AgentId,
        change: impl FnOnce(&mut TalkClock),
    ) -> Option<Booking> {
        if let Some(Handling::Talking { clock, .. }) =
            self.open.get_mut(&call).and_then(|agents| agents.get_mut(&agent))
        {
            change(clock);
        }
        None
    }

    fn part(&mut self, at: Timestamp, call: CallId, agent: AgentId) -> Option<Booking> {
        let agents = self.open.get_mut(&call)?;
        let Some(Handling::Talking { queue, clock, part }) = agents.remove(&agent) else {
            return None;
        };
        let (talk_us, hold_us) = clock.finish(at);
        let facts = HandleFacts { handled: 1, talk_us, hold_us, wrap_up_us: 0 };
        agents.insert(agent, Handling::Parted { queue, at, facts, part });
        Some(Booking { queue, agent, at, facts, part, taken_back: false })
    }

    fn wrap(&mut self, at: Timestamp, call: CallId, agent: AgentId) -> Option<Booking> {
        let agents = self.open.get_mut(&call)?;
        let Some(Handling::Parted { queue, at: parted_at, facts, part }) = agents.remove(&agent)
        else {
            return None;
        };
        agents.insert(agent, Handling::WrapUp { since: at, facts, part });
        Some(Booking { queue, agent, at: parted_at, facts, part, taken_back: true })
    }

    fn wrapped(
        &mut self,
        at: Timestamp,
        call: CallId,
        queue: QueueId,
        agent: AgentId,
    ) -> Option<Booking> {
        let agents = self.open.get_mut(&call)?;
        let Some(Handling::WrapUp { since, mut facts, part }) = agents.remove(&agent) else {
            return None;
        };
        if agents.is_empty() {
            self.open.remove(&call);
        }
        facts.wrap_up_us = at.since(since).micros();
        Some(Booking { queue, agent, at, facts, part, taken_back: false })
    }

    /// A wrap-up begins before the call ends, so what parted without one is over.
    fn forget_parted(&mut self, call: CallId) {
        if let Some(agents) = self.open.get_mut(&call) {
            agents.retain(|_, handling| !matches!(handling, Handling::Parted { .. }));
            if agents.is_empty() {
                self.open.remove(&call);
            }
        }
    }
}
