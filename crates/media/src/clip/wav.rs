//! RIFF WAVE files: read strictly enough, written plainly.
//!
//! Invariant: lengths in the file are claims; only bytes that are there are read. A recorder that
//! crashed, or wrote into a pipe, leaves a data length of 0 or of nearly 2 or 4 GiB: then the sound
//! goes to the end of the file. Any other length that the file does not have is a file cut short.

use model::limits::{self, PROMPT_S_MAX};
use model::media::Codec;

use super::{ClipError, ClipFault};
use crate::g711;

const LINEAR: u16 = 1;
const FLOAT: u16 = 3;
const A_LAW: u16 = 6;
const MU_LAW: u16 = 7;
/// The real format is the first field of the GUID at byte 24 of the chunk.
const EXTENSIBLE: u16 = 0xfffe;

/// The sound of a file, not yet decoded.
#[derive(Debug)]
pub(crate) struct Sound<'a> {
    /// Samples per second.
    pub(crate) rate: u32,
    channels: usize,
    coding: Coding,
    data: &'a [u8],
}

#[derive(Debug, Clone, Copy)]
enum Coding {
    Unsigned8,
    Signed16,
    Signed24,
    Signed32,
    Float32,
    Float64,
    Law(Codec),
}

impl Coding {
    fn of(format: u16, bits: u16) -> Result<Self, ClipError> {
        Ok(match (format, bits) {
            (LINEAR, 8) => Self::Unsigned8,
            (LINEAR, 16) => Self::Signed16,
            (LINEAR, 24) => Self::Signed24,
            (LINEAR, 32) => Self::Signed32,
            (FLOAT, 32) => Self::Float32,
            (FLOAT, 64) => Self::Float64,
            (A_LAW, 8) => Self::Law(Codec::Pcma),
            (MU_LAW, 8) => Self::Law(Codec::Pcmu),
            _ => return Err(ClipError::Coding { format, bits }),
        })
    }

    fn bytes(self) -> usize {
        match self {
            Self::Unsigned8 | Self::Law(_) => 1,
            Self::Signed16 => 2,
            Self::Signed24 => 3,
            Self::Signed32 | Self::Float32 => 4,
            Self::Float64 => 8,
        }
    }

    /// One sample as a share of full scale. `bytes` is as long as [`Self::bytes`].
    fn decode(self, bytes: &[u8]) -> f32 {
        let byte = |at: usize| bytes.get(at).copied().unwrap_or(0);
        let word = || [byte(0), byte(1), byte(2), byte(3)];
        match self {
            Self::Unsigned8 => (f32::from(byte(0)) - 128.0) / 128.0,
            Self::Signed16 => f32::from(i16::from_le_bytes([byte(0), byte(1)])) / 32_768.0,
            Self::Signed24 => {
                let value = i32::from_le_bytes([0, byte(0), byte(1), byte(2)]);
                value as f32 / 2_147_483_648.0
            }
            Self::Signed32 => i32::from_le_bytes(word()) as f32 / 2_147_483_648.0,
            Self::Float32 => finite(f32::from_le_bytes(word())),
            Self::Float64 => {
                let wide = [0, 1, 2, 3, 4, 5, 6, 7].map(byte);
                finite(f64::from_le_bytes(wide) as f32)
            }
            Self::Law(codec) => f32::from(g711::decode(codec, byte(0))) / 32_768.0,
        }
    }
}

fn finite(value: f32) -> f32 {
    if value.is_finite() { value.clamp(-8.0, 8.0) } else { 0.0 }
}

/// Finds format and sound; a fault is named with the byte at which it begins.
pub(crate) fn read(bytes: &[u8]) -> Result<Sound<'_>, ClipFault> {
    let riff = bytes.get(..12).ok_or(ClipError::NotWav.at(0))?;
    if &riff[..4] != b"RIFF" || &riff[8..] != b"WAVE" {
        return Err(ClipError::NotWav.at(0));
    }
    let mut rest = &bytes[12..];
    let mut format = None;
    while let Some((head, body)) = rest.split_first_chunk::<8>() {
        let place = bytes.len() - rest.len();
        let claimed = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
        let length = claimed as usize;
        match &head[..4] {
            b"fmt " => {
                let parsed = Format::parse(&body[..length.min(body.len())]);
                format = Some(parsed.map_err(|why| why.at(place))?);
            }
            b"data" => {
                let format = format.ok_or(ClipError::NotWav.at(place))?;
                let data = if is_unknown(claimed) {
                    body
                } else {
                    body.get(..length)
                        .ok_or(ClipError::CutShort { claimed, found: body.len() }.at(place))?
                };
                return format.sound(data).map_err(|why| why.at(place));
            }
            _ => {}
        }
        // Chunks begin at even places.
        let next = length.saturating_add(length % 2);
        rest = body.get(next..).unwrap_or_default();
    }
    Err(ClipError::NotWav.at(bytes.len()))
}

/// Whether whoever wrote a data length did not know it.
fn is_unknown(claimed: u32) -> bool {
    let nearly = |most: u32| (most - 0xffff..=most).contains(&claimed);
    claimed == 0 || nearly(i32::MAX as u32) || nearly(u32::MAX)
}

#[derive(Debug, Clone, Copy)]
struct Format {
    rate: u32,
    channels: u16,
    coding: Coding,
}

impl Format {
    fn parse(chunk: &[u8]) -> Result<Self, ClipError> {
        if chunk.len() < 16 {
            return Err(ClipError::NotWav);
        }
        let short = |at: usize| u16::from_le_bytes([chunk[at], chunk[at + 1]]);
        let format = match short(0) {
            EXTENSIBLE if chunk.len() >= 26 => short(24),
            format => format,
        };
        let channels = short(2);
        let rate = u32::from_le_bytes([chunk[4], chunk[5], chunk[6], chunk[7]]);
        if !(1..=limits::PROMPT_CHANNELS_MAX).contains(&channels) {
            return Err(ClipError::Channels(channels));
        }
        if !limits::PROMPT_RATES_HZ.contains(&rate) {
            return Err(ClipError::Rate(rate));
        }
        Ok(Self { rate, channels, coding: Coding::of(format, short(14))? })
    }

    fn sound(self, data: &[u8]) -> Result<Sound<'_>, ClipError> {
        let channels = usize::from(self.channels);
        let frames = (data.len() / (channels * self.coding.bytes())) as u64;
        if frames == 0 {
            return Err(ClipError::NotWav);
        }
        let seconds = frames.div_ceil(u64::from(self.rate));
        if seconds > u64::from(PROMPT_S_MAX) {
            return Err(ClipError::TooLong { seconds });
        }
        Ok(Sound { rate: self.rate, channels, coding: self.coding, data })
    }
}

impl Sound<'_> {
    /// All channels as one, each sample a share of full scale.
    pub(crate) fn mono(&self) -> Vec<f32> {
        let size = self.coding.bytes();
        let frames = self.data.chunks_exact(size * self.channels);
        frames
            .map(|frame| {
                let sum: f32 = frame.chunks_exact(size).map(|s| self.coding.decode(s)).sum();
                sum / self.channels as f32
            })
            .collect()
    }
}

/// A mono 16 bit file.
#[cfg(test)]
pub(crate) fn write(samples: &[i16], rate: u32) -> Vec<u8> {
    let data = u32::try_from(samples.len() * 2).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(44 + samples.len() * 2);
    bytes.extend_from_slice(b"RIFF");
    bytes.extend_from_slice(&data.saturating_add(36).to_le_bytes());
    bytes.extend_from_slice(b"WAVEfmt ");
    bytes.extend_from_slice(&16_u32.to_le_bytes());
    for short in [LINEAR, 1] {
        bytes.extend_from_slice(&short.to_le_bytes());
    }
    bytes.extend_from_slice(&rate.to_le_bytes());
    bytes.extend_from_slice(&rate.saturating_mul(2).to_le_bytes());
    for short in [2_u16, 16] {
        bytes.extend_from_slice(&short.to_le_bytes());
    }
    bytes.extend_from_slice(b"data");
    bytes.extend_from_slice(&data.to_le_bytes());
    bytes.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(format: u16, channels: u16, bits: u16, claimed: u32, data: &[u8]) -> Vec<u8> {
        let mut bytes = b"RIFF\0\0\0\0WAVEjunk\x03\0\0\0abc\0fmt \x10\0\0\0".to_vec();
        bytes.extend_from_slice(&format.to_le_bytes());
        bytes.extend_from_slice(&channels.to_le_bytes());
        bytes.extend_from_slice(&8_000_u32.to_le_bytes());
        bytes.extend_from_slice(&[0; 6]);
        bytes.extend_from_slice(&bits.to_le_bytes());
        bytes.extend_from_slice(b"data");
        bytes.extend_from_slice(&claimed.to_le_bytes());
        bytes.extend_from_slice(data);
        bytes
    }

    #[test]
    fn codings_and_channels_become_shares_of_full_scale() {
        let half_float = [0.5_f32.to_le_bytes(), f32::NAN.to_le_bytes()].concat();
        for (format, channels, bits, data, expected) in [
            (1, 1, 8, &[0xc0, 0x80][..], vec![0.5, 0.0]),
            (1, 2, 16, &[0, 0x40, 0, 0x20], vec![0.375]),
            (1, 1, 24, &[0, 0, 0x40, 0, 0, 0xc0], vec![0.5, -0.5]),
            (1, 1, 32, &[0, 0, 0, 0x40], vec![0.5]),
            (3, 1, 32, &half_float, vec![0.5, 0.0]),
            (3, 1, 64, &0.25_f64.to_le_bytes(), vec![0.25]),
            (7, 1, 8, &[0xff], vec![0.0]),
        ] {
            let bytes = file(format, channels, bits, data.len() as u32, data);
            assert_eq!(read(&bytes).expect("a file").mono(), expected, "{format} {bits}");
        }
    }

    #[test]
    fn a_length_that_nobody_knew_is_what_is_there_and_any_other_must_be_there() {
        for claimed in [0, u32::MAX, 0x7fff_f000, 4] {
            let bytes = file(1, 1, 16, claimed, &[0, 0x40, 0, 0x40]);
            assert_eq!(read(&bytes).expect("a file").mono(), [0.5, 0.5], "{claimed}");
        }
        let cut = read(&file(1, 1, 16, 1_000_000, &[0, 0x40, 0, 0x40])).err();
        let why = ClipError::CutShort { claimed: 1_000_000, found: 4 };
        assert_eq!(cut, Some(ClipFault { at: 48, why }));
    }

    #[test]
    fn what_is_not_supported_is_named() {
        let refused =
            |format, channels, bits| read(&file(format, channels, bits, 2, &[0, 0])).err();
        let (at, bits) = (24, 12);
        assert_eq!(refused(85, 1, 16), Some(ClipError::Coding { format: 85, bits: 16 }.at(at)));
        assert_eq!(refused(1, 1, 12), Some(ClipError::Coding { format: 1, bits }.at(at)));
        assert_eq!(refused(1, 0, 16), Some(ClipError::Channels(0).at(at)));
        assert_eq!(refused(1, 400, 16), Some(ClipError::Channels(400).at(at)));
        assert_eq!(read(&file(1, 1, 16, 0, &[])).err(), Some(ClipError::NotWav.at(48)));
        assert_eq!(read(b"RIFF....AVI ").err(), Some(ClipError::NotWav.at(0)));
    }
}
