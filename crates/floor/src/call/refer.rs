//! Sending a customer on with the keys of a telephone (REFER, RFC 3515), and to a number.
//!
//! Invariant: every wish of a telephone is answered exactly once, unless its leg is over before.

use model::event::ConsultOutcome;
use model::sip::LegCause;
use model::{AgentId, CallId, DialString, Effect, Event, LegId, Refusal};
use serde::{Deserialize, Serialize};

use crate::agent::Lease;
use crate::call::Wish;
use crate::cell::{Cell, LegOwner};

/// A wish of a telephone's.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Referral {
    pub(crate) leg: LegId,
    pub(crate) refer: u32,
}

/// Done (RFC 3261 section 21.2.1).
const OK: u16 = 200;
/// Not for whoever asks (RFC 3261 section 21.4.4).
const FORBIDDEN: u16 = 403;
/// Nobody can be called at this moment (RFC 3261 section 21.4.24).
const BUSY_HERE: u16 = 486;
/// Not as things are (RFC 3261 section 21.4.27).
const IN_PROGRESS: u16 = 491;

/// What a telephone is told of a colleague who was to get the customer.
pub(crate) const fn refer_status(outcome: ConsultOutcome) -> u16 {
    match outcome {
        ConsultOutcome::HandedOver => OK,
        ConsultOutcome::Declined => 603,
        ConsultOutcome::NoAnswer | ConsultOutcome::DeviceLost => 480,
        ConsultOutcome::Withdrawn | ConsultOutcome::Over => 487,
        ConsultOutcome::NotRung => 503,
    }
}

/// The same for what is refused at once.
const fn refusal_status(refusal: Refusal) -> u16 {
    match refusal {
        Refusal::NotFree => BUSY_HERE,
        Refusal::UnknownChoice | Refusal::NotFound => 404,
        Refusal::Overloaded | Refusal::NotSaved => 503,
        Refusal::OfferGone | Refusal::WrongState | Refusal::NoDevice => IN_PROGRESS,
    }
}

impl Cell {
    /// An agent's telephone sends the customer on. Nobody else can.
    pub(crate) fn referred(
        &mut self,
        leg: LegId,
        refer: u32,
        to: &DialString,
        replaces: Option<LegId>,
    ) {
        let referral = Referral { leg, refer };
        if let Some(other) = replaces {
            return self.join_lines(leg, other, referral);
        }
        let Some(&LegOwner::Talk(call)) = self.legs.get(&leg) else {
            return self.refer(referral, FORBIDDEN);
        };
        let Some(agent) = self.talk(call).map(|talk| talk.agent) else { return };
        let result = match self.agent_at(to) {
            Some(colleague) => {
                let referral = Some(referral);
                let wish = Wish { colleague, hand_over: true, referral, via: None };
                self.consult(agent, call, wish)
            }
            None => self.redirect(agent, call, to, referral),
        };
        if let Err(refusal) = result {
            self.refer(referral, refusal_status(refusal));
        }
    }

    /// A telephone puts its two lines together: the customer is the colleague's, at once or as soon
    /// as they take it.
    fn join_lines(&mut self, leg: LegId, other: LegId, referral: Referral) {
        let lines = [leg, other].map(|leg| self.legs.get(&leg).copied());
        let call = match lines {
            [Some(LegOwner::Talk(call)), Some(LegOwner::Line(of))]
            | [Some(LegOwner::Line(call)), Some(LegOwner::Talk(of))]
                if call == of =>
            {
                call
            }
            _ => return self.refer(referral, FORBIDDEN),
        };
        if let Some(consult) = self.consult_mut(call).filter(|consult| consult.referral.is_none()) {
            (consult.hand_over, consult.referral) = (true, Some(referral));
            if self.is_joined(call) && !self.hand_over(call, LegCause::Hangup, true) {
                self.take_back(call);
            }
            return;
        }
        self.refer(referral, IN_PROGRESS);
    }

    /// The colleague is not there at this moment: the lines stay as they are.
    fn take_back(&mut self, call: CallId) {
        let Some(consult) = self.consult_mut(call) else { return };
        consult.hand_over = false;
        if let Some(referral) = consult.referral.take() {
            self.refer(referral, IN_PROGRESS);
        }
    }

    /// A telephone in conversation calls a colleague on its second line. Gives the status of a
    /// refusal.
    pub(crate) fn ask_by_line(
        &mut self,
        leg: LegId,
        agent: AgentId,
        colleague: AgentId,
    ) -> Result<(), u16> {
        let Some(&Lease::Talk(call)) = self.lease_of(agent) else { return Err(FORBIDDEN) };
        if self.talk(call).is_none_or(|talk| !talk.dialled) {
            return Err(FORBIDDEN);
        }
        let via = Some(leg);
        let wish = Wish { colleague, hand_over: false, referral: None, via };
        self.consult(agent, call, wish).map_err(|refusal| match refusal {
            Refusal::WrongState => BUSY_HERE,
            refusal => refusal_status(refusal),
        })?;
        self.legs.insert(leg, LegOwner::Line(call));
        self.effect(Effect::Ring { leg });
        Ok(())
    }

    /// The second line is up: the two talk.
    pub(crate) fn line_up(&mut self, call: CallId) {
        if let Some(line) = self.consult_mut(call).and_then(|consult| consult.via.as_mut()) {
            line.up = true;
            self.changed.calls.insert(call);
        }
    }

    /// The second line is over, and with it the consultation. A colleague who is to get the
    /// customer rings on.
    pub(crate) fn line_ended(&mut self, call: CallId) {
        let Some(talk) = self.talk_mut(call) else { return };
        match &mut talk.consult {
            Some(consult) if consult.hand_over => {
                consult.via = None;
                talk.holds.in_consult = true;
                self.changed.calls.insert(call);
                self.holds_changed(call);
            }
            _ => self.end_consult_of(call),
        }
    }

    /// Tells a telephone what became of its wish.
    pub(crate) fn refer(&mut self, Referral { leg, refer }: Referral, status: u16) {
        let now = self.now;
        if status != OK
            && let Some(&LegOwner::Talk(call)) = self.legs.get(&leg)
            && let Some(talk) = self.talk_mut(call)
        {
            talk.not_sent_at = Some(now);
        }
        self.effect(Effect::Refer { leg, refer, status });
    }

    /// Who is reached by an extension.
    pub(crate) fn agent_at(&self, extension: &DialString) -> Option<AgentId> {
        let mut agents = self.config.agents.iter();
        let found = agents.find(|(_, agent)| agent.extension.as_ref() == Some(extension));
        found.map(|(agent, _)| *agent)
    }

    /// The agent sends the customer to a number of the company, whose flow begins.
    fn redirect(
        &mut self,
        agent: AgentId,
        id: CallId,
        dialled: &DialString,
        referral: Referral,
    ) -> Result<(), Refusal> {
        let talk = self.heard_talk(agent, id)?;
        if talk.consult.is_some() {
            return Err(Refusal::WrongState);
        }
        let (queue, since) = (talk.queue, talk.connected_at);
        let flow = self.config.numbers.get(dialled).copied().ok_or(Refusal::UnknownChoice)?;
        let published = self.config.flows.get(&flow).ok_or(Refusal::UnknownChoice)?;
        let (flow_version, start) = (published.version, published.flow.start.clone());
        let contact = self.contact_view(id).ok_or(Refusal::NotFound)?;
        let dialled = dialled.clone();
        self.event(Event::Redirected { call: id, agent, queue, dialled, flow, flow_version });
        self.refer(referral, OK);
        self.disconnect(id, LegCause::Hangup);
        self.begin_wrap_up(agent, contact, self.now.since(since));
        let Some(call) = self.calls.get_mut(&id) else { return Ok(()) };
        (call.flow, call.flow_version) = (flow, flow_version);
        (call.sent_to, call.sent_by) = (None, Some(agent));
        if call.guard.is_none() {
            self.guard_keys(id);
        }
        self.enter_node(id, start);
        Ok(())
    }
}
