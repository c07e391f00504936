//! Segments as they are read again: whole, or up to where a crash cut them off.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use model::limits;
use store::{HouseKey, TAG_BYTES};

use super::{Header, MAGIC, Step};

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
    let chunks = chunks(path, key)?;
    let (header, rest) = chunks.split_first().ok_or(FlightError::NotFlightLog)?;
    let parsed = serde_json::from_slice(header);
    let header = parsed.map_err(|source| FlightError::Line { line: 0, source })?;
    let lines = rest.iter().flat_map(|chunk| chunk.split(|byte| *byte == b'\n'));
    let mut steps = Vec::new();
    for (line, number) in lines.filter(|line| !line.is_empty()).zip(1..) {
        let parsed = serde_json::from_slice(line);
        steps.push(parsed.map_err(|source| FlightError::Line { line: number, source })?);
    }
    Ok((header, steps))
}

/// The plain text of a segment in its chunks, the header first.
pub(crate) fn chunks(path: &Path, key: &HouseKey) -> Result<Vec<Vec<u8>>, FlightError> {
    let mut file = File::open(path)?;
    let mut start = [0_u8; 24];
    file.read_exact(&mut start).map_err(|_| FlightError::NotFlightLog)?;
    let (magic, salt) = start.split_at(8);
    let salt: [u8; 16] = salt.try_into().map_err(|_| FlightError::NotFlightLog)?;
    if magic != MAGIC {
        return Err(FlightError::NotFlightLog);
    }
    let mut key = key.of_file(&salt, "flight");
    let mut chunks = Vec::new();
    while let Some(mut data) = next_chunk(&mut file)? {
        let n = u64::try_from(chunks.len()).unwrap_or(u64::MAX);
        chunks.push(key.open(&mut data).ok_or(FlightError::Sealed(n))?.to_vec());
    }
    Ok(chunks)
}

fn next_chunk(file: &mut File) -> Result<Option<Vec<u8>>, FlightError> {
    let mut length = [0_u8; 4];
    if file.read_exact(&mut length).is_err() {
        return Ok(None);
    }
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if !(TAG_BYTES..=limits::FLIGHT_CHUNK_BYTES_MAX).contains(&length) {
        return Err(FlightError::NotFlightLog);
    }
    let mut data = Vec::new();
    let limit = u64::try_from(length).unwrap_or(u64::MAX);
    file.take(limit).read_to_end(&mut data)?;
    Ok((data.len() == length).then_some(data))
}
