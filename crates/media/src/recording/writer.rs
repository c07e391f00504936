//! The thread that writes recordings, and the one that makes them durable.
//!
//! Invariant: the media thread only queues. A block is written when it comes, so a killed process
//! loses less than a second; it is on the disk within 5 s, so a power cut loses at most that. A
//! slow `fdatasync` delays no other write. A disk that refuses ends the recording, never the call.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use model::RecordingId;
use model::media::{ClipId, MediaEvent};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;

use super::tape::Block;
use super::{BLOCK_SAMPLES, BlockHeader, FileHeader};

/// Blocks that may wait for the writer: some 20 s of 200 recordings.
const MESSAGES_MAX: usize = 5_000;
/// Blocks kept for use again.
const SPARE_MAX: usize = 512;
/// How long written sound may wait for the disk.
const SYNC_EVERY: Duration = Duration::from_secs(5);
/// How long the end of a recording waits for room in the hub's queue.
const TELL_PATIENCE: Duration = Duration::from_secs(5);

/// What the media thread asks of the writer.
#[derive(Debug)]
pub(crate) enum Message {
    Open(PathBuf, FileHeader),
    Block(RecordingId, Box<Block>),
    /// Nothing more comes. False when blocks were lost on the way.
    Finish(RecordingId, bool),
}

/// The writer's threads.
#[derive(Debug)]
pub(crate) struct Writer {
    threads: Vec<JoinHandle<()>>,
}

/// The media thread's end.
#[derive(Debug)]
pub(crate) struct Link {
    messages: SyncSender<Message>,
    spare: Receiver<Box<Block>>,
}

impl Link {
    /// Queues a message, or gives it back when the writer is behind.
    pub(crate) fn send(&self, message: Message) -> Result<(), Message> {
        self.messages.try_send(message).map_err(|error| match error {
            mpsc::TrySendError::Full(back) | mpsc::TrySendError::Disconnected(back) => back,
        })
    }

    /// Queues a message and waits for room: only for the end of the plane.
    pub(crate) fn send_waiting(&self, message: Message) {
        // A writer that is gone has been reported by its own hook.
        let _ = self.messages.send(message);
    }

    /// A block to fill, used before if there is one.
    pub(crate) fn block(&self) -> Box<Block> {
        self.spare.try_recv().unwrap_or_else(|_| Box::new(Block::empty()))
    }
}

impl Writer {
    pub(crate) fn start(events: Sender<MediaEvent>) -> io::Result<(Self, Link)> {
        let (messages, inbox) = sync_channel(MESSAGES_MAX);
        let (returned, spare) = sync_channel(SPARE_MAX);
        let (syncs, to_sync) = mpsc::channel();
        let spawn = |name: &str, work: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new().name(name.into()).spawn(work)
        };
        let desk = Desk { reels: BTreeMap::new(), syncs, returned };
        let threads = vec![
            spawn("recorder", Box::new(move || desk.run(&inbox)))?,
            spawn("recorder-sync", Box::new(move || sync_all(&to_sync, &events)))?,
        ];
        Ok((Self { threads }, Link { messages, spare }))
    }

    /// Waits until everything queued is on the disk. The link must be gone.
    pub(crate) fn join(self) {
        for thread in self.threads {
            let _ = thread.join();
        }
    }
}

/// One open file.
#[derive(Debug)]
struct Reel {
    header: FileHeader,
    /// `None` once the disk refused.
    file: Option<Arc<File>>,
    path: PathBuf,
    digest: Sha256,
    bytes: u64,
    samples: u64,
    whole: bool,
    synced: Instant,
    dirty: bool,
    syncing: Arc<AtomicBool>,
}

/// What the syncing thread is asked to do.
#[derive(Debug)]
enum Sync {
    Data(Arc<File>, Arc<AtomicBool>),
    Last { file: Option<Arc<File>>, folder: Option<PathBuf>, event: MediaEvent },
}

struct Desk {
    reels: BTreeMap<RecordingId, Reel>,
    syncs: mpsc::Sender<Sync>,
    returned: SyncSender<Box<Block>>,
}

impl Desk {
    fn run(mut self, inbox: &Receiver<Message>) {
        loop {
            match inbox.recv_timeout(Duration::from_secs(1)) {
                Ok(Message::Open(path, header)) => self.open(path, header),
                Ok(Message::Block(recording, block)) => self.append(recording, block),
                Ok(Message::Finish(recording, whole)) => self.finish(recording, whole),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.sync_due();
        }
        let open: Vec<RecordingId> = self.reels.keys().copied().collect();
        for recording in open {
            self.finish(recording, false);
        }
    }

    fn open(&mut self, path: PathBuf, header: FileHeader) {
        let file = create(&path);
        if let Err(error) = &file {
            tracing::error!(recording = %header.recording, %error, "a recording cannot be begun");
        }
        let mut reel = Reel {
            header,
            whole: file.is_ok(),
            file: file.ok().map(Arc::new),
            path,
            digest: Sha256::new(),
            bytes: 0,
            samples: 0,
            synced: Instant::now(),
            dirty: false,
            syncing: Arc::new(AtomicBool::new(false)),
        };
        reel.write(&header.to_bytes(), &[]);
        self.reels.insert(header.recording, reel);
    }

    fn append(&mut self, recording: RecordingId, block: Box<Block>) {
        if let Some(reel) = self.reels.get_mut(&recording) {
            reel.append(&block, false);
        }
        // A pool that is full needs no more.
        let _ = self.returned.try_send(block);
    }

    fn finish(&mut self, recording: RecordingId, whole: bool) {
        let Some(mut reel) = self.reels.remove(&recording) else { return };
        reel.whole &= whole;
        let end = Block { start: reel.samples, ..Block::empty() };
        reel.append(&end, reel.whole);
        let digest: [u8; 32] = reel.digest.finalize().into();
        let event = MediaEvent::RecordingEnded {
            call: reel.header.call,
            recording,
            length_ms: i64::try_from(reel.samples / 8).unwrap_or(i64::MAX),
            // The hexadecimal form of a digest is the same for a clip and a file.
            sha256: ClipId::from_digest(digest).to_string(),
            complete: reel.whole,
        };
        let folder = reel.path.parent().map(Path::to_path_buf);
        // The syncing thread ends only after this one.
        let _ = self.syncs.send(Sync::Last { file: reel.file, folder, event });
    }

    fn sync_due(&mut self) {
        for reel in self.reels.values_mut() {
            if !reel.dirty || reel.synced.elapsed() < SYNC_EVERY {
                continue;
            }
            if let Some(file) = &reel.file
                && !reel.syncing.swap(true, Ordering::AcqRel)
            {
                let _ = self.syncs.send(Sync::Data(Arc::clone(file), Arc::clone(&reel.syncing)));
                (reel.dirty, reel.synced) = (false, Instant::now());
            }
        }
    }
}

impl Reel {
    fn append(&mut self, block: &Block, last: bool) {
        let header = BlockHeader {
            samples: block.samples as u16,
            last,
            start: block.start,
            paused: block.paused,
        };
        let (said, heard) = block.sound.split_at(BLOCK_SAMPLES);
        let mut sound = [0; 2 * BLOCK_SAMPLES];
        let sound = &mut sound[..2 * block.samples];
        sound[..block.samples].copy_from_slice(&said[..block.samples]);
        sound[block.samples..].copy_from_slice(&heard[..block.samples]);
        // A gap is a block that was lost on the way.
        self.whole &= block.start == self.samples;
        if self.write(&header.to_bytes(sound), sound) {
            self.samples = block.start + block.samples as u64;
        }
    }

    /// Appends both parts, or leaves the file as it was and gives it up.
    fn write(&mut self, header: &[u8], sound: &[u8]) -> bool {
        let Some(file) = &self.file else { return false };
        let mut bytes = Vec::with_capacity(header.len() + sound.len());
        bytes.extend_from_slice(header);
        bytes.extend_from_slice(sound);
        if let Err(error) = (&**file).write_all(&bytes) {
            tracing::error!(recording = %self.header.recording, %error, "a recording breaks off");
            // What was written of this block would only be passed over by the reader.
            let _ = file.set_len(self.bytes);
            (self.file, self.whole) = (None, false);
            return false;
        }
        self.digest.update(&bytes);
        self.bytes += bytes.len() as u64;
        self.dirty = true;
        true
    }
}

fn create(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    OpenOptions::new().append(true).create_new(true).open(path)
}

fn sync_all(syncs: &Receiver<Sync>, events: &Sender<MediaEvent>) {
    while let Ok(sync) = syncs.recv() {
        match sync {
            Sync::Data(file, syncing) => {
                if let Err(error) = file.sync_data() {
                    tracing::error!(%error, "a recording could not be made durable");
                }
                syncing.store(false, Ordering::Release);
            }
            Sync::Last { file, folder, mut event } => {
                let durable = file.is_none_or(|file| file.sync_all().is_ok())
                    && folder.is_none_or(|f| File::open(f).and_then(|f| f.sync_all()).is_ok());
                if let MediaEvent::RecordingEnded { complete, .. } = &mut event {
                    *complete &= durable;
                }
                tell(events, event);
            }
        }
    }
}

/// Tells the hub; waits a while for room, for nothing else reports this recording.
fn tell(events: &Sender<MediaEvent>, mut event: MediaEvent) {
    let deadline = Instant::now() + TELL_PATIENCE;
    while let Err(TrySendError::Full(back)) = events.try_send(event) {
        if Instant::now() >= deadline {
            tracing::error!(event = ?back, "the hub does not take the end of a recording");
            return;
        }
        event = back;
        std::thread::sleep(Duration::from_millis(5));
    }
}
