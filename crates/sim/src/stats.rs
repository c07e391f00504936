//! Confidence of a simulated mean.
//!
//! Invariant: an interval is computed from independent values only. Neighbouring waits of one run
//! depend on each other, so a run gives one value, the mean of its waits, and several runs with
//! seeds of their own give the interval (independent replications; Law, Simulation Modeling and
//! Analysis, 5th edition, section 9.5.2).

/// A mean with the half width of its confidence interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// Half width of the 99.9 % interval.
    pub half_width: f64,
}

impl Estimate {
    /// The mean of independent values of one distribution, with Student's interval.
    ///
    /// `None` for fewer than two values.
    #[must_use]
    pub fn of_independent(values: &[f64]) -> Option<Self> {
        let freedom = values.len().checked_sub(1).filter(|freedom| *freedom > 0)? as f64;
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / freedom;
        Some(Self { mean, half_width: student(freedom) * (variance / n).sqrt() })
    }

    /// Whether the interval holds this value.
    #[must_use]
    pub fn holds(&self, value: f64) -> bool {
        (self.mean - value).abs() <= self.half_width
    }
}

/// Student's t for 99.9 % on both sides, from the normal quantile (Abramowitz and Stegun 26.7.5);
/// right to the second decimal from 10 degrees of freedom on.
fn student(freedom: f64) -> f64 {
    const Z: f64 = 3.290_527;
    let first = (Z.powi(3) + Z) / 4.0;
    let second = (5.0 * Z.powi(5) + 16.0 * Z.powi(3) + 3.0 * Z) / 96.0;
    let third = (3.0 * Z.powi(7) + 19.0 * Z.powi(5) + 17.0 * Z.powi(3) - 15.0 * Z) / 384.0;
    Z + first / freedom + second / freedom.powi(2) + third / freedom.powi(3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::random::Random;

    #[test]
    fn quantiles_are_those_of_the_table() {
        for (freedom, printed) in [(10.0, 4.587), (19.0, 3.883), (39.0, 3.558), (120.0, 3.373)] {
            assert!((student(freedom) - printed).abs() < 0.01, "{freedom}: {}", student(freedom));
        }
    }

    #[test]
    fn independent_values_are_inside_their_band() {
        let mut random = Random::new(3);
        let values: Vec<f64> = (0..30_000).map(|_| random.exponential(5.0)).collect();
        let estimate = Estimate::of_independent(&values).unwrap();
        assert!(estimate.holds(5.0), "{estimate:?}");
        assert!(!estimate.holds(5.2), "{estimate:?}");
        assert!(Estimate::of_independent(&values[..1]).is_none());
    }
}
