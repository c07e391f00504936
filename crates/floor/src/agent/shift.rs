//! The shift: sign-in, ready, break, sign-out.
//!
//! Invariant: a wish never interrupts a contact; it takes hold when the lease is over.

use model::AgentId;
use model::Refusal;
use model::effect::{AgentIntent, Effect};
use model::event::{ConsultOutcome, OfferOutcome};

use crate::agent::{Intent, Lease};
use crate::cell::Cell;

impl Cell {
    pub(crate) fn sign_in(&mut self, agent: AgentId) -> Result<(), Refusal> {
        if self.intent(agent)? == &Intent::SignedOut {
            self.intend(agent, Intent::Break(None));
        }
        Ok(())
    }

    /// A conversation and its wrap-up go on; an offer is given back.
    pub(crate) fn sign_out(&mut self, agent: AgentId) -> Result<(), Refusal> {
        if self.intent(agent)? == &Intent::SignedOut {
            return Ok(());
        }
        self.intend(agent, Intent::SignedOut);
        match self.lease_of(agent) {
            Some(&Lease::Offer(offer)) => self.end_offer(offer, OfferOutcome::Declined),
            Some(&Lease::Consult(call)) if !self.is_joined(call) => {
                self.end_consult(call, ConsultOutcome::Declined);
            }
            _ => {}
        }
        Ok(())
    }

    pub(crate) fn ready(&mut self, agent: AgentId) -> Result<(), Refusal> {
        if self.intent(agent)? == &Intent::SignedOut {
            return Err(Refusal::WrongState);
        }
        self.intend(agent, Intent::Ready);
        Ok(())
    }

    /// An offer that rings is still the agent's to take.
    pub(crate) fn take_break(&mut self, agent: AgentId, reason: String) -> Result<(), Refusal> {
        if self.intent(agent)? == &Intent::SignedOut {
            return Err(Refusal::WrongState);
        }
        if !self.config.break_reasons.contains_key(&reason) {
            return Err(Refusal::UnknownChoice);
        }
        self.intend(agent, Intent::Break(Some(reason)));
        Ok(())
    }

    fn intent(&self, agent: AgentId) -> Result<&Intent, Refusal> {
        self.agents.get(&agent).map(|slot| &slot.intent).ok_or(Refusal::NotFound)
    }

    pub(crate) fn intend(&mut self, agent: AgentId, intent: Intent) {
        if let Some(slot) = self.agents.get_mut(&agent) {
            slot.intent = intent;
            self.save_intent(agent);
            self.refresh_agent(agent);
        }
    }

    /// Said even while a contact hides it, so that a restart goes on with the newest wish.
    pub(crate) fn save_intent(&mut self, agent: AgentId) {
        let Some(slot) = self.agents.get(&agent) else { return };
        let intent = match &slot.intent {
            Intent::SignedOut => AgentIntent::SignedOut,
            Intent::Ready => AgentIntent::Ready,
            Intent::Break(reason) => AgentIntent::Break { reason: reason.clone() },
            Intent::DidNotAnswer => AgentIntent::Break { reason: None },
        };
        self.effect(Effect::SaveIntent { agent, intent });
    }
}
