//! Runs one tenant's cell: inputs in, effects out at once, events and promises through the ledger.
//!
//! The only owner of the cell. A panic in one input is caught here: the cell is rebuilt from its
//! last checkpoint without that input, and the call it was about ends alone.

mod rebuild;

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use floor::Cell;
use model::Input;
use model::effect::{Effect, Output, Plane, Topic};
use model::id::{IdMint, RequestId, TenantId};
use model::limits;
use model::time::{Span, Timestamp};
use model::view::RecordView;
use store::{Ctx, FloorBatch, Store, StoreError};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Duration, Instant};

use crate::books::Books;
use crate::caught::Caught;
use crate::clock::HouseClock;
use crate::flight::{FlightLog, SEGMENT_SPAN, Step};
use crate::ledger::{Ledger, Promise};
use crate::mailbox::{Answer, Inbox, Message};
use crate::publish::{Board, TopicData};
use crate::switchboard::Request;

use rebuild::guarded;

/// Pause before a failed commit is tried again.
const RETRY_AFTER: Span = Span::from_millis(250);
/// The longest such pause: each try copies all that waits.
const RETRY_AFTER_MAX: Span = Span::from_millis(1_000);
/// Least time between two attempts to begin a flight-log segment.
const SEGMENT_PAUSE: Span = Span::from_secs(1);
/// How long a stopping cell waits for the disk.
const STOP_PATIENCE: Duration = Duration::from_millis(limits::STOP_MS_MAX);

/// What a cell task is made of.
pub(crate) struct Parts {
    pub(crate) tenant: TenantId,
    pub(crate) cell: Cell,
    pub(crate) clock: Arc<HouseClock>,
    pub(crate) inbox: Inbox,
    pub(crate) board: Board,
    pub(crate) store: Store,
    pub(crate) switchboard: mpsc::UnboundedSender<Request>,
    pub(crate) flight: FlightLog,
    pub(crate) data_dir: PathBuf,
    pub(crate) language: String,
    /// Seeds the ids of requests.
    pub(crate) seed: u64,
    pub(crate) caught: Caught,
}

/// See the module.
pub(crate) struct CellTask {
    tenant: TenantId,
    cell: Cell,
    clock: Arc<HouseClock>,
    inbox: Inbox,
    board: Board,
    board_seq: u64,
    store: Store,
    switchboard: mpsc::UnboundedSender<Request>,
    books: Books,
    ledger: Ledger,
    committing: Option<JoinHandle<Result<(), StoreError>>>,
    retry_at: Option<Timestamp>,
    /// The pause before the next try; grows while the disk keeps nothing.
    retry_after: Span,
    /// No timer fires before: one that cannot even be put off must not keep the others' thread.
    wake_not_before: Timestamp,
    requests: IdMint,
    replies: HashMap<RequestId, Answer>,
    flight: FlightLog,
    segment: Option<(Timestamp, u32)>,
    next_segment_at: Timestamp,
    checkpoint: Cell,
    since_checkpoint: Vec<(Timestamp, Input)>,
    caught: Caught,
    stopping: Option<(oneshot::Sender<()>, Instant)>,
}

impl CellTask {
    pub(crate) fn new(parts: Parts) -> Self {
        let db = parts.store.tenant(Ctx::system(parts.tenant));
        Self {
            tenant: parts.tenant,
            checkpoint: parts.cell.clone(),
            cell: parts.cell,
            clock: parts.clock,
            inbox: parts.inbox,
            board: parts.board,
            board_seq: 0,
            store: parts.store,
            switchboard: parts.switchboard,
            books: Books::new(db, parts.data_dir, parts.language),
            ledger: Ledger::default(),
            committing: None,
            retry_at: None,
            retry_after: RETRY_AFTER,
            wake_not_before: Timestamp::default(),
            requests: IdMint::new(parts.seed),
            replies: HashMap::new(),
            flight: parts.flight,
            segment: None,
            next_segment_at: Timestamp::default(),
            since_checkpoint: Vec::new(),
            caught: parts.caught,
            stopping: None,
        }
    }

    /// Runs until it is told to stop and everything is saved.
    pub(crate) async fn run(mut self) {
        self.publish(Topic::Record);
        let mut open = true;
        loop {
            self.commit();
            if self.may_stop() {
                break;
            }
            let wake = self.wake_in();
            tokio::select! {
                biased;
                saved = join(&mut self.committing) => self.committed(saved),
                message = self.inbox.receive(), if open => match message {
                    Some(message) => self.turn(message),
                    // Nobody says so, but this is the end: what happened is saved all the same.
                    None => {
                        open = false;
                        self.stop(oneshot::channel().0);
                    }
                },
                () = tokio::time::sleep(wake) => self.woken(),
            }
        }
        if let Some((done, _)) = self.stopping.take() {
            // The one who stops us may be gone already.
            let _ = done.send(());
        }
    }

    fn may_stop(&self) -> bool {
        let Some((_, deadline)) = &self.stopping else { return false };
        self.ledger.is_clear() || *deadline <= Instant::now()
    }

    fn turn(&mut self, first: Message) {
        self.message(first);
        for _ in 1..limits::CELL_MESSAGES_PER_TURN_MAX {
            let Some(message) = self.inbox.try_receive() else { break };
            self.message(message);
        }
        // Under load the inbox is never empty: timers and late commits get their turn too.
        self.woken();
    }

    fn message(&mut self, message: Message) {
        match message {
            Message::Input { mut input, rows, reply } => {
                if let (Input::Command { request, .. }, Some(reply)) = (&mut input, reply) {
                    let id = self.requests.mint(self.clock.now());
                    *request = Some(id);
                    self.replies.insert(id, reply);
                }
                let leg = match &input {
                    Input::CallOffered { leg, .. } => Some(*leg),
                    _ => None,
                };
                self.step(input);
                // Who was refused at the door leaves nothing behind.
                if leg.is_none_or(|leg| self.cell.call_of_leg(leg).is_some()) {
                    rows.into_iter().for_each(|row| self.ledger.row(row));
                }
            }
            Message::RecordingEnded { call, recording, length_ms, sha256, complete } => {
                let row = self.books.recording_ended(call, recording, length_ms, sha256, complete);
                row.into_iter().for_each(|row| self.ledger.row(row));
            }
            Message::ClipsGone(clips) => {
                let _ = self.switchboard.send(Request::ClipsGone(clips));
            }
            Message::Stop(done) => self.stop(done),
        }
    }

    fn stop(&mut self, done: oneshot::Sender<()>) {
        // Whoever asked first is told.
        self.stopping.get_or_insert((done, Instant::now() + STOP_PATIENCE));
    }

    fn woken(&mut self) {
        let now = self.clock.now();
        if self.ledger.late_at().is_some_and(|late| late <= now) {
            tracing::error!(tenant.id = %self.tenant, "commits are late: nothing is promised");
            let promises = self.ledger.late();
            self.publish(Topic::Record);
            self.speak(promises);
        }
        for _ in 0..limits::TIMERS_PER_TURN_MAX {
            if self.timer_at().is_none_or(|at| now < at) {
                break;
            }
            self.step(Input::Wake);
        }
    }

    fn timer_at(&self) -> Option<Timestamp> {
        self.cell.deadline().map(|(at, _)| at.max(self.wake_not_before))
    }

    fn wake_in(&mut self) -> Duration {
        let now = self.clock.now();
        let floor = self.timer_at();
        let stopping = self.stopping.as_ref().map(|_| now + RETRY_AFTER);
        let soonest = [floor, self.ledger.late_at(), self.commit_at(now), stopping];
        let micros = soonest.into_iter().flatten().min().map_or(60_000_000, |at| {
            // One millisecond more than the rest, so that the timer is never a hair too early.
            at.since(now).micros() + 1_000
        });
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    }

    /// One input through the cell, and everything that follows from it.
    fn step(&mut self, input: Input) {
        let now = self.clock.now();
        self.keep_flight(now);
        if let Input::Config(config) = &input {
            self.books.set_language(&config.language);
        }
        match guarded(&self.caught, &mut self.cell, now, input.clone()) {
            Some(outputs) => {
                self.log(&Step { at: now, input: &input, outputs: &outputs, failed: false });
                self.since_checkpoint.push((now, input));
                if limits::CHECKPOINT_INPUTS_MAX <= self.since_checkpoint.len() {
                    self.checkpoint = self.cell.clone();
                    self.since_checkpoint.clear();
                }
                self.carry_out(now, outputs);
            }
            None => {
                self.log(&Step { at: now, input: &input, outputs: &[], failed: true });
                self.rebuild(now, &input);
            }
        }
    }

    /// A fault in one output keeps no other from being carried out.
    fn carry_out(&mut self, now: Timestamp, outputs: Vec<Output>) {
        let caught = self.caught.clone();
        let mut touched = BTreeSet::new();
        for output in outputs {
            let done = match output {
                Output::Event(recorded) => {
                    // What happened is saved, whatever the books make of it.
                    let row = caught.catch(|| self.books.event(&recorded));
                    self.ledger.event(recorded);
                    row.map(|row| row.into_iter().for_each(|row| self.ledger.row(row)))
                }
                Output::Effect(effect) => caught.catch(|| self.effect(now, effect)),
                Output::Touched(topic) => {
                    touched.insert(topic);
                    Ok(())
                }
            };
            if done.is_err() {
                tracing::error!(tenant.id = %self.tenant, "what a cell decided was not carried out");
            }
        }
        for topic in touched {
            if caught.catch(|| self.publish(topic)).is_err() {
                tracing::error!(tenant.id = %self.tenant, ?topic, "what pages see is out of date");
            }
        }
    }

    fn effect(&mut self, now: Timestamp, effect: Effect) {
        match effect.plane() {
            Plane::Now => {
                let recording_file = self.recording_file(now, &effect);
                let tenant = self.tenant;
                // The switchboard outlives every cell but at the very end of the house.
                let _ = self.switchboard.send(Request::Effect { tenant, effect, recording_file });
            }
            Plane::WithCommit => {
                let row = self.books.row(now, effect);
                row.into_iter().for_each(|row| self.ledger.row(row));
            }
            Plane::AfterCommit => {
                if let Effect::Reply { request, result } = effect {
                    let refused = self.ledger.promise((request, result));
                    self.speak(refused.into_iter().collect());
                }
            }
        }
    }

    fn recording_file(&mut self, now: Timestamp, effect: &Effect) -> Option<PathBuf> {
        let Effect::Media { call, graph, .. } = effect else { return None };
        let (path, row) = self.books.recording(now, *call, graph.record.as_ref()?)?;
        row.into_iter().for_each(|row| self.ledger.row(row));
        Some(path)
    }

    fn publish(&mut self, topic: Topic) {
        let data = match topic {
            Topic::Agent(agent) => {
                self.cell.agent_view(agent).map(|view| TopicData::Agent(Arc::new(view)))
            }
            Topic::Queue(queue) => {
                self.cell.queue_view(queue).map(|view| TopicData::Queue(Arc::new(view)))
            }
            Topic::Record => {
                Some(TopicData::Record(RecordView { late_since: self.ledger.late_since() }))
            }
        };
        match data {
            Some(data) => self.board.publish(topic, data, &mut self.board_seq),
            None => self.board.forget(topic),
        }
    }

    /// When the next commit is to begin, if one is wanted and none is under way.
    fn commit_at(&mut self, now: Timestamp) -> Option<Timestamp> {
        let due = self.ledger.due(now)?;
        let due = if self.stopping.is_some() { now } else { due };
        Some(self.retry_at.map_or(due, |at| at.max(due)))
    }

    fn commit(&mut self) {
        let now = self.clock.now();
        if self.commit_at(now).is_none_or(|at| now < at) {
            return;
        }
        self.retry_at = None;
        for row in self.books.changed() {
            self.ledger.row(row);
        }
        let Some((events, rows)) = self.ledger.take(now) else { return };
        let batch = FloorBatch { tenant: self.tenant, events, rows };
        let store = self.store.clone();
        self.committing = Some(tokio::spawn(async move {
            if batch.events.len() <= limits::COMMIT_EVENTS_INLINE_MAX {
                return store.floor().commit(batch).await;
            }
            let begun = tokio::task::spawn_blocking(move || store.floor().commit(batch)).await;
            // A fault while it was encoded: the batch is kept and tried again.
            begun.map_err(|_| StoreError::Busy)?.await
        }));
    }

    fn committed(&mut self, saved: Result<(), StoreError>) {
        self.committing = None;
        let promises = match saved {
            Ok(()) => {
                self.retry_after = RETRY_AFTER;
                self.ledger.saved()
            }
            Err(error) => {
                tracing::error!(tenant.id = %self.tenant, %error, "a commit failed");
                self.retry_at = Some(self.clock.now() + self.retry_after);
                self.retry_after = RETRY_AFTER_MAX.min(self.retry_after + self.retry_after);
                self.ledger.failed()
            }
        };
        self.publish(Topic::Record);
        self.speak(promises);
    }

    fn speak(&mut self, promises: Vec<Promise>) {
        for (request, result) in promises {
            if let Some(reply) = self.replies.remove(&request) {
                // The client may have hung up in the meantime.
                let _ = reply.send(result);
            }
        }
    }

    fn keep_flight(&mut self, now: Timestamp) {
        let due = self.segment.is_none_or(|(begun, inputs)| {
            limits::FLIGHT_SEGMENT_INPUTS_MAX <= inputs || SEGMENT_SPAN <= now.since(begun)
        });
        if !due || now < self.next_segment_at {
            return;
        }
        // Serialising a cell is dear: when the log is behind, not with every input.
        self.next_segment_at = now + SEGMENT_PAUSE;
        self.segment = self.flight.begin(self.tenant, now, &self.cell).then_some((now, 0));
    }

    fn log(&mut self, step: &Step<&Input, &[Output]>) {
        let Some((_, inputs)) = &mut self.segment else { return self.flight.miss() };
        *inputs += 1;
        if !self.flight.step(self.tenant, step) {
            self.segment = None;
        }
    }
}

async fn join(
    committing: &mut Option<JoinHandle<Result<(), StoreError>>>,
) -> Result<(), StoreError> {
    match committing {
        // A panic in the store's task is a fault of the store: keep the batch and try again.
        Some(task) => task.await.unwrap_or(Err(StoreError::Busy)),
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
