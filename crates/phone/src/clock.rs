//! The telephone's clock: microseconds UTC that never run backwards.
//!
//! Wall time once at the start, then the monotonic clock.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// A clock. Copies show the same time.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    began: Instant,
    began_us: i64,
}

impl Clock {
    /// Reads the wall clock.
    #[must_use]
    pub fn start() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { began: Instant::now(), began_us: i64::try_from(wall.as_micros()).unwrap_or(0) }
    }

    /// Microseconds UTC.
    #[must_use]
    pub fn now_us(&self) -> i64 {
        self.began_us + i64::try_from(self.began.elapsed().as_micros()).unwrap_or(0)
    }
}
