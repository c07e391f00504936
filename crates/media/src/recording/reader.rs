//! Reads recordings, whole or cut off anywhere, and shows them as WAV without a copy.
//!
//! Invariant: no bytes of a file make the reader panic or allocate more than its index; a block
//! whose checksum is wrong plays as silence in its place.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use model::limits::CALL_MS_MAX;
use model::media::{ClipId, Codec};
use sha2::{Digest as _, Sha256};

use super::{
    BLOCK_HEADER_BYTES, BLOCK_SAMPLES_MAX, BlockHeader, FileHeader, HEADER_BYTES,
    SAMPLES_PER_SECOND, checksum,
};
use crate::g711;

/// Bytes of the WAV header.
const WAV_HEADER_BYTES: u64 = 44;
/// Bytes of one stereo sample.
const WAV_SAMPLE_BYTES: u64 = 4;
/// A file cannot say it is longer than the longest call.
const SAMPLES_MAX: u64 = CALL_MS_MAX as u64 * 8;

/// Why a recording cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// Not a recording, or one whose header was cut off.
    #[error("this is not a recording")]
    NotARecording,
    /// The disk refused.
    #[error("the recording cannot be read: {0}")]
    Disk(#[from] io::Error),
}

#[derive(Debug, Clone, Copy)]
struct Indexed {
    at: u64,
    header: BlockHeader,
    header_bytes: [u8; BLOCK_HEADER_BYTES],
}

/// A recording as far as it is whole.
#[derive(Debug)]
pub struct Recording {
    file: File,
    header: FileHeader,
    blocks: Vec<Indexed>,
    samples: u64,
    bytes: u64,
    finished: bool,
}

impl Recording {
    /// Opens a file and finds its whole blocks; what follows the last of them is left out.
    ///
    /// # Errors
    /// [`RecordingError`] when the file has no header of ours or the disk refuses.
    pub fn open(path: &Path) -> Result<Self, RecordingError> {
        let file = File::open(path)?;
        let mut bytes = [0; HEADER_BYTES];
        (&file).read_exact(&mut bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => RecordingError::NotARecording,
            _ => RecordingError::Disk(error),
        })?;
        let header = FileHeader::parse(&bytes).ok_or(RecordingError::NotARecording)?;
        let length = file.metadata()?.len();
        let mut recording = Self {
            file,
            header,
            blocks: Vec::new(),
            samples: 0,
            bytes: HEADER_BYTES as u64,
            finished: false,
        };
        while let Some(block) = recording.block_at(recording.bytes, length)? {
            recording.samples = block.header.start + u64::from(block.header.samples);
            recording.bytes = block.at + u64::from(block.header.samples) * 2;
            recording.finished = block.header.last;
            recording.blocks.push(block);
        }
        // Only the newest block can be torn by a crash; the others are checked when played.
        let mut sound = [0; 2 * BLOCK_SAMPLES_MAX];
        while let Some(last) = recording.blocks.last().copied() {
            if recording.sound(&last, &mut sound)?.is_some() {
                break;
            }
            recording.blocks.pop();
            recording.bytes = last.at - BLOCK_HEADER_BYTES as u64;
            recording.finished = false;
            let end = |block: &Indexed| block.header.start + u64::from(block.header.samples);
            recording.samples = recording.blocks.last().map_or(0, end);
        }
        Ok(recording)
    }

    /// The block whose header is at `at`, if it fits the file of `length` bytes and follows on.
    fn block_at(&self, at: u64, length: u64) -> io::Result<Option<Indexed>> {
        let sound_at = at + BLOCK_HEADER_BYTES as u64;
        if sound_at > length || self.finished {
            return Ok(None);
        }
        let mut header_bytes = [0; BLOCK_HEADER_BYTES];
        self.file.read_exact_at(&mut header_bytes, at)?;
        Ok(BlockHeader::parse(&header_bytes)
            .filter(|header| header.start >= self.samples && header.start <= SAMPLES_MAX)
            .filter(|header| sound_at + u64::from(header.samples) * 2 <= length)
            .map(|header| Indexed { at: sound_at, header, header_bytes }))
    }

    /// Reads both sides of a block; `None` when the checksum is wrong.
    fn sound<'a>(&self, block: &Indexed, room: &'a mut [u8]) -> io::Result<Option<&'a [u8]>> {
        let sound = &mut room[..usize::from(block.header.samples) * 2];
        self.file.read_exact_at(sound, block.at)?;
        let told = block.header_bytes[BLOCK_HEADER_BYTES - 4..].first_chunk();
        let whole = told == Some(&checksum(&block.header_bytes, sound).to_le_bytes());
        Ok(whole.then_some(&*sound))
    }

    /// What it is of.
    #[must_use]
    pub fn header(&self) -> FileHeader {
        self.header
    }

    /// Its length in milliseconds.
    #[must_use]
    pub fn length_ms(&self) -> u64 {
        self.samples / 8
    }

    /// Whether it was finished and not cut off.
    #[must_use]
    pub fn finished(&self) -> bool {
        self.finished
    }

    /// Where it was paused: from and until in milliseconds, in order.
    #[must_use]
    pub fn pauses(&self) -> Vec<(u64, u64)> {
        let mut pauses: Vec<(u64, u64)> = Vec::new();
        for block in &self.blocks {
            for frame in (0..u64::BITS).filter(|frame| block.header.paused >> frame & 1 == 1) {
                let from = block.header.start / 8 + u64::from(frame) * 20;
                match pauses.last_mut() {
                    Some((_, until)) if *until == from => *until = from + 20,
                    _ => pauses.push((from, from + 20)),
                }
            }
        }
        pauses
    }

    /// Reads `(said, heard)` mu-law samples of each block in turn; gaps are left out.
    fn each_block(&self, mut take: impl FnMut(u64, &[u8], &[u8])) -> io::Result<()> {
        let mut room = [0; 2 * BLOCK_SAMPLES_MAX];
        for block in &self.blocks {
            if let Some(sound) = self.sound(block, &mut room)? {
                let (said, heard) = sound.split_at(usize::from(block.header.samples));
                take(block.header.start, said, heard);
            }
        }
        Ok(())
    }
}

/// A recording as a WAV file: stereo, 16 bit, 8 kHz; left is what the leg said, right what it
/// heard. Made while it is read, any range of it.
#[derive(Debug)]
pub struct WavView {
    recording: Recording,
}

impl WavView {
    /// Opens a recording.
    ///
    /// # Errors
    /// As [`Recording::open`].
    pub fn open(path: &Path) -> Result<Self, RecordingError> {
        Ok(Self { recording: Recording::open(path)? })
    }

    /// The recording behind it.
    #[must_use]
    pub fn recording(&self) -> &Recording {
        &self.recording
    }

    /// Bytes of the WAV file.
    #[must_use]
    pub fn len(&self) -> u64 {
        WAV_HEADER_BYTES + self.recording.samples * WAV_SAMPLE_BYTES
    }

    /// Never: there is always a header.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Reads from byte `offset` of the WAV file; gives how much, 0 at the end.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.len().saturating_sub(offset)).unwrap_or(usize::MAX);
        let length = buffer.len().min(left);
        let buffer = &mut buffer[..length];
        let header = self.wav_header();
        let head = usize::try_from(offset).unwrap_or(usize::MAX).min(header.len());
        let copied = length.min(header.len() - head);
        buffer[..copied].copy_from_slice(&header[head..head + copied]);
        let buffer = &mut buffer[copied..];
        buffer.fill(0);
        if !buffer.is_empty() {
            self.fill(offset + copied as u64 - WAV_HEADER_BYTES, buffer)?;
        }
        Ok(length)
    }

    /// Lays the blocks that touch `from..from + buffer.len()` (bytes of samples) onto silence.
    fn fill(&self, from: u64, buffer: &mut [u8]) -> io::Result<()> {
        let until = from + buffer.len() as u64;
        let blocks = &self.recording.blocks;
        let end = |block: &Indexed| block.header.start + u64::from(block.header.samples);
        let first = blocks.partition_point(|block| end(block) * WAV_SAMPLE_BYTES <= from);
        let mut room = [0; 2 * BLOCK_SAMPLES_MAX];
        for block in &blocks[first..] {
            let begin = block.header.start * WAV_SAMPLE_BYTES;
            if begin >= until {
                break;
            }
            let Some(sound) = self.recording.sound(block, &mut room)? else { continue };
            let (said, heard) = sound.split_at(usize::from(block.header.samples));
            let bytes = said.iter().zip(heard).flat_map(|(said, heard)| {
                let [a, b] = g711::decode(Codec::Pcmu, *said).to_le_bytes();
                let [c, d] = g711::decode(Codec::Pcmu, *heard).to_le_bytes();
                [a, b, c, d]
            });
            let skip = usize::try_from(from.saturating_sub(begin)).unwrap_or(usize::MAX);
            let place = usize::try_from(begin.saturating_sub(from)).unwrap_or(usize::MAX);
            for (out, byte) in buffer[place..].iter_mut().zip(bytes.skip(skip)) {
                *out = byte;
            }
        }
        Ok(())
    }

    /// RIFF header of linear PCM.
    fn wav_header(&self) -> [u8; WAV_HEADER_BYTES as usize] {
        let data = u32::try_from(self.recording.samples * WAV_SAMPLE_BYTES).unwrap_or(u32::MAX);
        let mut header = [0; WAV_HEADER_BYTES as usize];
        let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, b"RIFF");
        put(4, &data.saturating_add(36).to_le_bytes());
        put(8, b"WAVEfmt ");
        put(16, &16_u32.to_le_bytes());
        put(20, &1_u16.to_le_bytes());
        put(22, &2_u16.to_le_bytes());
        put(24, &SAMPLES_PER_SECOND.to_le_bytes());
        put(28, &(SAMPLES_PER_SECOND * WAV_SAMPLE_BYTES as u32).to_le_bytes());
        put(32, &(WAV_SAMPLE_BYTES as u16).to_le_bytes());
        put(34, &16_u16.to_le_bytes());
        put(36, b"data");
        put(40, &data.to_le_bytes());
        header
    }
}

/// The loudest sample of each piece of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peaks {
    /// Samples (8 kHz) of one piece.
    pub samples_per_point: u64,
    /// 0 to 32,767 per piece: what the leg said.
    pub said: Vec<u16>,
    /// The same: what it heard.
    pub heard: Vec<u16>,
}

/// The waveform of a recording in at most `points` pieces of equal length.
///
/// # Errors
/// As [`Recording::open`].
pub fn peaks(path: &Path, points: usize) -> Result<Peaks, RecordingError> {
    let recording = Recording::open(path)?;
    let samples_per_point = recording.samples.div_ceil(points.max(1) as u64).max(1);
    let count = usize::try_from(recording.samples.div_ceil(samples_per_point)).unwrap_or(0);
    let mut peaks = Peaks { samples_per_point, said: vec![0; count], heard: vec![0; count] };
    recording.each_block(|start, said, heard| {
        for (side, sound) in [(&mut peaks.said, said), (&mut peaks.heard, heard)] {
            for (at, byte) in (start..).zip(sound) {
                let level = g711::decode(Codec::Pcmu, *byte).unsigned_abs();
                let point = usize::try_from(at / samples_per_point).unwrap_or(usize::MAX);
                if let Some(peak) = side.get_mut(point) {
                    *peak = level.max(*peak);
                }
            }
        }
    })?;
    Ok(peaks)
}

/// What a crash left of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Salvage {
    /// What it is of.
    pub header: FileHeader,
    /// Its length in milliseconds.
    pub length_ms: i64,
    /// SHA-256 of the file as it is now, hexadecimal.
    pub sha256: String,
    /// Whether it had been finished before the crash.
    pub finished: bool,
}

/// After a crash: cuts off what is not a whole block, makes the rest durable and describes it.
///
/// # Errors
/// As [`Recording::open`].
pub fn salvage(path: &Path) -> Result<Salvage, RecordingError> {
    let recording = Recording::open(path)?;
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    if file.metadata()?.len() != recording.bytes {
        file.set_len(recording.bytes)?;
    }
    file.sync_all()?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 64 * 1_024];
    loop {
        match (&file).read(&mut buffer)? {
            0 => break,
            length => digest.update(&buffer[..length]),
        }
    }
    let digest: [u8; 32] = digest.finalize().into();
    Ok(Salvage {
        header: recording.header,
        length_ms: i64::try_from(recording.length_ms()).unwrap_or(i64::MAX),
        sha256: ClipId::from_digest(digest).to_string(),
        finished: recording.finished,
    })
}
