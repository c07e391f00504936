//! Wrap-up: a lease with a deadline, held after the conversation.
//!
//! Invariant: every `WrapUpStarted` is followed by exactly one `WrapUpEnded`, at the deadline at
//! the latest.

use model::view::ContactView;
use model::{AgentId, CallId, Effect, Event, QueueId, Refusal, Span, Timestamp, limits};
use serde::{Deserialize, Serialize};

use crate::agent::Lease;
use crate::cell::Cell;
use crate::mutation::Mutation;
use crate::timer::Reason;

/// A wrap-up. The call itself is gone.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct WrapUp {
    pub(crate) call: CallId,
    pub(crate) queue: QueueId,
    pub(crate) contact: ContactView,
    pub(crate) since: Timestamp,
    pub(crate) until: Timestamp,
    pub(crate) talk: Span,
}

impl Cell {
    /// Begins the wrap-up of a conversation that has ended, or frees the agent where the queue has
    /// none.
    pub(crate) fn begin_wrap_up(&mut self, agent: AgentId, contact: ContactView, talk: Span) {
        let (call, queue) = (contact.call, contact.queue);
        let length_ms = self.config.queues.get(&queue).map_or(0, |queue| queue.wrap_up_ms);
        if length_ms <= 0 {
            self.lease(agent, None);
            return;
        }
        let since = self.now;
        let until = since + Span::from_millis(length_ms.min(limits::WRAP_UP_MS_MAX));
        let wrap_up = WrapUp { call, queue, contact, since, until, talk };
        self.lease(agent, Some(Lease::WrapUp(Box::new(wrap_up))));
        if !self.mutated(Mutation::LostWrapUpTimer) {
            self.timers.set(until, Reason::WrapUp(agent));
        }
        self.event(Event::WrapUpStarted { call, queue, agent, until });
    }

    /// More time, up to `limits::WRAP_UP_MS_MAX` in all.
    pub(crate) fn extend_wrap_up(
        &mut self,
        agent: AgentId,
        call: CallId,
        by_ms: i64,
    ) -> Result<(), Refusal> {
        let wrap_up = self.wrap_up_mut(agent, call)?;
        let last = wrap_up.since + Span::from_millis(limits::WRAP_UP_MS_MAX);
        let until = (wrap_up.until + Span::from_millis(by_ms)).min(last);
        if until <= wrap_up.until {
            return Err(Refusal::WrongState);
        }
        wrap_up.until = until;
        self.timers.set(until, Reason::WrapUp(agent));
        self.changed.agents.insert(agent);
        self.event(Event::WrapUpExtended { call, agent, until });
        Ok(())
    }

    /// The agent is done.
    pub(crate) fn finish_wrap_up(
        &mut self,
        agent: AgentId,
        call: CallId,
        result: (String, bool),
        note: String,
    ) -> Result<(), Refusal> {
        self.wrap_up_mut(agent, call)?;
        let (disposition, resolved) = result;
        if !self.config.dispositions.contains_key(&disposition) {
            return Err(Refusal::UnknownChoice);
        }
        if note.chars().count() > limits::NOTE_CHARS_MAX {
            return Err(Refusal::Overloaded);
        }
        if !note.is_empty() {
            self.effect(Effect::SaveNote { call, agent, text: note });
        }
        self.end_wrap_up(agent, Some(disposition), Some(resolved));
        Ok(())
    }

    /// Ends the wrap-up, by the agent or by its deadline.
    pub(crate) fn end_wrap_up(
        &mut self,
        agent: AgentId,
        disposition: Option<String>,
        resolved: Option<bool>,
    ) {
        let Some(Lease::WrapUp(wrap_up)) = self.lease_of(agent) else { return };
        let (call, queue) = (wrap_up.call, wrap_up.queue);
        self.timers.clear(Reason::WrapUp(agent));
        self.event(Event::WrapUpEnded { call, queue, agent, disposition, resolved });
        self.lease(agent, None);
        if self.mutated(Mutation::SkippedMatch) {
            self.changed.free_agents.remove(&agent);
        }
    }

    /// The deadline could not be handled: the wrap-up lasts until it is tried again.
    pub(crate) fn put_wrap_up_off(&mut self, agent: AgentId, until: Timestamp) {
        let slot = self.agents.get_mut(&agent);
        let Some(Lease::WrapUp(wrap_up)) = slot.and_then(|slot| slot.lease.as_mut()) else {
            return;
        };
        wrap_up.until = until;
        let call = wrap_up.call;
        self.changed.agents.insert(agent);
        self.event(Event::WrapUpExtended { call, agent, until });
    }

    fn wrap_up_mut(&mut self, agent: AgentId, call: CallId) -> Result<&mut WrapUp, Refusal> {
        match self.agents.get_mut(&agent).ok_or(Refusal::NotFound)?.lease.as_mut() {
            Some(Lease::WrapUp(wrap_up)) if wrap_up.call == call => Ok(wrap_up),
            // The conversation is not over yet.
            Some(Lease::Talk(talk)) if *talk == call => Err(Refusal::WrongState),
            _ => Err(Refusal::NotFound),
        }
    }
}
