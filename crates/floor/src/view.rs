//! Views: what a page sees, computed from the cell when it is asked for.
//!
//! Invariant: reading a view changes nothing.

use model::view::{AgentView, CallView, ConsultView, OfferView, QueueView, WrapUpView};
use model::{AgentId, CallId, QueueId};

use crate::agent::{Lease, WrapUp};
use crate::call::{Consult, Joined};
use crate::cell::Cell;
use crate::offer::Offer;

impl Cell {
    /// The agent's whole live situation, `None` for a stranger.
    #[must_use]
    pub fn agent_view(&self, agent: AgentId) -> Option<AgentView> {
        let slot = self.agents.get(&agent)?;
        let (state, reason) = self.state_of(agent, slot);
        let mut view = AgentView {
            agent,
            state,
            reason,
            since: slot.since,
            device_up: self.is_reachable(agent),
            offer: None,
            call: None,
            wrap_up: None,
        };
        match &slot.lease {
            Some(Lease::Offer(id)) => {
                let offer = self.offers.get(id);
                view.offer = offer.and_then(|offer| self.offer_view(*id, offer));
            }
            Some(Lease::Talk(call)) => view.call = self.call_view(*call),
            Some(Lease::Consult(call)) if self.is_joined(*call) => {
                view.call = self.colleague_view(*call);
            }
            Some(Lease::Consult(call)) => view.offer = self.asked_view(*call),
            Some(Lease::WrapUp(wrap_up)) => view.wrap_up = Some(wrap_up_view(wrap_up)),
            None => {}
        }
        Some(view)
    }

    /// The queue's live figures, `None` for a stranger.
    #[must_use]
    pub fn queue_view(&self, queue: QueueId) -> Option<QueueView> {
        let line = self.lines.get(&queue)?;
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Some(QueueView {
            queue,
            waiting: count(line.present.len()),
            longest_since: line.present.first().map(|(since, _)| *since),
            ready: count(line.ready.len()),
            busy: count(line.busy.len()),
        })
    }

    fn offer_view(&self, id: model::OfferId, offer: &Offer) -> Option<OfferView> {
        Some(OfferView {
            offer: id,
            contact: self.contact_view(offer.call)?,
            offered_at: offer.offered_at,
            until: offer.until,
            ready_since: offer.ready_since,
            eligible: offer.eligible,
            asked_by: None,
        })
    }

    /// What a colleague who is asked in sees.
    fn asked_view(&self, call: CallId) -> Option<OfferView> {
        let talk = self.talk(call)?;
        let consult = talk.consult.as_deref()?;
        Some(OfferView {
            offer: consult.id,
            contact: self.contact_view(call)?,
            offered_at: consult.began_at,
            until: consult.until,
            ready_since: consult.began_at,
            eligible: 1,
            asked_by: Some(talk.agent),
        })
    }

    fn call_view(&self, call: CallId) -> Option<CallView> {
        let talk = self.talk(call)?;
        Some(CallView {
            contact: self.contact_view(call)?,
            connected_at: talk.connected_at,
            leg: talk.leg,
            hold_since: talk.hold_since,
            recording: self.calls.get(&call)?.recording.is_some(),
            consult: talk.consult.as_deref().map(|consult| consult_view(talk.agent, consult)),
            consult_missed: talk.consult_missed,
        })
    }

    /// The conversation as the colleague has it.
    fn colleague_view(&self, call: CallId) -> Option<CallView> {
        let joined = self.consult_of(call)?.joined?;
        let view = self.call_view(call)?;
        let Joined { leg, at: connected_at, .. } = joined;
        Some(CallView { leg, connected_at, hold_since: None, consult_missed: None, ..view })
    }
}

fn consult_view(agent: AgentId, consult: &Consult) -> ConsultView {
    ConsultView {
        agent,
        colleague: consult.colleague,
        joined_at: consult.joined.map(|joined| joined.at),
        conference: consult.joined.is_some_and(|joined| joined.conference),
        hand_over: consult.hand_over,
        second_line: consult.via.is_some(),
    }
}

fn wrap_up_view(wrap_up: &WrapUp) -> WrapUpView {
    WrapUpView {
        contact: wrap_up.contact.clone(),
        since: wrap_up.since,
        until: wrap_up.until,
        talk_us: wrap_up.talk.micros(),
    }
}
