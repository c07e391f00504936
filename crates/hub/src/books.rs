//! The books of one cell: turns events and effects into the rows that are saved with them.
//!
//! A call's row is written anew in each batch that changed it, so a restart finds every open call
//! and every waiting caller as they last were.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use jiff::tz::TimeZone;
use model::effect::{Effect, Fact};
use model::event::{Event, Recorded};
use model::id::{CallId, LegId, RecordingId};
use model::media::RecordWish;
use model::time::Timestamp;
use report::CallRecord;
use store::{CallRow, FloorRow, RecordingRow, TenantDb};

#[derive(Debug)]
struct OpenCall {
    record: CallRecord,
    leg: LegId,
    language: String,
    facts: u32,
    recordings: Vec<RecordingRow>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Books {
    db: TenantDb,
    data_dir: PathBuf,
    /// The language of a call until it is chosen.
    language: String,
    calls: BTreeMap<CallId, OpenCall>,
    dirty: BTreeSet<CallId>,
}

impl Books {
    pub(crate) fn new(db: TenantDb, data_dir: PathBuf, language: String) -> Self {
        Self { db, data_dir, language, calls: BTreeMap::new(), dirty: BTreeSet::new() }
    }

    /// The tenant's language changed.
    pub(crate) fn set_language(&mut self, language: &str) {
        language.clone_into(&mut self.language);
    }

    /// Takes in an event. Gives the row that is written at once, where it has one.
    pub(crate) fn event(&mut self, recorded: &Recorded) -> Option<FloorRow> {
        match recorded.event {
            Event::DeviceUp { agent, leg } => Some(FloorRow::DeviceUp { agent, leg }),
            Event::DeviceDown { agent, leg } => Some(FloorRow::DeviceDown { agent, leg }),
            _ => {
                self.call_event(recorded);
                None
            }
        }
    }

    fn call_event(&mut self, recorded: &Recorded) {
        let Some(call) = recorded.event.call() else { return };
        if let Event::CallStarted { leg, .. } = &recorded.event {
            let Some(record) = CallRecord::begin(recorded) else { return };
            let language = self.language.clone();
            let open = OpenCall { record, leg: *leg, language, facts: 0, recordings: Vec::new() };
            self.calls.insert(call, open);
        } else {
            let Some(open) = self.calls.get_mut(&call) else { return };
            open.record.apply(recorded);
            if let Event::LanguageSet { language, .. } = &recorded.event {
                open.language.clone_from(language);
            }
        }
        self.dirty.insert(call);
    }

    /// The row of an effect that is part of the commit.
    pub(crate) fn row(&mut self, now: Timestamp, effect: Effect) -> Option<FloorRow> {
        match effect {
            Effect::SaveFact { call, fact } => self.fact(now, call, fact),
            Effect::SaveIntent { agent, intent } => {
                let intent = serde_json::to_value(intent).expect("an intent is plain JSON");
                Some(FloorRow::AgentIntent { agent, intent })
            }
            Effect::SaveNote { call, agent, text } => {
                Some(FloorRow::Note { call, agent, text, at: now })
            }
            Effect::ListCallback { call, party, queue, waiting_since } => {
                Some(FloorRow::Callback { call, party, queue, waiting_since, listed_at: now })
            }
            _ => None,
        }
    }

    fn fact(&mut self, now: Timestamp, call: CallId, fact: Fact) -> Option<FloorRow> {
        let open = self.calls.get_mut(&call)?;
        let n = open.facts;
        open.facts += 1;
        Some(FloorRow::Fact { call, n, fact, at: now })
    }

    /// Where a wished recording is written, with its row when it is new.
    pub(crate) fn recording(
        &mut self,
        now: Timestamp,
        call: CallId,
        wish: &RecordWish,
    ) -> Option<(PathBuf, Option<FloorRow>)> {
        let open = self.calls.get_mut(&call)?;
        let known = open.recordings.iter().find(|row| row.recording == wish.recording);
        if let Some(row) = known {
            return Some((self.data_dir.join(&row.path), None));
        }
        let n = u32::try_from(open.recordings.len()).unwrap_or(u32::MAX - 1) + 1;
        let row = RecordingRow {
            recording: wish.recording,
            call,
            n,
            legs: vec![wish.leg],
            started_at: now,
            path: self.db.recording_place(call, n, &day(open.record.started_at)),
            length_ms: 0,
            complete: false,
            sha256: None,
        };
        open.recordings.push(row.clone());
        Some((self.data_dir.join(&row.path), Some(FloorRow::Recording(row))))
    }

    /// A recording file is finished: its row.
    pub(crate) fn recording_ended(
        &mut self,
        call: CallId,
        recording: RecordingId,
        length_ms: i64,
        sha256: String,
        complete: bool,
    ) -> Option<FloorRow> {
        let open = self.calls.get_mut(&call)?;
        let row = open.recordings.iter_mut().find(|row| row.recording == recording)?;
        row.length_ms = length_ms;
        row.complete = complete;
        row.sha256 = Some(sha256);
        let row = row.clone();
        self.close(call);
        Some(FloorRow::Recording(row))
    }

    /// The rows of all calls that changed since the last time.
    pub(crate) fn changed(&mut self) -> Vec<FloorRow> {
        let dirty = std::mem::take(&mut self.dirty);
        let row = |call: &CallId| self.calls.get(call).map(|open| FloorRow::Call(call_row(open)));
        let rows = dirty.iter().filter_map(row).collect();
        for call in dirty {
            self.close(call);
        }
        rows
    }

    /// Forgets a call that cannot change any more.
    fn close(&mut self, call: CallId) {
        let over = |open: &OpenCall| {
            open.record.finished() && open.recordings.iter().all(|row| row.sha256.is_some())
        };
        if self.calls.get(&call).is_some_and(over) && !self.dirty.contains(&call) {
            self.calls.remove(&call);
        }
    }
}

fn call_row(open: &OpenCall) -> Box<CallRow> {
    let record = &open.record;
    Box::new(CallRow {
        call: record.call,
        party: record.party,
        leg: open.leg,
        dialled: record.dialled.clone(),
        flow: record.flow,
        flow_version: record.flow_version,
        language: open.language.clone(),
        consent: record.consent,
        started_at: record.started_at,
        answered_at: record.answered_at,
        ended_at: record.ended_at,
        queue: record.queue,
        waiting_since: record.waiting.map(|waiting| waiting.since),
        agent: record.agent,
        waited_us: record.waited_us,
        talk_us: record.talk_us,
        hold_us: record.hold_us,
        wrap_us: record.wrap_up_us,
        outcome: record.outcome,
        cause: record.cause,
        disposition: record.disposition.clone(),
        resolved: record.resolved,
        recorded: record.recorded,
        finished: record.finished(),
    })
}

/// The civil date (UTC) whose folder a call's recordings go to.
fn day(started_at: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(started_at.micros())
        .map_or_else(|_| "undated".to_owned(), |at| at.to_zoned(TimeZone::UTC).date().to_string())
}
