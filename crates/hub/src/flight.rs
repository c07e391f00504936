//! The flight log: every input of a cell with what the cell decided, so that any decision can be
//! replayed. Encrypted segments per tenant, kept for a day.
//!
//! A segment begins with the serialised cell, so it can be replayed alone. Lines go through a
//! bounded channel to one thread: a slow disk loses flight-log lines, never a call.

mod read;
mod segment;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use model::id::TenantId;
use model::time::{Span, Timestamp};
use model::{Input, Output, limits};
use serde::{Deserialize, Serialize};
use store::HouseKey;

pub use read::FlightError;
pub(crate) use read::{chunks, read};
use segment::Segment;

/// First bytes of a segment.
const MAGIC: &[u8; 8] = b"ANTFLT1\n";
/// How the name of a segment ends.
const EXTENSION: &str = "flight";
/// Pause after lines were taken: the cells wake this thread ten times a second at most.
const GATHER: Duration = Duration::from_millis(100);
/// A chunk that is not full is written after this time and the pause.
const FLUSH_EVERY: Duration = Duration::from_millis(200);
/// Length of one segment.
pub(crate) const SEGMENT_SPAN: Span = Span::from_millis(limits::FLIGHT_SEGMENT_MS_MAX);
/// Segments older than this are removed.
const KEEP: Duration = Duration::from_secs(limits::FLIGHT_KEEP_S);
/// How often old segments are looked for, and too many.
const PRUNE_EVERY: Duration = Duration::from_secs(300);
/// Room for most steps.
const STEP_BYTES: usize = 2_048;
/// How long a stop waits for the disk.
const FINISH_PATIENCE: Duration = Duration::from_millis(limits::FLIGHT_FINISH_MS_MAX);

/// The first line of a segment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Header<Cell = serde_json::Value> {
    pub(crate) tenant: TenantId,
    pub(crate) at: Timestamp,
    /// The program that wrote it: version, and commit if known.
    pub(crate) build: String,
    /// The release of the time zone data that opening hours were decided with.
    #[serde(default)]
    pub(crate) tzdb: String,
    /// The whole cell, its configuration, seed and clock included.
    pub(crate) cell: Cell,
}

/// One step: what came and what the cell made of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Step<In = Input, Out = Vec<Output>> {
    pub(crate) at: Timestamp,
    pub(crate) input: In,
    pub(crate) outputs: Out,
    /// The cell failed at it: a fault of the program. The segment ends here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) failed: bool,
}

enum Line {
    Segment {
        tenant: TenantId,
        at: Timestamp,
        header: Vec<u8>,
    },
    Step {
        tenant: TenantId,
        step: Vec<u8>,
    },
    /// Nothing more comes; the answer follows when all of it is written.
    Finish(SyncSender<()>),
}

/// The sending end, shared by all cells.
#[derive(Debug, Clone)]
pub(crate) struct FlightLog {
    /// Names this program in the header of each segment.
    build: Arc<str>,
    lines: SyncSender<Line>,
    faults: Arc<Faults>,
}

/// What the writer could not keep.
#[derive(Debug, Default)]
struct Faults {
    /// Steps, and beginnings of segments.
    lost: AtomicU64,
    /// Whether `broken` names anybody: asked with every step.
    any_broken: AtomicBool,
    /// Tenants whose segment has a hole.
    broken: Mutex<BTreeSet<TenantId>>,
}

impl Faults {
    fn lose(&self, tenant: TenantId, lines: u64) {
        self.lost.fetch_add(lines, Ordering::Relaxed);
        self.broken.lock().expect("nobody panics with this lock").insert(tenant);
        self.any_broken.store(true, Ordering::Release);
    }

    /// Whether the tenant's segment broke since this was last asked.
    fn take(&self, tenant: TenantId) -> bool {
        if !self.any_broken.load(Ordering::Acquire) {
            return false;
        }
        let mut broken = self.broken.lock().expect("nobody panics with this lock");
        let was_broken = broken.remove(&tenant);
        self.any_broken.store(!broken.is_empty(), Ordering::Release);
        was_broken
    }
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Line")
    }
}

impl FlightLog {
    /// Starts the writer thread for segments under `dir/<tenant>/`, written by the program `build`.
    pub(crate) fn start(
        dir: PathBuf,
        key: HouseKey,
        build: &str,
    ) -> io::Result<(Self, JoinHandle<()>)> {
        let (lines, received) = sync_channel(limits::FLIGHT_LINES_MAX);
        let faults = Arc::new(Faults::default());
        let writer = Writer { dir, key, open: BTreeMap::new(), faults: faults.clone() };
        let thread = std::thread::Builder::new()
            .name("flight-log".to_owned())
            .spawn(move || writer.run(&received))?;
        Ok((Self { build: build.into(), lines, faults }, thread))
    }

    /// Begins a new segment of a tenant with its cell as it is. False when the log is full: try
    /// again with a later input.
    pub(crate) fn begin(&self, tenant: TenantId, at: Timestamp, cell: &impl Serialize) -> bool {
        let (build, tzdb) = (self.build.to_string(), civil::tzdb_version().to_owned());
        let header = Header { tenant, at, build, tzdb, cell };
        let Ok(header) = serde_json::to_vec(&header) else { return false };
        // The new segment has no part in what broke the one before.
        self.faults.take(tenant);
        self.lines.try_send(Line::Segment { tenant, at, header }).is_ok()
    }

    /// Adds a step. False when it was lost, or the segment broke before it: the segment has a hole
    /// and must be begun anew.
    pub(crate) fn step(&self, tenant: TenantId, step: &Step<&Input, &[Output]>) -> bool {
        let mut line = Vec::with_capacity(STEP_BYTES);
        let kept = !self.faults.take(tenant)
            && serde_json::to_writer(&mut line, step).is_ok()
            && self.lines.try_send(Line::Step { tenant, step: line }).is_ok();
        if !kept {
            self.faults.lost.fetch_add(1, Ordering::Relaxed);
        }
        kept
    }

    /// A step came while no segment was open.
    pub(crate) fn miss(&self) {
        self.faults.lost.fetch_add(1, Ordering::Relaxed);
    }

    /// Writes what waits and ends the thread. Blocks, but never for long: a slow disk loses the
    /// end of the flight log. False when it did.
    pub(crate) fn finish(&self) -> bool {
        let (done, finished) = sync_channel(1);
        self.lines.try_send(Line::Finish(done)).is_ok()
            && finished.recv_timeout(FINISH_PATIENCE).is_ok()
    }

    /// Steps and beginnings of segments that the disk was too slow for or did not take.
    pub(crate) fn lost(&self) -> u64 {
        self.faults.lost.load(Ordering::Relaxed)
    }
}

struct Writer {
    dir: PathBuf,
    key: HouseKey,
    open: BTreeMap<TenantId, Segment>,
    faults: Arc<Faults>,
}

impl Writer {
    fn run(mut self, lines: &Receiver<Line>) {
        let mut pruned: Option<Instant> = None;
        let mut flushed = Instant::now();
        let done = loop {
            if pruned.is_none_or(|at| at.elapsed() >= PRUNE_EVERY) {
                pruned = Some(Instant::now());
                self.prune();
            }
            let first = match lines.recv_timeout(FLUSH_EVERY) {
                Ok(first) => first,
                Err(RecvTimeoutError::Timeout) => {
                    self.flush();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => break None,
            };
            if let Some(done) =
                std::iter::once(first).chain(lines.try_iter()).find_map(|line| self.line(line))
            {
                break Some(done);
            }
            // A cell that finds nobody waiting for its lines wakes nobody: that costs it more than
            // the line itself.
            std::thread::sleep(GATHER);
            if flushed.elapsed() >= FLUSH_EVERY {
                flushed = Instant::now();
                self.flush();
            }
        };
        self.flush();
        // Whoever asked may have lost patience.
        done.map(|done| done.try_send(()));
    }

    /// Takes a line in. Gives whom to tell when it was the last.
    fn line(&mut self, line: Line) -> Option<SyncSender<()>> {
        match line {
            Line::Finish(done) => return Some(done),
            Line::Segment { tenant, at, header } => self.begin(tenant, at, &header),
            Line::Step { tenant, step } => self.step(tenant, &step),
        }
        None
    }

    fn begin(&mut self, tenant: TenantId, at: Timestamp, header: &[u8]) {
        if let Some(mut before) = self.open.remove(&tenant)
            && let Err(error) = before.write_chunk()
        {
            tracing::warn!(%error, "the end of a flight-log segment is lost");
            self.faults.lost.fetch_add(before.steps, Ordering::Relaxed);
        }
        match Segment::create(&self.dir.join(tenant.to_string()), at, &self.key, header) {
            Ok(segment) => {
                self.open.insert(tenant, segment);
            }
            Err(error) => {
                tracing::error!(%error, "a segment of the flight log cannot be begun");
                self.faults.lose(tenant, 1);
            }
        }
    }

    fn step(&mut self, tenant: TenantId, step: &[u8]) {
        let Some(segment) = self.open.get_mut(&tenant) else {
            // Sent before its cell heard that the segment broke.
            self.faults.lost.fetch_add(1, Ordering::Relaxed);
            return;
        };
        if let Err(error) = segment.add(step) {
            self.give_up(tenant, &error);
        }
    }

    fn flush(&mut self) {
        let write = |(tenant, segment): (&TenantId, &mut Segment)| {
            Some((*tenant, segment.write_chunk().err()?))
        };
        let failed: Vec<_> = self.open.iter_mut().filter_map(write).collect();
        for (tenant, error) in failed {
            self.give_up(tenant, &error);
        }
    }

    /// A segment with a hole is read up to it; its cell begins another.
    fn give_up(&mut self, tenant: TenantId, error: &io::Error) {
        tracing::error!(%error, "the flight log cannot be written");
        let steps = self.open.remove(&tenant).map_or(0, |segment| segment.steps);
        self.faults.lose(tenant, steps);
    }

    /// Removes old segments of every tenant, also of those who have not rung for days.
    fn prune(&self) {
        let failed = prune(&self.dir, limits::FLIGHT_BYTES_MAX);
        if failed > 0 {
            tracing::warn!(failed, "old segments of the flight log cannot be removed");
        }
    }
}

/// Removes segments older than [`KEEP`] from the folders of all tenants, then the oldest of the
/// rest as long as they are more than `bytes_max` together, and gives how many of them stay. What
/// is not ours is left alone, and one that cannot be removed keeps no other.
fn prune(dir: &Path, bytes_max: u64) -> usize {
    let inside = |dir: &Path| fs::read_dir(dir).into_iter().flatten().flatten();
    let tenants = inside(dir).filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let files = tenants.flat_map(|tenant| inside(&tenant.path()));
    let segments = files.filter(|file| file.path().extension().is_some_and(|e| e == EXTENSION));
    let known = |file: fs::DirEntry| {
        let metadata = file.metadata().ok()?;
        Some((metadata.modified().ok()?, metadata.len(), file.path()))
    };
    let mut segments: Vec<(SystemTime, u64, PathBuf)> = segments.filter_map(known).collect();
    segments.sort_unstable();
    let mut bytes: u64 = segments.iter().map(|(_, bytes, _)| bytes).sum();
    let mut failed = 0;
    for (modified, length, path) in segments {
        let is_old = SystemTime::now().duration_since(modified).is_ok_and(|age| age > KEEP);
        if !is_old && bytes <= bytes_max {
            break;
        }
        bytes -= length;
        failed += usize::from(fs::remove_file(path).is_err());
    }
    failed
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use model::id::IdMint;

    use super::*;

    const BUILD: &str = "1.2.3+abc";

    #[test]
    fn old_segments_of_silent_tenants_are_removed_and_a_finish_writes_everything() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let silent = dir.path().join("silent");
        fs::create_dir(&silent).expect("a folder");
        for (name, age) in [("old.flight", KEEP + FINISH_PATIENCE), ("new.flight", PRUNE_EVERY)] {
            let file = File::create(silent.join(name)).expect("a file");
            file.set_modified(SystemTime::now() - age).expect("an age");
        }
        let keys = tempfile::tempdir().expect("temporary folder");
        let key = HouseKey::load_or_create(&keys.path().join("key")).expect("a key");
        let (log, thread) =
            FlightLog::start(dir.path().to_owned(), key.clone(), BUILD).expect("starts");
        let at = Timestamp::from_micros(7);
        let tenant = IdMint::new(1).mint(at);
        assert!(log.begin(tenant, at, &()));
        let step = Step { at, input: &Input::Wake, outputs: [].as_slice(), failed: false };
        (0..10).for_each(|_| assert!(log.step(tenant, &step)));
        assert!(log.finish());
        thread.join().expect("the thread ended in good order");
        assert!(!log.finish() && !log.step(tenant, &step), "nothing is written any more");

        assert!(!silent.join("old.flight").exists() && silent.join("new.flight").exists());
        let segment = dir.path().join(tenant.to_string()).join(format!("{:020}.flight", 7));
        let (header, steps) = read(&segment, &key).expect("readable");
        assert_eq!((header.build.as_str(), header.tzdb.as_str()), (BUILD, civil::tzdb_version()));
        assert_eq!(steps.len(), 10);
    }

    #[test]
    fn what_cannot_be_removed_and_what_is_not_ours_keeps_no_segment() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let old = |path: &Path| {
            let file = File::create(path).expect("a file");
            file.set_modified(SystemTime::now() - 2 * KEEP).expect("an age");
        };
        old(&dir.path().join("stray"));
        let folder = dir.path().join("tenant");
        // A segment that is a folder cannot be removed as a file.
        fs::create_dir_all(folder.join("a.flight")).expect("a folder");
        let stuck = File::open(folder.join("a.flight")).expect("a folder");
        stuck.set_modified(SystemTime::now() - 2 * KEEP).expect("an age");
        for name in ["b.flight", "c.flight", "notes.txt"] {
            old(&folder.join(name));
        }
        assert_eq!(prune(dir.path(), u64::MAX), 1);
        let mut left: Vec<_> = fs::read_dir(&folder).expect("readable").flatten().collect();
        left.sort_by_key(fs::DirEntry::path);
        let left: Vec<_> = left.iter().map(fs::DirEntry::file_name).collect();
        assert_eq!(left, ["a.flight", "notes.txt"]);
    }

    #[test]
    fn the_oldest_segments_leave_when_there_are_too_many_bytes() {
        let dir = tempfile::tempdir().expect("temporary folder");
        for (tenant, name, minutes) in
            [("a", "1.flight", 3), ("b", "2.flight", 2), ("a", "3.flight", 1)]
        {
            let folder = dir.path().join(tenant);
            fs::create_dir_all(&folder).expect("a folder");
            fs::write(folder.join(name), [0; 100]).expect("written");
            let file = File::options().write(true).open(folder.join(name)).expect("a file");
            let age = Duration::from_secs(60 * minutes);
            file.set_modified(SystemTime::now() - age).expect("an age");
        }
        assert_eq!(prune(dir.path(), 250), 0);
        let left = |path: &str| dir.path().join(path).exists();
        assert_eq!(
            (left("a/1.flight"), left("b/2.flight"), left("a/3.flight")),
            (false, true, true)
        );
    }

    #[test]
    fn a_segment_that_cannot_be_made_is_counted_and_begun_anew() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let key = HouseKey::load_or_create(&dir.path().join("key")).expect("a key");
        let at = Timestamp::from_micros(7);
        let tenant: TenantId = IdMint::new(1).mint(at);
        // A file stands where the tenant's folder should be.
        let flight = dir.path().join("flight");
        fs::create_dir(&flight).expect("a folder");
        let obstacle = flight.join(tenant.to_string());
        File::create(&obstacle).expect("a file");
        let (log, thread) = FlightLog::start(flight, key.clone(), BUILD).expect("starts");
        let step = Step { at, input: &Input::Wake, outputs: [].as_slice(), failed: false };
        assert!(log.begin(tenant, at, &()), "it is only on its way");
        let patience = Instant::now() + 5 * FINISH_PATIENCE;
        let mut sent = 0;
        while log.step(tenant, &step) {
            sent += 1;
            assert!(Instant::now() < patience, "its cell hears of it");
            // Slower than the lines could fill the channel in that time.
            std::thread::sleep(Duration::from_millis(5));
        }
        fs::remove_file(&obstacle).expect("the disk is repaired");
        assert!(log.begin(tenant, at, &()) && log.step(tenant, &step));
        assert!(log.finish());
        thread.join().expect("the thread ended in good order");
        assert_eq!(log.lost(), 1 + sent + 1, "the segment, what followed it, and the last step");
        let segment = obstacle.join(format!("{:020}.flight", 7));
        assert_eq!(read(&segment, &key).expect("readable").1.len(), 1);
    }
}
