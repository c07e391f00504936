//! The end of a call, from any stage, in one step.
//!
//! Invariant: afterwards nothing in the cell knows the call but the wrap-up of its agent, and each
//! thing that had begun has ended exactly once.

use model::event::{OfferOutcome, QueueOutcome};
use model::sip::LegCause;
use model::{CallId, Effect, Event, LegId, QueueId, Timestamp};

use crate::call::Stage;
use crate::cell::{Cell, LegOwner};
use crate::mutation::Mutation;
use crate::timer::Reason;

/// Who ended it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// The customer's leg is over already.
    Customer,
    /// We hang up.
    House,
}

/// Whether it was neither side that ended it.
fn is_fault(cause: LegCause) -> bool {
    matches!(cause, LegCause::InternalError | LegCause::NodeFailure)
}

impl Cell {
    /// A leg is over. The second report of the same end finds nothing.
    pub(crate) fn leg_ended(&mut self, leg: LegId, cause: LegCause) {
        match self.legs.get(&leg).copied() {
            Some(LegOwner::Customer(call)) => self.end_call(call, cause, By::Customer),
            Some(LegOwner::Offer(offer)) => {
                self.legs.remove(&leg);
                self.offer_leg_ended(offer, cause);
            }
            Some(LegOwner::Talk(call)) => {
                self.legs.remove(&leg);
                self.talk_leg_ended(call, cause);
            }
            Some(LegOwner::Consult(call)) => {
                self.legs.remove(&leg);
                self.consult_leg_ended(call, cause);
            }
            Some(LegOwner::Line(call)) => {
                self.legs.remove(&leg);
                self.line_ended(call);
            }
            Some(LegOwner::Errand(errand)) => {
                self.legs.remove(&leg);
                self.end_errand(errand, cause);
            }
            Some(LegOwner::Page(agent)) => self.device_down(agent, leg),
            None => {}
        }
    }

    /// Ends a call, or an errand.
    pub(crate) fn end_call(&mut self, id: CallId, cause: LegCause, by: By) {
        let Some(outcome) = self.outcome_of(id, cause, by) else {
            return self.end_errand(id, cause);
        };
        match self.calls.get(&id).map(|call| &call.stage) {
            Some(Stage::Waiting(_)) => self.leave_by_end(id, cause),
            Some(Stage::Talking(_)) => self.part_by_end(id, cause),
            Some(Stage::Answering | Stage::Flow(_)) | None => {}
        }
        self.end_recording(id);
        self.timers.clear(Reason::Flow(id));
        if !self.mutated(Mutation::ForgottenTimer) {
            self.timers.clear(Reason::CallAge(id));
        }
        let Some(call) = self.calls.remove(&id) else { return };
        if !self.mutated(Mutation::ForgottenLeg) {
            self.legs.remove(&call.leg);
        }
        if by == By::House {
            self.effect(Effect::Hangup { leg: call.leg, cause });
        }
        if call.rev > 0 {
            self.effect(Effect::MediaEnd { call: id });
        }
        self.event(Event::CallEnded { call: id, cause, outcome });
    }

    /// The wait ends with the call.
    fn leave_by_end(&mut self, id: CallId, cause: LegCause) {
        let Some(wait) = self.wait(id) else { return };
        let (queue, waiting_since, offer) = (wait.queue, wait.queued_at, wait.offer);
        let outcome = if is_fault(cause) { QueueOutcome::Lost } else { self.abandon_outcome(wait) };
        if let Some(offer) = offer
            && !self.mutated(Mutation::ForgottenCancel)
        {
            self.close_offer(offer, OfferOutcome::Withdrawn);
        }
        self.leave_queue(id, outcome);
        self.owe_callback(id, cause, queue, waiting_since);
    }

    /// Whom the house cut off, waiting or in mid-conversation, it owes a call.
    fn owe_callback(&mut self, id: CallId, cause: LegCause, queue: QueueId, since: Timestamp) {
        if let Some(party) = self.calls.get(&id).map(|call| call.party)
            && is_fault(cause)
        {
            self.event(Event::CallbackListed { call: id, party, queue });
            self.effect(Effect::ListCallback { call: id, party, queue, waiting_since: since });
        }
    }

    /// The conversation ends with the call, and wrap-up begins.
    fn part_by_end(&mut self, id: CallId, cause: LegCause) {
        let Some(contact) = self.contact_view(id) else { return };
        self.end_consult_of(id);
        let Some(talk) = self.disconnect(id, cause) else { return };
        self.owe_callback(id, cause, talk.queue, self.now);
        self.begin_wrap_up(talk.agent, contact, self.now.since(talk.connected_at));
    }

    /// The longest wait is over: the flow goes on.
    pub(crate) fn longest_wait_over(&mut self, id: CallId) {
        self.dismiss(id);
        self.go_on_without_queue(id);
    }

    /// Takes a contact out of the queue although the caller is still there.
    fn dismiss(&mut self, id: CallId) {
        if let Some(offer) = self.wait(id).and_then(|wait| wait.offer) {
            self.close_offer(offer, OfferOutcome::Withdrawn);
        }
        self.leave_queue(id, QueueOutcome::TimedOut);
    }

    /// Ends the recording, if one runs.
    pub(crate) fn end_recording(&mut self, id: CallId) {
        let running = self.calls.get_mut(&id).and_then(|call| call.recording.take());
        if let Some(recording) = running {
            self.changed.calls.insert(id);
            self.event(Event::RecordingEnded { call: id, recording });
        }
    }
}
