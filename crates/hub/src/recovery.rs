//! After a crash: closes in the journal what the dead process left open, so that every call has
//! one end, every wait one outcome, and whoever waited is on the call-back list.

use std::collections::{BTreeMap, BTreeSet};

use model::event::{
    AgentState, CallOutcome, ConsultOutcome, Event, OfferOutcome, QueueOutcome, Recorded,
};
use model::id::{
    AgentId, CallId, LegId, OfferId, PartyId, QueueEntryId, QueueId, RecordingId, TenantId,
};
use model::sip::LegCause;
use model::time::Timestamp;
use report::CallRecord;
use store::{CallRow, FloorRow};

/// What a dead process left open of one call.
#[derive(Debug, Default)]
struct Open {
    wait: Option<(QueueEntryId, QueueId, Timestamp)>,
    offers: BTreeMap<OfferId, AgentId>,
    talks: BTreeMap<AgentId, (QueueId, LegId)>,
    holds: BTreeSet<AgentId>,
    consults: BTreeMap<OfferId, OpenConsult>,
    wraps: BTreeMap<AgentId, QueueId>,
    recordings: BTreeSet<RecordingId>,
}

/// A colleague who rings or was there.
#[derive(Debug, Clone, Copy)]
struct OpenConsult {
    agent: AgentId,
    colleague: AgentId,
    joined: bool,
    conference: bool,
}

impl Open {
    fn consult(&mut self, consult: OfferId, change: impl FnOnce(&mut OpenConsult)) {
        if let Some(open) = self.consults.get_mut(&consult) {
            change(open);
        }
    }

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
            Event::ConsultStarted { consult, agent, colleague, .. } => {
                let (agent, colleague) = (*agent, *colleague);
                let open = OpenConsult { agent, colleague, joined: false, conference: false };
                self.consults.insert(*consult, open);
            }
            Event::ConsultJoined { consult, .. } => self.consult(*consult, |c| c.joined = true),
            Event::ConferenceStarted { consult, .. } => {
                self.consult(*consult, |c| c.conference = true);
            }
            Event::ConferenceEnded { consult, .. } => {
                self.consult(*consult, |c| c.conference = false);
            }
            Event::ConsultEnded { consult, .. } => {
                self.consults.remove(consult);
            }
            Event::HoldStarted { agent, .. } => {
                self.holds.insert(*agent);
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
            Event::RecordingStarted { recording, .. } => {
                self.recordings.insert(*recording);
            }
            Event::RecordingEnded { recording, .. } => {
                self.recordings.remove(recording);
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

    fn end_consults(&mut self, call: CallId, open: BTreeMap<OfferId, OpenConsult>) {
        for (consult, OpenConsult { agent, colleague, joined, conference }) in open {
            if conference {
                self.event(Event::ConferenceEnded { call, consult });
            }
            let outcome = if joined { ConsultOutcome::Over } else { ConsultOutcome::Withdrawn };
            self.event(Event::ConsultEnded { call, consult, agent, colleague, outcome });
        }
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
        self.end_consults(call, open.consults);
        for agent in open.holds {
            self.event(Event::HoldEnded { call, agent });
        }
        for (agent, (queue, leg)) in open.talks {
            let cause = LegCause::NodeFailure;
            self.event(Event::Disconnected { call, queue, agent, leg, cause });
            // Cut off in mid-conversation: the house owes them a call.
            self.call_back(row.call, row.party, queue, self.ended_at);
        }
        self.end_wrap_ups(call, open.wraps);
        for recording in open.recordings {
            self.event(Event::RecordingEnded { call, recording });
        }
        let (cause, outcome) = (LegCause::NodeFailure, CallOutcome::Failed);
        self.event(Event::CallEnded { call, cause, outcome });
        self.close_row(row, events, first);
    }

    /// Closes the wrap-ups of a call whose customer had left before the crash. Also without any
    /// its row is written: no later start has to look at it again.
    pub(crate) fn wrap_ups(&mut self, row: &CallRow, events: &[Recorded]) {
        let mut open = Open::default();
        events.iter().for_each(|recorded| open.apply(recorded));
        let first = self.events.len();
        self.end_wrap_ups(row.call, open.wraps);
        self.close_row(row, events, first);
    }

    fn end_wrap_ups(&mut self, call: CallId, wraps: BTreeMap<AgentId, QueueId>) {
        for (agent, queue) in wraps {
            let (disposition, resolved) = (None, None);
            self.event(Event::WrapUpEnded { call, queue, agent, disposition, resolved });
        }
    }

    fn call_back(
        &mut self,
        call: CallId,
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
        let Some(mut record) = all.next().and_then(CallRecord::begin) else {
            // Its beginning fell out of the journal: the row stays as it is, save that it is over.
            let ended_at = row.ended_at.or(Some(self.ended_at));
            let row = CallRow { ended_at, waiting_since: None, finished: true, ..row.clone() };
            return self.rows.push(FloorRow::Call(Box::new(row)));
        };
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
            finished: true,
            ..row.clone()
        })));
    }

    /// A page that was connected: it connects anew, with another leg.
    pub(crate) fn device(&mut self, agent: AgentId, leg: LegId) {
        self.event(Event::DeviceDown { agent, leg });
        self.rows.push(FloorRow::DeviceDown { agent, leg });
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

#[cfg(test)]
mod tests {
    use model::event::Consent;
    use model::id::{CallId, Id, IdMint};

    use super::*;

    fn mint<T: Id>(n: u64) -> T {
        IdMint::new(n).mint(Timestamp::from_micros(1))
    }

    fn row(call: CallId) -> CallRow {
        CallRow {
            call,
            party: mint(2),
            leg: mint(3),
            dialled: "100".parse().expect("dialable"),
            flow: mint(4),
            flow_version: 1,
            language: "en".to_owned(),
            consent: Consent::Given,
            started_at: Timestamp::from_micros(1),
            answered_at: None,
            ended_at: None,
            queue: None,
            waiting_since: None,
            agent: None,
            waited_us: 0,
            talk_us: 0,
            hold_us: 0,
            wrap_us: 0,
            outcome: None,
            cause: None,
            disposition: None,
            resolved: None,
            recorded: true,
            finished: false,
        }
    }

    #[test]
    fn whatever_had_begun_ends_with_its_call_and_its_row_is_finished() {
        let (tenant, call): (TenantId, CallId) = (mint(1), mint(5));
        let recording: RecordingId = mint(6);
        let row = row(call);
        let begun = [
            Event::CallStarted {
                call,
                leg: row.leg,
                party: row.party,
                dialled: row.dialled.clone(),
                flow: row.flow,
                flow_version: 1,
            },
            Event::RecordingStarted { call, recording: mint(7) },
            Event::RecordingEnded { call, recording: mint(7) },
            Event::RecordingStarted { call, recording },
        ];
        let recorded = |(event, seq): (Event, u64)| {
            let at = Timestamp::from_micros(2);
            Recorded { tenant, seq, at, config: 1, event }
        };
        let begun: Vec<Recorded> = begun.into_iter().zip(1..).map(recorded).collect();
        let end = Timestamp::from_micros(9);
        let mut closing = Closing::new(tenant, end, end, 1, 5);
        closing.call(&row, &begun);
        closing.device(mint(8), mint(9));
        let (ends, rows, next_seq) = closing.finish();
        assert_eq!((ends.len(), next_seq), (3, 8));
        assert_eq!(ends[0].event, Event::RecordingEnded { call, recording });
        assert!(matches!(ends[1].event, Event::CallEnded { .. }));
        assert_eq!(ends[2].event, Event::DeviceDown { agent: mint(8), leg: mint(9) });
        let closed = |row: &FloorRow| match row {
            FloorRow::Call(row) => row.finished && row.ended_at == Some(end),
            FloorRow::DeviceDown { .. } => true,
            _ => false,
        };
        assert!(rows.len() == 2 && rows.iter().all(closed), "{rows:?}");
    }

    #[test]
    fn a_colleague_who_was_asked_in_is_let_go_before_the_agent() {
        let (tenant, call): (TenantId, CallId) = (mint(1), mint(5));
        let (agent, colleague, consult): (AgentId, AgentId, OfferId) = (mint(8), mint(9), mint(10));
        let (queue, leg) = (mint(11), mint(12));
        let joined = [
            Event::Connected { call, entry: mint(13), queue, agent, leg },
            Event::ConsultStarted { call, consult, agent, colleague },
            Event::ConsultJoined { call, consult, colleague, leg: mint(14) },
            Event::ConferenceStarted { call, consult },
        ];
        for (known, conference, outcome) in [
            (2, false, ConsultOutcome::Withdrawn),
            (3, false, ConsultOutcome::Over),
            (4, true, ConsultOutcome::Over),
        ] {
            let begun = joined.iter().take(known).cloned().zip(1..).map(|(event, seq)| {
                let at = Timestamp::from_micros(2);
                Recorded { tenant, seq, at, config: 1, event }
            });
            let begun: Vec<Recorded> = begun.collect();
            let end = Timestamp::from_micros(9);
            let mut closing = Closing::new(tenant, end, end, 1, 5);
            closing.call(&row(call), &begun);
            let (ends, ..) = closing.finish();
            let mut ends = ends.into_iter().map(|recorded| recorded.event);
            if conference {
                assert_eq!(ends.next(), Some(Event::ConferenceEnded { call, consult }));
            }
            let over = Event::ConsultEnded { call, consult, agent, colleague, outcome };
            assert_eq!(ends.next(), Some(over));
            assert!(matches!(ends.next(), Some(Event::Disconnected { .. })));
        }
    }

    #[test]
    fn a_call_without_a_beginning_is_closed_all_the_same() {
        let end = Timestamp::from_micros(9);
        let mut closing = Closing::new(mint(1), end, end, 1, 5);
        closing.wrap_ups(&row(mint(5)), &[]);
        let (events, rows, _) = closing.finish();
        assert!(events.is_empty());
        assert!(matches!(&rows[..], [FloorRow::Call(row)] if row.finished));
    }
}
