//! The one writer: everything that changes the file goes through its task, so no write ever waits
//! for a lock, and a promise is answered only after the commit that keeps it.
//!
//! Two lanes. The floor's batches go first and share transactions; other work follows, one job per
//! transaction. Invariant: a sender hears `Ok` only after `COMMIT` returned, which with
//! `synchronous=FULL` is after the WAL was synced.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use sqlx::sqlite::SqliteConnection;
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot, watch};

use crate::checkpoint::{self, CHECKPOINT};
use crate::connect;
use crate::error::StoreError;
use crate::floor::encode::Encoded;
use crate::floor::group::Group;

/// Batches of the floor that may wait; a cell sends one per turn.
const FLOOR_LANE_BATCHES_MAX: usize = 16_384;
/// Other jobs that may wait.
const WORK_LANE_JOBS_MAX: usize = 1_024;
/// Least time from one floor transaction to the next: what comes in between shares the next one. A
/// quiet house does not wait at all, and nobody notices that a busy one answers so much later.
const GROUP_PAUSE: Duration = Duration::from_millis(10);
/// When so many batches wait already, the next transaction begins at once.
const GROUP_BATCHES: usize = 128;
/// A transaction longer than this is reported.
const TRANSACTION_TIME_MAX: Duration = Duration::from_millis(20);

pub(crate) type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// A batch and who waits for it.
pub(crate) struct FloorItem {
    pub(crate) batch: Encoded,
    pub(crate) reply: Reply<()>,
}

/// What one write transaction does beside the floor.
trait Job: Send {
    fn apply<'c>(
        &'c mut self,
        conn: &'c mut SqliteConnection,
    ) -> BoxFuture<'c, Result<(), StoreError>>;
    fn finish(self: Box<Self>, result: Result<(), StoreError>);
}

enum Work {
    Job(Box<dyn Job>),
    /// Move what the other connection left of the log into the database file.
    Checkpoint,
    Close(oneshot::Sender<()>),
}

/// What the writer did since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figures {
    /// Transactions committed.
    pub commits: u64,
    /// Floor batches kept.
    pub batches: u64,
    /// Events kept.
    pub events: u64,
    /// Transactions that failed.
    pub failures: u64,
    /// The longest transaction, microseconds.
    pub commit_us_max: u64,
}

#[derive(Default)]
struct Counters {
    commits: AtomicU64,
    batches: AtomicU64,
    events: AtomicU64,
    failures: AtomicU64,
    commit_us_max: AtomicU64,
}

/// The sending side of the two lanes.
#[derive(Clone)]
pub(crate) struct Writer {
    floor: mpsc::Sender<FloorItem>,
    work: mpsc::Sender<Work>,
    stopped: watch::Receiver<bool>,
    counters: Arc<Counters>,
}

impl Writer {
    /// Starts the task on an opened connection, and the checkpoints on another. Both have a thread
    /// of their own: no page that is slow to make holds up the record, and what every commit wakes
    /// is one thread, not a pool of them.
    ///
    /// # Errors
    /// The operating system has no thread or no event queue left.
    pub(crate) async fn start(
        conn: SqliteConnection,
        keeper: SqliteConnection,
        file: PathBuf,
    ) -> io::Result<Self> {
        let (floor, floor_rx) = mpsc::channel(FLOOR_LANE_BATCHES_MAX);
        let (work, work_rx) = mpsc::channel(WORK_LANE_JOBS_MAX);
        let (stop, stopped) = watch::channel(false);
        let counters = Arc::new(Counters::default());
        let task = Task {
            conn,
            file,
            floor: floor_rx,
            work: work_rx,
            stop,
            counters: Arc::clone(&counters),
            group_due: Instant::now(),
        };
        let log = Log {
            work: work.downgrade(),
            stopped: stopped.clone(),
            counters: Arc::clone(&counters),
        };
        let (began, begins) = oneshot::channel();
        std::thread::Builder::new().name("record".to_owned()).spawn(move || {
            let runtime = match Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return drop(began.send(Err(error))),
            };
            // Whoever opens the store may have given up; then the lanes are closed already.
            let _ = began.send(Ok(()));
            runtime.spawn(checkpoint::run(keeper, log));
            runtime.block_on(task.run());
        })?;
        begins.await.unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))?;
        Ok(Self { floor, work, stopped, counters })
    }

    /// Puts a batch on the floor lane, at once and in order.
    pub(crate) fn send_floor(&self, item: FloorItem) {
        if let Err(refused) = self.floor.try_send(item) {
            let (item, error) = match refused {
                mpsc::error::TrySendError::Full(item) => (item, StoreError::Busy),
                mpsc::error::TrySendError::Closed(item) => (item, StoreError::Closed),
            };
            // Nobody may be waiting any more; then nobody needs the answer.
            let _ = item.reply.send(Err(error));
        }
    }

    /// Runs `work` in a transaction of its own and answers after the commit.
    pub(crate) async fn run<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T, StoreError>>
            + Send
            + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = TypedJob { work: Some(work), value: None, reply };
        self.work.try_send(Work::Job(Box::new(job))).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => StoreError::Busy,
            mpsc::error::TrySendError::Closed(_) => StoreError::Closed,
        })?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Finishes what waits, then closes the connection.
    pub(crate) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.work.send(Work::Close(done)).await.is_ok() {
            let _ = closed.await;
        }
    }

    /// Resolves when nothing more is written: the disk failed, or the task is gone.
    pub(crate) async fn stopped(&self) {
        let mut stopped = self.stopped.clone();
        // A sender that is gone says the same as one that says so.
        let _ = stopped.wait_for(|stopped| *stopped).await;
    }

    pub(crate) fn is_stopped(&self) -> bool {
        *self.stopped.borrow() || self.stopped.has_changed().is_err()
    }

    pub(crate) fn figures(&self) -> Figures {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Figures {
            commits: read(&self.counters.commits),
            batches: read(&self.counters.batches),
            events: read(&self.counters.events),
            failures: read(&self.counters.failures),
            commit_us_max: read(&self.counters.commit_us_max),
        }
    }
}

/// The writer as the checkpoints see it. It keeps no lane open.
struct Log {
    work: mpsc::WeakSender<Work>,
    stopped: watch::Receiver<bool>,
    counters: Arc<Counters>,
}

impl checkpoint::Log for Log {
    async fn stopped(&mut self) {
        let _ = self.stopped.wait_for(|stopped| *stopped).await;
    }

    fn commits(&self) -> u64 {
        self.counters.commits.load(Ordering::Relaxed)
    }

    fn finish(&self) {
        // A full lane leaves it for the next time.
        self.work.upgrade().map(|work| work.try_send(Work::Checkpoint));
    }
}

struct TypedJob<T, F> {
    work: Option<F>,
    value: Option<T>,
    reply: Reply<T>,
}

impl<T, F> Job for TypedJob<T, F>
where
    T: Send,
    F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T, StoreError>> + Send,
{
    fn apply<'c>(
        &'c mut self,
        conn: &'c mut SqliteConnection,
    ) -> BoxFuture<'c, Result<(), StoreError>> {
        Box::pin(async move {
            let work = self.work.take().ok_or(StoreError::Closed)?;
            self.value = Some(work(conn).await?);
            Ok(())
        })
    }

    fn finish(self: Box<Self>, result: Result<(), StoreError>) {
        let Self { value, reply, .. } = *self;
        let answer = result.and_then(|()| value.ok_or(StoreError::Closed));
        // The caller may have given up; what was committed stays committed.
        let _ = reply.send(answer);
    }
}

struct Task {
    conn: SqliteConnection,
    file: PathBuf,
    floor: mpsc::Receiver<FloorItem>,
    work: mpsc::Receiver<Work>,
    stop: watch::Sender<bool>,
    counters: Arc<Counters>,
    /// When the next floor transaction may begin.
    group_due: Instant,
}

impl Task {
    async fn run(mut self) {
        loop {
            tokio::select! {
                biased;
                Some(first) = due(&mut self.floor, self.group_due) => {
                    self.floor_turn(first).await;
                    // One job after each floor transaction, so that a busy floor starves nobody.
                    if let Ok(work) = self.work.try_recv()
                        && self.work_turn(work).await.is_break()
                    {
                        return;
                    }
                }
                Some(work) = self.work.recv() => {
                    if self.work_turn(work).await.is_break() {
                        return;
                    }
                }
                else => return,
            }
        }
    }

    async fn work_turn(&mut self, work: Work) -> std::ops::ControlFlow<()> {
        match work {
            Work::Job(mut job) => {
                let result = self.transaction(Unit::Job(job.as_mut())).await;
                job.finish(result);
                std::ops::ControlFlow::Continue(())
            }
            Work::Checkpoint => {
                // What fails here is tried again by the next checkpoint.
                let made = sqlx::query(CHECKPOINT).execute(&mut self.conn).await;
                made.err().inspect(|error| tracing::warn!(%error, "no checkpoint"));
                std::ops::ControlFlow::Continue(())
            }
            Work::Close(done) => {
                self.close(done).await;
                std::ops::ControlFlow::Break(())
            }
        }
    }

    /// One group commit: batches are taken until none waits or the group is full.
    async fn floor_turn(&mut self, first: FloorItem) {
        let (mut group, mut taken) = (Group::default(), Vec::new());
        let mut next = Some(first);
        while let Some(item) = next {
            group.add(&item.batch);
            taken.push(item);
            next = if group.is_full() { None } else { self.floor.try_recv().ok() };
        }
        let result = self.transaction(Unit::Floor(group)).await;
        self.group_due = Instant::now() + GROUP_PAUSE;
        match result {
            Ok(()) => {
                for item in taken {
                    self.count_batch(&item.batch);
                    let _ = item.reply.send(Ok(()));
                }
            }
            // One bad batch must not cost the others their place: each gets its own transaction.
            Err(StoreError::Stopped) => refuse(taken, || StoreError::Stopped),
            Err(StoreError::Full) => refuse(taken, || StoreError::Full),
            Err(_) => {
                for item in taken {
                    let mut group = Group::default();
                    group.add(&item.batch);
                    let result = self.transaction(Unit::Floor(group)).await;
                    if result.is_ok() {
                        self.count_batch(&item.batch);
                    }
                    let _ = item.reply.send(result);
                }
            }
        }
    }

    /// Begins, applies, commits. Whatever fails leaves nothing behind.
    async fn transaction(&mut self, unit: Unit<'_>) -> Result<(), StoreError> {
        let began = Instant::now();
        let stopped = *self.stop.borrow();
        let result =
            if stopped { Err(StoreError::Stopped) } else { unit.run(&mut self.conn).await };
        let took = began.elapsed();
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.counters.commit_us_max.fetch_max(took_us, Ordering::Relaxed);
        if took > TRANSACTION_TIME_MAX {
            tracing::debug!(took_us, "long write transaction");
        }
        match &result {
            Ok(()) => _ = self.counters.commits.fetch_add(1, Ordering::Relaxed),
            Err(error) => {
                self.counters.failures.fetch_add(1, Ordering::Relaxed);
                self.after_failure(error).await;
            }
        }
        result
    }

    /// Rolls back, or opens the file anew where SQLite's own state is no longer certain.
    async fn after_failure(&mut self, error: &StoreError) {
        if error.is_fatal() {
            tracing::error!("the disk failed while saving: no more is written");
            self.stop.send_replace(true);
            return;
        }
        let clean = sqlx::query("ROLLBACK").execute(&mut self.conn).await.is_ok();
        if clean {
            return;
        }
        // After SQLITE_FULL the transaction may be gone already, with the connection's idea of it.
        match connect::writer(&self.file).await {
            Ok(conn) => self.conn = conn,
            Err(error) => tracing::error!(%error, "the database file cannot be opened again"),
        }
    }

    async fn close(&mut self, done: oneshot::Sender<()>) {
        self.floor.close();
        self.work.close();
        while let Ok(item) = self.floor.try_recv() {
            self.floor_turn(item).await;
        }
        while let Ok(work) = self.work.try_recv() {
            if let Work::Job(mut job) = work {
                let result = self.transaction(Unit::Job(job.as_mut())).await;
                job.finish(result);
            }
        }
        let checkpoint = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut self.conn);
        if let Err(error) = checkpoint.await {
            tracing::warn!(%error, "the last checkpoint was not made");
        }
        let _ = done.send(());
    }

    fn count_batch(&self, batch: &Encoded) {
        self.counters.batches.fetch_add(1, Ordering::Relaxed);
        self.counters.events.fetch_add(batch.events.len() as u64, Ordering::Relaxed);
    }
}

/// What one transaction holds.
enum Unit<'a> {
    Floor(Group),
    Job(&'a mut dyn Job),
}

impl Unit<'_> {
    async fn run(self, conn: &mut SqliteConnection) -> Result<(), StoreError> {
        match self {
            Self::Floor(group) => group.write(conn).await,
            Self::Job(job) => {
                sqlx::query("BEGIN IMMEDIATE").execute(&mut *conn).await?;
                job.apply(conn).await?;
                sqlx::query("COMMIT").execute(conn).await?;
                Ok(())
            }
        }
    }
}

/// The next batch, once the pause after the last transaction is over or many wait.
async fn due(lane: &mut mpsc::Receiver<FloorItem>, at: Instant) -> Option<FloorItem> {
    if lane.len() < GROUP_BATCHES {
        tokio::time::sleep_until(at.into()).await;
    }
    lane.recv().await
}

fn refuse(items: Vec<FloorItem>, why: impl Fn() -> StoreError) {
    for item in items {
        let _ = item.reply.send(Err(why()));
    }
}
