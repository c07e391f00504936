//! Who takes whom.
//!
//! Invariant: when it returns, no contact that can be offered fits an agent who is ready.
//!
//! Event-driven: a pair can only come to exist through a contact or an agent that became free in
//! this input, so only those are looked at. Of the contacts in question the first in line (higher
//! priority, then longer wait, in one queue and across queues) goes to the agent of its queue who
//! has been ready longest, and again until nothing is left.

use std::collections::BTreeSet;

use model::{AgentId, QueueEntryId, QueueId, Timestamp};

use crate::agent::Standing;
use crate::cell::Cell;
use crate::mutation::Mutation;
use crate::queue::{Class, Place, Turn, holds};

/// A decision.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pair {
    pub(crate) place: Place,
    pub(crate) queue: QueueId,
    pub(crate) agent: AgentId,
    pub(crate) ready_since: Timestamp,
    pub(crate) eligible: u32,
}

impl Cell {
    /// Matches until nothing is left to match.
    pub(crate) fn match_free(&mut self) {
        while let Some(pair) = self.next_pair() {
            self.make_offer(pair);
        }
        self.changed.free_entries.clear();
        self.changed.free_agents.clear();
    }

    /// The first contact in line among those that an event made matchable, with its agent.
    fn next_pair(&mut self) -> Option<Pair> {
        let mut first: Option<Pair> = None;
        for entry in self.changed.free_entries.clone() {
            match self.pair_of_entry(entry) {
                Some(pair) => first = Some(self.earlier(first, pair)),
                // Nobody is free for it, and nobody becomes free by an offer.
                None => {
                    self.changed.free_entries.remove(&entry);
                }
            }
        }
        for agent in self.changed.free_agents.clone() {
            match self.place_for_agent(agent).and_then(|place| self.pair_of_entry(place.entry)) {
                Some(pair) => first = Some(self.earlier(first, pair)),
                None => {
                    self.changed.free_agents.remove(&agent);
                }
            }
        }
        first
    }

    fn earlier(&self, first: Option<Pair>, second: Pair) -> Pair {
        let lifo = self.mutated(Mutation::LifoQueue);
        match first {
            Some(first) if (first.place < second.place) != lifo => first,
            _ => second,
        }
    }

    /// The agent for a contact: ready, with the skills, not excluded, ready for the longest time.
    fn pair_of_entry(&self, entry: QueueEntryId) -> Option<Pair> {
        let wait = self.wait(*self.entries.get(&entry)?)?;
        let class = self.lines.get(&wait.queue)?.classes.get(&wait.class)?;
        if !class.waiting.contains(&wait.place) {
            return None;
        }
        let is_out = |agent: &AgentId| wait.excluded.contains(agent) || self.is_spared(*agent);
        let is_free = |turn: &&Turn| !is_out(&turn.1);
        let chosen = if self.mutated(Mutation::WrongTieBreak) {
            class.ready.iter().rev().find(is_free)
        } else {
            class.ready.iter().find(is_free)
        };
        let &(ready_since, agent) = chosen?;
        let out = wait.excluded.iter().chain(&self.resting).copied().chain(self.on_errands());
        let out: BTreeSet<AgentId> = out.filter(|agent| self.is_ready_in(class, *agent)).collect();
        let out = out.len();
        let eligible = u32::try_from(class.ready.len() - out).unwrap_or(u32::MAX);
        Some(Pair { place: wait.place, queue: wait.queue, agent, ready_since, eligible })
    }

    fn is_ready_in(&self, class: &Class, agent: AgentId) -> bool {
        let standing = self.agents.get(&agent).map(|slot| slot.standing);
        matches!(standing, Some(Standing::Ready(since)) if class.ready.contains(&(since, agent)))
    }

    /// The first contact in line that this agent could take, over all queues.
    fn place_for_agent(&self, agent: AgentId) -> Option<Place> {
        let config = self.config.agents.get(&agent)?;
        let is_ready = matches!(self.agents.get(&agent)?.standing, Standing::Ready(_));
        if !is_ready || self.is_spared(agent) {
            return None;
        }
        let is_free = |place: &&Place| {
            self.wait(place.call).is_some_and(|wait| !wait.excluded.contains(&agent))
        };
        let classes =
            config.queues.iter().filter_map(|queue| self.lines.get(queue)).flat_map(|line| {
                line.classes.values().filter(|class| holds(Some(&config.skills), &class.skills))
            });
        if self.mutated(Mutation::LifoQueue) {
            classes.filter_map(|class| class.waiting.iter().rev().find(is_free)).max().copied()
        } else {
            classes.filter_map(|class| class.waiting.iter().find(is_free)).min().copied()
        }
    }
}
