//! Offers: a lease on an agent's slot for one contact.
//!
//! Invariant: every `Offered` is followed by exactly one `OfferEnded`, and when that is written the
//! lease, the timer and the dialled leg are gone.

use model::event::{DeclineReason, OfferOutcome};
use model::sip::LegCause;
use model::{
    AgentId, CallId, Effect, Event, LegId, OfferId, QueueEntryId, QueueId, Span, Timestamp, limits,
};
use serde::{Deserialize, Serialize};

use crate::agent::{Intent, Lease};
use crate::cell::{Cell, LegOwner};
use crate::matching::Pair;
use crate::mutation::Mutation;
use crate::timer::Reason;

/// An offer that rings.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Offer {
    pub(crate) call: CallId,
    pub(crate) entry: QueueEntryId,
    pub(crate) queue: QueueId,
    pub(crate) agent: AgentId,
    pub(crate) offered_at: Timestamp,
    pub(crate) until: Timestamp,
    pub(crate) ready_since: Timestamp,
    pub(crate) eligible: u32,
    /// The leg that rings, for a SIP telephone.
    pub(crate) leg: Option<LegId>,
    /// Why the agent gave it back.
    pub(crate) declined: Option<DeclineReason>,
}

impl Cell {
    /// Leases the agent's slot for the contact.
    pub(crate) fn make_offer(&mut self, pair: Pair) {
        let Pair { place, queue, agent, ready_since, eligible } = pair;
        let Some(ring_ms) = self.config.queues.get(&queue).map(|queue| queue.ring_ms) else {
            return;
        };
        let id: OfferId = self.mint.mint(self.now);
        let until = self.now + Span::from_millis(ring_ms.max(0));
        self.set_waiting(place.call, false);
        let Some(wait) = self.wait_mut(place.call) else { return };
        wait.offer = Some(id);
        self.event(Event::Offered {
            call: place.call,
            entry: place.entry,
            queue,
            offer: id,
            agent,
            ready_since,
        });
        let leg = self.ring_telephone(place.call, agent, LegOwner::Offer(id));
        let offer = Offer {
            call: place.call,
            entry: place.entry,
            queue,
            agent,
            offered_at: self.now,
            until,
            ready_since,
            eligible,
            leg,
            declined: None,
        };
        self.offers.insert(id, offer);
        self.lease(agent, Some(Lease::Offer(id)));
        if !self.mutated(Mutation::LostRingTimer) {
            self.timers.set(until, Reason::Ring(id));
        }
    }

    /// Dials the agent's telephone where it is a SIP one.
    pub(crate) fn ring_telephone(
        &mut self,
        call: CallId,
        agent: AgentId,
        owner: LegOwner,
    ) -> Option<LegId> {
        let callee = self.config.agents.get(&agent)?.device.callee()?;
        let leg: LegId = self.mint.mint(self.now);
        let caller = self.calls.get(&call).and_then(|call| call.caller.clone());
        self.legs.insert(leg, owner);
        self.effect(Effect::Dial { leg, callee, caller });
        Some(leg)
    }

    /// Ends an offer that was not taken: the contact keeps its place and may be matched again.
    pub(crate) fn end_offer(&mut self, id: OfferId, outcome: OfferOutcome) {
        let Some(offer) = self.close_offer(id, outcome) else { return };
        match outcome {
            OfferOutcome::NoAnswer => self.did_not_answer(offer.agent),
            // A SIP telephone that cannot be reached would fail for one caller after the other.
            OfferOutcome::DeviceLost if offer.leg.is_some() => self.did_not_answer(offer.agent),
            _ => {}
        }
        // Who missed it is out by the state alone: ready again means ready for this one too.
        if outcome == OfferOutcome::Declined {
            self.spare(offer.call, offer.agent);
        }
        let to_the_end =
            outcome == OfferOutcome::NoAnswer && self.mutated(Mutation::LostQueuePlace);
        self.wait_again(id, &offer, to_the_end);
    }

    /// The house could not ring the telephone: no port, no room, a fault. The agent is there and
    /// keeps the place in line, but is offered nothing for a moment: a shortage would fail for one
    /// waiting caller after the other.
    fn could_not_ring(&mut self, id: OfferId) {
        let Some(offer) = self.close_offer(id, OfferOutcome::NotRung) else { return };
        self.rest(offer.agent);
        self.wait_again(id, &offer, false);
    }

    /// Offers the agent nothing for a moment.
    pub(crate) fn rest(&mut self, agent: AgentId) {
        let until = self.now + Span::from_millis(limits::AGENT_REST_MS);
        self.resting.insert(agent);
        self.timers.set(until, Reason::Rest(agent));
    }

    /// The rest of an agent is over.
    pub(crate) fn end_rest(&mut self, agent: AgentId) {
        self.resting.remove(&agent);
        self.changed.free_agents.insert(agent);
    }

    /// The contact of an offer that led nowhere can be matched again, in its old place.
    fn wait_again(&mut self, id: OfferId, offer: &Offer, to_the_end: bool) {
        let now = self.now;
        if let Some(wait) = self.wait_mut(offer.call)
            && wait.offer == Some(id)
        {
            wait.offer = None;
            wait.place.queued_at = if to_the_end { now } else { wait.place.queued_at };
            self.set_waiting(offer.call, true);
        }
    }

    /// Takes the offer out of everything that knows it and says how it ended.
    pub(crate) fn close_offer(&mut self, id: OfferId, outcome: OfferOutcome) -> Option<Offer> {
        let offer = self.offers.remove(&id)?;
        self.remember_offer(id);
        self.timers.clear(Reason::Ring(id));
        let (call, agent, reason) = (offer.call, offer.agent, offer.declined);
        self.event(Event::OfferEnded { call, offer: id, agent, outcome, reason });
        if let Some(leg) = offer.leg
            && outcome != OfferOutcome::Accepted
            && self.legs.remove(&leg).is_some()
        {
            self.effect(Effect::Hangup { leg, cause: LegCause::Cancelled });
        }
        let stuck = outcome == OfferOutcome::DeviceLost && self.mutated(Mutation::StuckAgent);
        if self.lease_of(offer.agent).is_some_and(|lease| lease.is_offer(id)) && !stuck {
            self.lease(offer.agent, None);
        }
        Some(offer)
    }

    /// Whoever is late for an offer is told that it is gone, and not that there never was one.
    pub(crate) fn remember_offer(&mut self, id: OfferId) {
        if self.offers_gone.len() >= limits::OFFERS_REMEMBERED_MAX {
            self.offers_gone.pop_front();
        }
        self.offers_gone.push_back(id);
    }

    /// The agent's telephone answered, or the agent clicked.
    pub(crate) fn accept_offer(&mut self, id: OfferId, leg: LegId) {
        let Some(offer) = self.close_offer(id, OfferOutcome::Accepted) else { return };
        self.connect(id, &offer, leg);
    }

    /// The leg that rang for an offer is over before it was taken.
    pub(crate) fn offer_leg_ended(&mut self, id: OfferId, cause: LegCause) {
        match ring_outcome(cause) {
            OfferOutcome::NotRung => self.could_not_ring(id),
            outcome => self.end_offer(id, outcome),
        }
    }

    /// Who did not take what rang, or whose telephone failed, is not rung again until ready anew,
    /// also after a restart.
    pub(crate) fn did_not_answer(&mut self, agent: AgentId) {
        if let Some(slot) = self.agents.get_mut(&agent)
            && slot.intent == Intent::Ready
        {
            slot.intent = Intent::DidNotAnswer;
            if !self.mutated(Mutation::UnsavedIntent) {
                self.save_intent(agent);
            }
            self.refresh_agent(agent);
        }
    }

    /// Keeps the contact away from an agent for a while: a telephone that refuses by itself cannot
    /// be rung in a circle, and whoever sent a customer on does not get them back at once.
    pub(crate) fn spare(&mut self, call: CallId, agent: AgentId) {
        let until = self.now + Span::from_millis(limits::OFFER_EXCLUSION_MS);
        let Some(wait) = self.wait_mut(call) else { return };
        wait.excluded.insert(agent);
        let entry = wait.entry;
        self.timers.set(until, Reason::Exclusion(entry, agent));
    }

    /// The exclusion of an agent is over.
    pub(crate) fn end_exclusion(&mut self, entry: QueueEntryId, agent: AgentId) {
        let Some(&call) = self.entries.get(&entry) else { return };
        if let Some(wait) = self.wait_mut(call)
            && wait.excluded.remove(&agent)
        {
            self.changed.free_entries.insert(entry);
        }
    }
}

/// What became of a telephone that rang, by the end of its leg.
pub(crate) fn ring_outcome(cause: LegCause) -> OfferOutcome {
    match cause {
        LegCause::NoAnswer | LegCause::Cancelled => OfferOutcome::NoAnswer,
        LegCause::Busy | LegCause::Declined | LegCause::FarHangup | LegCause::Hangup => {
            OfferOutcome::Declined
        }
        LegCause::Unreachable | LegCause::NoAck | LegCause::MediaTimeout | LegCause::Refused => {
            OfferOutcome::DeviceLost
        }
        LegCause::InternalError | LegCause::NodeFailure => OfferOutcome::NotRung,
    }
}
