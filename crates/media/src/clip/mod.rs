//! Prompts and music: any WAV becomes 8 kHz mono at one loudness, named by its digest.
//!
//! Invariant: whatever the bytes, the result is a clip within the limits or an error that says what
//! is wrong; memory stays in proportion to the bytes given.

mod resample;
mod wav;

use std::sync::Arc;

use model::limits::PROMPT_S_MAX;
use model::media::ClipId;
use sha2::{Digest as _, Sha256};

/// Samples per second of every clip.
const RATE: u32 = 8_000;
/// Loudness of the parts with sound, as a share of full scale (-20 dBFS).
const LOUDNESS: f64 = 0.1;
/// No sample is louder than this after normalising (-1 dBFS).
const PEAK: f64 = 0.89;
/// Silence is not blown up to noise: the highest gain (24 dB).
const GAIN_MAX: f64 = 16.0;
/// A frame below this counts as silence when loudness is measured (-50 dBFS).
const FLOOR: f64 = 0.003;

/// A normalised sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clip {
    /// SHA-256 of the samples, little-endian.
    pub id: ClipId,
    /// 8 kHz mono samples.
    pub samples: Arc<[i16]>,
}

/// Why bytes are no clip.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClipError {
    /// Not a RIFF WAVE file, or one without format or sound.
    #[error("this is not a WAV file with sound in it")]
    NotWav,
    /// A coding that is not linear, float, A-law or mu-law.
    #[error("this WAV is coded as format {format} with {bits} bits, which is not supported")]
    Coding {
        /// The format tag of the file.
        format: u16,
        /// Bits per sample.
        bits: u16,
    },
    /// More channels than 8, or none.
    #[error("{0} channels are not supported, 1 to 8 are")]
    Channels(u16),
    /// A rate outside 4 to 192 kHz.
    #[error("{0} samples per second are not supported, 4,000 to 192,000 are")]
    Rate(u32),
    /// The sound breaks off: less of it is there than the file says.
    #[error("the file is cut short: it announces {claimed} bytes of sound and has {found}")]
    CutShort {
        /// Bytes of sound by its own account.
        claimed: u32,
        /// Bytes of sound that are there.
        found: usize,
    },
    /// Longer than `limits::PROMPT_S_MAX`.
    #[error("the sound is {seconds} s long, {max} s are allowed", max = PROMPT_S_MAX)]
    TooLong {
        /// Its length, rounded up.
        seconds: u64,
    },
}

/// Why bytes are no clip, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct ClipFault {
    /// The byte at which the part that is wrong begins, from 0.
    pub at: usize,
    /// What is wrong.
    pub why: ClipError,
}

impl ClipError {
    fn at(self, at: usize) -> ClipFault {
        ClipFault { at, why: self }
    }
}

impl Clip {
    /// Reads a WAV file, converts and normalises it.
    ///
    /// # Errors
    /// [`ClipFault`] says what the file is not, and where.
    pub fn from_wav(bytes: &[u8]) -> Result<Self, ClipFault> {
        let sound = wav::read(bytes)?;
        let samples = resample::to_rate(&sound.mono(), sound.rate, RATE);
        Ok(Self::from_samples(&normalise(&samples)))
    }

    /// Takes 8 kHz mono samples as they are.
    #[must_use]
    pub fn from_samples(samples: &[i16]) -> Self {
        let mut digest = Sha256::new();
        for piece in samples.chunks(4_096) {
            let bytes: Vec<u8> = piece.iter().flat_map(|sample| sample.to_le_bytes()).collect();
            digest.update(&bytes);
        }
        Self { id: ClipId::from_digest(digest.finalize().into()), samples: Arc::from(samples) }
    }

    /// Its length in milliseconds, rounded up.
    #[must_use]
    pub fn length_ms(&self) -> u32 {
        u32::try_from(self.samples.len().div_ceil(8)).unwrap_or(u32::MAX)
    }
}

/// Brings the parts with sound to one loudness without clipping.
fn normalise(samples: &[f32]) -> Vec<i16> {
    let (mut energy, mut count, mut peak) = (0.0_f64, 0_usize, 0.0_f64);
    for frame in samples.chunks(160) {
        let sum: f64 = frame.iter().map(|sample| f64::from(*sample).powi(2)).sum();
        if sum > FLOOR * FLOOR * frame.len() as f64 {
            energy += sum;
            count += frame.len();
        }
        peak = frame.iter().fold(peak, |peak, sample| peak.max(f64::from(sample.abs())));
    }
    let gain = if count == 0 {
        1.0
    } else {
        let wanted = LOUDNESS / (energy / count as f64).sqrt();
        wanted.min(GAIN_MAX).min(PEAK / peak.max(f64::MIN_POSITIVE))
    };
    // A float that is out of range or no number becomes the nearest sample: `as` saturates.
    samples.iter().map(|sample| (f64::from(*sample) * gain * 32_767.0).round() as i16).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::random::Random;

    /// One second of a tone at `rate`, as a 16 bit mono file.
    fn tone(rate: u32, hertz: f64, level: f64) -> Vec<u8> {
        let sample = |n: u32| {
            let t = f64::from(n) / f64::from(rate);
            (level * 32_767.0 * (2.0 * std::f64::consts::PI * hertz * t).sin()) as i16
        };
        wav::write(&(0..rate).map(sample).collect::<Vec<_>>(), rate)
    }

    /// Share of the clip's energy at `hertz` (Goertzel).
    fn share(samples: &[i16], hertz: f64) -> f64 {
        let w = 2.0 * std::f64::consts::PI * hertz / 8_000.0;
        let (mut re, mut im, mut all) = (0.0, 0.0, 0.0);
        for (n, sample) in samples.iter().enumerate() {
            let x = f64::from(*sample);
            re += x * (w * n as f64).cos();
            im += x * (w * n as f64).sin();
            all += x * x;
        }
        2.0 * (re * re + im * im) / (samples.len() as f64 * all)
    }

    fn rms(samples: &[i16]) -> f64 {
        let sum: f64 = samples.iter().map(|s| (f64::from(*s) / 32_767.0).powi(2)).sum();
        (sum / samples.len() as f64).sqrt()
    }

    #[test]
    fn every_rate_keeps_the_tone_its_length_and_one_loudness() {
        for rate in [4_000, 8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 96_000, 192_000]
        {
            for level in [0.02, 0.3] {
                let clip = Clip::from_wav(&tone(rate, 1_000.0, level)).expect("a clip");
                assert!(clip.length_ms().abs_diff(1_000) <= 1, "{rate}");
                let middle = &clip.samples[400..7_600];
                assert!(share(middle, 1_000.0) > 0.999, "{rate}: {}", share(middle, 1_000.0));
                assert!((rms(middle) - LOUDNESS).abs() < 0.004, "{rate}: {}", rms(middle));
            }
        }
    }

    #[test]
    fn what_8_khz_cannot_carry_is_not_folded_back() {
        let half = |hertz| {
            let mut file = tone(48_000, 1_000.0, 0.1);
            let high = tone(48_000, hertz, 0.1);
            for at in (44..file.len()).step_by(2) {
                let sample = |file: &[u8]| i16::from_le_bytes([file[at], file[at + 1]]);
                let sum = sample(&file) + sample(&high);
                file[at..at + 2].copy_from_slice(&sum.to_le_bytes());
            }
            Clip::from_wav(&file).expect("a clip")
        };
        for hertz in [4_600.0, 7_000.0, 12_345.0] {
            let clip = half(hertz);
            assert!(share(&clip.samples[400..7_600], 1_000.0) > 0.999, "{hertz}");
        }
        assert!(share(&half(3_000.0).samples, 1_000.0) < 0.6, "and what it can carry stays");
    }

    #[test]
    fn the_name_is_the_digest_of_the_samples() {
        let clip = Clip::from_samples(&[1, -2]);
        let digest: [u8; 32] = Sha256::digest([1, 0, 0xfe, 0xff]).into();
        assert_eq!(clip.id, ClipId::from_digest(digest));
        let again = Clip::from_wav(&wav::write(&clip.samples, RATE));
        assert!(again.is_ok_and(|again| again.samples.len() == 2));
    }

    #[test]
    fn silence_stays_silent_and_too_long_is_refused_before_the_work() {
        let silence = Clip::from_wav(&wav::write(&[0; 16_000], 16_000)).expect("a clip");
        assert!(silence.samples.iter().all(|sample| *sample == 0));
        let long = vec![0; 4_000 * (PROMPT_S_MAX as usize + 1)];
        let told = Clip::from_wav(&wav::write(&long, 4_000));
        let why = ClipError::TooLong { seconds: u64::from(PROMPT_S_MAX) + 1 };
        assert_eq!(told, Err(why.at(36)));
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let good = tone(16_000, 300.0, 0.5);
        let mut random = Random::new(44);
        for _ in 0..2_000 {
            let mut bytes = good[..random.below(2_000) as usize].to_vec();
            for _ in 0..random.below(8) {
                if let Some(byte) = bytes.get_mut(random.below(60) as usize) {
                    *byte = random.next_u64() as u8;
                }
            }
            let _ = Clip::from_wav(&bytes);
        }
    }
}
