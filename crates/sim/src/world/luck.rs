//! Chance of the world: everything that is drawn comes from its one seed.

use model::{Span, Timestamp};

use super::World;

impl World {
    pub(super) fn chance(&mut self, per_mille: u64) -> bool {
        per_mille > 0 && self.random.below(1_000) < per_mille
    }

    /// A whole number in `0..most`, 0 when `most` is not positive.
    pub(super) fn below(&mut self, most: i64) -> i64 {
        let bound = u64::try_from(most).unwrap_or(0);
        i64::try_from(self.random.below(bound)).unwrap_or(0)
    }

    /// A time within the next `most_ms` milliseconds.
    pub(super) fn soon(&mut self, most_ms: i64) -> Timestamp {
        self.now + Span::from_micros(self.below(most_ms.saturating_mul(1_000)))
    }

    /// An exponentially distributed time with this mean, cut at ten times the mean: nobody may
    /// hold the end of a run up. A measurement takes the whole distribution.
    pub(super) fn exponential(&mut self, mean_s: f64) -> Span {
        let drawn_s = self.random.exponential(mean_s);
        let kept_s = if self.scenario.checked { drawn_s.min(mean_s * 10.0) } else { drawn_s };
        Span::from_micros((kept_s * 1e6) as i64)
    }
}
