//! Waiting in a queue.
//!
//! Invariant: every `Queued` is followed by exactly one `QueueLeft`, and the counters of the queue
//! move with the two.

use std::collections::BTreeSet;

use model::event::QueueOutcome;
use model::flow::Node;
use model::{CallId, Event, QueueEntryId, QueueId, Span, Timestamp, limits};

use crate::call::{Stage, Wait};
use crate::cell::Cell;
use crate::mutation::Mutation;
use crate::queue::{self, Place, Skills};
use crate::timer::Reason;

/// What a queue node of a flow asks for.
pub(crate) struct Demand {
    queue: QueueId,
    skills: Skills,
    priority: i32,
    wait_s_max: u32,
}

impl Cell {
    /// Reads the queue node the call stands on; `None` when it or its queue is gone. Where an agent
    /// sent the call elsewhere, what the node asks of agents means nothing.
    pub(crate) fn demand_of(&self, id: CallId) -> Option<Demand> {
        let Node::Queue { queue, skills, priority, wait_s_max, .. } = self.node_of(id)? else {
            return None;
        };
        let sent_to = self.calls.get(&id).and_then(|call| call.sent_to);
        let (queue, skills) = match sent_to {
            Some(queue) => (queue, Skills::new()),
            None => (self.queue_named(queue)?, skills.clone()),
        };
        let priority = *priority;
        let exists = self.config.queues.contains_key(&queue);
        exists.then_some(Demand { queue, skills, priority, wait_s_max: *wait_s_max })
    }

    fn queue_named(&self, name: &str) -> Option<QueueId> {
        let mut queues = self.config.queues.iter();
        queues.find(|(_, queue)| queue.name == name).map(|(id, _)| *id)
    }

    /// Whether one more contact may wait.
    pub(crate) fn has_room(&self, demand: &Demand) -> bool {
        let Some(queue) = self.config.queues.get(&demand.queue) else { return false };
        let most = usize::try_from(queue.length_max).unwrap_or(usize::MAX);
        let waiting = self.lines.get(&demand.queue).map_or(0, |line| line.present.len());
        waiting < most.min(limits::QUEUE_ENTRIES_MAX)
    }

    /// Puts the call into a queue; `queued_at` decides its place.
    pub(crate) fn enqueue(&mut self, id: CallId, demand: Demand, queued_at: Timestamp) {
        let Demand { queue, skills, priority, wait_s_max } = demand;
        let Some(config) = self.config.queues.get(&queue) else { return };
        let asked = queue::demand(&config.skills, &skills);
        let entry: QueueEntryId = self.mint.mint(self.now);
        let wait = Wait {
            entry,
            queue,
            place: Place::new(priority, queued_at, entry, id),
            queued_at,
            entered_at: self.now,
            class: queue::class_name(&asked),
            asked_by_node: skills,
            asked,
            offer: None,
            excluded: BTreeSet::new(),
            playing: None,
        };
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.stage = Stage::Waiting(Box::new(wait));
        call.keys.clear();
        let sent_by = call.sent_by.take();
        self.entries.insert(entry, id);
        self.lines.entry(queue).or_default().present.insert((queued_at, entry));
        self.live.queues.entry(queue).or_default().offered += 1;
        self.changed.queues.insert(queue);
        self.changed.calls.insert(id);
        let longest = self.now + Span::from_secs(i64::from(wait_s_max));
        self.timers.set(longest, Reason::LongestWait(entry));
        self.event(Event::Queued { call: id, entry, queue, priority });
        if let Some(agent) = sent_by {
            self.spare(id, agent);
        }
        self.set_waiting(id, true);
    }

    /// Puts the contact among those that can be offered, or takes it away from them.
    pub(crate) fn set_waiting(&mut self, id: CallId, is_waiting: bool) {
        let Some(wait) = self.wait(id) else { return };
        let (place, queue, class) = (wait.place, wait.queue, wait.class.clone());
        let asked = wait.asked.clone();
        if !is_waiting {
            let line = self.lines.get_mut(&queue);
            if let Some(class) = line.and_then(|line| line.classes.get_mut(&class)) {
                class.waiting.remove(&place);
            }
            return;
        }
        let agents = &self.config.agents;
        let line = self.lines.entry(queue).or_default();
        line.class_mut(class, asked, |agent| agents.get(&agent).map(|agent| &agent.skills))
            .waiting
            .insert(place);
        self.changed.free_entries.insert(place.entry);
    }

    /// Ends the wait and leaves the line. The caller gives the call its next stage.
    pub(crate) fn leave_queue(&mut self, id: CallId, outcome: QueueOutcome) {
        self.set_waiting(id, false);
        let now = self.now;
        let Some(wait) = self.wait_mut(id) else { return };
        let (entry, queue, queued_at) = (wait.entry, wait.queue, wait.queued_at);
        let waited_us = now.since(wait.entered_at).micros();
        let excluded = std::mem::take(&mut wait.excluded);
        self.entries.remove(&entry);
        self.timers.clear(Reason::LongestWait(entry));
        self.timers.clear(Reason::Flow(id));
        for agent in excluded {
            self.timers.clear(Reason::Exclusion(entry, agent));
        }
        if let Some(line) = self.lines.get_mut(&queue) {
            line.present.remove(&(queued_at, entry));
        }
        if outcome != QueueOutcome::TimedOut || !self.mutated(Mutation::UncountedTimeout) {
            self.live.queues.entry(queue).or_default().count(outcome);
        }
        self.changed.queues.insert(queue);
        let left = Event::QueueLeft { call: id, entry, queue, outcome, waited_us };
        if self.mutated(Mutation::DoubleOutcome) {
            self.event(left.clone());
        }
        self.event(left);
    }

    /// How a caller who hangs up now leaves the queue.
    pub(crate) fn abandon_outcome(&self, wait: &Wait) -> QueueOutcome {
        let short_ms =
            self.config.queues.get(&wait.queue).map_or(0, |queue| queue.short_abandon_ms);
        if self.now.since(wait.entered_at) < Span::from_millis(short_ms) {
            QueueOutcome::ShortAbandoned
        } else {
            QueueOutcome::Abandoned
        }
    }
}
