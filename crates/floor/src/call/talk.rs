//! Conversations: connect, hold, lose the agent, part.
//!
//! Invariant: every `Connected` is followed by exactly one `Disconnected`, and then the agent holds
//! a wrap-up or nothing.

use model::event::{CallOutcome, QueueOutcome};
use model::flow::Node;
use model::sip::LegCause;
use model::view::ContactView;
use model::{AgentId, CallId, Effect, Event, LegId, OfferId, Refusal, Span, limits};

use crate::agent::Lease;
use crate::call::end::By;
use crate::call::{Holds, Stage, Talk};
use crate::cell::{Cell, LegOwner};
use crate::fault::Fault;
use crate::mutation::Mutation;
use crate::offer::Offer;
use crate::timer::Reason;

impl Cell {
    /// Connects the two: the offer was taken.
    pub(crate) fn connect(&mut self, id: OfferId, offer: &Offer, leg: LegId) {
        let &Offer { call, entry, queue, agent, .. } = offer;
        let Some(queued_at) = self.wait(call).map(|wait| wait.queued_at) else { return };
        let dialled = offer.leg.is_some();
        self.leave_queue(call, QueueOutcome::Answered);
        let talk = Talk {
            agent,
            leg,
            dialled,
            offer: id,
            entry,
            queue,
            queued_at,
            connected_at: self.now,
            hold_since: None,
            holds: Holds::default(),
            lost: false,
            not_sent_at: None,
            consult: None,
            consult_missed: None,
        };
        if let Some(call) = self.calls.get_mut(&call) {
            call.stage = Stage::Talking(Box::new(talk));
            call.was_handled = true;
        }
        if dialled {
            self.legs.insert(leg, LegOwner::Talk(call));
        }
        self.changed.calls.insert(call);
        self.lease(agent, Some(Lease::Talk(call)));
        self.event(Event::Connected { call, entry, queue, agent, leg });
    }

    /// Parts the two and lets the agent's telephone go. The caller of this gives the call its next
    /// stage and the agent the next lease.
    pub(crate) fn disconnect(&mut self, call: CallId, cause: LegCause) -> Option<Talk> {
        let talk = self.talk(call)?.clone();
        let Talk { agent, leg, queue, .. } = talk;
        if talk.hold_since.is_some() {
            self.event(Event::HoldEnded { call, agent });
        }
        self.timers.clear(Reason::DeviceGrace(agent));
        self.event(Event::Disconnected { call, queue, agent, leg, cause });
        if talk.dialled && self.legs.remove(&leg).is_some() {
            self.effect(Effect::Hangup { leg, cause: LegCause::Hangup });
        }
        Some(talk)
    }

    /// The talking agent is gone for good: the customer goes back to the old place in the queue.
    pub(crate) fn requeue(&mut self, id: CallId, cause: LegCause) {
        self.end_consult_of(id);
        let Some(talk) = self.disconnect(id, cause) else { return };
        match self.demand_of(id) {
            Some(demand) => self.enqueue(id, demand, talk.queued_at),
            None => self.go_on_without_queue(id),
        }
    }

    /// The queue is gone: the flow goes on as after the longest wait.
    pub(crate) fn go_on_without_queue(&mut self, id: CallId) {
        match self.node_of(id) {
            Some(Node::Queue { otherwise, .. }) => {
                let otherwise = otherwise.clone();
                self.enter_node(id, otherwise);
            }
            _ => self.end_call(id, LegCause::InternalError, By::House),
        }
    }

    /// The dialled telephone of a talking agent is over.
    pub(crate) fn talk_leg_ended(&mut self, call: CallId, cause: LegCause) {
        let Some(agent) = self.talk(call).map(|talk| talk.agent) else { return };
        match cause {
            LegCause::Unreachable
            | LegCause::NoAck
            | LegCause::MediaTimeout
            | LegCause::Refused
            | LegCause::InternalError
            | LegCause::NodeFailure => {
                // Like a page that does not come back; nobody else shall be sent to it meanwhile,
                // unless the fault was ours.
                if !matches!(cause, LegCause::InternalError | LegCause::NodeFailure) {
                    self.did_not_answer(agent);
                }
                if !self.hand_over(call, cause, false) {
                    self.lease(agent, None);
                    self.requeue(call, LegCause::MediaTimeout);
                }
            }
            // Whoever puts the telephone down with a colleague on the line leaves the customer to
            // them, as everywhere.
            _ => self.put_down(call, cause),
        }
    }

    /// The agent puts the telephone down. A customer who is being sent on, or could not be at this
    /// moment, as some telephones hang up then by themselves, waits in the old place; one whom the
    /// telephone was to keep on its first line goes.
    fn put_down(&mut self, call: CallId, cause: LegCause) {
        let consult = self.consult_of(call);
        let is_being_sent = consult.is_some_and(|c| c.hand_over && c.joined.is_none());
        let grace = Span::from_millis(limits::REFER_GRACE_MS);
        let not_sent_at = self.talk(call).and_then(|talk| talk.not_sent_at);
        let is_sent = is_being_sent || not_sent_at.is_some_and(|at| self.now < at + grace);
        let on_other_line = consult.is_some_and(|consult| consult.via.is_some());
        if !on_other_line && self.hand_over(call, cause, true) {
            return;
        }
        let talk = self.talk(call).map(|talk| (talk.agent, talk.connected_at));
        match (talk, self.contact_view(call)) {
            (Some((agent, since)), Some(contact)) if is_sent => {
                self.requeue(call, cause);
                self.begin_wrap_up(agent, contact, self.now.since(since));
            }
            _ => self.end_call(call, LegCause::Hangup, By::House),
        }
    }

    pub(crate) fn hold(&mut self, agent: AgentId, call: CallId) -> Result<(), Refusal> {
        self.stumble(Fault::Hold, call);
        let talk = self.heard_talk(agent, call)?;
        if talk.consult.is_some() || std::mem::replace(&mut talk.holds.by_command, true) {
            return Err(Refusal::WrongState);
        }
        talk.consult_missed = None;
        self.holds_changed(call);
        Ok(())
    }

    pub(crate) fn resume(&mut self, agent: AgentId, call: CallId) -> Result<(), Refusal> {
        let talk = self.heard_talk(agent, call)?;
        if !std::mem::take(&mut talk.holds.by_command) {
            return Err(Refusal::WrongState);
        }
        talk.consult_missed = None;
        self.holds_changed(call);
        Ok(())
    }

    /// An agent's telephone holds the conversation by its own key, or is back. A customer who holds
    /// holds nobody: what they play is heard.
    pub(crate) fn leg_held(&mut self, leg: LegId, is_held: bool) {
        match self.legs.get(&leg) {
            Some(&LegOwner::Talk(call)) => {
                if let Some(talk) = self.talk_mut(call) {
                    talk.holds.at_telephone = is_held;
                    self.changed.calls.insert(call);
                    self.holds_changed(call);
                }
            }
            Some(&LegOwner::Consult(call)) => self.colleague_held(call, is_held),
            _ => {}
        }
    }

    /// Hold begins with the first who holds and ends with the last.
    pub(crate) fn holds_changed(&mut self, call: CallId) {
        let now = self.now;
        let Some(talk) = self.talk_mut(call) else { return };
        let (agent, holds) = (talk.agent, talk.holds_customer());
        if holds == talk.hold_since.is_some() {
            return;
        }
        talk.hold_since = holds.then_some(now);
        if !holds || !self.mutated(Mutation::HeardOnHold) {
            self.changed.calls.insert(call);
        }
        self.changed.agents.insert(agent);
        self.event(match holds {
            true => Event::HoldStarted { call, agent },
            false => Event::HoldEnded { call, agent },
        });
    }

    /// The agent ends the call for all; a colleague who was asked in leaves it.
    pub(crate) fn hang_up(&mut self, agent: AgentId, call: CallId) -> Result<(), Refusal> {
        if self.asked_into(agent).is_some_and(|(asked, _)| asked == call) {
            return self.colleague_leaves(call);
        }
        self.own_talk(agent, call)?;
        self.end_call(call, LegCause::Hangup, By::House);
        Ok(())
    }

    /// A conversation of the agent's, whose telephone is there.
    pub(crate) fn heard_talk(
        &mut self,
        agent: AgentId,
        call: CallId,
    ) -> Result<&mut Talk, Refusal> {
        let talk = self.own_talk(agent, call)?;
        if talk.lost { Err(Refusal::NoDevice) } else { Ok(talk) }
    }

    pub(crate) fn own_talk(&mut self, agent: AgentId, call: CallId) -> Result<&mut Talk, Refusal> {
        if !self.agents.contains_key(&agent) {
            return Err(Refusal::NotFound);
        }
        self.talk_mut(call).filter(|talk| talk.agent == agent).ok_or(Refusal::NotFound)
    }

    /// Who is on the contact, for the agent it is offered to or was connected with.
    pub(crate) fn contact_view(&self, id: CallId) -> Option<ContactView> {
        let call = self.calls.get(&id)?;
        let (queue, queued_at) = match &call.stage {
            Stage::Waiting(wait) => (wait.queue, wait.queued_at),
            Stage::Talking(talk) => (talk.queue, talk.queued_at),
            Stage::Answering | Stage::Flow(_) => return None,
        };
        Some(ContactView {
            call: id,
            party: call.party,
            caller: call.caller.clone(),
            dialled: call.dialled.clone(),
            queue,
            language: call.language.clone(),
            facts: call.facts.clone(),
            queued_at,
            consent: call.consent,
        })
    }

    /// How the call ends as one word, if it ends now.
    pub(crate) fn outcome_of(&self, id: CallId, cause: LegCause, by: By) -> Option<CallOutcome> {
        let call = self.calls.get(&id)?;
        let waits = matches!(call.stage, Stage::Waiting(_));
        Some(match (cause, by) {
            (LegCause::InternalError | LegCause::NodeFailure, _) => CallOutcome::Failed,
            (LegCause::Refused, _) => CallOutcome::Refused,
            _ if call.was_handled => CallOutcome::Handled,
            (_, By::Customer) if waits => CallOutcome::Abandoned,
            (_, By::Customer) => CallOutcome::LeftInFlow,
            (_, By::House) => CallOutcome::FlowEnded,
        })
    }
}
