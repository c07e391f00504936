//! Journals for the tests of this crate, written by hand with times in seconds.

use model::event::{CallOutcome, Consent, Event, OfferOutcome, QueueOutcome, Recorded};
use model::id::{AgentId, CallId, Id, LegId, QueueId, TenantId};
use model::sip::LegCause;
use model::time::{Span, Timestamp};
use uuid::Uuid;

/// The id of any kind that this number stands for.
pub(crate) fn id<T: Id>(n: u128) -> T {
    T::from_uuid(Uuid::from_u128(n))
}

/// Seconds after the beginning of the story.
pub(crate) fn at(secs: i64) -> Timestamp {
    Timestamp::from_micros(1_764_000_000_000_000) + Span::from_secs(secs)
}

pub(crate) const SECOND: i64 = 1_000_000;

/// A journal under way.
pub(crate) struct Story {
    pub(crate) tenant: TenantId,
    pub(crate) events: Vec<Recorded>,
}

impl Story {
    pub(crate) fn new(tenant: u128) -> Self {
        Self { tenant: id(tenant), events: Vec::new() }
    }

    /// Loses the events from place `from` on, and names the gap; what follows keeps its numbers.
    pub(crate) fn lose_since(&mut self, from: usize, secs: i64) {
        let lost = self.events.split_off(from);
        if let (Some(first), Some(last)) = (lost.first(), lost.last()) {
            let event = Event::RecordGap { from_seq: first.seq, until_seq: last.seq };
            self.events.push(Recorded { event, at: at(secs), ..last.clone() });
        }
    }

    pub(crate) fn add(&mut self, secs: i64, event: Event) {
        let seq = self.events.last().map_or(0, |recorded| recorded.seq) + 1;
        self.events.push(Recorded { tenant: self.tenant, seq, at: at(secs), config: 1, event });
    }

    /// A call that rings at `secs` and is answered a second later.
    pub(crate) fn start(&mut self, secs: i64, call: CallId) {
        self.add(
            secs,
            Event::CallStarted {
                call,
                leg: id(100),
                party: id(101),
                dialled: "100".parse().unwrap(),
                flow: id(102),
                flow_version: 3,
            },
        );
        self.add(secs + 1, Event::CallAnswered { call });
    }

    pub(crate) fn queue(&mut self, secs: i64, call: CallId, entry: u128, queue: QueueId) {
        self.add(secs, Event::Queued { call, entry: id(entry), queue, priority: 0 });
    }

    pub(crate) fn offer(&mut self, secs: i64, call: CallId, entry: u128, agent: AgentId) {
        let event = Event::Offered {
            call,
            entry: id(entry),
            queue: id(1),
            offer: id(entry + 500),
            agent,
            ready_since: at(0),
        };
        self.add(secs, event);
    }

    pub(crate) fn offer_ended(
        &mut self,
        secs: i64,
        call: CallId,
        entry: u128,
        agent: AgentId,
        outcome: OfferOutcome,
    ) {
        let (offer, reason) = (id(entry + 500), None);
        self.add(secs, Event::OfferEnded { call, offer, agent, outcome, reason });
    }

    pub(crate) fn leave(
        &mut self,
        secs: i64,
        call: CallId,
        entry: u128,
        outcome: QueueOutcome,
        waited_s: i64,
    ) {
        self.add(
            secs,
            Event::QueueLeft {
                call,
                entry: id(entry),
                queue: id(1),
                outcome,
                waited_us: waited_s * SECOND,
            },
        );
    }

    pub(crate) fn connect(&mut self, secs: i64, call: CallId, entry: u128, agent: AgentId) {
        let leg: LegId = id(103);
        self.add(secs, Event::Connected { call, entry: id(entry), queue: id(1), agent, leg });
    }

    pub(crate) fn disconnect(&mut self, secs: i64, call: CallId, agent: AgentId) {
        let (queue, leg, cause) = (id(1), id(103), LegCause::FarHangup);
        self.add(secs, Event::Disconnected { call, queue, agent, leg, cause });
    }

    pub(crate) fn end(&mut self, secs: i64, call: CallId, outcome: CallOutcome) {
        self.add(secs, Event::CallEnded { call, cause: LegCause::FarHangup, outcome });
    }

    /// A call as most calls are: arrives at 0, menu, consent, waits 10 s to 40 s with a missed
    /// offer, talks 40 to 140 with 20 s of hold and 5 s of a lost page, wraps up until 170.
    pub(crate) fn whole_call() -> Self {
        let mut story = Self::new(1);
        let (call, ann, bob): (CallId, AgentId, AgentId) = (id(50), id(60), id(61));
        story.start(0, call);
        story.add(1, Event::NodeEntered { call, node: "menu".into() });
        story.add(5, Event::Chosen { call, node: "menu".into(), key: '1' });
        story.add(5, Event::NodeEntered { call, node: "notice".into() });
        story.add(9, Event::ConsentTaken { call, consent: Consent::Given });
        story.add(10, Event::NodeEntered { call, node: "wait".into() });
        story.queue(10, call, 70, id(1));
        story.offer(10, call, 70, ann);
        story.offer_ended(30, call, 70, ann, OfferOutcome::NoAnswer);
        story.offer(30, call, 70, bob);
        story.offer_ended(40, call, 70, bob, OfferOutcome::Accepted);
        story.leave(40, call, 70, QueueOutcome::Answered, 30);
        story.connect(40, call, 70, bob);
        story.add(40, Event::RecordingStarted { call, recording: id(80) });
        story.add(60, Event::HoldStarted { call, agent: bob });
        story.add(80, Event::HoldEnded { call, agent: bob });
        story.add(100, Event::AgentLost { call, agent: bob });
        story.add(105, Event::AgentRegained { call, agent: bob });
        story.disconnect(140, call, bob);
        story.add(140, Event::RecordingEnded { call, recording: id(80) });
        story.add(140, Event::WrapUpStarted { call, queue: id(1), agent: bob, until: at(200) });
        story.end(140, call, CallOutcome::Handled);
        story.add(
            170,
            Event::WrapUpEnded {
                call,
                queue: id(1),
                agent: bob,
                disposition: Some("order".into()),
                resolved: Some(true),
            },
        );
        story
    }
}
