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
use model::limits;
use model::media::{ClipId, MediaEvent};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;

use super::tape::Block;
use super::{BLOCK_SAMPLES, BlockHeader, FileHeader};
use crate::vital::Vitals;

const SYNC_EVERY: Duration = Duration::from_millis(limits::RECORDING_SYNC_MS);
const TELL_PATIENCE: Duration = Duration::from_millis(limits::RECORDING_TELL_MS_MAX);

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
    pub(crate) fn start(events: Sender<MediaEvent>, vitals: &Vitals) -> io::Result<(Self, Link)> {
        let (messages, inbox) = sync_channel(limits::RECORDING_BLOCKS_MAX);
        let (returned, spare) = sync_channel(limits::RECORDING_SPARE_BLOCKS_MAX);
        let (syncs, to_sync) = mpsc::channel();
        let spawn = |name: &'static str, work: Box<dyn FnOnce() + Send>| {
            let pulse = vitals.pulse(name);
            std::thread::Builder::new().name(name.into()).spawn(move || {
                let _pulse = pulse;
                work();
            })
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
    digest: Sha256,
    bytes: u64,
    samples: u64,
    whole: bool,
    synced: Instant,
    dirty: bool,
    disk: Arc<Disk>,
}

/// What the syncing thread tells of one recording.
#[derive(Debug, Default)]
struct Disk {
    /// A sync was asked for and is not done.
    syncing: AtomicBool,
    /// The disk refused once. A later success says nothing about what was lost then.
    failed: AtomicBool,
}

/// What the syncing thread is asked to do.
#[derive(Debug)]
enum Sync {
    /// Folders with new entries.
    Folders(Vec<PathBuf>, Arc<Disk>),
    Data(Arc<File>, Arc<Disk>),
    Last {
        file: Option<Arc<File>>,
        disk: Arc<Disk>,
        event: MediaEvent,
    },
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
                Ok(Message::Open(path, header)) => self.open(&path, header),
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

    fn open(&mut self, path: &Path, header: FileHeader) {
        let disk = Arc::new(Disk::default());
        let file = create(path).map(|(file, folders)| {
            // The syncing thread ends only after this one.
            let _ = self.syncs.send(Sync::Folders(folders, Arc::clone(&disk)));
            file
        });
        if let Err(error) = &file {
            tracing::error!(recording = %header.recording, %error, "a recording cannot be begun");
        }
        let mut reel = Reel {
            header,
            whole: file.is_ok(),
            file: file.ok().map(Arc::new),
            digest: Sha256::new(),
            bytes: 0,
            samples: 0,
            synced: Instant::now(),
            dirty: false,
            disk,
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
        let _ = self.syncs.send(Sync::Last { file: reel.file, disk: reel.disk, event });
    }

    fn sync_due(&mut self) {
        for reel in self.reels.values_mut() {
            if !reel.dirty || reel.synced.elapsed() < SYNC_EVERY {
                continue;
            }
            if let Some(file) = &reel.file
                && !reel.disk.syncing.swap(true, Ordering::AcqRel)
            {
                let _ = self.syncs.send(Sync::Data(Arc::clone(file), Arc::clone(&reel.disk)));
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

/// A new file, and the folders that got an entry by it: its own, and those above made for it.
fn create(path: &Path) -> io::Result<(File, Vec<PathBuf>)> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let made = folder.ancestors().take_while(|folder| !folder.exists()).count();
    fs::create_dir_all(folder)?;
    let file = OpenOptions::new().append(true).create_new(true).open(path)?;
    Ok((file, folder.ancestors().take(made + 1).map(Path::to_path_buf).collect()))
}

fn sync_all(syncs: &Receiver<Sync>, events: &Sender<MediaEvent>) {
    while let Ok(sync) = syncs.recv() {
        match sync {
            Sync::Folders(folders, disk) => {
                for folder in folders {
                    disk.note(File::open(folder).and_then(|folder| folder.sync_all()));
                }
            }
            Sync::Data(file, disk) => {
                disk.note(file.sync_data());
                disk.syncing.store(false, Ordering::Release);
            }
            Sync::Last { file, disk, mut event } => {
                disk.note(file.map_or(Ok(()), |file| file.sync_all()));
                let durable = !disk.failed.load(Ordering::Acquire);
                if let MediaEvent::RecordingEnded { complete, .. } = &mut event {
                    *complete &= durable;
                }
                tell(events, event);
            }
        }
    }
}

impl Disk {
    fn note(&self, synced: io::Result<()>) {
        if let Err(error) = synced {
            tracing::error!(%error, "a recording could not be made durable");
            self.failed.store(true, Ordering::Release);
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

#[cfg(test)]
mod tests {
    use super::*;
    use model::id::Id as _;
    use uuid::Uuid;

    fn complete_after(first: Option<Sync>, disk: &Arc<Disk>) -> bool {
        let (syncs, to_sync) = mpsc::channel();
        let (events, mut told) = tokio::sync::mpsc::channel(1);
        let event = MediaEvent::RecordingEnded {
            call: model::CallId::from_uuid(Uuid::from_u128(1)),
            recording: RecordingId::from_uuid(Uuid::from_u128(2)),
            length_ms: 0,
            sha256: String::new(),
            complete: true,
        };
        for sync in
            first.into_iter().chain([Sync::Last { file: None, disk: Arc::clone(disk), event }])
        {
            syncs.send(sync).expect("the other end is here");
        }
        drop(syncs);
        sync_all(&to_sync, &events);
        matches!(told.try_recv(), Ok(MediaEvent::RecordingEnded { complete: true, .. }))
    }

    #[test]
    fn what_the_disk_once_refused_is_not_complete() {
        let disk = Arc::new(Disk::default());
        assert!(complete_after(None, &disk));
        // A device that takes no sync.
        let file = Arc::new(File::open("/dev/null").expect("every machine has it"));
        assert!(!complete_after(Some(Sync::Data(file, Arc::clone(&disk))), &disk));
        let gone = Arc::new(Disk::default());
        let folders = Sync::Folders(vec!["/nonexistent/folder".into()], Arc::clone(&gone));
        assert!(!complete_after(Some(folders), &gone));
    }

    #[test]
    fn folders_that_were_made_are_named_up_to_the_one_that_was_there() {
        let root = tempfile::tempdir().expect("a folder");
        let call = root.path().join("tenant/2026-09-21/call");
        let (_, folders) = create(&call.join("1.rec")).expect("a file");
        let wanted: Vec<&Path> = call.ancestors().take(4).collect();
        assert_eq!(folders, wanted);
        assert_eq!(folders.last().map(PathBuf::as_path), Some(root.path()));
        let (_, folders) = create(&call.join("2.rec")).expect("a file");
        assert_eq!(folders, [call]);
    }
}
