//! After a crash: closes in the journal what the dead process left open, so that every call has
//! one end, every wait one outcome, and whoever waited is on the call-back list.

use std::collections::BTreeMap;

use model::event::{AgentState, CallOutcome, Event, OfferOutcome, QueueOutcome, Recorded};
use model::id::{AgentId, OfferId, PartyId, QueueEntryId, QueueId, TenantId};
use model::sip::LegCause;
use model::time::Timestamp;
use report::CallRecord;
use store::{CallRow, FloorRow, RecordingRow};

/// What a dead process left open of one call.
#[derive(Debug, Default)]
struct Open {
    wait: Option<(QueueEntryId, QueueId, Timestamp)>,
    offers: BTreeMap<OfferId, AgentId>,
    talks: BTreeMap<AgentId, (QueueId, model::LegId)>,
    holds: BTreeMap<AgentId, ()>,
    wraps: BTreeMap<AgentId, QueueId>,
}

impl Open {
    fn apply(&mut self, recorded: &Recorded) {
        match &recorded.event {
            Event::Queued { entry, queue, .. } => self.wait = Some((*entry, *queue, recorded.at)),
            Event::QueueLeft { .. } => self.wait = None,
            Event::Offered { offer, agent, .. } => {
                self.offers.insert(*offer, *agent);
            }
            Event::OfferEnded { offer, .. } => {
                self.offers.remove(offer);
            }
            Event::Connected { agent, queue, leg, .. } => {
                self.talks.insert(*agent, (*queue, *leg));
            }
            Event::Disconnected { agent, .. } => {
                self.talks.remove(agent);
            }
            Event::HoldStarted { agent, .. } => {
                self.holds.insert(*agent, ());
            }
            Event::HoldEnded { agent, .. } => {
                self.holds.remove(agent);
            }
            Event::WrapUpStarted { agent, queue, .. } => {
                self.wraps.insert(*agent, *queue);
            }
            Event::WrapUpEnded { agent, .. } => {
                self.wraps.remove(agent);
            }
            _ => {}
        }
    }
}

/// The closing of one tenant's journal.
#[derive(Debug)]
pub(crate) struct Closing {
    tenant: TenantId,
    /// When the process died, as far as the journal knows.
    ended_at: Timestamp,
    /// The present start.
    now: Timestamp,
    config: u64,
    next_seq: u64,
    events: Vec<Recorded>,
    rows: Vec<FloorRow>,
}

impl Closing {
    pub(crate) fn new(
        tenant: TenantId,
        ended_at: Timestamp,
        now: Timestamp,
        config: u64,
        next_seq: u64,
    ) -> Self {
        Self { tenant, ended_at, now, config, next_seq, events: Vec::new(), rows: Vec::new() }
    }

    fn event(&mut self, event: Event) {
        let seq = self.next_seq;
        self.next_seq += 1;
        let (tenant, at, config) = (self.tenant, self.ended_at, self.config);
        self.events.push(Recorded { tenant, seq, at, config, event });
    }

    /// Closes one call whose customer was still here, from its row and its events.
    pub(crate) fn call(&mut self, row: &CallRow, events: &[Recorded]) {
        let mut open = Open::default();
        events.iter().for_each(|recorded| open.apply(recorded));
        let (call, queue_outcome) = (row.call, QueueOutcome::Lost);
        let first = self.events.len();
        for (offer, agent) in open.offers {
            let outcome = OfferOutcome::Withdrawn;
            self.event(Event::OfferEnded { call, offer, agent, outcome, reason: None });
        }
        if let Some((entry, queue, since)) = open.wait {
            let waited_us = self.ended_at.since(since).micros();
            let outcome = queue_outcome;
            self.event(Event::QueueLeft { call, entry, queue, outcome, waited_us });
            self.call_back(row.call, row.party, queue, row.waiting_since.unwrap_or(since));
        }
        for agent in open.holds.into_keys() {
            self.event(Event::HoldEnded { call, agent });
        }
        for (agent, (queue, leg)) in open.talks {
            let cause = LegCause::NodeFailure;
            self.event(Event::Disconnected { call, queue, agent, leg, cause });
        }
        self.end_wrap_ups(call, open.wraps);
        let (cause, outcome) = (LegCause::NodeFailure, CallOutcome::Failed);
        self.event(Event::CallEnded { call, cause, outcome });
        self.close_row(row, events, first);
    }

    /// Closes the wrap-ups of a call whose customer had left before the crash.
    pub(crate) fn wrap_ups(&mut self, row: &CallRow, events: &[Recorded]) {
        let mut open = Open::default();
        events.iter().for_each(|recorded| open.apply(recorded));
        if open.wraps.is_empty() {
            return;
        }
        let first = self.events.len();
        self.end_wrap_ups(row.call, open.wraps);
        self.close_row(row, events, first);
    }

    fn end_wrap_ups(&mut self, call: model::CallId, wraps: BTreeMap<AgentId, QueueId>) {
        for (agent, queue) in wraps {
            let (disposition, resolved) = (None, None);
            self.event(Event::WrapUpEnded { call, queue, agent, disposition, resolved });
        }
    }

    fn call_back(
        &mut self,
        call: model::CallId,
        party: PartyId,
        queue: QueueId,
        waiting_since: Timestamp,
    ) {
        self.event(Event::CallbackListed { call, party, queue });
        let listed_at = self.now;
        self.rows.push(FloorRow::Callback { call, party, queue, waiting_since, listed_at });
    }

    /// The call's row as its closed record says.
    fn close_row(&mut self, row: &CallRow, before: &[Recorded], first: usize) {
        let mut all = before.iter().chain(self.events.iter().skip(first));
        let Some(mut record) = all.next().and_then(CallRecord::begin) else { return };
        all.for_each(|recorded| {
            record.apply(recorded);
        });
        self.rows.push(FloorRow::Call(Box::new(CallRow {
            ended_at: record.ended_at,
            waiting_since: None,
            agent: record.agent,
            waited_us: record.waited_us,
            talk_us: record.talk_us,
            hold_us: record.hold_us,
            wrap_us: record.wrap_up_us,
            outcome: record.outcome,
            cause: record.cause,
            ..row.clone()
        })));
    }

    /// A recording file that was cut off: its row says how much of it can be heard.
    pub(crate) fn recording(&mut self, row: RecordingRow, length_ms: i64, sha256: String) {
        let sha256 = Some(sha256);
        self.rows.push(FloorRow::Recording(RecordingRow { length_ms, sha256, ..row }));
    }

    /// Agents begin signed out; their intents are commanded anew by the hub.
    pub(crate) fn agent(&mut self, agent: AgentId) {
        let state = AgentState::SignedOut;
        self.event(Event::AgentState { agent, state, reason: None });
    }

    /// What to save, and the number of the next event.
    pub(crate) fn finish(self) -> (Vec<Recorded>, Vec<FloorRow>, u64) {
        (self.events, self.rows, self.next_seq)
    }
}
