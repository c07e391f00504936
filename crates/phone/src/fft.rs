//! A radix-2 Fourier transform (Cooley and Tukey 1965), for the chirp detector only.
//!
//! Lengths are powers of two.

use std::f32::consts::TAU;

/// A complex number.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Complex {
    pub(crate) re: f32,
    pub(crate) im: f32,
}

impl Complex {
    fn times(self, other: Self) -> Self {
        let Self { re, im } = self;
        Self { re: re * other.re - im * other.im, im: re * other.im + im * other.re }
    }

    pub(crate) fn times_conjugate(self, other: Self) -> Self {
        self.times(Self { re: other.re, im: -other.im })
    }

    pub(crate) fn magnitude(self) -> f32 {
        self.re.hypot(self.im)
    }
}

/// To the frequency domain, in place.
pub(crate) fn fft(values: &mut [Complex]) {
    transform(values, -1.0);
}

/// Back to the time domain, in place.
pub(crate) fn inverse(values: &mut [Complex]) {
    transform(values, 1.0);
    let scale = 1.0 / values.len() as f32;
    for value in values {
        value.re *= scale;
        value.im *= scale;
    }
}

fn transform(values: &mut [Complex], sign: f32) {
    let length = values.len();
    debug_assert!(length.is_power_of_two(), "the caller passes a power of two");
    let bits = length.trailing_zeros();
    for n in 0..length {
        let mirrored = n.reverse_bits() >> (usize::BITS - bits);
        if n < mirrored {
            values.swap(n, mirrored);
        }
    }
    let roots: Vec<Complex> = (0..length / 2)
        .map(|n| sign * TAU * n as f32 / length as f32)
        .map(|angle| Complex { re: angle.cos(), im: angle.sin() })
        .collect();
    let mut half = 1;
    while half < length {
        let stride = length / (2 * half);
        for group in values.chunks_exact_mut(2 * half) {
            let (low, high) = group.split_at_mut(half);
            for (n, (a, b)) in low.iter_mut().zip(high).enumerate() {
                let turned = b.times(roots[n * stride]);
                *b = Complex { re: a.re - turned.re, im: a.im - turned.im };
                *a = Complex { re: a.re + turned.re, im: a.im + turned.im };
            }
        }
        half *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let values: Vec<Complex> =
            (0..64_u8).map(|n| Complex { re: f32::from(n % 7), im: f32::from(n % 5) }).collect();
        let mut turned = values.clone();
        fft(&mut turned);
        let sum: f32 = values.iter().map(|v| v.re).sum();
        assert!((turned[0].re - sum).abs() < 1e-3);
        inverse(&mut turned);
        for (a, b) in values.iter().zip(&turned) {
            assert!((a.re - b.re).abs() < 1e-3 && (a.im - b.im).abs() < 1e-3);
        }
    }
}
