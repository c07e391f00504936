//! Two-sided recordings that survive a crash: the file format, its writer and its reader.
//!
//! A file is a header and then blocks, each with its own length, time and checksum and both sides
//! in mu-law, only ever appended. Invariant: cut at any byte, everything up to the last whole
//! block is read. A block holds at most `limits::RECORDING_BLOCK_MS`; the writer cuts at 0.6 s:
//! sound may come 120 ms late, a loaded machine writes late, and a killed process shall lose less
//! than a second (ADR 0012).
//!
//! All numbers are little-endian.
//!
//! | header | bytes | block | bytes |
//! |---|---|---|---|
//! | `ANTIPHON` | 8 | `blk1` | 4 |
//! | version, 1 | 2 | samples per side | 2 |
//! | header length | 2 | flags: 1 = last | 2 |
//! | samples per second | 4 | start, samples since the file's start | 8 |
//! | start, microseconds UTC | 8 | paused, one bit per 20 ms | 8 |
//! | tenant, call, recording, leg | 64 | CRC-32 of the above and both sides | 4 |
//! | CRC-32 of the above | 4 | what the leg said, what it heard | 2 x samples |

mod reader;
pub(crate) mod tape;
#[cfg(test)]
mod tests;
pub(crate) mod writer;

use model::id::Id as _;
use model::limits::{FRAME_SAMPLES, RECORDING_BLOCK_MS};
use model::{CallId, LegId, RecordingId, TenantId, Timestamp};

pub use reader::{Peaks, Recording, RecordingError, Salvage, WavView, peaks, salvage};

/// Bytes of the file's header.
pub const HEADER_BYTES: usize = 92;
/// Bytes of a block without its sound.
pub const BLOCK_HEADER_BYTES: usize = 28;
/// Samples of one side that a block may hold.
pub const BLOCK_SAMPLES_MAX: usize = RECORDING_BLOCK_MS as usize * 8;
/// Samples of one side that our writer puts into a block: 0.6 s.
pub const BLOCK_SAMPLES: usize = 30 * FRAME_SAMPLES;

/// How much sound a file of so many bytes holds, in milliseconds: told without reading it, counting
/// whole blocks of our writer.
#[must_use]
pub fn length_by_size(bytes: u64) -> u64 {
    let blocks =
        bytes.saturating_sub(HEADER_BYTES as u64) / (BLOCK_HEADER_BYTES + 2 * BLOCK_SAMPLES) as u64;
    blocks * BLOCK_SAMPLES as u64 * 1_000 / u64::from(SAMPLES_PER_SECOND)
}

const FILE_MAGIC: &[u8; 8] = b"ANTIPHON";
const BLOCK_MAGIC: &[u8; 4] = b"blk1";
const VERSION: u16 = 1;
const SAMPLES_PER_SECOND: u32 = 8_000;
const FLAG_LAST: u16 = 1;

/// What a recording is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileHeader {
    /// When its first sample was heard.
    pub start: Timestamp,
    /// Whose it is.
    pub tenant: TenantId,
    /// The call.
    pub call: CallId,
    /// The recording.
    pub recording: RecordingId,
    /// The leg whose saying and hearing it is.
    pub leg: LegId,
}

impl FileHeader {
    fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(FILE_MAGIC);
        bytes[8..10].copy_from_slice(&VERSION.to_le_bytes());
        bytes[10..12].copy_from_slice(&(HEADER_BYTES as u16).to_le_bytes());
        bytes[12..16].copy_from_slice(&SAMPLES_PER_SECOND.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.start.micros().to_le_bytes());
        let ids = [self.tenant.uuid(), self.call.uuid(), self.recording.uuid(), self.leg.uuid()];
        for (at, id) in ids.iter().enumerate() {
            bytes[24 + at * 16..40 + at * 16].copy_from_slice(id.as_bytes());
        }
        let crc = crc32fast::hash(&bytes[..88]);
        bytes[88..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    fn parse(bytes: &[u8; HEADER_BYTES]) -> Option<Self> {
        let whole = bytes[..8] == *FILE_MAGIC
            && bytes[8..10] == VERSION.to_le_bytes()
            && bytes[12..16] == SAMPLES_PER_SECOND.to_le_bytes()
            && bytes[88..] == crc32fast::hash(&bytes[..88]).to_le_bytes();
        if !whole {
            return None;
        }
        let array = |at: usize| bytes[at..].first_chunk::<16>().copied();
        let start = bytes[16..].first_chunk::<8>()?;
        Some(Self {
            start: Timestamp::from_micros(i64::from_le_bytes(*start)),
            tenant: TenantId::from_uuid(uuid::Uuid::from_bytes(array(24)?)),
            call: CallId::from_uuid(uuid::Uuid::from_bytes(array(40)?)),
            recording: RecordingId::from_uuid(uuid::Uuid::from_bytes(array(56)?)),
            leg: LegId::from_uuid(uuid::Uuid::from_bytes(array(72)?)),
        })
    }
}

/// The fixed part of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockHeader {
    /// Samples per side.
    samples: u16,
    /// Nothing follows: the recording was finished.
    last: bool,
    /// Samples since the start of the file.
    start: u64,
    /// One bit per 20 ms that was left out on purpose.
    paused: u64,
}

impl BlockHeader {
    /// The header with the checksum of itself and of `sound` (both sides).
    fn to_bytes(self, sound: &[u8]) -> [u8; BLOCK_HEADER_BYTES] {
        let mut bytes = [0; BLOCK_HEADER_BYTES];
        bytes[..4].copy_from_slice(BLOCK_MAGIC);
        bytes[4..6].copy_from_slice(&self.samples.to_le_bytes());
        bytes[6..8].copy_from_slice(&(if self.last { FLAG_LAST } else { 0 }).to_le_bytes());
        bytes[8..16].copy_from_slice(&self.start.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.paused.to_le_bytes());
        let crc = checksum(&bytes, sound);
        bytes[24..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads the fixed part; its checksum is compared when the sound is read.
    fn parse(bytes: &[u8; BLOCK_HEADER_BYTES]) -> Option<Self> {
        let samples = u16::from_le_bytes([bytes[4], bytes[5]]);
        if bytes[..4] != *BLOCK_MAGIC || usize::from(samples) > BLOCK_SAMPLES_MAX {
            return None;
        }
        Some(Self {
            samples,
            last: u16::from_le_bytes([bytes[6], bytes[7]]) & FLAG_LAST != 0,
            start: u64::from_le_bytes(*bytes[8..].first_chunk()?),
            paused: u64::from_le_bytes(*bytes[16..].first_chunk()?),
        })
    }
}

/// CRC-32 of a block's fixed part without the checksum, and of its sound.
fn checksum(header: &[u8; BLOCK_HEADER_BYTES], sound: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&header[..24]);
    crc.update(sound);
    crc.finalize()
}
