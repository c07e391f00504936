//! A customer rings.
//!
//! Invariant: what cannot be served is refused without a trace: a refused leg is never a call.

use std::collections::{BTreeMap, VecDeque};

use model::event::Consent;
use model::media::Graph;
use model::sip::LegCause;
use model::{CallId, DialString, Effect, Event, LegId, PartyId, Span, limits};

use crate::call::{Call, Stage};
use crate::cell::{Cell, LegOwner};
use crate::timer::Reason;

/// No such number (RFC 3261 section 21.4.5).
const NOT_FOUND: u16 = 404;
/// At a limit, come back later (RFC 3261 section 21.5.4).
const SERVICE_UNAVAILABLE: u16 = 503;

impl Cell {
    pub(crate) fn call_offered(
        &mut self,
        leg: LegId,
        caller: Option<DialString>,
        party: PartyId,
        dialled: DialString,
    ) {
        if self.legs.contains_key(&leg) {
            return;
        }
        let flow = self.config.numbers.get(&dialled).copied();
        let Some((flow, published)) =
            flow.and_then(|id| self.config.flows.get(&id).map(|flow| (id, flow)))
        else {
            return self.effect(Effect::Refuse { leg, status: NOT_FOUND });
        };
        if self.calls.len() >= limits::CALLS_PER_CELL_MAX {
            return self.effect(Effect::Refuse { leg, status: SERVICE_UNAVAILABLE });
        }
        let flow_version = published.version;
        let id: CallId = self.mint.mint(self.now);
        let call = Call {
            leg,
            caller,
            party,
            dialled: dialled.clone(),
            flow,
            flow_version,
            node: published.flow.start.clone(),
            language: self.config.language.clone(),
            consent: Consent::Unasked,
            variables: BTreeMap::new(),
            facts: Vec::new(),
            keys: VecDeque::new(),
            keys_since: self.now,
            keys_in_second: 0,
            guard: None,
            steps: 0,
            steps_without_wait: 0,
            recording: None,
            sent_to: None,
            sent_by: None,
            was_handled: false,
            stage: Stage::Answering,
            rev: 0,
            graph: Graph::default(),
        };
        self.calls.insert(id, call);
        self.legs.insert(leg, LegOwner::Customer(id));
        self.timers.set(self.now + Span::from_millis(limits::CALL_MS_MAX), Reason::CallAge(id));
        self.event(Event::CallStarted { call: id, leg, party, dialled, flow, flow_version });
        self.guard_keys(id);
        self.effect(Effect::Answer { leg });
    }

    /// The customer's leg is up: the flow begins.
    pub(crate) fn customer_up(&mut self, id: CallId) {
        let Some(call) = self.calls.get(&id) else { return };
        if matches!(call.stage, Stage::Answering) {
            let start = call.node.clone();
            self.event(Event::CallAnswered { call: id });
            self.enter_node(id, start);
        }
    }

    /// A leg that we dialled or answered is up.
    pub(crate) fn leg_up(&mut self, leg: LegId) {
        match self.legs.get(&leg) {
            Some(&LegOwner::Customer(call)) => self.customer_up(call),
            Some(&LegOwner::Offer(offer)) => self.accept_offer(offer, leg),
            Some(&LegOwner::Consult(call)) => self.join_consult(call, leg),
            Some(&LegOwner::Line(call)) => self.line_up(call),
            Some(&LegOwner::Errand(errand)) => self.errand_answered(errand),
            Some(LegOwner::Talk(_) | LegOwner::Page(_)) => {}
            // Answered in the instant in which its offer was taken back: nobody may be left on it.
            None => self.effect(Effect::Hangup { leg, cause: LegCause::Cancelled }),
        }
    }
}
