//! From events about conversations to finished handling.

use std::collections::BTreeMap;

use model::event::Event;
use model::id::{AgentId, CallId, QueueId};
use model::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::HandleFacts;
use crate::call::TalkClock;

/// The handling of one call by one agent: conversation, then perhaps wrap-up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Handling {
    Talking { queue: QueueId, clock: TalkClock },
    Parted { queue: QueueId, at: Timestamp, facts: HandleFacts },
    WrapUp { since: Timestamp, facts: HandleFacts },
}

/// Conversations under way, by call and agent. Turns events into finished handling.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Handlings {
    open: BTreeMap<CallId, BTreeMap<AgentId, Handling>>,
}

/// Finished handling to be put into, or taken back out of, the facts of `at`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Booking {
    pub(crate) queue: QueueId,
    pub(crate) agent: AgentId,
    pub(crate) at: Timestamp,
    pub(crate) facts: HandleFacts,
    /// A wrap-up began after all: the conversation counts when that is over.
    pub(crate) taken_back: bool,
}

impl Booking {
    pub(crate) fn book(&self, facts: &mut HandleFacts) {
        if self.taken_back { facts.take(&self.facts) } else { facts.add(&self.facts) }
    }
}

impl Handlings {
    pub(crate) fn apply(&mut self, at: Timestamp, event: &Event) -> Option<Booking> {
        match event {
            Event::Connected { call, queue, agent, .. } => {
                let talking = Handling::Talking { queue: *queue, clock: TalkClock::started(at) };
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
        let Some(Handling::Talking { queue, clock }) = agents.remove(&agent) else { return None };
        let (talk_us, hold_us) = clock.finish(at);
        let facts = HandleFacts { handled: 1, talk_us, hold_us, wrap_up_us: 0 };
        agents.insert(agent, Handling::Parted { queue, at, facts });
        Some(Booking { queue, agent, at, facts, taken_back: false })
    }

    fn wrap(&mut self, at: Timestamp, call: CallId, agent: AgentId) -> Option<Booking> {
        let agents = self.open.get_mut(&call)?;
        let Some(Handling::Parted { queue, at: parted_at, facts }) = agents.remove(&agent) else {
            return None;
        };
        agents.insert(agent, Handling::WrapUp { since: at, facts });
        Some(Booking { queue, agent, at: parted_at, facts, taken_back: true })
    }

    fn wrapped(
        &mut self,
        at: Timestamp,
        call: CallId,
        queue: QueueId,
        agent: AgentId,
    ) -> Option<Booking> {
        let agents = self.open.get_mut(&call)?;
        let Some(Handling::WrapUp { since, mut facts }) = agents.remove(&agent) else {
            return None;
        };
        if agents.is_empty() {
            self.open.remove(&call);
        }
        facts.wrap_up_us = at.since(since).micros();
        Some(Booking { queue, agent, at, facts, taken_back: false })
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
