//! One segment as it is written: sealed chunks, one after the other.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use model::limits;
use model::time::Timestamp;
use store::{FileKey, HouseKey};

use super::{EXTENSION, MAGIC};

pub(super) struct Segment {
    file: File,
    key: FileKey,
    chunk: Vec<u8>,
    /// Steps in the chunk.
    pub(super) steps: u64,
}

impl Segment {
    pub(super) fn create(
        dir: &Path,
        at: Timestamp,
        key: &HouseKey,
        header: &[u8],
    ) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let path = dir.join(format!("{:020}.{EXTENSION}", at.micros()));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
        let mut salt = [0_u8; 16];
        getrandom::fill(&mut salt).map_err(io::Error::other)?;
        file.write_all(MAGIC)?;
        file.write_all(&salt)?;
        let (key, chunk) = (key.of_file(&salt, "flight"), header.to_vec());
        let mut segment = Self { file, key, chunk, steps: 0 };
        segment.write_chunk()?;
        Ok(segment)
    }

    pub(super) fn add(&mut self, line: &[u8]) -> io::Result<()> {
        self.chunk.extend_from_slice(line);
        self.chunk.push(b'\n');
        self.steps += 1;
        if self.chunk.len() >= limits::FLIGHT_CHUNK_BYTES { self.write_chunk() } else { Ok(()) }
    }

    pub(super) fn write_chunk(&mut self) -> io::Result<()> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        let mut data = std::mem::take(&mut self.chunk);
        self.key.seal(&mut data);
        let length = u32::try_from(data.len()).map_err(io::Error::other)?;
        self.file.write_all(&length.to_be_bytes())?;
        self.file.write_all(&data)?;
        self.steps = 0;
        Ok(())
    }
}
