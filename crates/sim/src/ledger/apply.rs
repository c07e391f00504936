//! From what happened to what is open.

use std::collections::BTreeMap;

use model::config::Device;
use model::event::{Consent, ConsultOutcome, Event, OfferOutcome, Recorded};
use model::flow::Node;
use model::{AgentId, CallId, OfferId, Span, Timestamp, limits};

use super::{Duty, Ledger, OpenCall, OpenConsult, OpenOffer, OpenTalk, OpenWait, Wish};

impl Ledger {
    /// Takes in what happened.
    pub fn apply(&mut self, recorded: &Recorded) {
        self.apply_call(&recorded.event);
        self.apply_wait(recorded);
        self.apply_consult(recorded.at, &recorded.event);
        self.apply_agent(recorded.at, &recorded.event);
    }

    fn apply_call(&mut self, event: &Event) {
        match event {
            Event::CallStarted { call, leg, flow, flow_version, .. } => {
                let open = OpenCall {
                    leg: *leg,
                    flow: (*flow, *flow_version),
                    node: None,
                    consent: Consent::Unasked,
                    recording: None,
                    place: None,
                    is_sent: false,
                    sent_by: None,
                };
                self.calls.insert(*call, open);
            }
            Event::NodeEntered { call, node } => {
                if let Some(open) = self.calls.get_mut(call) {
                    open.node = Some(node.clone());
                    (open.place, open.is_sent) = (None, false);
                }
            }
            Event::Transferred { call, agent, .. } => {
                if let Some(open) = self.calls.get_mut(call) {
                    (open.place, open.is_sent) = (None, true);
                    open.sent_by = Some(*agent);
                }
            }
            Event::Redirected { call, agent, flow, flow_version, .. } => {
                if let Some(open) = self.calls.get_mut(call) {
                    (open.place, open.is_sent) = (None, false);
                    (open.flow, open.sent_by) = ((*flow, *flow_version), Some(*agent));
                }
            }
            Event::ConsentTaken { call, consent } => {
                if let Some(open) = self.calls.get_mut(call) {
                    open.consent = *consent;
                }
            }
            Event::RecordingStarted { call, recording } => {
                if let Some(open) = self.calls.get_mut(call) {
                    open.recording = Some(*recording);
                }
            }
            Event::RecordingEnded { call, .. } => {
                if let Some(open) = self.calls.get_mut(call) {
                    open.recording = None;
                }
            }
            Event::CallEnded { call, .. } => {
                self.calls.remove(call);
            }
            _ => {}
        }
    }

    fn apply_wait(&mut self, recorded: &Recorded) {
        let at = recorded.at;
        match &recorded.event {
            Event::Queued { call, entry, queue, priority } => {
                let open = OpenWait {
                    call: *call,
                    queue: *queue,
                    priority: *priority,
                    since: at,
                    place: self.take_place(*call, at),
                    skills: self.skills_asked(*call),
                    offer: None,
                };
                // As if that agent had given it back.
                let sent_by = self.calls.get_mut(call).and_then(|open| open.sent_by.take());
                if let Some(agent) = sent_by {
                    self.refused.insert((*entry, agent), (OfferOutcome::Declined, at));
                }
                self.waits.insert(*entry, open);
            }
            Event::QueueLeft { entry, .. } => {
                self.waits.remove(entry);
                self.refused.retain(|(of, _), _| of != entry);
            }
            Event::Offered { call, entry, queue, offer, agent, .. } => {
                if let Some(wait) = self.waits.get_mut(entry) {
                    wait.offer = Some(*offer);
                }
                let ring_ms = self.config.queues.get(queue).map_or(0, |queue| queue.ring_ms);
                let ring = Span::from_millis(ring_ms);
                let (dialled, since) = (self.is_sip(*agent), at);
                let (call, entry, agent) = (*call, *entry, *agent);
                let open = OpenOffer { call, entry, agent, since, ring, dialled };
                self.offers.insert(*offer, open);
            }
            Event::OfferEnded { offer, agent, outcome, .. } => {
                let Some(open) = self.offers.remove(offer) else { return };
                // Who misses an offer goes on a break; so does whose SIP telephone is out of reach.
                let is_lost = *outcome == OfferOutcome::DeviceLost && open.dialled;
                if *outcome == OfferOutcome::NoAnswer || is_lost {
                    self.miss(at, *agent);
                }
                if *outcome == OfferOutcome::NotRung {
                    self.rests.insert(*agent, at);
                }
                if let Some(wait) = self.waits.get_mut(&open.entry) {
                    wait.offer = None;
                    if *outcome != OfferOutcome::Accepted {
                        self.refused.insert((open.entry, *agent), (*outcome, at));
                    }
                }
            }
            _ => {}
        }
    }

    fn apply_consult(&mut self, at: Timestamp, event: &Event) {
        match event {
            Event::ConsultStarted { call, consult, agent, colleague } => {
                let queue = self.talks.get(agent).and_then(|t| self.config.queues.get(&t.queue));
                let ring_ms = queue.map_or(limits::CONSULT_RING_MS, |queue| queue.ring_ms);
                let open = OpenConsult {
                    call: *call,
                    agent: *agent,
                    colleague: *colleague,
                    since: at,
                    ring: Span::from_millis(ring_ms),
                    dialled: self.is_sip(*colleague),
                    via: self
                        .line
                        .take()
                        .filter(|(of, _)| of == agent)
                        .map(|(_, leg)| (leg, false)),
                    leg: None,
                    conference: false,
                    lost: None,
                };
                self.consults.insert(*consult, open);
            }
            Event::ConsultJoined { consult, leg, .. } => {
                self.consult(*consult, |open| open.leg = Some(*leg));
            }
            Event::ConferenceStarted { consult, .. } => {
                self.consult(*consult, |open| open.conference = true);
            }
            Event::ConferenceEnded { consult, .. } => {
                self.consult(*consult, |open| open.conference = false);
            }
            Event::ConsultEnded { consult, colleague, outcome, .. } => {
                let Some(open) = self.consults.remove(consult) else { return };
                if open.leg.is_some() {
                    self.renew(at, *colleague);
                }
                let is_lost = *outcome == ConsultOutcome::DeviceLost && open.dialled;
                if *outcome == ConsultOutcome::NoAnswer || is_lost {
                    self.miss(at, *colleague);
                }
                if *outcome == ConsultOutcome::NotRung {
                    self.rests.insert(*colleague, at);
                }
            }
            _ => {}
        }
    }

    fn consult(&mut self, consult: OfferId, change: impl FnOnce(&mut OpenConsult)) {
        if let Some(open) = self.consults.get_mut(&consult) {
            change(open);
        }
    }

    pub(super) fn miss(&mut self, at: Timestamp, agent: AgentId) {
        if let Some(duty) = self.duties.get_mut(&agent)
            && duty.wish == Wish::Ready
        {
            *duty = Duty { wish: Wish::Missed, since: at };
        }
    }

    pub(super) fn is_sip(&self, agent: AgentId) -> bool {
        let device = self.config.agents.get(&agent).map(|agent| &agent.device);
        matches!(device, Some(Device::Sip { .. } | Device::Phone { .. }))
    }

    fn take_place(&mut self, call: CallId, at: Timestamp) -> Timestamp {
        let Some(open) = self.calls.get_mut(&call) else { return at };
        *open.place.get_or_insert(at)
    }

    fn skills_asked(&self, call: CallId) -> BTreeMap<String, u8> {
        let node = self
            .calls
            .get(&call)
            .filter(|open| !open.is_sent)
            .and_then(|open| self.flows.get(&open.flow)?.nodes.get(open.node.as_ref()?));
        match node {
            Some(Node::Queue { skills, .. }) => skills.clone(),
            _ => BTreeMap::new(),
        }
    }

    fn apply_agent(&mut self, at: Timestamp, event: &Event) {
        match event {
            Event::Connected { call, queue, agent, leg, .. } => {
                let dialled = self.devices.get(agent) != Some(leg);
                let (call, queue, leg) = (*call, *queue, *leg);
                let talk = OpenTalk { call, queue, leg, hold: false, lost: None, dialled };
                self.talks.insert(*agent, talk);
            }
            Event::Disconnected { agent, .. } => {
                self.talks.remove(agent);
                self.renew(at, *agent);
            }
            Event::HoldStarted { agent, .. } => self.talk(*agent, |t| t.hold = true),
            Event::HoldEnded { agent, .. } => self.talk(*agent, |t| t.hold = false),
            Event::AgentLost { agent, .. } => {
                self.talk(*agent, |t| t.lost = Some(at));
                self.colleague(*agent, |c| c.lost = Some(at));
            }
            Event::AgentRegained { agent, .. } => {
                let leg = self.devices.get(agent).copied();
                self.talk(*agent, |t| {
                    t.lost = None;
                    t.leg = leg.unwrap_or(t.leg);
                });
                self.colleague(*agent, |c| {
                    c.lost = None;
                    c.leg = leg.or(c.leg);
                });
            }
            Event::WrapUpStarted { call, agent, until, .. }
            | Event::WrapUpExtended { call, agent, until } => {
                self.wraps.insert(*agent, (*call, *until));
            }
            Event::WrapUpEnded { agent, .. } => {
                self.wraps.remove(agent);
                self.renew(at, *agent);
            }
            Event::AgentState { agent, state, .. } => {
                self.states.insert(*agent, (*state, at));
            }
            _ => {}
        }
    }

    fn colleague(&mut self, agent: AgentId, change: impl FnOnce(&mut OpenConsult)) {
        let open = self.consults.values_mut().find(|consult| consult.colleague == agent);
        if let Some(open) = open {
            change(open);
        }
    }

    fn talk(&mut self, agent: AgentId, change: impl FnOnce(&mut OpenTalk)) {
        if let Some(talk) = self.talks.get_mut(&agent) {
            change(talk);
        }
    }
}
