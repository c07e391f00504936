//! The record of one call, kept current while the call lives.
//!
//! Invariant: talk and hold together are exactly the time between `Connected` and `Disconnected`;
//! a record is finished when the customer has left and nobody wraps up any more.

use std::collections::BTreeMap;

use model::event::{CallOutcome, Consent, Event, Recorded};
use model::id::{AgentId, CallId, FlowId, PartyId, QueueEntryId, QueueId, TenantId};
use model::number::DialString;
use model::sip::LegCause;
use model::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cursor::Cursor;

/// What the call list shows of one call. Lengths are microseconds of finished stretches: what is
/// still running is added when it ends, its beginning is in the clocks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallRecord {
    /// Whose.
    pub tenant: TenantId,
    /// Which call.
    pub call: CallId,
    /// The last event that changed it: an older one is not applied again.
    pub seq: u64,
    /// Who rang.
    pub party: PartyId,
    /// The number that was dialled.
    pub dialled: DialString,
    /// The flow.
    pub flow: FlowId,
    /// Its version.
    pub flow_version: u64,
    /// When it rang.
    pub started_at: Timestamp,
    /// When we answered.
    pub answered_at: Option<Timestamp>,
    /// When the customer was gone.
    pub ended_at: Option<Timestamp>,
    /// The last queue it waited in.
    pub queue: Option<QueueId>,
    /// The last agent it talked to.
    pub agent: Option<AgentId>,
    /// The wait that runs now.
    pub waiting: Option<Waiting>,
    /// Sum of all finished waits.
    pub waited_us: i64,
    /// Talking, hold left out.
    pub talk_us: i64,
    /// The customer heard music in the conversation: hold, or the agent's page was lost.
    pub hold_us: i64,
    /// Wrapping up.
    pub wrap_up_us: i64,
    /// What the caller said about recording.
    pub consent: Consent,
    /// How it ended, as a word.
    pub outcome: Option<CallOutcome>,
    /// Why the customer's leg ended.
    pub cause: Option<LegCause>,
    /// The result chosen at the last wrap-up that chose one.
    pub disposition: Option<String>,
    /// Whether the agent marked the request as resolved.
    pub resolved: Option<bool>,
    /// Whether anything was recorded.
    pub recorded: bool,
    /// Conversations that run now.
    pub(crate) talks: BTreeMap<AgentId, TalkClock>,
    /// Wrap-ups that run now.
    wraps: BTreeMap<AgentId, Timestamp>,
}

/// A wait that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Which wait.
    pub entry: QueueEntryId,
    /// In which queue.
    pub queue: QueueId,
    /// Since when.
    pub since: Timestamp,
}

/// A conversation split into talk and hold, hold and lost page taken as one: the customer hears
/// music in both, and they may overlap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TalkClock {
    /// Since when the stretch lasts that is in neither length yet.
    pub(crate) since: Timestamp,
    pub(crate) talk_us: i64,
    pub(crate) hold_us: i64,
    pub(crate) on_hold: bool,
    pub(crate) lost: bool,
}

impl TalkClock {
    pub(crate) fn started(at: Timestamp) -> Self {
        Self { since: at, talk_us: 0, hold_us: 0, on_hold: false, lost: false }
    }

    pub(crate) fn set_hold(&mut self, at: Timestamp, on_hold: bool) {
        self.advance(at);
        self.on_hold = on_hold;
    }

    pub(crate) fn set_lost(&mut self, at: Timestamp, lost: bool) {
        self.advance(at);
        self.lost = lost;
    }

    /// Ends it: talk and hold in microseconds.
    pub(crate) fn finish(mut self, at: Timestamp) -> (i64, i64) {
        self.advance(at);
        (self.talk_us, self.hold_us)
    }

    fn advance(&mut self, at: Timestamp) {
        let passed_us = at.since(self.since).micros();
        if self.on_hold || self.lost {
            self.hold_us += passed_us;
        } else {
            self.talk_us += passed_us;
        }
        self.since = self.since.max(at);
    }
}

impl CallRecord {
    /// The record that a `CallStarted` begins; `None` for every other event.
    #[must_use]
    pub fn begin(recorded: &Recorded) -> Option<Self> {
        let Event::CallStarted { call, party, dialled, flow, flow_version, .. } = &recorded.event
        else {
            return None;
        };
        Some(Self {
            tenant: recorded.tenant,
            call: *call,
            seq: recorded.seq,
            party: *party,
            dialled: dialled.clone(),
            flow: *flow,
            flow_version: *flow_version,
            started_at: recorded.at,
            answered_at: None,
            ended_at: None,
            queue: None,
            agent: None,
            waiting: None,
            waited_us: 0,
            talk_us: 0,
            hold_us: 0,
            wrap_up_us: 0,
            consent: Consent::Unasked,
            outcome: None,
            cause: None,
            disposition: None,
            resolved: None,
            recorded: false,
            talks: BTreeMap::new(),
            wraps: BTreeMap::new(),
        })
    }

    /// Whether the customer is still here.
    #[must_use]
    pub fn live(&self) -> bool {
        self.ended_at.is_none()
    }

    /// Whether nothing of it can change any more.
    #[must_use]
    pub fn finished(&self) -> bool {
        !self.live() && self.wraps.is_empty()
    }

    /// Takes in one event. False when it is of another call or tenant, or was applied before.
    pub fn apply(&mut self, recorded: &Recorded) -> bool {
        let ours = recorded.tenant == self.tenant && recorded.event.call() == Some(self.call);
        if !ours || recorded.seq <= self.seq {
            return false;
        }
        self.seq = recorded.seq;
        self.apply_queue(recorded.at, &recorded.event);
        self.apply_conversation(recorded.at, &recorded.event);
        self.apply_course(recorded.at, &recorded.event);
        true
    }

    fn apply_course(&mut self, at: Timestamp, event: &Event) {
        match event {
            Event::CallAnswered { .. } => self.answered_at = Some(at),
            Event::ConsentTaken { consent, .. } => self.consent = *consent,
            Event::RecordingStarted { .. } => self.recorded = true,
            Event::CallEnded { cause, outcome, .. } => {
                self.ended_at = Some(at);
                self.cause = Some(*cause);
                self.outcome = Some(*outcome);
            }
            _ => {}
        }
    }

    fn apply_queue(&mut self, at: Timestamp, event: &Event) {
        match event {
            Event::Queued { entry, queue, .. } => {
                self.queue = Some(*queue);
                self.waiting = Some(Waiting { entry: *entry, queue: *queue, since: at });
            }
            Event::QueueLeft { waited_us, .. } => {
                self.waiting = None;
                self.waited_us += waited_us;
            }
            _ => {}
        }
    }

    fn apply_conversation(&mut self, at: Timestamp, event: &Event) {
        match event {
            Event::Connected { agent, queue, .. } => {
                self.agent = Some(*agent);
                self.queue = Some(*queue);
                self.talks.insert(*agent, TalkClock::started(at));
            }
            Event::HoldStarted { agent, .. } => self.talk(*agent, |t| t.set_hold(at, true)),
            Event::HoldEnded { agent, .. } => self.talk(*agent, |t| t.set_hold(at, false)),
            Event::AgentLost { agent, .. } => self.talk(*agent, |t| t.set_lost(at, true)),
            Event::AgentRegained { agent, .. } => self.talk(*agent, |t| t.set_lost(at, false)),
            Event::Disconnected { agent, .. } => {
                if let Some(clock) = self.talks.remove(agent) {
                    let (talk_us, hold_us) = clock.finish(at);
                    self.talk_us += talk_us;
                    self.hold_us += hold_us;
                }
            }
            Event::WrapUpStarted { agent, .. } => {
                self.wraps.insert(*agent, at);
            }
            Event::WrapUpEnded { agent, disposition, resolved, .. } => {
                if let Some(since) = self.wraps.remove(agent) {
                    self.wrap_up_us += at.since(since).micros();
                }
                if disposition.is_some() {
                    self.disposition.clone_from(disposition);
                }
                self.resolved = resolved.or(self.resolved);
            }
            _ => {}
        }
    }

    fn talk(&mut self, agent: AgentId, change: impl FnOnce(&mut TalkClock)) {
        if let Some(clock) = self.talks.get_mut(&agent) {
            change(clock);
        }
    }
}

/// The records of all calls of a tenant that are not finished. The product keeps each record beside
/// its call; `sim` folds the whole journal with this and compares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallFold {
    cursor: Cursor,
    open: BTreeMap<CallId, CallRecord>,
}

impl CallFold {
    /// From the place of `cursor` on, without open records.
    #[must_use]
    pub fn new(cursor: Cursor) -> Self {
        Self { cursor, open: BTreeMap::new() }
    }

    /// Goes on behind `cursor` with the records that were not finished there.
    #[must_use]
    pub fn resume(cursor: Cursor, records: impl IntoIterator<Item = CallRecord>) -> Self {
        Self { cursor, open: records.into_iter().map(|record| (record.call, record)).collect() }
    }

    /// Takes in one event and returns the call's record as it is now, for its row; `None` when no
    /// row changes. A finished record is returned once and then forgotten.
    pub fn apply(&mut self, recorded: &Recorded) -> Option<CallRecord> {
        if !self.cursor.step(recorded).applies() {
            return None;
        }
        let call = recorded.event.call()?;
        if let Some(record) = self.open.get_mut(&call) {
            if !record.apply(recorded) {
                return None;
            }
        } else {
            self.open.insert(call, CallRecord::begin(recorded)?);
        }
        let record = self.open.get(&call)?;
        if record.finished() { self.open.remove(&call) } else { Some(record.clone()) }
    }

    /// The records that are not finished.
    pub fn open(&self) -> impl Iterator<Item = &CallRecord> {
        self.open.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::{SECOND, Story, at, id};

    #[test]
    fn the_figures_of_a_whole_call() {
        let story = Story::whole_call();
        let mut fold = CallFold::new(Cursor::new(story.tenant));
        let mut last = None;
        for event in &story.events {
            let record = fold.apply(event);
            assert!(record.is_some(), "{event:?}");
            assert!(fold.apply(event).is_none(), "applied twice: {event:?}");
            last = record;
        }
        assert_eq!(fold.open().count(), 0);
        assert!(fold.apply(&story.events[0]).is_none(), "a finished call does not begin again");
        let record = last.unwrap();
        assert!(record.finished());
        assert_eq!(record.answered_at, Some(at(1)));
        assert_eq!(record.ended_at, Some(at(140)));
        assert_eq!((record.queue, record.agent), (Some(id(1)), Some(id(61))));
        assert_eq!(record.waited_us, 30 * SECOND);
        assert_eq!(record.talk_us, 75 * SECOND);
        assert_eq!(record.hold_us, 25 * SECOND);
        assert_eq!(record.wrap_up_us, 30 * SECOND);
        assert_eq!(record.outcome, Some(CallOutcome::Handled));
        assert_eq!(record.disposition.as_deref(), Some("order"));
        assert_eq!((record.resolved, record.recorded), (Some(true), true));
        assert_eq!(record.waiting, None);
    }

    #[test]
    fn a_waiting_call_names_its_queue_and_survives_being_saved() {
        let story = Story::whole_call();
        let mut fold = CallFold::new(Cursor::new(story.tenant));
        for event in &story.events[..9] {
            fold.apply(event);
        }
        let saved: Vec<CallRecord> =
            serde_json::from_str(&serde_json::to_string(&fold.open().collect::<Vec<_>>()).unwrap())
                .unwrap();
        assert_eq!(saved[0].waiting, Some(Waiting { entry: id(70), queue: id(1), since: at(10) }));
        let mut resumed = CallFold::resume(Cursor::after(story.tenant, 9), saved);
        assert_eq!(fold, resumed);
        for event in &story.events {
            let (one, two) = (fold.apply(event), resumed.apply(event));
            assert_eq!(one, two);
            assert_eq!(one.is_some(), event.seq > 9);
        }
    }

    #[test]
    fn hold_and_a_lost_page_that_overlap_count_once() {
        let mut clock = TalkClock::started(at(0));
        clock.set_hold(at(10), true);
        clock.set_lost(at(15), true);
        clock.set_hold(at(20), false);
        clock.set_lost(at(30), false);
        assert_eq!(clock.finish(at(50)), (30 * SECOND, 20 * SECOND));
    }

    #[test]
    fn events_of_another_tenant_or_call_change_nothing() {
        let story = Story::whole_call();
        let mut record = CallRecord::begin(&story.events[0]).unwrap();
        let before = record.clone();
        let mut foreign = story.events[1].clone();
        foreign.tenant = id(2);
        assert!(!record.apply(&foreign));
        let mut other = Story::new(1);
        other.start(0, id(51));
        assert!(!record.apply(&other.events[1]));
        assert_eq!(record, before);
    }
}
