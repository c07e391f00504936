//! Confidence of a simulated mean by the method of batch means (Law, Simulation Modeling and
//! Analysis): neighbouring waits depend on each other, whole batches hardly.

/// A mean with the half width of its confidence interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// Half width of the 99 % interval.
    pub half_width: f64,
}

impl Estimate {
    /// Whether the interval holds this value.
    #[must_use]
    pub fn holds(&self, value: f64) -> bool {
        (self.mean - value).abs() <= self.half_width
    }
}

/// Batches of one estimate.
pub const BATCHES: usize = 30;
/// Student's t for 29 degrees of freedom and 99 % on both sides.
const T_99: f64 = 2.756;

/// Mean of `values` in their order, after leaving out the first tenth as warm-up.
///
/// `None` when there are too few values for [`BATCHES`] batches.
#[must_use]
pub fn batch_means(values: &[f64]) -> Option<Estimate> {
    let steady = values.get(values.len() / 10..)?;
    let size = steady.len() / BATCHES;
    if size == 0 {
        return None;
    }
    let means: Vec<f64> = steady
        .chunks_exact(size)
        .take(BATCHES)
        .map(|batch| batch.iter().sum::<f64>() / size as f64)
        .collect();
    let n = means.len() as f64;
    let mean = means.iter().sum::<f64>() / n;
    let variance = means.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / (n - 1.0);
    Some(Estimate { mean, half_width: T_99 * (variance / n).sqrt() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::random::Random;

    #[test]
    fn independent_values_are_inside_their_band() {
        let mut random = Random::new(3);
        let values: Vec<f64> = (0..30_000).map(|_| random.exponential(5.0)).collect();
        let estimate = batch_means(&values).unwrap();
        assert!(estimate.holds(5.0), "{estimate:?}");
        assert!(!estimate.holds(5.5), "{estimate:?}");
        assert!(batch_means(&values[..20]).is_none());
    }
}
