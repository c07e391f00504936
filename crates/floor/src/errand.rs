//! Errands: calls of an agent's telephone to the house itself, by short codes, so that a shift can
//! be worked without a page.
//!
//! Invariant: what a code asks for has happened before its call is answered; the call only says so
//! and ends by itself. Meanwhile its telephone is offered nothing.

use model::config::Device;
use model::media::{Graph, Hears};
use model::sip::LegCause;
use model::{AgentId, CallId, DeviceId, DialString, Effect, LegId, PlayId, Span, limits};
use serde::{Deserialize, Serialize};

use crate::agent::{Intent, Lease};
use crate::cell::{Cell, LegOwner};
use crate::mutation::Mutation;
use crate::timer::Reason;

/// No such number (RFC 3261 section 21.4.5).
const NOT_FOUND: u16 = 404;
/// The telephone is on such a call already (RFC 3261 section 21.4.24).
const BUSY_HERE: u16 = 486;

/// What a telephone can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Code {
    /// Begin the shift if it has not begun, end the wrap-up if there is one, and take offers.
    Ready,
    /// Take no offers after the present contact.
    Break,
    /// End the shift.
    SignOut,
}

impl Code {
    fn read(dialled: &DialString) -> Option<Self> {
        match dialled.as_str() {
            "*61" => Some(Self::Ready),
            "*62" => Some(Self::Break),
            "*63" => Some(Self::SignOut),
            _ => None,
        }
    }

    /// The prompt that says that it was done.
    const fn prompt(self) -> &'static str {
        match self {
            Self::Ready => "phone_ready",
            Self::Break => "phone_break",
            Self::SignOut => "phone_signed_out",
        }
    }
}

/// A call of an agent's telephone to the house.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Errand {
    agent: AgentId,
    leg: LegId,
    code: Code,
    /// What the agent hears once the call is up.
    playing: Option<PlayId>,
}

impl Cell {
    /// A telephone dials what is no number of the company.
    pub(crate) fn phone_dialled(&mut self, leg: LegId, device: DeviceId, dialled: &DialString) {
        if self.legs.contains_key(&leg) {
            return;
        }
        let phone = Device::Phone { device };
        let owner = self.config.agents.iter().find(|(_, agent)| agent.device == phone);
        let Some((&agent, _)) = owner else {
            return self.effect(Effect::Refuse { leg, status: NOT_FOUND });
        };
        if let Some(colleague) = self.agent_at(dialled) {
            if let Err(status) = self.ask_by_line(leg, agent, colleague) {
                self.effect(Effect::Refuse { leg, status });
            }
            return;
        }
        let Some(code) = Code::read(dialled) else {
            return self.effect(Effect::Refuse { leg, status: NOT_FOUND });
        };
        if self.is_on_errand(agent) {
            return self.effect(Effect::Refuse { leg, status: BUSY_HERE });
        }
        let id: CallId = self.mint.mint(self.now);
        // Whoever has no shift takes no break from it, and is told so.
        let is_away = self.agents.get(&agent).is_some_and(|one| one.intent == Intent::SignedOut);
        let code = if is_away && code == Code::Break { Code::SignOut } else { code };
        self.errands.insert(id, Errand { agent, leg, code, playing: None });
        self.legs.insert(leg, LegOwner::Errand(id));
        let until = self.now + Span::from_millis(limits::ERRAND_MS_MAX);
        self.timers.set(until, Reason::Errand(id));
        self.obey(agent, code);
        self.effect(Effect::Answer { leg });
    }

    fn obey(&mut self, agent: AgentId, code: Code) {
        match code {
            Code::Ready => {
                self.intend(agent, Intent::Ready);
                if matches!(self.lease_of(agent), Some(Lease::WrapUp(_))) {
                    self.end_wrap_up(agent, None, None);
                }
            }
            // A reason that was given on the page stands.
            Code::Break if self.is_on_break(agent) => {}
            Code::Break => self.intend(agent, Intent::Break(None)),
            Code::SignOut => {
                let _ = self.sign_out(agent);
            }
        }
    }

    fn is_on_break(&self, agent: AgentId) -> bool {
        self.agents.get(&agent).is_some_and(|slot| matches!(slot.intent, Intent::Break(_)))
    }

    fn is_on_errand(&self, agent: AgentId) -> bool {
        self.errands.values().any(|errand| errand.agent == agent)
    }

    /// Agents whose telephones are on calls to the house.
    pub(crate) fn on_errands(&self) -> impl Iterator<Item = AgentId> {
        let rung = self.mutated(Mutation::RungOnErrand);
        self.errands.values().map(|errand| errand.agent).filter(move |_| !rung)
    }

    /// Whether an agent who is ready is offered nothing at this moment: the house could not ring
    /// the telephone, or it is on an errand.
    pub(crate) fn is_spared(&self, agent: AgentId) -> bool {
        self.resting.contains(&agent) || self.on_errands().any(|one| one == agent)
    }

    /// The telephone's leg is up: it hears what was done.
    pub(crate) fn errand_answered(&mut self, id: CallId) {
        let errand = self.errands.get(&id).filter(|errand| errand.playing.is_none());
        let Some(&Errand { leg, code, .. }) = errand else { return };
        let Some(clip) = self.clip(code.prompt(), &self.config.language) else {
            return self.end_errand(id, LegCause::Hangup);
        };
        let play: PlayId = self.mint.mint(self.now);
        self.errands.entry(id).and_modify(|errand| errand.playing = Some(play));
        let hears = Hears::Play { play, clips: vec![clip.clip] };
        let graph = Graph { hears: [(leg, hears)].into(), record: None };
        self.effect(Effect::Media { call: id, rev: 1, graph });
        let late = Span::from_millis(i64::from(clip.length_ms) + limits::PLAY_LATE_MS);
        self.timers.set(self.now + late, Reason::Errand(id));
    }

    /// What was said is over.
    pub(crate) fn errand_said(&mut self, id: CallId, play: PlayId) {
        if self.errands.get(&id).is_some_and(|errand| errand.playing == Some(play)) {
            self.end_errand(id, LegCause::Hangup);
        }
    }

    /// Hangs up, if the telephone has not.
    pub(crate) fn end_errand(&mut self, id: CallId, cause: LegCause) {
        let Some(errand) = self.errands.remove(&id) else { return };
        self.timers.clear(Reason::Errand(id));
        if self.legs.remove(&errand.leg).is_some() {
            self.effect(Effect::Hangup { leg: errand.leg, cause });
        }
        if errand.playing.is_some() {
            self.effect(Effect::MediaEnd { call: id });
        }
        self.changed.free_agents.insert(errand.agent);
    }
}
