//! An agent's one slot is leased at most once, a contact is offered to at most one agent, and what
//! is offered still waits.

use model::event::{AgentState, Event, OfferOutcome, Recorded};

use super::{Check, Settled, Verdict, ensure};
use crate::ledger::Ledger;

#[derive(Debug)]
pub(super) struct OneOffer;

impl Check for OneOffer {
    fn name(&self) -> &'static str {
        "one offer"
    }

    fn event(&mut self, recorded: &Recorded, before: &Ledger) -> Verdict {
        match &recorded.event {
            Event::Offered { entry, agent, .. } => {
                let free = before.offer_of(*agent).is_none()
                    && !before.talks.contains_key(agent)
                    && !before.wraps.contains_key(agent)
                    && before.asked_into(*agent).is_none()
                    && !before.is_on_errand(*agent);
                ensure(free, || format!("{agent:?} is offered {entry:?} and is not free"))?;
                let Some(wait) = before.waits.get(entry) else {
                    return Err(format!("{entry:?} is offered and does not wait"));
                };
                ensure(wait.offer.is_none(), || format!("{entry:?} is offered twice at once"))?;
                ensure(before.fits(*agent, wait), || format!("{agent:?} cannot take {entry:?}"))?;
                ensure(before.reachable(*agent), || format!("{agent:?} has no telephone"))
            }
            Event::ConsultStarted { call, agent, colleague, .. } => {
                let free = before.derived(*colleague) == AgentState::Ready;
                ensure(free, || format!("{colleague:?} is asked in and is not ready"))?;
                let rests = before.rests_until(*colleague).is_some_and(|u| recorded.at < u);
                let rests = rests || before.is_on_errand(*colleague);
                ensure(!rests, || format!("{colleague:?} is asked in and rests"))?;
                let talk = before.talks.get(agent);
                let theirs = talk.is_some_and(|talk| talk.call == *call && talk.lost.is_none());
                ensure(theirs, || format!("{agent:?} asks about a call of somebody else"))?;
                let asked = before.consult_in(*call).is_some();
                ensure(!asked, || format!("two are asked into {call:?} at once"))
            }
            Event::Connected { call, entry, agent, .. } => {
                let rings = before.offers.values().any(|o| o.entry == *entry || o.agent == *agent);
                ensure(!rings, || format!("{call:?} is connected and still rings"))
            }
            Event::OfferEnded { offer, agent, outcome: OfferOutcome::Accepted, .. } => {
                let theirs = before.offers.get(offer).is_some_and(|o| o.agent == *agent);
                ensure(theirs, || format!("{agent:?} took an offer of somebody else"))
            }
            _ => Ok(()),
        }
    }

    fn settled(&mut self, settled: &Settled<'_>) -> Verdict {
        let ledger = settled.ledger;
        for (id, offer) in &ledger.offers {
            let waits = ledger.waits.get(&offer.entry).is_some_and(|w| w.offer == Some(*id));
            ensure(waits, || format!("{id:?} rings at {:?} and nobody waits", offer.agent))?;
        }
        let live = settled.cell.live();
        let offers = usize::try_from(live.offers).unwrap_or(usize::MAX);
        ensure(offers == ledger.offers.len(), || {
            format!("{offers} offers by the cell, {} by the journal", ledger.offers.len())
        })
    }
}
