//! Chirp sequences: every speaker of a test has its own code, and received audio tells which codes
//! are in it, and when.
//!
//! Browsers filter steady tones, so a code is eight short sweeps through thirds of the telephone
//! band, up or down, then a pause. Any two codes agree in at most three sweeps at any shift, while
//! a code counts as heard only with seven of its eight: two speakers mixed never look like a third.

use std::collections::BTreeSet;
use std::f32::consts::TAU;

use crate::fft::{Complex, fft, inverse};
use crate::wav::RATE;

/// How many codes there are.
pub const CODES: usize = CODE_TABLE.len();
/// Samples of one period at 8 kHz: eight sweeps and a pause of two, 600 ms.
pub const PERIOD_SAMPLES: usize = (SWEEPS + PAUSE_SWEEPS) * SWEEP_SAMPLES;

const SWEEPS: usize = 8;
const PAUSE_SWEEPS: usize = 2;
const SWEEP_SAMPLES: usize = 480;
const KINDS: usize = 6;
const PEAK: f32 = 9_000.0;
/// Lowest and highest frequency of the three bands, Hz. Kept clear of the band's edges.
const BANDS: [(f32, f32); 3] = [(400.0, 1_300.0), (1_300.0, 2_200.0), (2_200.0, 3_100.0)];

/// How alike a sweep and what was heard must be, 0 to 1. Two speakers of equal level give 0.7
/// each, three 0.58; a sweep of another kind gives 0.2 and noise 0.15.
const ALIKE_MIN: f32 = 0.36;
/// How many of the eight sweeps must be there.
const SWEEPS_MIN: usize = 7;
/// How far a sweep may stray from its place: jitter buffers stretch and squeeze, samples.
const STRAY: usize = 40;
/// Likeness is kept as the best of this many samples.
const BLOCK: usize = 8;
/// Quieter than this mean square is silence, whatever its shape.
const POWER_MIN: f32 = 20.0 * 20.0;
const FFT_LEN: usize = 4_096;

const CODE_TABLE: [[u8; SWEEPS]; 16] = [
    [4, 0, 5, 3, 2, 5, 1, 4],
    [3, 5, 1, 3, 5, 0, 4, 1],
    [3, 2, 0, 3, 4, 5, 0, 1],
    [4, 3, 2, 3, 5, 0, 3, 0],
    [2, 0, 2, 5, 4, 1, 4, 3],
    [4, 5, 3, 4, 1, 3, 0, 5],
    [3, 2, 1, 2, 3, 0, 5, 3],
    [4, 0, 1, 3, 0, 1, 4, 2],
    [5, 1, 0, 4, 2, 4, 2, 3],
    [2, 1, 3, 2, 3, 1, 3, 4],
    [1, 3, 2, 4, 2, 5, 1, 2],
    [5, 4, 5, 0, 2, 1, 0, 1],
    [0, 2, 3, 1, 0, 5, 4, 3],
    [5, 4, 0, 2, 0, 3, 0, 4],
    [3, 5, 1, 0, 3, 5, 2, 4],
    [2, 1, 4, 1, 3, 5, 2, 5],
];

/// A code by its number, 0 to 15.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Code(u8);

impl Code {
    /// The code of this number, if there is one.
    #[must_use]
    pub fn new(number: usize) -> Option<Self> {
        (number < CODES).then(|| u8::try_from(number).ok().map(Self))?
    }

    /// Its number.
    #[must_use]
    pub fn number(self) -> usize {
        usize::from(self.0)
    }

    fn sweeps(self) -> &'static [u8; SWEEPS] {
        &CODE_TABLE[self.number()]
    }

    /// One period of the code at `rate` samples per second. Repeated without a seam it is what a
    /// speaker says.
    #[must_use]
    pub fn samples(self, rate: u32) -> Vec<i16> {
        let length = SWEEP_SAMPLES * rate as usize / RATE as usize;
        let mut samples: Vec<i16> = Vec::with_capacity(length * (SWEEPS + PAUSE_SWEEPS));
        for kind in self.sweeps() {
            samples.extend(sweep(*kind, length, rate).iter().map(|c| (c.re * PEAK) as i16));
        }
        samples.resize(length * (SWEEPS + PAUSE_SWEEPS), 0);
        samples
    }
}

/// A code that was heard: one whole period.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Heard {
    /// Whose.
    pub code: Code,
    /// Where its first sweep begins, in samples at 8 kHz.
    pub at: usize,
    /// How alike, 0 to 1, mean of the sweeps.
    pub likeness: f32,
}

/// Every period of every code in 8 kHz samples, by place.
#[must_use]
pub fn find(samples: &[i16]) -> Vec<Heard> {
    let likeness = likeness(samples);
    let near: Vec<Vec<Peak>> = likeness.iter().map(|kind| blocks(kind)).collect();
    let mut found: Vec<Heard> = CODE_TABLE
        .iter()
        .enumerate()
        .filter_map(|(number, _)| Code::new(number))
        .flat_map(|code| find_code(code, &near))
        .collect();
    found.sort_by_key(|heard| (heard.at, heard.code));
    found
}

/// The codes in 8 kHz samples.
#[must_use]
pub fn codes(samples: &[i16]) -> BTreeSet<Code> {
    find(samples).into_iter().map(|heard| heard.code).collect()
}

/// The best likeness near a place, and where exactly.
#[derive(Debug, Clone, Copy, Default)]
struct Peak {
    likeness: f32,
    at: usize,
}

fn find_code(code: Code, near: &[Vec<Peak>]) -> Vec<Heard> {
    let blocks_total = near.first().map_or(0, Vec::len);
    let step = SWEEP_SAMPLES / BLOCK;
    let mut found: Vec<Heard> = Vec::new();
    for block in 0..blocks_total.saturating_sub(step * (SWEEPS - 1)) {
        let mut peaks = [Peak::default(); SWEEPS];
        for (n, (peak, kind)) in peaks.iter_mut().zip(code.sweeps()).enumerate() {
            *peak = near[usize::from(*kind)][block + n * step];
        }
        let there = peaks.iter().filter(|peak| peak.likeness >= ALIKE_MIN).count();
        if there < SWEEPS_MIN {
            continue;
        }
        let mut starts: Vec<usize> = peaks
            .iter()
            .enumerate()
            .filter(|(_, peak)| peak.likeness >= ALIKE_MIN)
            .map(|(n, peak)| peak.at.saturating_sub(n * SWEEP_SAMPLES))
            .collect();
        starts.sort_unstable();
        let mean = peaks.iter().map(|peak| peak.likeness).sum::<f32>() / SWEEPS as f32;
        let heard = Heard { code, at: starts[starts.len() / 2], likeness: mean };
        match found.last_mut() {
            // The same period seen from the next block.
            Some(last) if heard.at < last.at + PERIOD_SAMPLES / 2 => {
                if heard.likeness > last.likeness {
                    *last = heard;
                }
            }
            _ => found.push(heard),
        }
    }
    found
}

/// For every block of places the best within `STRAY`.
fn blocks(likeness: &[f32]) -> Vec<Peak> {
    let best: Vec<Peak> = likeness
        .chunks(BLOCK)
        .enumerate()
        .map(|(block, piece)| {
            let better = |best: Peak, (n, likeness): (usize, &f32)| {
                let here = Peak { likeness: *likeness, at: block * BLOCK + n };
                if here.likeness > best.likeness { here } else { best }
            };
            piece.iter().enumerate().fold(Peak::default(), better)
        })
        .collect();
    let reach = STRAY / BLOCK;
    (0..best.len())
        .map(|block| {
            let window = &best[block.saturating_sub(reach)..(block + reach + 1).min(best.len())];
            window.iter().fold(Peak::default(), |a, b| if b.likeness > a.likeness { *b } else { a })
        })
        .collect()
}

/// How alike every kind of sweep is to the samples from each place on, 0 to 1: the envelope of the
/// matched filter, so that neither level nor phase matters.
fn likeness(samples: &[i16]) -> Vec<Vec<f32>> {
    let places = samples.len().saturating_sub(SWEEP_SAMPLES - 1);
    let templates: Vec<(Vec<Complex>, f32)> = (0..KINDS).map(template).collect();
    let mut all = vec![vec![0.0; places]; KINDS];
    let power = power(samples);
    let hop = FFT_LEN - SWEEP_SAMPLES + 1;
    for begin in (0..places).step_by(hop) {
        let piece = &samples[begin..(begin + FFT_LEN).min(samples.len())];
        let mut block = vec![Complex::default(); FFT_LEN];
        for (to, from) in block.iter_mut().zip(piece) {
            to.re = f32::from(*from);
        }
        fft(&mut block);
        for (kind, (template, energy)) in templates.iter().enumerate() {
            let mut product: Vec<Complex> =
                block.iter().zip(template).map(|(a, b)| a.times_conjugate(*b)).collect();
            inverse(&mut product);
            for n in 0..hop.min(places - begin) {
                let here = power[begin + n];
                if here > POWER_MIN * SWEEP_SAMPLES as f32 {
                    all[kind][begin + n] = product[n].magnitude() / (here * energy).sqrt();
                }
            }
        }
    }
    all
}

/// Sum of squares of the `SWEEP_SAMPLES` samples from each place on.
fn power(samples: &[i16]) -> Vec<f32> {
    let square = |sample: i16| i64::from(sample) * i64::from(sample);
    let mut sum: i64 = samples.iter().take(SWEEP_SAMPLES - 1).map(|s| square(*s)).sum();
    samples
        .windows(SWEEP_SAMPLES)
        .map(|window| {
            sum += square(window[SWEEP_SAMPLES - 1]);
            let here = sum;
            sum -= square(window[0]);
            here as f32
        })
        .collect()
}

/// A sweep in the frequency domain, and half its energy.
fn template(kind: usize) -> (Vec<Complex>, f32) {
    let sweep = sweep(u8::try_from(kind).unwrap_or_default(), SWEEP_SAMPLES, RATE);
    let energy: f32 = sweep.iter().map(|c| c.magnitude() * c.magnitude()).sum();
    let mut block = vec![Complex::default(); FFT_LEN];
    block[..SWEEP_SAMPLES].copy_from_slice(&sweep);
    fft(&mut block);
    (block, energy / 2.0)
}

/// One sweep as an analytic signal of amplitude 1 with soft edges.
fn sweep(kind: u8, length: usize, rate: u32) -> Vec<Complex> {
    let (low, high) = BANDS[usize::from(kind) / 2 % BANDS.len()];
    let (from, to) = if kind.is_multiple_of(2) { (low, high) } else { (high, low) };
    let seconds = length as f32 / rate as f32;
    let edge = length / 12;
    (0..length)
        .map(|n| {
            let t = n as f32 / rate as f32;
            let phase = TAU * (from * t + (to - from) * t * t / (2.0 * seconds));
            let near = n.min(length - 1 - n).min(edge) as f32 / edge as f32;
            let level = (near * TAU / 4.0).sin().powi(2);
            Complex { re: level * phase.cos(), im: level * phase.sin() }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use media::g711;
    use model::media::Codec;
    use model::random::Random;

    use super::*;

    fn code(number: usize) -> Code {
        Code::new(number).expect("there are sixteen")
    }

    /// `count` periods of a code after `before` samples of silence.
    fn speak(number: usize, before: usize, count: usize) -> Vec<i16> {
        let period = code(number).samples(RATE);
        let mut samples = vec![0; before];
        samples.extend(period.iter().cycle().take(period.len() * count));
        samples
    }

    fn mix(a: &[i16], b: &[i16]) -> Vec<i16> {
        let longest = a.len().max(b.len());
        let at = |x: &[i16], n: usize| x.get(n).copied().unwrap_or(0);
        (0..longest).map(|n| at(a, n).saturating_add(at(b, n))).collect()
    }

    fn through(codec: Codec, samples: &[i16]) -> Vec<i16> {
        samples.iter().map(|s| g711::decode(codec, g711::encode(codec, *s))).collect()
    }

    fn numbers(samples: &[i16]) -> Vec<usize> {
        codes(samples).into_iter().map(Code::number).collect()
    }

    #[test]
    fn codes_stay_apart() {
        let with_pause = |code: &[u8; SWEEPS]| {
            let mut slots: Vec<Option<u8>> = code.iter().map(|k| Some(*k)).collect();
            slots.resize(SWEEPS + PAUSE_SWEEPS, None);
            slots
        };
        for (a, first) in CODE_TABLE.iter().enumerate() {
            for (b, second) in CODE_TABLE.iter().enumerate() {
                let (x, y) = (with_pause(first), with_pause(second));
                for shift in (0..x.len()).filter(|shift| a != b || *shift != 0) {
                    let alike = (0..x.len())
                        .filter(|n| x[*n].is_some() && x[*n] == y[(n + shift) % y.len()])
                        .count();
                    assert!(alike <= 3, "{a} and {b} at {shift}");
                }
            }
        }
    }

    #[test]
    fn each_code_is_heard_through_both_codecs_and_no_other() {
        for number in 0..CODES {
            let codec = if number % 2 == 0 { Codec::Pcmu } else { Codec::Pcma };
            let samples = through(codec, &speak(number, 1_234, 2));
            let found = find(&samples);
            assert_eq!(numbers(&samples), [number]);
            assert_eq!(found.len(), 2, "{found:?}");
            for (n, heard) in found.iter().enumerate() {
                assert!(heard.at.abs_diff(1_234 + n * PERIOD_SAMPLES) <= 4, "{heard:?}");
                assert!(heard.likeness > 0.9, "{heard:?}");
            }
        }
    }

    #[test]
    fn noise_lies_under_and_silence_says_nothing() {
        let mut random = Random::new(1);
        let mut noise = |peak: u64| -> Vec<i16> {
            let sample = |random: &mut Random| random.below(2 * peak) as i64 - peak as i64;
            (0..24_000).map(|_| i16::try_from(sample(&mut random)).unwrap_or(0)).collect()
        };
        assert_eq!(numbers(&noise(8_000)), [0_usize; 0]);
        assert_eq!(numbers(&vec![0; 24_000]), [0_usize; 0]);
        // A signal-to-noise ratio of about 0 dB.
        let samples = mix(&speak(5, 333, 4), &noise(9_000));
        assert_eq!(numbers(&through(Codec::Pcmu, &samples)), [5]);
        let quiet: Vec<i16> = speak(7, 100, 3).iter().map(|s| s / 16).collect();
        assert_eq!(numbers(&through(Codec::Pcma, &quiet)), [7]);
    }

    #[test]
    fn two_speakers_never_look_like_a_third() {
        for (a, b, shift) in [(0, 1, 0), (2, 3, 100), (4, 9, 777), (8, 15, 2_400), (6, 13, 4_000)] {
            let samples = mix(&speak(a, 0, 4), &speak(b, shift, 4));
            assert_eq!(numbers(&through(Codec::Pcmu, &samples)), [a, b], "{shift}");
        }
    }

    #[test]
    fn a_stretched_stream_is_still_heard() {
        // A jitter buffer that drops 2 ms out of every 100 and a gap of one lost packet.
        let samples = speak(3, 50, 4);
        let mut squeezed: Vec<i16> =
            samples.chunks(800).flat_map(|piece| &piece[..piece.len().min(784)]).copied().collect();
        assert_eq!(numbers(&squeezed), [3]);
        squeezed[5_000..5_160].fill(0);
        assert_eq!(numbers(&squeezed), [3]);
    }

    #[test]
    fn wide_band_and_narrow_band_say_the_same() {
        let wide = code(11).samples(48_000);
        assert_eq!(wide.len(), 6 * PERIOD_SAMPLES);
        let narrow = crate::wav::read(&crate::wav::write(&wide, 48_000)).expect("our own file");
        assert_eq!(numbers(&narrow), [11]);
    }
}
