//! Telephones of agents coming and going.
//!
//! Invariant: a page that is gone holds no offer, and holds a conversation for the grace at most.

use model::config::Device;
use model::event::{ConsultOutcome, OfferOutcome};
use model::sip::LegCause;
use model::{AgentId, CallId, DeviceId, Event, LegId, Span, limits};

use crate::agent::{AgentSlot, Lease};
use crate::cell::{Cell, LegOwner};
use crate::mutation::Mutation;
use crate::timer::Reason;

impl Cell {
    /// The page of an agent has its media up. A second one replaces the first without a gap in
    /// its offer; a conversation moves over.
    pub(crate) fn device_up(&mut self, agent: AgentId, leg: LegId) {
        if self.mutated(Mutation::StrangersPage) {
            let now = self.now;
            self.agents.entry(agent).or_insert_with(|| AgentSlot::new(now));
        }
        let Some(slot) = self.agents.get(&agent) else { return };
        if slot.page == Some(leg) || self.legs.contains_key(&leg) {
            return;
        }
        if let Some(old) = slot.page {
            self.page_gone(agent, old);
        }
        self.legs.insert(leg, LegOwner::Page(agent));
        self.agents.entry(agent).and_modify(|slot| slot.page = Some(leg));
        self.event(Event::DeviceUp { agent, leg });
        if let Some((call, talking, lost)) = self.page_seat(agent) {
            *talking = leg;
            *lost = false;
            self.timers.clear(Reason::DeviceGrace(agent));
            self.event(Event::AgentRegained { call, agent });
            self.changed.calls.insert(call);
        }
        self.refresh_agent(agent);
    }

    /// A telephone registered, or is registered no longer. A call that it is on, or that rings
    /// there, is not touched: its leg has its own end.
    pub(crate) fn phone(&mut self, device: DeviceId, is_up: bool) {
        let changed = match is_up {
            true => self.phones.insert(device),
            false => self.phones.remove(&device),
        };
        if !changed {
            return;
        }
        let phone = Device::Phone { device };
        let agents = self.config.agents.iter().filter(|(_, agent)| agent.device == phone);
        for agent in agents.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.refresh_agent(agent);
        }
    }

    /// The page of an agent is gone. The loss of a page that was replaced is no news.
    pub(crate) fn device_down(&mut self, agent: AgentId, leg: LegId) {
        if self.agents.get(&agent).is_none_or(|slot| slot.page != Some(leg)) {
            return;
        }
        self.page_gone(agent, leg);
        match self.lease_of(agent) {
            Some(&Lease::Offer(offer))
                if self.offers.get(&offer).is_some_and(|offer| offer.leg.is_none()) =>
            {
                self.end_offer(offer, OfferOutcome::DeviceLost);
            }
            Some(&Lease::Consult(call)) if self.rings_at_page(call) => {
                self.end_consult(call, ConsultOutcome::DeviceLost);
            }
            _ => {}
        }
        self.refresh_agent(agent);
    }

    pub(crate) fn page_gone(&mut self, agent: AgentId, leg: LegId) {
        self.legs.remove(&leg);
        self.agents.entry(agent).and_modify(|slot| slot.page = None);
        self.event(Event::DeviceDown { agent, leg });
        if let Some((call, _, lost)) = self.page_seat(agent) {
            *lost = true;
            self.event(Event::AgentLost { call, agent });
            let until = self.now + Span::from_millis(limits::DEVICE_GRACE_MS);
            self.timers.set(until, Reason::DeviceGrace(agent));
            self.changed.calls.insert(call);
        }
    }

    /// Where the agent talks through the page: the call, the leg, and whether the page is lost.
    fn page_seat(&mut self, agent: AgentId) -> Option<(CallId, &mut LegId, &mut bool)> {
        match *self.lease_of(agent)? {
            Lease::Talk(call) => {
                let talk = self.talk_mut(call).filter(|talk| !talk.dialled)?;
                Some((call, &mut talk.leg, &mut talk.lost))
            }
            Lease::Consult(call) => {
                let consult = self.consult_mut(call).filter(|c| c.dialled.is_none())?;
                let joined = consult.joined.as_mut()?;
                Some((call, &mut joined.leg, &mut joined.lost))
            }
            _ => None,
        }
    }

    fn rings_at_page(&self, call: CallId) -> bool {
        self.consult_of(call).is_some_and(|c| c.joined.is_none() && c.dialled.is_none())
    }

    /// The page did not come back: the customer goes to the colleague who is there, otherwise to
    /// the old place, and the agent is free.
    pub(crate) fn device_grace_over(&mut self, agent: AgentId) {
        let call = match self.lease_of(agent) {
            Some(&Lease::Talk(call)) => call,
            Some(&Lease::Consult(call)) => {
                self.end_consult(call, ConsultOutcome::DeviceLost);
                return;
            }
            _ => return,
        };
        if self.hand_over(call, LegCause::MediaTimeout, false) {
            return;
        }
        if !self.mutated(Mutation::StuckAgent) {
            self.lease(agent, None);
        }
        self.requeue(call, LegCause::MediaTimeout);
    }
}
