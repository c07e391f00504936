//! What agents ask for.
//!
//! Invariant: a refused command has changed nothing.

use model::event::{ConsultOutcome, DeclineReason, OfferOutcome};
use model::input::Command;
use model::{AgentId, OfferId, Refusal};

use crate::agent::Lease;
use crate::call::Wish;
use crate::cell::Cell;
use crate::offer::Offer;

impl Cell {
    /// Carries out a command of an agent.
    pub(crate) fn command(&mut self, agent: AgentId, command: Command) -> Result<(), Refusal> {
        // Whoever is not configured any more only finishes what is still held.
        if !self.agents.contains_key(&agent) {
            return Err(Refusal::NotFound);
        }
        match command {
            Command::SignIn => self.sign_in(agent),
            Command::SignOut => self.sign_out(agent),
            Command::Ready => self.ready(agent),
            Command::Break { reason } => self.take_break(agent, reason),
            Command::Accept { offer } => self.accept(agent, offer),
            Command::Decline { offer, reason } => self.decline(agent, offer, &reason),
            Command::Hold { call } => self.hold(agent, call),
            Command::Resume { call } => self.resume(agent, call),
            Command::Transfer { call, queue } => self.transfer(agent, call, queue),
            Command::Consult { call, colleague, hand_over } => {
                self.consult(agent, call, Wish { colleague, hand_over, referral: None, via: None })
            }
            Command::Conference { call } => self.confer(agent, call, true),
            Command::EndConference { call } => self.confer(agent, call, false),
            Command::HandOver { call } => self.hand_over_by(agent, call),
            Command::EndConsult { call } => self.leave_consult(agent, call),
            Command::Hangup { call } => self.hang_up(agent, call),
            Command::ExtendWrapUp { call, by_ms } => self.extend_wrap_up(agent, call, by_ms),
            Command::WrapUp { call, disposition, resolved, note } => {
                self.finish_wrap_up(agent, call, (disposition, resolved), note)
            }
        }
    }

    fn accept(&mut self, agent: AgentId, id: OfferId) -> Result<(), Refusal> {
        // The page may ask twice: the answer to the first may have been lost on the way.
        if let Some(&Lease::Talk(call)) = self.lease_of(agent)
            && self.talk(call).is_some_and(|talk| talk.offer == id)
        {
            return Ok(());
        }
        let asked = self.asked_into(agent).filter(|(_, consult)| consult.id == id);
        let consult = asked.map(|(call, consult)| (call, consult.joined, consult.dialled));
        let dialled = match consult {
            Some((_, Some(_), _)) => return Ok(()),
            Some((_, None, dialled)) => dialled,
            None => self.own_offer(agent, id)?.leg,
        };
        if dialled.is_some() {
            // A SIP telephone is answered by lifting it.
            return Err(Refusal::WrongState);
        }
        let page = self.agents.get(&agent).and_then(|slot| slot.page).ok_or(Refusal::NoDevice)?;
        match consult {
            Some((call, ..)) => self.join_consult(call, page),
            None => self.accept_offer(id, page),
        }
        Ok(())
    }

    fn decline(&mut self, agent: AgentId, id: OfferId, reason: &str) -> Result<(), Refusal> {
        if let Some((call, consult)) = self.asked_into(agent)
            && consult.id == id
        {
            if consult.joined.is_some() {
                return Err(Refusal::OfferGone);
            }
            self.end_consult(call, ConsultOutcome::Declined);
            return Ok(());
        }
        self.own_offer(agent, id)?;
        let reason = DeclineReason::of_code(reason);
        self.offers.entry(id).and_modify(|offer| offer.declined = reason);
        self.end_offer(id, OfferOutcome::Declined);
        Ok(())
    }

    fn own_offer(&self, agent: AgentId, id: OfferId) -> Result<&Offer, Refusal> {
        match self.offers.get(&id) {
            Some(offer) if offer.agent == agent => Ok(offer),
            Some(_) => Err(Refusal::OfferGone),
            None if self.offers_gone.contains(&id) => Err(Refusal::OfferGone),
            // Never ours: what another tenant has is told in the same word as what nobody has.
            None => Err(Refusal::NotFound),
        }
    }
}
