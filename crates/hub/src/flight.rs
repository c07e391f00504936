//! The flight log: every input of a cell with what the cell decided, so that any decision can be
//! replayed. Encrypted segments per tenant, kept for a day.
//!
//! A segment begins with the serialised cell, so it can be replayed alone. Lines go through a
//! bounded channel to one thread: a slow disk loses flight-log lines, never a call.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use model::id::TenantId;
use model::time::{Span, Timestamp};
use model::{Input, Output};
use serde::{Deserialize, Serialize};

use crate::key::{FileKey, HouseKey, TAG_BYTES};

/// First bytes of a segment.
const MAGIC: &[u8; 8] = b"ANTFLT1\n";
/// Lines that may wait for the disk.
const LINES_WAITING_MAX: usize = 4_096;
/// Bytes of one encrypted chunk when it is full.
const CHUNK_BYTES: usize = 64 * 1_024;
/// Longest chunk that a reader accepts: the serialised cell is one chunk.
const CHUNK_BYTES_MAX: usize = 256 * 1_024 * 1_024;
/// Pause after lines were taken.
const GATHER: Duration = Duration::from_millis(20);
/// A chunk that is not full is written after this time.
const FLUSH_EVERY: Duration = Duration::from_millis(200);
/// Inputs of one segment.
pub(crate) const SEGMENT_INPUTS_MAX: u32 = 50_000;
/// Length of one segment.
pub(crate) const SEGMENT_SPAN: Span = Span::from_secs(300);
/// Segments older than this are removed.
const KEEP: Duration = Duration::from_secs(24 * 3_600);
/// How often old segments are looked for.
const PRUNE_EVERY: Duration = Duration::from_secs(3_600);
/// How long a stop waits for the disk.
const FINISH_PATIENCE: Duration = Duration::from_secs(2);

/// The first line of a segment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Header {
    pub(crate) tenant: TenantId,
    pub(crate) at: Timestamp,
    /// Version of the program that wrote it.
    pub(crate) build: String,
    /// The whole cell, its configuration, seed and clock included.
    pub(crate) cell: serde_json::Value,
}

/// One step: what came and what the cell made of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Step {
    pub(crate) at: Timestamp,
    pub(crate) input: Input,
    pub(crate) outputs: Vec<Output>,
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
    lines: SyncSender<Line>,
    lost: Arc<AtomicU64>,
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Line")
    }
}

impl FlightLog {
    /// Starts the writer thread for segments under `dir/<tenant>/`.
    pub(crate) fn start(dir: PathBuf, key: HouseKey) -> io::Result<(Self, JoinHandle<()>)> {
        let (lines, received) = sync_channel(LINES_WAITING_MAX);
        let writer = Writer { dir, key, open: BTreeMap::new() };
        let thread = std::thread::Builder::new()
            .name("flight-log".to_owned())
            .spawn(move || writer.run(&received))?;
        Ok((Self { lines, lost: Arc::default() }, thread))
    }

    /// Begins a new segment of a tenant. False when the log is full: try again with a later input.
    pub(crate) fn begin(&self, header: &Header) -> bool {
        let Ok(bytes) = serde_json::to_vec(header) else { return false };
        let line = Line::Segment { tenant: header.tenant, at: header.at, header: bytes };
        self.lines.try_send(line).is_ok()
    }

    /// Adds a step. False when it was lost: the segment has a hole and must be begun anew.
    pub(crate) fn step(&self, tenant: TenantId, step: &Step) -> bool {
        let kept = serde_json::to_vec(step)
            .is_ok_and(|step| self.lines.try_send(Line::Step { tenant, step }).is_ok());
        if !kept {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        kept
    }

    /// Writes what waits and ends the thread. Blocks, but never for long: a slow disk loses the
    /// end of the flight log. False when it did.
    pub(crate) fn finish(&self) -> bool {
        let (done, finished) = sync_channel(1);
        self.lines.try_send(Line::Finish(done)).is_ok()
            && finished.recv_timeout(FINISH_PATIENCE).is_ok()
    }

    /// Steps that the disk was too slow for.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

struct Writer {
    dir: PathBuf,
    key: HouseKey,
    open: BTreeMap<TenantId, Segment>,
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
        if let Some(before) = self.open.remove(&tenant) {
            before.finish();
        }
        match Segment::create(&self.dir.join(tenant.to_string()), at, &self.key, header) {
            Ok(segment) => {
                self.open.insert(tenant, segment);
            }
            Err(error) => tracing::error!(%error, "the flight log cannot be written"),
        }
    }

    fn step(&mut self, tenant: TenantId, step: &[u8]) {
        let Some(segment) = self.open.get_mut(&tenant) else { return };
        if let Err(error) = segment.add(step) {
            tracing::error!(%error, "the flight log cannot be written");
            self.open.remove(&tenant);
        }
    }

    /// Removes old segments of every tenant, also of those who have not rung for days.
    fn prune(&self) {
        if let Err(error) = prune(&self.dir)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "old segments of the flight log cannot be removed");
        }
    }

    fn flush(&mut self) {
        self.open.retain(|_, segment| segment.write_chunk().is_ok());
    }
}

struct Segment {
    file: File,
    key: FileKey,
    chunk: Vec<u8>,
}

impl Segment {
    fn create(dir: &Path, at: Timestamp, key: &HouseKey, header: &[u8]) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let path = dir.join(format!("{:020}.flight", at.micros()));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
        let mut salt = [0_u8; 16];
        getrandom::fill(&mut salt).map_err(io::Error::other)?;
        file.write_all(MAGIC)?;
        file.write_all(&salt)?;
        let mut segment = Self { file, key: key.derive(&salt, "flight"), chunk: header.to_vec() };
        segment.write_chunk()?;
        Ok(segment)
    }

    fn add(&mut self, line: &[u8]) -> io::Result<()> {
        self.chunk.extend_from_slice(line);
        self.chunk.push(b'\n');
        if self.chunk.len() >= CHUNK_BYTES { self.write_chunk() } else { Ok(()) }
    }

    fn write_chunk(&mut self) -> io::Result<()> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        let mut data = std::mem::take(&mut self.chunk);
        self.key.seal(&mut data);
        let length = u32::try_from(data.len()).map_err(io::Error::other)?;
        self.file.write_all(&length.to_be_bytes())?;
        self.file.write_all(&data)
    }

    fn finish(mut self) {
        if let Err(error) = self.write_chunk() {
            tracing::warn!(%error, "the end of a flight-log segment is lost");
        }
    }
}

/// Removes what is older than [`KEEP`] from the folders of all tenants.
fn prune(dir: &Path) -> io::Result<()> {
    for tenant in fs::read_dir(dir)? {
        for entry in fs::read_dir(tenant?.path())? {
            let entry = entry?;
            let age = SystemTime::now().duration_since(entry.metadata()?.modified()?);
            if age.is_ok_and(|age| age > KEEP) {
                fs::remove_file(entry.path())?;
            }
        }
    }
    Ok(())
}

/// Why a segment cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum FlightError {
    /// The file cannot be read.
    #[error("the flight log cannot be read: {0}")]
    Io(#[from] io::Error),
    /// Not a flight log.
    #[error("this is not a flight-log segment")]
    NotFlightLog,
    /// Wrong key or changed bytes.
    #[error("chunk {0} does not open: another house key, or the file was changed")]
    Sealed(u64),
    /// A line is not of this program's making.
    #[error("line {line} of the flight log is not understood: {source}")]
    Line {
        /// Which line, from 0 for the header.
        line: u64,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// Reads a segment. A last chunk that is cut off (crash) is left out.
pub(crate) fn read(path: &Path, key: &HouseKey) -> Result<(Header, Vec<Step>), FlightError> {
    let mut file = File::open(path)?;
    let mut start = [0_u8; 24];
    file.read_exact(&mut start).map_err(|_| FlightError::NotFlightLog)?;
    let (magic, salt) = start.split_at(8);
    let salt: [u8; 16] = salt.try_into().map_err(|_| FlightError::NotFlightLog)?;
    if magic != MAGIC {
        return Err(FlightError::NotFlightLog);
    }
    let mut key = key.derive(&salt, "flight");
    let mut header = None;
    let mut steps = Vec::new();
    for chunk in 0.. {
        let Some(mut data) = next_chunk(&mut file)? else { break };
        let plain = key.open(&mut data).ok_or(FlightError::Sealed(chunk))?;
        if chunk == 0 {
            let parsed = serde_json::from_slice(plain);
            header = Some(parsed.map_err(|source| FlightError::Line { line: 0, source })?);
            continue;
        }
        for line in plain.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let number = u64::try_from(steps.len()).unwrap_or(u64::MAX) + 1;
            let parsed = serde_json::from_slice(line);
            steps.push(parsed.map_err(|source| FlightError::Line { line: number, source })?);
        }
    }
    header.map(|header| (header, steps)).ok_or(FlightError::NotFlightLog)
}

fn next_chunk(file: &mut File) -> Result<Option<Vec<u8>>, FlightError> {
    let mut length = [0_u8; 4];
    if file.read_exact(&mut length).is_err() {
        return Ok(None);
    }
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if !(TAG_BYTES..=CHUNK_BYTES_MAX).contains(&length) {
        return Err(FlightError::NotFlightLog);
    }
    let mut data = Vec::new();
    let limit = u64::try_from(length).unwrap_or(u64::MAX);
    file.take(limit).read_to_end(&mut data)?;
    Ok((data.len() == length).then_some(data))
}

#[cfg(test)]
mod tests {
    use model::id::IdMint;

    use super::*;

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
        let (log, thread) = FlightLog::start(dir.path().to_owned(), key.clone()).expect("starts");
        let at = Timestamp::from_micros(7);
        let tenant = IdMint::new(1).mint(at);
        let cell = serde_json::Value::Null;
        assert!(log.begin(&Header { tenant, at, build: "test".to_owned(), cell }));
        let step = Step { at, input: Input::Wake, outputs: Vec::new() };
        (0..10).for_each(|_| assert!(log.step(tenant, &step)));
        assert!(log.finish());
        thread.join().expect("the thread ended in good order");
        assert!(!log.finish() && !log.step(tenant, &step), "nothing is written any more");

        assert!(!silent.join("old.flight").exists() && silent.join("new.flight").exists());
        let segment = dir.path().join(tenant.to_string()).join(format!("{:020}.flight", 7));
        let (_, steps) = read(&segment, &key).expect("readable");
        assert_eq!(steps.len(), 10);
    }
}
