//! The music for those who wait, synthesised here, so that it belongs to nobody else.
//!
//! Soft pads and plucked arpeggios over sixteen bars, written round a ring: what rings beyond the
//! end sounds on at the beginning, and the loop has no seam. Notes stay between 200 Hz and 1 kHz
//! with partials below 3.4 kHz, where a telephone is at its best.

use std::f64::consts::TAU;
use std::path::Path;

use anyhow::Context;

const RATE: usize = 8_000;
const BEAT_S: f64 = 0.75;
const BEATS_PER_BAR: usize = 4;
const PARTIAL_HZ_MAX: f64 = 3_400.0;
/// Loudness of the whole loop, of full scale 1: about -21 dB, as prompts are.
const RMS: f64 = 0.09;
const PEAK_MAX: f64 = 0.5;

/// The chords, one per bar, as semitones above middle C.
const CHORDS: [[i32; 4]; 16] = [
    [0, 4, 7, 11],
    [-3, 4, 7, 12],
    [5, 9, 12, 16],
    [2, 7, 11, 14],
    [4, 7, 11, 14],
    [-3, 4, 9, 12],
    [2, 5, 9, 12],
    [-5, 2, 5, 11],
    [0, 4, 7, 11],
    [-1, 4, 7, 14],
    [-3, 5, 9, 12],
    [-5, 2, 7, 11],
    [5, 9, 12, 16],
    [4, 7, 12, 14],
    [2, 5, 9, 16],
    [-5, 2, 5, 11],
];

/// Which chord note is plucked on each half beat; -1 rests. Two bars, in turn.
const PATTERN: [[i32; 8]; 2] = [[0, 2, 3, 2, 1, 2, 3, -1], [0, 1, 3, 2, -1, 3, 2, 1]];

/// A sparse melody: bar, beat, semitones above middle C, length in beats.
const MELODY: [(usize, f64, i32, f64); 14] = [
    (0, 1.0, 16, 2.0),
    (1, 1.5, 14, 1.5),
    (2, 1.0, 12, 2.5),
    (3, 2.0, 11, 2.0),
    (4, 1.0, 14, 2.0),
    (5, 1.5, 12, 2.0),
    (6, 1.0, 9, 1.0),
    (6, 2.5, 12, 1.5),
    (8, 1.0, 16, 2.0),
    (9, 1.0, 19, 2.0),
    (10, 1.5, 17, 2.0),
    (12, 1.0, 16, 1.0),
    (12, 2.5, 14, 1.5),
    (14, 1.0, 12, 2.5),
];

/// Writes the loop as a WAV file.
pub(crate) fn write(file: &Path) -> anyhow::Result<()> {
    let samples = calm();
    std::fs::write(file, wav(&samples)).with_context(|| file.display().to_string())
}

/// The whole loop, 8 kHz.
fn calm() -> Vec<i16> {
    let bar_s = BEAT_S * BEATS_PER_BAR as f64;
    let length = (bar_s * CHORDS.len() as f64 * RATE as f64) as usize;
    let mut ring = vec![0.0; length];
    for (bar, chord) in CHORDS.iter().enumerate() {
        let begin = bar as f64 * bar_s;
        for (voice, note) in chord.iter().enumerate() {
            // Two strings a shade apart beat slowly and sound like many.
            for cents in [-4.0, 5.0] {
                pad(&mut ring, begin, bar_s, hertz(*note, cents), 0.11 - 0.015 * voice as f64);
            }
        }
        for (step, which) in PATTERN[bar % 2].iter().enumerate() {
            if let Some(note) = usize::try_from(*which).ok().and_then(|which| chord.get(which)) {
                let accent = if step % 4 == 0 { 0.22 } else { 0.15 };
                pluck(&mut ring, begin + step as f64 * BEAT_S / 2.0, hertz(*note, 0.0), accent);
            }
        }
    }
    for (bar, beat, note, beats) in MELODY {
        let begin = bar as f64 * bar_s + beat * BEAT_S;
        flute(&mut ring, begin, beats * BEAT_S, hertz(note, 0.0), 0.2);
    }
    echo(&mut ring, (BEAT_S * 0.75 * RATE as f64) as usize, 0.28);
    level(&ring)
}

/// The frequency of a note, semitones above middle C and hundredths beside it.
fn hertz(semitones: i32, cents: f64) -> f64 {
    261.625_565 * ((f64::from(semitones) + cents / 100.0) / 12.0).exp2()
}

/// Adds `sound(t)` for `seconds` from `begin` on, round the ring.
fn add(ring: &mut [f64], begin: f64, seconds: f64, sound: impl Fn(f64) -> f64) {
    let first = (begin * RATE as f64).round() as usize;
    for n in 0..(seconds * RATE as f64) as usize {
        let at = (first + n) % ring.len();
        ring[at] += sound(n as f64 / RATE as f64);
    }
}

/// Partials of a tone, each weaker than the one before, none above the telephone's band.
fn partials(t: f64, hertz: f64, fall: f64, count: usize) -> f64 {
    (1..=count)
        .map(|n| n as f64)
        .filter(|n| n * hertz < PARTIAL_HZ_MAX)
        .map(|n| (TAU * n * hertz * t).sin() / n.powf(fall))
        .sum()
}

/// A chord note that swells, and fades while the next bar begins.
fn pad(ring: &mut [f64], begin: f64, bar_s: f64, hertz: f64, loudness: f64) {
    let (swell, fade) = (0.9, 1.4);
    add(ring, begin, bar_s + fade, |t| {
        let rise = (t / swell).min(1.0);
        let fall = ((bar_s + fade - t) / fade).clamp(0.0, 1.0);
        let tremor = 1.0 + 0.06 * (TAU * 0.8 * t).sin();
        let level = (rise * fall * TAU / 4.0).sin().powi(2);
        loudness * level * tremor * partials(t, hertz, 1.9, 5)
    });
}

/// A plucked string: high partials die first.
fn pluck(ring: &mut [f64], begin: f64, hertz: f64, loudness: f64) {
    add(ring, begin, 1.8, |t| {
        let attack = (t / 0.004).min(1.0);
        let tail = ((1.8 - t) / 0.2).min(1.0);
        let sound: f64 = (1..=6)
            .map(f64::from)
            .filter(|n| n * hertz < PARTIAL_HZ_MAX)
            .map(|n| (TAU * n * hertz * t).sin() * (-t * (1.8 + 1.6 * n)).exp() / n.powf(1.3))
            .sum();
        loudness * attack * tail * sound
    });
}

/// A breathing lead with a late, slow vibrato.
fn flute(ring: &mut [f64], begin: f64, seconds: f64, hertz: f64, loudness: f64) {
    add(ring, begin, seconds + 0.5, |t| {
        let rise = (t / 0.12).min(1.0);
        let fall = ((seconds + 0.5 - t) / 0.6).clamp(0.0, 1.0);
        let depth = 0.0008 * (t - 0.4).clamp(0.0, 1.0);
        let bent = t + depth * (TAU * 4.8 * t).sin() / TAU;
        loudness * (rise * fall * TAU / 4.0).sin().powi(2) * partials(bent, hertz, 2.4, 4)
    });
}

/// A fading echo, also round the ring: the second turn starts with the echoes of the first.
fn echo(ring: &mut [f64], delay: usize, feedback: f64) {
    let dry = ring.to_vec();
    for _ in 0..2 {
        for at in 0..ring.len() {
            let before = (at + ring.len() - delay) % ring.len();
            ring[at] = dry[at] + feedback * ring[before];
        }
    }
}

/// To 16 bit at the wanted loudness; the rare peak is bent, not cut.
fn level(ring: &[f64]) -> Vec<i16> {
    let mean = ring.iter().sum::<f64>() / ring.len() as f64;
    let power = ring.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / ring.len() as f64;
    let gain = RMS / power.sqrt();
    ring.iter()
        .map(|s| PEAK_MAX * ((s - mean) * gain / PEAK_MAX).tanh())
        .map(|s| (s * f64::from(i16::MAX)).round() as i16)
        .collect()
}

/// A WAV file of 8 kHz mono 16 bit samples.
fn wav(samples: &[i16]) -> Vec<u8> {
    let bytes = u32::try_from(samples.len() * 2).unwrap_or(u32::MAX - 36);
    let rate = u32::try_from(RATE).unwrap_or(0);
    let mut file = b"RIFF".to_vec();
    file.extend_from_slice(&(36 + bytes).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend_from_slice(&rate.to_le_bytes());
    file.extend_from_slice(&(rate * 2).to_le_bytes());
    file.extend_from_slice(b"\x02\0\x10\0data");
    file.extend_from_slice(&bytes.to_le_bytes());
    file.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_loop_is_pleasant() {
        let file = std::fs::read(crate::root().join("assets/music/calm.wav")).expect("it is there");
        let samples: Vec<f64> = file[44..]
            .chunks_exact(2)
            .map(|s| f64::from(i16::from_le_bytes([s[0], s[1]])) / f64::from(i16::MAX))
            .collect();
        let seconds = samples.len() / RATE;
        assert!((40..=60).contains(&seconds), "{seconds} s");
        let power = |piece: &[f64]| piece.iter().map(|s| s * s).sum::<f64>() / piece.len() as f64;
        assert!((power(&samples).sqrt() - RMS).abs() < 0.02);
        assert!(samples.iter().all(|s| s.abs() < PEAK_MAX));
        // The step from the end to the beginning is one like any other.
        let step = |a: f64, b: f64| (a - b).abs();
        let usual = samples.windows(2).map(|w| step(w[0], w[1])).fold(0.0, f64::max);
        assert!(step(samples[samples.len() - 1], samples[0]) <= usual);
        // No second is silent and none shouts.
        for (at, second) in samples.chunks(RATE).enumerate() {
            let rms = power(second).sqrt();
            assert!((0.02..0.2).contains(&rms), "second {at}: {rms}");
        }
    }
}
