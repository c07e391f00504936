//! Asking a colleague in: a leg of the call that rings, then talks with the agent or with all.
//!
//! Invariant: every `ConsultStarted` is followed by exactly one `ConsultEnded`. In between the
//! colleague's slot is leased for it, afterwards nothing of the colleague's is.

use model::event::{ConsultOutcome, OfferOutcome};
use model::sip::LegCause;
use model::view::ConsultMissed;
use model::{AgentId, CallId, Effect, Event, LegId, OfferId, Refusal, Span, Timestamp, limits};
use serde::{Deserialize, Serialize};

use crate::agent::{Lease, Standing};
use crate::call::refer::{Referral, refer_status};
use crate::call::{Holds, Stage, Talk};
use crate::cell::{Cell, LegOwner};
use crate::mutation::Mutation;
use crate::offer::ring_outcome;
use crate::timer::Reason;

/// Whom to ask, and what for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wish {
    pub(crate) colleague: AgentId,
    /// The customer is theirs as soon as they take it.
    pub(crate) hand_over: bool,
    pub(crate) referral: Option<Referral>,
    /// The second line of the agent's telephone that asks, and talks with the colleague.
    pub(crate) via: Option<LegId>,
}

/// A consultation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Consult {
    /// The colleague takes or declines it like an offer.
    pub(crate) id: OfferId,
    pub(crate) colleague: AgentId,
    pub(crate) began_at: Timestamp,
    /// When it has rung for long enough.
    pub(crate) until: Timestamp,
    /// The SIP telephone that was dialled; none where the page rings.
    pub(crate) dialled: Option<LegId>,
    /// The colleague took it.
    pub(crate) joined: Option<Joined>,
    /// The customer is the colleague's as soon as they take it.
    #[serde(default)]
    pub(crate) hand_over: bool,
    /// The telephone that asked for it, and wants to know what became of it.
    #[serde(default)]
    pub(crate) referral: Option<Referral>,
    /// The second line of the agent's telephone, which the colleague hears in place of the first.
    #[serde(default)]
    pub(crate) via: Option<Line>,
}

/// A second line of an agent's telephone.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) leg: LegId,
    pub(crate) up: bool,
}

/// A colleague who is there.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Joined {
    pub(crate) leg: LegId,
    pub(crate) at: Timestamp,
    /// The page is gone and may come back.
    pub(crate) lost: bool,
    /// Held with the own key of the telephone.
    pub(crate) held: bool,
    /// The customer is let in.
    pub(crate) conference: bool,
}

impl Consult {
    /// The colleague's leg, if they can hear and be heard.
    pub(crate) fn present(&self) -> Option<&Joined> {
        self.joined.as_ref().filter(|joined| !joined.lost)
    }
}

impl Cell {
    /// Rings a colleague who is ready. The customer hears music from now on.
    pub(crate) fn consult(
        &mut self,
        agent: AgentId,
        id: CallId,
        Wish { colleague, hand_over, referral, via }: Wish,
    ) -> Result<(), Refusal> {
        let talk = self.heard_talk(agent, id)?;
        if talk.consult.is_some() {
            return Err(Refusal::WrongState);
        }
        let queue = talk.queue;
        if colleague == agent || !self.config.agents.contains_key(&colleague) {
            return Err(Refusal::UnknownChoice);
        }
        let standing = self.agents.get(&colleague).map(|slot| slot.standing);
        if !matches!(standing, Some(Standing::Ready(_))) || self.is_spared(colleague) {
            return Err(Refusal::NotFree);
        }
        let ring_ms = self.config.queues.get(&queue).map(|queue| queue.ring_ms);
        let ring = Span::from_millis(ring_ms.unwrap_or(limits::CONSULT_RING_MS).max(0));
        let consult: OfferId = self.mint.mint(self.now);
        self.event(Event::ConsultStarted { call: id, consult, agent, colleague });
        let dialled = self.ring_telephone(id, colleague, LegOwner::Consult(id));
        let (began_at, until) = (self.now, self.now + ring);
        if let Some(talk) = self.talk_mut(id) {
            let via = via.map(|leg| Line { leg, up: false });
            let consult = Consult {
                id: consult,
                colleague,
                began_at,
                until,
                dialled,
                joined: None,
                hand_over,
                referral,
                via,
            };
            talk.consult = Some(Box::new(consult));
            talk.consult_missed = None;
            // Who asks on a second line holds the first with its own key.
            let in_consult = via.is_none();
            let by_command = talk.holds.by_command && (via.is_some() || referral.is_some());
            talk.holds = Holds { by_command, in_consult, ..talk.holds };
        }
        self.timers.set(until, Reason::Consult(id));
        self.lease(colleague, Some(Lease::Consult(id)));
        self.holds_changed(id);
        self.changed.agents.insert(agent);
        Ok(())
    }

    pub(crate) fn consult_of(&self, id: CallId) -> Option<&Consult> {
        self.talk(id)?.consult.as_deref()
    }

    pub(crate) fn consult_mut(&mut self, id: CallId) -> Option<&mut Consult> {
        self.talk_mut(id)?.consult.as_deref_mut()
    }

    /// The consultation that an agent was asked into.
    pub(crate) fn asked_into(&self, agent: AgentId) -> Option<(CallId, &Consult)> {
        let Some(&Lease::Consult(call)) = self.lease_of(agent) else { return None };
        Some((call, self.consult_of(call)?))
    }

    /// Whether the colleague of a consultation has taken it.
    pub(crate) fn is_joined(&self, id: CallId) -> bool {
        self.consult_of(id).is_some_and(|consult| consult.joined.is_some())
    }

    /// The colleague's telephone answered, or the colleague clicked: the two talk alone.
    pub(crate) fn join_consult(&mut self, id: CallId, leg: LegId) {
        let at = self.now;
        let Some(consult) = self.consult_mut(id).filter(|consult| consult.joined.is_none()) else {
            return;
        };
        consult.joined = Some(Joined { leg, at, lost: false, held: false, conference: false });
        let (name, colleague) = (consult.id, consult.colleague);
        // Where the customer is theirs, the line is over before it began.
        if let Some(line) = consult.via.filter(|_| !consult.hand_over) {
            self.effect(Effect::Answer { leg: line.leg });
        }
        self.timers.clear(Reason::Consult(id));
        self.changed.calls.insert(id);
        self.event(Event::ConsultJoined { call: id, consult: name, colleague, leg });
        self.lease(colleague, Some(Lease::Consult(id)));
        if self.consult_of(id).is_some_and(|consult| consult.hand_over) {
            self.hand_over(id, LegCause::Hangup, true);
        }
    }

    /// It has rung for long enough.
    pub(crate) fn consult_rang_out(&mut self, id: CallId) {
        if !self.is_joined(id) {
            self.end_consult(id, ConsultOutcome::NoAnswer);
        }
    }

    /// The colleague's SIP telephone is over, ringing or talking.
    pub(crate) fn consult_leg_ended(&mut self, id: CallId, cause: LegCause) {
        let rang = match ring_outcome(cause) {
            OfferOutcome::NoAnswer => ConsultOutcome::NoAnswer,
            OfferOutcome::DeviceLost => ConsultOutcome::DeviceLost,
            OfferOutcome::NotRung => ConsultOutcome::NotRung,
            _ => ConsultOutcome::Declined,
        };
        let outcome = match rang {
            // Who talks and puts the telephone down has not refused.
            _ if self.is_joined(id) && rang != ConsultOutcome::DeviceLost => ConsultOutcome::Over,
            rang => rang,
        };
        self.end_consult(id, outcome);
    }

    /// Ends the consultation of a call that ends, or whose agent is gone.
    pub(crate) fn end_consult_of(&mut self, id: CallId) {
        let joined = self.is_joined(id);
        self.end_consult(id, if joined { ConsultOutcome::Over } else { ConsultOutcome::Withdrawn });
    }

    /// Takes the consultation out of everything that knows it, and says how it ended. A customer
    /// who was on hold for it stays on hold: nobody is heard who does not know of it.
    pub(crate) fn end_consult(&mut self, id: CallId, outcome: ConsultOutcome) -> Option<Consult> {
        let talk = self.talk_mut(id)?;
        let consult = *talk.consult.take()?;
        let (agent, colleague) = (talk.agent, consult.colleague);
        if std::mem::take(&mut talk.holds.in_consult) {
            // Who asked with a key of the telephone holds, or does not, with another one.
            talk.holds.by_command |= consult.referral.is_none();
            talk.consult_missed = Some(ConsultMissed { colleague, outcome });
        }
        self.remember_offer(consult.id);
        self.timers.clear(Reason::Consult(id));
        self.timers.clear(Reason::DeviceGrace(colleague));
        self.changed.calls.insert(id);
        self.changed.agents.insert(agent);
        if consult.joined.is_some_and(|joined| joined.conference) {
            self.event(Event::ConferenceEnded { call: id, consult: consult.id });
        }
        let name = consult.id;
        self.event(Event::ConsultEnded { call: id, consult: name, agent, colleague, outcome });
        if let Some(referral) = consult.referral
            && self.legs.contains_key(&referral.leg)
        {
            self.refer(referral, refer_status(outcome));
        }
        if let Some(line) = consult.via
            && self.legs.remove(&line.leg).is_some()
        {
            self.effect(Effect::Hangup { leg: line.leg, cause: line_cause(outcome) });
        }
        if outcome == ConsultOutcome::HandedOver {
            return Some(consult);
        }
        // An agent who holds at the telephone leaves the customer alone now.
        self.holds_changed(id);
        if let Some(leg) = consult.dialled
            && self.legs.remove(&leg).is_some()
        {
            let joined = consult.joined.is_some();
            let cause = if joined { LegCause::Hangup } else { LegCause::Cancelled };
            self.effect(Effect::Hangup { leg, cause });
        }
        if !self.mutated(Mutation::StuckColleague) {
            self.lease(colleague, None);
        }
        match outcome {
            ConsultOutcome::NoAnswer => self.did_not_answer(colleague),
            // As with an offer: a SIP telephone out of reach would fail for the next one too.
            ConsultOutcome::DeviceLost if consult.dialled.is_some() => {
                self.did_not_answer(colleague);
            }
            ConsultOutcome::NotRung => self.rest(colleague),
            _ => {}
        }
        Some(consult)
    }

    /// A colleague's telephone holds by its own key, or is back.
    pub(crate) fn colleague_held(&mut self, id: CallId, is_held: bool) {
        if let Some(joined) = self.consult_mut(id).and_then(|consult| consult.joined.as_mut()) {
            joined.held = is_held;
            self.changed.calls.insert(id);
        }
    }

    /// The agent goes back to the customer, or the colleague leaves.
    pub(crate) fn leave_consult(&mut self, agent: AgentId, id: CallId) -> Result<(), Refusal> {
        if self.asked_into(agent).is_some_and(|(call, _)| call == id) {
            return self.colleague_leaves(id);
        }
        if self.own_talk(agent, id)?.consult.is_none() {
            return Err(Refusal::WrongState);
        }
        self.end_consult_of(id);
        let talk = self.own_talk(agent, id)?;
        talk.consult_missed = None;
        talk.holds.by_command = false;
        self.holds_changed(id);
        Ok(())
    }

    /// A colleague who has not answered declines instead.
    pub(crate) fn colleague_leaves(&mut self, id: CallId) -> Result<(), Refusal> {
        if !self.is_joined(id) {
            return Err(Refusal::WrongState);
        }
        self.end_consult(id, ConsultOutcome::Over);
        Ok(())
    }

    /// Lets the customer in, or takes them out again.
    pub(crate) fn confer(&mut self, agent: AgentId, id: CallId, all: bool) -> Result<(), Refusal> {
        let talk = self.heard_talk(agent, id)?;
        let consult = talk.consult.as_deref_mut().ok_or(Refusal::WrongState)?;
        if consult.via.is_some() {
            // Its telephone lets the two lines hear each other, or not.
            return Err(Refusal::WrongState);
        }
        let (name, colleague) = (consult.id, consult.colleague);
        let joined =
            consult.joined.as_mut().filter(|joined| joined.conference != all && !joined.lost);
        joined.ok_or(Refusal::WrongState)?.conference = all;
        talk.holds.in_consult = !all;
        self.changed.calls.insert(id);
        if all {
            self.holds_changed(id);
            self.event(Event::ConferenceStarted { call: id, consult: name });
        } else {
            self.event(Event::ConferenceEnded { call: id, consult: name });
            self.holds_changed(id);
        }
        self.changed.agents.extend([agent, colleague]);
        Ok(())
    }

    /// The agent leaves the customer to the colleague.
    pub(crate) fn hand_over_by(&mut self, agent: AgentId, id: CallId) -> Result<(), Refusal> {
        self.own_talk(agent, id)?;
        if self.hand_over(id, LegCause::Hangup, true) { Ok(()) } else { Err(Refusal::WrongState) }
    }

    /// Makes the colleague the agent of the call; false, and nothing done, where none is there.
    /// Whoever was lost wraps nothing up.
    pub(crate) fn hand_over(&mut self, id: CallId, cause: LegCause, wraps_up: bool) -> bool {
        let present = self.consult_of(id).and_then(Consult::present).copied();
        let (Some(Joined { leg, held, .. }), Some(contact)) = (present, self.contact_view(id))
        else {
            return false;
        };
        let Some(consult) = self.end_consult(id, ConsultOutcome::HandedOver) else { return false };
        let Some(before) = self.disconnect(id, cause) else { return false };
        if wraps_up {
            self.begin_wrap_up(before.agent, contact, self.now.since(before.connected_at));
        } else {
            self.lease(before.agent, None);
        }
        let agent = consult.colleague;
        let Talk { entry, queue, queued_at, .. } = before;
        let talk = Talk {
            agent,
            leg,
            dialled: consult.dialled.is_some(),
            offer: consult.id,
            entry,
            queue,
            queued_at,
            connected_at: self.now,
            hold_since: None,
            holds: Holds { at_telephone: held, ..Holds::default() },
            lost: false,
            not_sent_at: None,
            consult: None,
            consult_missed: None,
        };
        if talk.dialled {
            self.legs.insert(leg, LegOwner::Talk(id));
        }
        if let Some(call) = self.calls.get_mut(&id) {
            call.stage = Stage::Talking(Box::new(talk));
        }
        self.changed.calls.insert(id);
        self.lease(agent, Some(Lease::Talk(id)));
        self.event(Event::Connected { call: id, entry, queue, agent, leg });
        self.holds_changed(id);
        true
    }
}

/// What the line hears on which a colleague was called.
const fn line_cause(outcome: ConsultOutcome) -> LegCause {
    match outcome {
        ConsultOutcome::Declined => LegCause::Declined,
        ConsultOutcome::NoAnswer | ConsultOutcome::DeviceLost => LegCause::NoAnswer,
        ConsultOutcome::NotRung => LegCause::InternalError,
        ConsultOutcome::Withdrawn | ConsultOutcome::Over | ConsultOutcome::HandedOver => {
            LegCause::Hangup
        }
    }
}
