//! Agents: what they want, what they hold, and the state that follows from both.
//!
//! Invariant: the state of an agent is computed from intent, telephone and lease each time it is
//! asked for; what was announced last is kept only to know whether to speak again.

mod device;
mod shift;
mod wrap_up;

use model::config::Device;
use model::event::AgentState;
use model::{AgentId, CallId, LegId, OfferId, Timestamp};
use serde::{Deserialize, Serialize};

pub(crate) use wrap_up::WrapUp;

use crate::cell::Cell;
use crate::mutation::Mutation;

/// What the agent wants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Intent {
    SignedOut,
    Ready,
    /// With the code of the reason; none right after sign-in.
    Break(Option<String>),
    /// An offer was missed: ready again only when the agent says so.
    DidNotAnswer,
}

/// What the agent's one slot is leased for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Lease {
    Offer(OfferId),
    Talk(CallId),
    /// A colleague's call that the agent was asked into.
    Consult(CallId),
    WrapUp(Box<WrapUp>),
}

impl Lease {
    pub(crate) fn is_offer(&self, id: OfferId) -> bool {
        matches!(self, Self::Offer(offer) if *offer == id)
    }
}

/// How the indexes of the queues hold an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) enum Standing {
    #[default]
    Away,
    Ready(Timestamp),
    Busy,
}

/// One agent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct AgentSlot {
    pub(crate) intent: Intent,
    /// The leg of the agent's page while it is up.
    pub(crate) page: Option<LegId>,
    pub(crate) lease: Option<Lease>,
    /// Since when the agent has been ready without a contact; an offer that led nowhere does not
    /// interrupt it, so nobody loses a turn because a caller hung up.
    pub(crate) ready_since: Option<Timestamp>,
    pub(crate) standing: Standing,
    /// The state and reason that were announced last.
    pub(crate) announced: (AgentState, Option<String>),
    /// Since when.
    pub(crate) since: Timestamp,
}

impl AgentSlot {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            intent: Intent::SignedOut,
            page: None,
            lease: None,
            ready_since: None,
            standing: Standing::Away,
            announced: (AgentState::SignedOut, None),
            since: now,
        }
    }
}

impl Cell {
    pub(crate) fn lease_of(&self, agent: AgentId) -> Option<&Lease> {
        self.agents.get(&agent)?.lease.as_ref()
    }

    /// Leases the agent's slot, or frees it.
    pub(crate) fn lease(&mut self, agent: AgentId, lease: Option<Lease>) {
        if let Some(slot) = self.agents.get_mut(&agent) {
            slot.lease = lease;
            self.refresh_agent(agent);
        }
    }

    /// Whether an offer could reach the agent at this instant.
    pub(crate) fn is_reachable(&self, agent: AgentId) -> bool {
        match self.config.agents.get(&agent).map(|agent| &agent.device) {
            Some(Device::Browser) => {
                self.agents.get(&agent).is_some_and(|slot| slot.page.is_some())
            }
            Some(Device::Sip { .. }) => true,
            Some(Device::Phone { device }) => self.phones.contains(device),
            None => false,
        }
    }

    /// The state and, for a break, its reason.
    pub(crate) fn state_of(
        &self,
        agent: AgentId,
        slot: &AgentSlot,
    ) -> (AgentState, Option<String>) {
        let state = match (&slot.lease, &slot.intent) {
            (Some(Lease::Offer(_)), _) => AgentState::Offered,
            (Some(Lease::Talk(call)), _) if self.is_on_hold(*call) => AgentState::Hold,
            (Some(Lease::Consult(call)), _) if !self.is_joined(*call) => AgentState::Offered,
            (Some(Lease::Talk(_) | Lease::Consult(_)), _) => AgentState::Talking,
            (Some(Lease::WrapUp(_)), _) => AgentState::WrapUp,
            (None, Intent::SignedOut) => AgentState::SignedOut,
            (None, Intent::Break(reason)) => return (AgentState::Break, reason.clone()),
            (None, Intent::DidNotAnswer) => AgentState::DidNotAnswer,
            (None, Intent::Ready) if self.is_reachable(agent) => AgentState::Ready,
            (None, Intent::Ready) => AgentState::NoDevice,
        };
        (state, None)
    }

    /// Brings the indexes of the queues in line with the agent, after any change of intent,
    /// telephone, lease or configuration.
    pub(crate) fn refresh_agent(&mut self, agent: AgentId) {
        self.changed.agents.insert(agent);
        let reachable = self.is_reachable(agent);
        let is_taken = match self.lease_of(agent) {
            Some(Lease::Talk(_) | Lease::WrapUp(_)) => true,
            Some(&Lease::Consult(call)) => self.is_joined(call),
            Some(Lease::Offer(_)) | None => false,
        };
        let Some(slot) = self.agents.get_mut(&agent) else { return };
        let willing = slot.intent == Intent::Ready && reachable && !is_taken;
        slot.ready_since = if willing { slot.ready_since.or(Some(self.now)) } else { None };
        let standing = match (&slot.lease, slot.ready_since) {
            (None, Some(since)) => Standing::Ready(since),
            (None, None) => Standing::Away,
            (Some(_), _) => Standing::Busy,
        };
        let offered = matches!(slot.lease, Some(Lease::Offer(_)));
        let before = std::mem::replace(&mut slot.standing, standing);
        if offered && self.mutated(Mutation::DoubleOffer) {
            self.agents.entry(agent).and_modify(|slot| slot.standing = before);
        } else if before != standing {
            self.index_agent(agent, before, standing);
        }
    }

    fn index_agent(&mut self, agent: AgentId, before: Standing, now: Standing) {
        let Some(agent_config) = self.config.agents.get(&agent) else { return };
        for queue in &agent_config.queues {
            let Some(line) = self.lines.get_mut(queue) else { continue };
            line.stand(agent, Some(&agent_config.skills), before, now);
            self.changed.queues.insert(*queue);
        }
        if matches!(now, Standing::Ready(_)) {
            self.changed.free_agents.insert(agent);
        }
    }
}
