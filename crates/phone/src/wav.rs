//! WAV files of 16 bit samples: read at any rate and brought to 8 kHz mono, written as they are.
//!
//! Reading never panics; sizes in the file are checked against its length.

/// Samples per second on the telephone.
pub const RATE: u32 = 8_000;

/// Why a file is not a sound that we can play.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotWav {
    /// No RIFF/WAVE header, or a chunk longer than the file.
    #[error("not a whole WAV file")]
    NotRiff,
    /// Not 16 bit PCM.
    #[error("only 16 bit PCM is understood")]
    Format,
}

/// Reads a file into 8 kHz mono samples.
///
/// # Errors
/// [`NotWav`] when it is no 16 bit PCM WAV file.
pub fn read(file: &[u8]) -> Result<Vec<i16>, NotWav> {
    let rest = file.strip_prefix(b"RIFF").and_then(|rest| rest.get(4..)).ok_or(NotWav::NotRiff)?;
    let mut rest = rest.strip_prefix(b"WAVE").ok_or(NotWav::NotRiff)?;
    let mut format: Option<(usize, u32)> = None;
    loop {
        let (head, after) = rest.split_first_chunk::<8>().ok_or(NotWav::NotRiff)?;
        let size = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
        let size = usize::try_from(size).map_err(|_| NotWav::NotRiff)?;
        // A stream that was cut keeps a header that promises more than there is.
        let body = &after[..size.min(after.len())];
        match &head[..4] {
            b"fmt " => format = Some(read_format(body)?),
            b"data" => {
                let (channels, rate) = format.ok_or(NotWav::Format)?;
                return Ok(resample(&mono(body, channels), rate));
            }
            _ => {}
        }
        // Chunks are padded to an even length.
        rest = after.get(size + size % 2..).ok_or(NotWav::NotRiff)?;
    }
}

/// Channels and rate.
fn read_format(body: &[u8]) -> Result<(usize, u32), NotWav> {
    let bytes: &[u8; 16] = body.first_chunk().ok_or(NotWav::NotRiff)?;
    let word = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
    let rate = u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
    let pcm = word(0) == 1 || word(0) == 0xfffe;
    let fits = pcm && word(14) == 16 && (1..=8).contains(&word(2));
    let fits = fits && (RATE..=192_000).contains(&rate);
    fits.then(|| (usize::from(word(2)), rate)).ok_or(NotWav::Format)
}

fn mono(body: &[u8], channels: usize) -> Vec<i16> {
    let mean = |frame: &[u8]| {
        let sum: i32 =
            frame.chunks_exact(2).map(|s| i32::from(i16::from_le_bytes([s[0], s[1]]))).sum();
        let mean = sum / i32::try_from(channels).unwrap_or(1);
        i16::try_from(mean).unwrap_or_default()
    };
    body.chunks_exact(2 * channels).map(mean).collect()
}

/// Down to 8 kHz: the mean of the samples that fall into each output sample.
fn resample(samples: &[i16], rate: u32) -> Vec<i16> {
    if rate == RATE {
        return samples.to_vec();
    }
    let (rate, total) = (u64::from(rate), samples.len() as u64);
    let place = |n: u64| usize::try_from(n * rate / u64::from(RATE)).unwrap_or(usize::MAX);
    (0..total * u64::from(RATE) / rate)
        .map(|n| {
            let piece = &samples[place(n)..place(n + 1).min(samples.len())];
            let sum: i64 = piece.iter().map(|s| i64::from(*s)).sum();
            i16::try_from(sum / piece.len().max(1) as i64).unwrap_or_default()
        })
        .collect()
}

/// Writes mono samples of the given rate.
#[must_use]
pub fn write(samples: &[i16], rate: u32) -> Vec<u8> {
    let bytes = u32::try_from(samples.len() * 2).unwrap_or(u32::MAX - 36);
    let mut file = Vec::with_capacity(44 + samples.len() * 2);
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&(36 + bytes).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend_from_slice(&rate.to_le_bytes());
    file.extend_from_slice(&(rate * 2).to_le_bytes());
    file.extend_from_slice(b"\x02\0\x10\0data");
    file.extend_from_slice(&bytes.to_le_bytes());
    for sample in samples {
        file.extend_from_slice(&sample.to_le_bytes());
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let samples: Vec<i16> = (0..800).map(|n| n * 7 - 2_000).collect();
        assert_eq!(read(&write(&samples, RATE)), Ok(samples.clone()));
        let wide: Vec<i16> = samples.iter().flat_map(|s| [*s; 6]).collect();
        assert_eq!(read(&write(&wide, 48_000)), Ok(samples));
    }

    #[test]
    fn broken_files_are_refused() {
        let good = write(&[1, 2, 3, 4], RATE);
        for end in 0..44 {
            assert!(read(&good[..end]).is_err(), "{end}");
        }
        assert_eq!(read(&good[..46]), Ok(vec![1]));
        let mut eight = good;
        eight[34] = 8;
        assert_eq!(read(&eight), Err(NotWav::Format));
    }
}
