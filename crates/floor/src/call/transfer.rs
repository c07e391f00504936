//! Sending a customer on.
//!
//! Invariant: a transfer that is refused leaves the two connected as they were; one that is carried
//! out leaves the agent with the wrap-up of what they did, and the customer with everything that is
//! known of them and the recording that runs.

use model::sip::LegCause;
use model::{AgentId, CallId, Event, QueueId, Refusal};

use crate::cell::Cell;

impl Cell {
    /// The agent sends the customer to a queue, the own one included. The customer waits there from
    /// now on, and does not come back to the same agent at once.
    pub(crate) fn transfer(
        &mut self,
        agent: AgentId,
        id: CallId,
        to: QueueId,
    ) -> Result<(), Refusal> {
        let talk = self.heard_talk(agent, id)?;
        if talk.consult.is_some() {
            return Err(Refusal::WrongState);
        }
        let (queue, since) = (talk.queue, talk.connected_at);
        if !self.config.queues.contains_key(&to) {
            return Err(Refusal::UnknownChoice);
        }
        let before = self.send_to(id, Some(to));
        let demand = self.demand_of(id).filter(|demand| self.has_room(demand));
        let (Some(demand), Some(contact)) = (demand, self.contact_view(id)) else {
            self.send_to(id, before);
            return Err(Refusal::Overloaded);
        };
        self.event(Event::Transferred { call: id, agent, queue, to });
        self.disconnect(id, LegCause::Hangup);
        self.begin_wrap_up(agent, contact, self.now.since(since));
        self.calls.entry(id).and_modify(|call| call.sent_by = Some(agent));
        self.enqueue(id, demand, self.now);
        Ok(())
    }

    /// Puts another queue in the place of the node's; gives the one before.
    fn send_to(&mut self, id: CallId, queue: Option<QueueId>) -> Option<QueueId> {
        let call = self.calls.get_mut(&id)?;
        std::mem::replace(&mut call.sent_to, queue)
    }
}
