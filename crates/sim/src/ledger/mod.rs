//! What the journal says is open now: the invariants' own book, kept from events alone and sharing
//! nothing with the floor.
//!
//! It holds what is going on; the checks decide whether that may be so.

mod apply;
mod open;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::config::{Device, TenantConfig};
use model::event::{AgentState, OfferOutcome};
use model::flow::Flow;
use model::input::Command;
use model::media::ClipId;
use model::sip::LegCause;
use model::{
    AgentId, CallId, DeviceId, Effect, FlowId, Input, LegId, OfferId, QueueEntryId, Span,
    Timestamp, limits,
};

pub(crate) use open::{
    Duty, OpenCall, OpenConsult, OpenErrand, OpenOffer, OpenTalk, OpenWait, Wish,
};

/// What is open now.
#[derive(Debug, Clone)]
pub struct Ledger {
    /// The configuration in force.
    pub config: Arc<TenantConfig>,
    /// The agents' shifts.
    pub duties: BTreeMap<AgentId, Duty>,
    /// Calls whose customer is here.
    pub calls: BTreeMap<CallId, OpenCall>,
    /// Waits.
    pub waits: BTreeMap<QueueEntryId, OpenWait>,
    /// Offers.
    pub offers: BTreeMap<OfferId, OpenOffer>,
    /// Conversations by agent.
    pub talks: BTreeMap<AgentId, OpenTalk>,
    /// Consultations.
    pub consults: BTreeMap<OfferId, OpenConsult>,
    /// Wrap-ups by agent: the call and when it ends by itself.
    pub wraps: BTreeMap<AgentId, (CallId, Timestamp)>,
    /// The state of every agent who ever had one, and since when.
    pub states: BTreeMap<AgentId, (AgentState, Timestamp)>,
    /// Pages that are connected, as the cell was told.
    pub devices: BTreeMap<AgentId, LegId>,
    /// Telephones that are registered, as the cell was told.
    pub phones: BTreeSet<DeviceId>,
    /// Telephones that hold with their own key, as the cell was told.
    pub held: BTreeSet<LegId>,
    /// Offers that ended without the contact being taken, by wait and agent.
    pub refused: BTreeMap<(QueueEntryId, AgentId), (OfferOutcome, Timestamp)>,
    /// Calls of agents' telephones to the house itself, by their legs.
    pub errands: BTreeMap<LegId, OpenErrand>,
    /// The second line on which a telephone calls a colleague in this very step.
    line: Option<(AgentId, LegId)>,
    /// When the house last could not ring an agent's telephone.
    pub rests: BTreeMap<AgentId, Timestamp>,
    /// Every clip that was ever configured: a play-out under way keeps its own.
    pub clips: BTreeSet<ClipId>,
    /// Published flow versions: calls keep the one they began on.
    flows: BTreeMap<(FlowId, u64), Arc<Flow>>,
}

impl Ledger {
    /// An empty one under a first configuration.
    #[must_use]
    pub fn new(config: &Arc<TenantConfig>) -> Self {
        let mut ledger = Self {
            config: Arc::clone(config),
            duties: BTreeMap::new(),
            calls: BTreeMap::new(),
            waits: BTreeMap::new(),
            offers: BTreeMap::new(),
            talks: BTreeMap::new(),
            consults: BTreeMap::new(),
            wraps: BTreeMap::new(),
            states: BTreeMap::new(),
            devices: BTreeMap::new(),
            phones: BTreeSet::new(),
            held: BTreeSet::new(),
            refused: BTreeMap::new(),
            errands: BTreeMap::new(),
            line: None,
            rests: BTreeMap::new(),
            clips: BTreeSet::new(),
            flows: BTreeMap::new(),
        };
        ledger.configure(Timestamp::default(), config);
        ledger
    }

    fn configure(&mut self, now: Timestamp, config: &Arc<TenantConfig>) {
        let agents = self.duties.keys().copied();
        let unreachable: Vec<_> = agents.filter(|agent| !self.reachable(*agent)).collect();
        let before = std::mem::replace(&mut self.config, Arc::clone(config));
        // Another telephone may be one that can be reached.
        for agent in unreachable {
            if self.reachable(agent) {
                self.renew(now, agent);
            }
        }
        for (agent, duty) in &mut self.duties {
            if !config.agents.contains_key(agent) {
                duty.wish = Wish::Away;
            }
        }
        // Who was away and is back begins anew, unless a contact had kept the old page in use.
        for agent in config.agents.keys().filter(|agent| !before.agents.contains_key(*agent)) {
            if !self.holds_contact(*agent) {
                self.devices.remove(agent);
            }
        }
        let variants = config.prompts.values().flat_map(|prompt| prompt.variants.values());
        self.clips.extend(variants.map(|variant| variant.clip));
        for (id, published) in &config.flows {
            self.flows.insert((*id, published.version), Arc::clone(&published.flow));
        }
    }

    /// Learns what the cell is told, before the outputs of it.
    pub fn told(&mut self, now: Timestamp, input: &Input) {
        self.line = None;
        match input {
            Input::LegUp { leg } => {
                let lines = self.consults.values_mut().filter_map(|consult| consult.via.as_mut());
                lines.filter(|(of, _)| of == leg).for_each(|(_, is_up)| *is_up = true);
            }
            Input::Config(config)
                if config.tenant == self.config.tenant && config.n >= self.config.n =>
            {
                self.configure(now, config);
            }
            Input::DeviceUp { agent, leg } if self.is_known(*agent) => {
                let was_away = self.devices.insert(*agent, *leg).is_none();
                if was_away && !self.is_sip(*agent) {
                    self.renew(now, *agent);
                }
            }
            Input::Phone { device, is_up: true } => {
                let came = self.phones.insert(*device);
                let phone = Device::Phone { device: *device };
                let owner = self.config.agents.iter().find(|(_, agent)| agent.device == phone);
                if let (true, Some(agent)) = (came, owner.map(|(agent, _)| *agent)) {
                    self.renew(now, agent);
                }
            }
            Input::Phone { device, is_up: false } => {
                self.phones.remove(device);
            }
            Input::DeviceDown { agent, leg } if self.devices.get(agent) == Some(leg) => {
                self.devices.remove(agent);
            }
            Input::LegHeld { leg, is_held: true } => {
                self.held.insert(*leg);
            }
            Input::LegHeld { leg, is_held: false } => {
                self.held.remove(leg);
            }
            // A telephone that fails in conversation counts as missed.
            Input::LegEnded { leg, cause } if is_of_the_telephone(*cause) => {
                let talk = self.talks.iter().find(|(_, talk)| talk.leg == *leg);
                if let Some((agent, _)) = talk.filter(|(_, talk)| talk.dialled) {
                    self.miss(now, *agent);
                }
            }
            Input::LegEnded { leg, .. } if self.errands.remove(leg).is_some() => {}
            Input::LegEnded { leg, .. } if self.line_ended(*leg) => {}
            Input::PhoneDialled { leg, device, dialled } => {
                self.dialled(now, *leg, *device, dialled.as_str());
            }
            Input::Command { agent, command, .. } if self.config.agents.contains_key(agent) => {
                self.command(now, *agent, command);
            }
            _ => {}
        }
    }

    /// Whether it was the second line of a telephone that asks a colleague.
    fn line_ended(&mut self, leg: LegId) -> bool {
        let mut consults = self.consults.values_mut();
        let consult = consults.find(|consult| consult.via.is_some_and(|(of, _)| of == leg));
        consult.is_some_and(|consult| consult.via.take().is_some())
    }

    /// Learns what is to be done about a call of a telephone to the house.
    pub fn asked(&mut self, effect: &Effect) {
        match effect {
            Effect::Hangup { leg, .. } => {
                self.errands.remove(leg);
            }
            Effect::Media { call, graph, .. } => {
                let leg = graph.hears.keys().find(|leg| self.errands.contains_key(leg)).copied();
                if let Some(errand) = leg.and_then(|leg| self.errands.get_mut(&leg)) {
                    errand.call = Some(*call);
                }
            }
            _ => {}
        }
    }

    /// A telephone asks by a code for what its agent could ask for on the page.
    fn dialled(&mut self, now: Timestamp, leg: LegId, device: DeviceId, code: &str) {
        let phone = Device::Phone { device };
        let owner = self.config.agents.iter().find(|(_, agent)| agent.device == phone);
        let Some(agent) = owner.map(|(agent, _)| *agent) else { return };
        let mut agents = self.config.agents.values();
        if agents.any(|agent| agent.extension.as_ref().is_some_and(|own| own.as_str() == code)) {
            self.line = Some((agent, leg));
            return;
        }
        let wish = match code {
            "*61" => Wish::Ready,
            "*62" => Wish::Break,
            "*63" => Wish::Away,
            _ => return,
        };
        if self.is_on_errand(agent) || self.errands.contains_key(&leg) {
            return;
        }
        self.errands.insert(leg, OpenErrand { agent, since: now, call: None });
        let duty = self.duties.entry(agent).or_insert(Duty { wish: Wish::Away, since: now });
        // Whoever has no shift takes no break from it.
        let is_away = wish == Wish::Break && duty.wish == Wish::Away;
        if duty.wish != wish && !is_away {
            *duty = Duty { wish, since: now };
        }
    }

    /// Whether an agent's telephone is on a call to the house.
    #[must_use]
    pub fn is_on_errand(&self, agent: AgentId) -> bool {
        self.errands.values().any(|errand| errand.agent == agent)
    }

    fn command(&mut self, now: Timestamp, agent: AgentId, command: &Command) {
        let duty = self.duties.entry(agent).or_insert(Duty { wish: Wish::Away, since: now });
        let on_shift = duty.wish != Wish::Away;
        let wish = match command {
            Command::SignIn if !on_shift => Wish::Break,
            Command::SignOut => Wish::Away,
            Command::Ready if on_shift => Wish::Ready,
            Command::Break { reason }
                if on_shift && self.config.break_reasons.contains_key(reason) =>
            {
                Wish::Break
            }
            _ => return,
        };
        if duty.wish != wish {
            *duty = Duty { wish, since: now };
        }
    }

    /// Whoever is not configured any more still finishes what is held.
    fn is_known(&self, agent: AgentId) -> bool {
        self.config.agents.contains_key(&agent) || self.holds_contact(agent)
    }

    fn holds_contact(&self, agent: AgentId) -> bool {
        self.talks.contains_key(&agent)
            || self.wraps.contains_key(&agent)
            || self.asked_into(agent).is_some_and(|(_, consult)| consult.leg.is_some())
    }

    /// The consultation that an agent was asked into.
    #[must_use]
    pub fn asked_into(&self, agent: AgentId) -> Option<(OfferId, &OpenConsult)> {
        let mut all = self.consults.iter();
        all.find(|(_, consult)| consult.colleague == agent).map(|(id, consult)| (*id, consult))
    }

    /// The consultation in a call.
    #[must_use]
    pub fn consult_in(&self, call: CallId) -> Option<&OpenConsult> {
        self.consults.values().find(|consult| consult.call == call)
    }

    fn renew(&mut self, now: Timestamp, agent: AgentId) {
        if let Some(duty) = self.duties.get_mut(&agent) {
            duty.since = duty.since.max(now);
        }
    }

    /// Whether an offer could reach the agent.
    #[must_use]
    pub fn reachable(&self, agent: AgentId) -> bool {
        match self.config.agents.get(&agent).map(|agent| &agent.device) {
            Some(Device::Browser) => self.devices.contains_key(&agent),
            Some(Device::Sip { .. }) => true,
            Some(Device::Phone { device }) => self.phones.contains(device),
            None => false,
        }
    }

    /// The state that follows from what the agent wants and what is open.
    #[must_use]
    pub fn derived(&self, agent: AgentId) -> AgentState {
        if self.offer_of(agent).is_some() {
            return AgentState::Offered;
        }
        if let Some((_, consult)) = self.asked_into(agent) {
            return if consult.leg.is_some() { AgentState::Talking } else { AgentState::Offered };
        }
        if let Some(talk) = self.talks.get(&agent) {
            return if talk.hold { AgentState::Hold } else { AgentState::Talking };
        }
        if self.wraps.contains_key(&agent) {
            return AgentState::WrapUp;
        }
        match self.duties.get(&agent).map(|duty| duty.wish) {
            None | Some(Wish::Away) => AgentState::SignedOut,
            Some(Wish::Break) => AgentState::Break,
            Some(Wish::Missed) => AgentState::DidNotAnswer,
            Some(Wish::Ready) if self.reachable(agent) => AgentState::Ready,
            Some(Wish::Ready) => AgentState::NoDevice,
        }
    }

    /// Whether the agent could take the wait if both were free: queue and skills.
    #[must_use]
    pub fn fits(&self, agent: AgentId, wait: &OpenWait) -> bool {
        let (Some(agent), Some(queue)) =
            (self.config.agents.get(&agent), self.config.queues.get(&wait.queue))
        else {
            return false;
        };
        agent.queues.contains(&wait.queue)
            && queue
                .skills
                .iter()
                .chain(&wait.skills)
                .all(|(skill, least)| agent.skills.get(skill) >= Some(least))
    }

    /// Until when the wait is kept away from the agent who gave it back.
    #[must_use]
    pub fn excluded_until(&self, entry: QueueEntryId, agent: AgentId) -> Option<Timestamp> {
        let (outcome, at) = self.refused.get(&(entry, agent))?;
        // Who missed it is on a break, and who is ready again is ready for this one too.
        (*outcome == OfferOutcome::Declined)
            .then(|| *at + Span::from_millis(limits::OFFER_EXCLUSION_MS))
    }

    /// Until when an agent is offered nothing, because the house could not ring the telephone.
    #[must_use]
    pub fn rests_until(&self, agent: AgentId) -> Option<Timestamp> {
        self.rests.get(&agent).map(|at| *at + Span::from_millis(limits::AGENT_REST_MS))
    }

    /// The offer that rings at an agent.
    #[must_use]
    pub fn offer_of(&self, agent: AgentId) -> Option<&OpenOffer> {
        self.offers.values().find(|offer| offer.agent == agent)
    }

    /// Whether nothing is going on.
    #[must_use]
    pub fn quiet(&self) -> bool {
        self.calls.is_empty()
            && self.waits.is_empty()
            && self.offers.is_empty()
            && self.talks.is_empty()
            && self.consults.is_empty()
            && self.errands.is_empty()
            && self.wraps.is_empty()
    }
}

/// Whether a dialled leg that ends so in conversation failed at the telephone.
fn is_of_the_telephone(cause: LegCause) -> bool {
    matches!(
        cause,
        LegCause::MediaTimeout | LegCause::Unreachable | LegCause::NoAck | LegCause::Refused
    )
}
