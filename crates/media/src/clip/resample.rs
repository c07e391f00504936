//! From any rate to another by a polyphase windowed sinc filter.
//!
//! Invariant: what the lower rate cannot carry is filtered out before it can fold back, and the
//! length in time is kept.

use std::f64::consts::PI;

/// Zero crossings of the sinc on each side: some 80 dB with the window below.
const CROSSINGS: f64 = 24.0;
/// The filter begins to close at this share of the lower rate's half.
const PASS: f64 = 0.92;

/// Converts `samples` from `rate` to `wanted` samples per second.
pub(crate) fn to_rate(samples: &[f32], rate: u32, wanted: u32) -> Vec<f32> {
    if rate == wanted {
        return samples.to_vec();
    }
    let common = gcd(rate, wanted);
    let (up, down) = (u64::from(wanted / common), u64::from(rate / common));
    let phases = filter(rate, wanted, up);
    let half = phases[0].len() / 2;
    let count = (samples.len() as u64 * up).div_ceil(down);
    (0..count)
        .map(|n| {
            let at = n * down;
            // The output lies between input samples `whole` and `whole + 1`.
            let whole = usize::try_from(at / up).unwrap_or(usize::MAX);
            let phase = &phases[usize::try_from(at % up).unwrap_or(0)];
            let first = (whole + 1).saturating_sub(half);
            let skip = half.saturating_sub(whole + 1);
            let taps = phase.iter().skip(skip);
            samples.iter().skip(first).zip(taps).map(|(sample, tap)| sample * tap).sum()
        })
        .collect()
}

/// One set of taps per position of an output between two inputs. Tap `k` of phase `p` weighs the
/// input that lies `k - half + 1 - p / up` samples after the output.
fn filter(rate: u32, wanted: u32, up: u64) -> Vec<Vec<f32>> {
    let lower = f64::from(rate.min(wanted));
    // Cut-off in cycles per input sample.
    let cutoff = PASS * lower / 2.0 / f64::from(rate);
    let half = (CROSSINGS / (2.0 * cutoff)).ceil();
    let taps = 2 * half as usize;
    (0..up)
        .map(|phase| {
            let offset = phase as f64 / up as f64;
            let raw: Vec<f64> = (0..taps)
                .map(|k| {
                    let x = k as f64 - half + 1.0 - offset;
                    sinc(2.0 * cutoff * x) * window(x / half)
                })
                .collect();
            // Each phase passes a constant unchanged.
            let sum: f64 = raw.iter().sum();
            raw.into_iter().map(|tap| (tap / sum) as f32).collect()
        })
        .collect()
}

fn sinc(x: f64) -> f64 {
    if x.abs() < 1e-9 { 1.0 } else { (PI * x).sin() / (PI * x) }
}

/// Blackman window over -1 to 1.
fn window(x: f64) -> f64 {
    if x.abs() >= 1.0 {
        return 0.0;
    }
    0.42 + 0.5 * (PI * x).cos() + 0.08 * (2.0 * PI * x).cos()
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_stays_what_it_is() {
        for rate in [6_000, 11_025, 44_100, 47_999] {
            let out = to_rate(&vec![0.5; rate as usize], rate, 8_000);
            assert_eq!(out.len(), 8_000, "{rate}");
            assert!(out[100..7_900].iter().all(|sample| (sample - 0.5).abs() < 1e-4), "{rate}");
        }
    }

    #[test]
    fn an_impulse_lands_at_its_time() {
        let mut samples = vec![0.0; 48_000];
        samples[24_000] = 1.0;
        let out = to_rate(&samples, 48_000, 8_000);
        let loudest = (0..out.len()).max_by(|a, b| out[*a].total_cmp(&out[*b]));
        assert_eq!(loudest, Some(4_000));
    }
}
