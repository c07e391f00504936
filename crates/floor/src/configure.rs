//! A new configuration under a living floor.
//!
//! Invariant: nobody is stranded: calls go on with their flow version, contacts of a queue that is
//! gone go on in the flow, agents who are gone finish what they hold.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::event::{ConsultOutcome, OfferOutcome};
use model::{AgentId, CallId, OfferId, TenantConfig};

use crate::agent::{AgentSlot, Intent, Standing};
use crate::call::Stage;
use crate::cell::Cell;
use crate::offer::Offer;
use crate::queue::{self, Line, holds};

impl Cell {
    /// Takes a configuration. One of another tenant or an older one than the last is ignored.
    pub(crate) fn configure(&mut self, config: Arc<TenantConfig>) {
        if config.tenant != self.tenant || config.n < self.config.n {
            return;
        }
        self.config = config;
        self.shelve_flows();
        self.staff();
        self.withdraw_misfits();
        self.dismiss_from_gone_queues();
        self.rebuild_lines();
    }

    /// Keeps the published versions and those that calls stand on.
    fn shelve_flows(&mut self) {
        let used: Vec<_> = self.calls.values().map(|call| (call.flow, call.flow_version)).collect();
        for (flow, versions) in &mut self.flows {
            versions.retain(|version, _| used.contains(&(*flow, *version)));
        }
        self.flows.retain(|_, versions| !versions.is_empty());
        for (id, published) in &self.config.flows {
            // A version is immutable: calls that stand on it keep the very same document.
            self.flows
                .entry(*id)
                .or_default()
                .entry(published.version)
                .or_insert_with(|| Arc::clone(&published.flow));
        }
    }

    /// A slot for every agent; whoever is gone is signed out.
    fn staff(&mut self) {
        let now = self.now;
        for agent in self.config.agents.keys() {
            self.agents.entry(*agent).or_insert_with(|| AgentSlot::new(now));
        }
        let gone = self.agents.iter().filter(|(agent, slot)| {
            !self.config.agents.contains_key(agent) && slot.intent != Intent::SignedOut
        });
        for agent in gone.map(|(agent, _)| *agent).collect::<Vec<_>>() {
            self.intend(agent, Intent::SignedOut);
        }
    }

    /// Takes back offers whose agent would not be chosen any more.
    fn withdraw_misfits(&mut self) {
        let misfits: Vec<OfferId> =
            self.offers.iter().filter(|(_, offer)| !self.fits(offer)).map(|(id, _)| *id).collect();
        for offer in misfits {
            self.end_offer(offer, OfferOutcome::Withdrawn);
        }
        let asks_nobody = |call: &CallId| {
            let ringing = self.consult_of(*call).filter(|consult| consult.joined.is_none());
            ringing.is_some_and(|consult| !self.config.agents.contains_key(&consult.colleague))
        };
        for call in self.calls.keys().copied().filter(asks_nobody).collect::<Vec<_>>() {
            self.end_consult(call, ConsultOutcome::Withdrawn);
        }
    }

    fn fits(&self, offer: &Offer) -> bool {
        let serves = |agent: &&model::config::Agent| agent.queues.contains(&offer.queue);
        let Some(agent) = self.config.agents.get(&offer.agent).filter(serves) else {
            return false;
        };
        let Some(queue) = self.config.queues.get(&offer.queue) else { return false };
        let asked =
            self.wait(offer.call).map(|wait| queue::demand(&queue.skills, &wait.asked_by_node));
        asked.is_some_and(|asked| holds(Some(&agent.skills), &asked))
    }

    fn dismiss_from_gone_queues(&mut self) {
        let gone: Vec<CallId> = self
            .entries
            .values()
            .filter(|call| {
                self.wait(**call).is_some_and(|wait| !self.config.queues.contains_key(&wait.queue))
            })
            .copied()
            .collect();
        for call in gone {
            self.longest_wait_over(call);
        }
    }

    /// Builds all indexes anew: the one full scan, once per configuration.
    fn rebuild_lines(&mut self) {
        self.changed.queues.extend(self.lines.keys().chain(self.config.queues.keys()));
        let lines: BTreeMap<_, _> =
            self.config.queues.keys().map(|queue| (*queue, Line::default())).collect();
        self.lines = lines;
        for call in self.calls.values_mut() {
            let Stage::Waiting(wait) = &mut call.stage else { continue };
            let Some(queue) = self.config.queues.get(&wait.queue) else { continue };
            wait.asked = queue::demand(&queue.skills, &wait.asked_by_node);
            wait.class = queue::class_name(&wait.asked);
            let line = self.lines.entry(wait.queue).or_default();
            line.present.insert((wait.queued_at, wait.entry));
        }
        for call in self.entries.values().copied().collect::<Vec<_>>() {
            if self.wait(call).is_some_and(|wait| wait.offer.is_none()) {
                self.set_waiting(call, true);
            }
        }
        for agent in self.agents.keys().copied().collect::<Vec<_>>() {
            self.agents.entry(agent).and_modify(|slot| slot.standing = Standing::Away);
            self.refresh_agent(agent);
        }
    }

    /// Forgets an agent who is not configured any more and holds nothing: their page is nobody's.
    pub(crate) fn forget_if_removed(&mut self, agent: AgentId) {
        let Some(slot) = self.agents.get(&agent).filter(|slot| slot.lease.is_none()) else {
            return;
        };
        if self.config.agents.contains_key(&agent) {
            return;
        }
        if let Some(page) = slot.page {
            self.page_gone(agent, page);
        }
        self.agents.remove(&agent);
    }
}
