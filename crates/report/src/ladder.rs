//! The ladder of one call: what customer, flow, queue and agents did beside each other, for the
//! call's page. Labels are ids and codes; whoever shows them knows the names.

use std::collections::BTreeMap;

use model::event::{Consent, ConsultOutcome, Event, OfferOutcome, QueueOutcome, Recorded};
use model::id::{AgentId, OfferId, QueueId, RecordingId};
use model::number::DialString;
use model::sip::LegCause;
use model::time::Timestamp;
use serde::{Deserialize, Serialize};

/// One call, drawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ladder {
    /// When the call rang.
    pub start_at: Timestamp,
    /// When the last thing about it ended; `None` while something runs.
    pub end_at: Option<Timestamp>,
    /// Customer, flow and queue first, then the agents in the order of their first offer.
    pub lanes: Vec<Lane>,
    /// Points in time, oldest first.
    pub marks: Vec<Mark>,
}

/// One actor's line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lane {
    /// Whose line it is.
    pub actor: Actor,
    /// What happened on it, oldest first.
    pub segments: Vec<Segment>,
}

/// Whose line it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// The customer.
    Customer,
    /// The flow.
    Flow,
    /// The waits, in whatever queue.
    Queue,
    /// One agent.
    Agent(AgentId),
}

/// A stretch of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// What it was.
    pub kind: SegmentKind,
    /// Beginning.
    pub start_at: Timestamp,
    /// End; `None` while it runs.
    pub end_at: Option<Timestamp>,
    /// How it ended, where that is more than "over".
    pub detail: Option<Detail>,
}

/// What a stretch of time was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SegmentKind {
    /// The customer heard ringing.
    Ring,
    /// The customer's leg was up.
    Connected,
    /// The flow was in this node.
    Node(String),
    /// A wait in this queue.
    Waiting(QueueId),
    /// The agent's telephone rang.
    Offered,
    /// A colleague who was asked in talked with the agent alone.
    Consult,
    /// Agent and customer talked.
    Talking,
    /// The customer was on hold.
    Hold,
    /// The agent's page was lost.
    Lost,
    /// The agent wrapped up.
    WrapUp,
}

/// How a stretch ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Detail {
    /// A wait.
    Queue(QueueOutcome),
    /// An offer.
    Offer(OfferOutcome),
    /// A consultation.
    Consult(ConsultOutcome),
    /// A leg.
    Leg(LegCause),
    /// The result chosen in a wrap-up.
    Disposition(String),
}

/// A point in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: MarkKind,
}

/// What happened at a point in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MarkKind {
    /// The caller chose this key in this menu.
    Chosen {
        /// The menu.
        node: String,
        /// The key.
        key: char,
    },
    /// The caller typed a value into this variable.
    Collected {
        /// The variable.
        variable: String,
    },
    /// The caller was told of recording.
    Consent(Consent),
    /// A recording began.
    RecordingStarted(RecordingId),
    /// A recording ended.
    RecordingEnded(RecordingId),
    /// The wrap-up got more time.
    WrapUpExtended(AgentId),
    /// The caller was put on the call-back list.
    CallbackListed(QueueId),
    /// The agent sent the caller to this queue.
    Transferred(QueueId),
    /// An agent sent the customer to a number of the company.
    Redirected(DialString),
    /// The agent left the caller to this colleague.
    HandedOver(AgentId),
}

/// Draws the call that the first `CallStarted` of `events` begins; events of other calls and of
/// other tenants are passed over. `None` when there is no `CallStarted`.
#[must_use]
pub fn ladder<'a>(events: impl IntoIterator<Item = &'a Recorded>) -> Option<Ladder> {
    let mut events = events.into_iter();
    let first = events.by_ref().find(|r| matches!(r.event, Event::CallStarted { .. }))?;
    let call = first.event.call();
    let mut pen = Pen::default();
    pen.open(Actor::Customer, SegmentKind::Ring, first.at);
    for recorded in events {
        if recorded.tenant == first.tenant && recorded.event.call() == call {
            pen.draw_course(recorded.at, &recorded.event);
            pen.draw_colleague(recorded.at, &recorded.event);
            pen.draw_agent(recorded.at, &recorded.event);
            pen.draw_mark(recorded.at, &recorded.event);
        }
    }
    Some(pen.finish(first.at))
}

#[derive(Default)]
struct Pen {
    lanes: BTreeMap<Actor, Vec<Segment>>,
    agents: Vec<AgentId>,
    talks: BTreeMap<AgentId, Talk>,
    colleagues: BTreeMap<OfferId, AgentId>,
    marks: Vec<Mark>,
}

/// A lost page is drawn over hold, hold over talk.
#[derive(Default, Clone, Copy)]
struct Talk {
    /// With the agent alone.
    consult: bool,
    hold: bool,
    lost: bool,
}

impl Pen {
    fn open(&mut self, actor: Actor, kind: SegmentKind, at: Timestamp) {
        if let Actor::Agent(agent) = actor
            && !self.agents.contains(&agent)
        {
            self.agents.push(agent);
        }
        let segment = Segment { kind, start_at: at, end_at: None, detail: None };
        self.lanes.entry(actor).or_default().push(segment);
    }

    /// Ends what runs on the lane. Talk of no length, as between the end of hold and a hang-up in
    /// the same instant, is not drawn: how it ended is told of the segment before it.
    fn close(&mut self, actor: Actor, at: Timestamp, detail: Option<Detail>) {
        let Some(lane) = self.lanes.get_mut(&actor) else { return };
        let is_talk = |s: &Segment| matches!(s.kind, SegmentKind::Talking | SegmentKind::Consult);
        let empty_talk = |s: &Segment| is_talk(s) && s.start_at == at;
        if lane.len() > 1 && lane.last().is_some_and(empty_talk) {
            lane.pop();
            if let Some(before) = lane.last_mut() {
                before.detail = detail.or(before.detail.take());
            }
        } else if let Some(segment) = lane.last_mut().filter(|segment| segment.end_at.is_none()) {
            segment.end_at = Some(at);
            segment.detail = detail;
        }
    }

    fn next(&mut self, actor: Actor, kind: SegmentKind, at: Timestamp) {
        self.close(actor, at, None);
        self.open(actor, kind, at);
    }

    fn change_talk(&mut self, agent: AgentId, at: Timestamp, change: impl FnOnce(&mut Talk)) {
        if let Some(talk) = self.talks.get_mut(&agent) {
            change(talk);
            self.talk(agent, at);
        }
    }

    fn talk(&mut self, agent: AgentId, at: Timestamp) {
        let kind = match self.talks.get(&agent) {
            Some(Talk { lost: true, .. }) => SegmentKind::Lost,
            Some(Talk { hold: true, .. }) => SegmentKind::Hold,
            Some(Talk { consult: true, .. }) => SegmentKind::Consult,
            Some(_) => SegmentKind::Talking,
            None => return,
        };
        let lane = self.lanes.get(&Actor::Agent(agent));
        let same = lane.and_then(|lane| lane.last());
        if !same.is_some_and(|segment| segment.end_at.is_none() && segment.kind == kind) {
            self.next(Actor::Agent(agent), kind, at);
        }
    }

    fn draw_course(&mut self, at: Timestamp, event: &Event) {
        match event {
            Event::CallAnswered { .. } => self.next(Actor::Customer, SegmentKind::Connected, at),
            Event::NodeEntered { node, .. } => {
                self.next(Actor::Flow, SegmentKind::Node(node.clone()), at);
            }
            Event::Queued { queue, .. } => {
                self.next(Actor::Queue, SegmentKind::Waiting(*queue), at);
            }
            Event::QueueLeft { outcome, .. } => {
                self.close(Actor::Queue, at, Some(Detail::Queue(*outcome)));
            }
            Event::Connected { .. } => self.close(Actor::Flow, at, None),
            Event::CallEnded { cause, .. } => {
                self.close(Actor::Flow, at, None);
                self.close(Actor::Customer, at, Some(Detail::Leg(*cause)));
            }
            _ => {}
        }
    }

    /// The lane of a colleague who was asked in.
    fn draw_colleague(&mut self, at: Timestamp, event: &Event) {
        match event {
            Event::ConsultStarted { consult, colleague, .. } => {
                self.colleagues.insert(*consult, *colleague);
                self.open(Actor::Agent(*colleague), SegmentKind::Offered, at);
            }
            Event::ConsultJoined { colleague, .. } => {
                let taken = Detail::Offer(OfferOutcome::Accepted);
                self.close(Actor::Agent(*colleague), at, Some(taken));
                self.talks.insert(*colleague, Talk { consult: true, ..Talk::default() });
                self.talk(*colleague, at);
            }
            Event::ConferenceStarted { consult, .. } => self.confer(*consult, at, true),
            Event::ConferenceEnded { consult, .. } => self.confer(*consult, at, false),
            Event::ConsultEnded { colleague, outcome, .. } => {
                self.talks.remove(colleague);
                self.close(Actor::Agent(*colleague), at, Some(Detail::Consult(*outcome)));
            }
            _ => {}
        }
    }

    fn confer(&mut self, consult: OfferId, at: Timestamp, all: bool) {
        if let Some(colleague) = self.colleagues.get(&consult).copied() {
            self.change_talk(colleague, at, |talk| talk.consult = !all);
        }
    }

    fn draw_agent(&mut self, at: Timestamp, event: &Event) {
        match event {
            Event::Offered { agent, .. } => {
                self.open(Actor::Agent(*agent), SegmentKind::Offered, at);
            }
            Event::OfferEnded { agent, outcome, .. } => {
                self.close(Actor::Agent(*agent), at, Some(Detail::Offer(*outcome)));
            }
            Event::Connected { agent, .. } => {
                self.talks.insert(*agent, Talk::default());
                self.talk(*agent, at);
            }
            Event::HoldStarted { agent, .. } => self.change_talk(*agent, at, |t| t.hold = true),
            Event::HoldEnded { agent, .. } => self.change_talk(*agent, at, |t| t.hold = false),
            Event::AgentLost { agent, .. } => self.change_talk(*agent, at, |t| t.lost = true),
            Event::AgentRegained { agent, .. } => {
                self.change_talk(*agent, at, |t| t.lost = false);
            }
            Event::Disconnected { agent, cause, .. } => {
                self.talks.remove(agent);
                self.close(Actor::Agent(*agent), at, Some(Detail::Leg(*cause)));
            }
            Event::WrapUpStarted { agent, .. } => {
                self.next(Actor::Agent(*agent), SegmentKind::WrapUp, at);
            }
            Event::WrapUpEnded { agent, disposition, .. } => {
                let detail = disposition.clone().map(Detail::Disposition);
                self.close(Actor::Agent(*agent), at, detail);
            }
            _ => {}
        }
    }

    fn draw_mark(&mut self, at: Timestamp, event: &Event) {
        let kind = match event {
            Event::Chosen { node, key, .. } => MarkKind::Chosen { node: node.clone(), key: *key },
            Event::Collected { variable, .. } => MarkKind::Collected { variable: variable.clone() },
            Event::ConsentTaken { consent, .. } => MarkKind::Consent(*consent),
            Event::RecordingStarted { recording, .. } => MarkKind::RecordingStarted(*recording),
            Event::RecordingEnded { recording, .. } => MarkKind::RecordingEnded(*recording),
            Event::WrapUpExtended { agent, .. } => MarkKind::WrapUpExtended(*agent),
            Event::CallbackListed { queue, .. } => MarkKind::CallbackListed(*queue),
            Event::Transferred { to, .. } => MarkKind::Transferred(*to),
            Event::Redirected { dialled, .. } => MarkKind::Redirected(dialled.clone()),
            Event::ConsultEnded { colleague, outcome: ConsultOutcome::HandedOver, .. } => {
                MarkKind::HandedOver(*colleague)
            }
            _ => return,
        };
        self.marks.push(Mark { at, kind });
    }

    fn finish(mut self, start_at: Timestamp) -> Ladder {
        let running = self.lanes.values().flatten().any(|segment| segment.end_at.is_none());
        let last = self.lanes.values().flatten().filter_map(|segment| segment.end_at).max();
        let agents = self.agents.iter().copied().map(Actor::Agent);
        let lanes = [Actor::Customer, Actor::Flow, Actor::Queue]
            .into_iter()
            .chain(agents)
            .map(|actor| Lane { actor, segments: self.lanes.remove(&actor).unwrap_or_default() })
            .collect();
        Ladder { start_at, end_at: last.filter(|_| !running), lanes, marks: self.marks }
    }
}

#[cfg(test)]
mod tests;
