//! The house clock: wall time at the start plus monotonic time since, drawn slowly to the wall.
//!
//! Invariant: it never goes back and never jumps. A step of the wall clock is followed at most
//! half a millisecond per second, so no timer bursts and no duration is negative.

use std::sync::Mutex;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use model::time::Timestamp;

/// Microseconds of correction per second of running time.
const SLEW_US_PER_S: i64 = 500;
/// A difference above this is reported as a jump, in microseconds.
const JUMP_US: i64 = 1_000_000;

/// The correction as a pure machine.
#[derive(Debug, Clone)]
struct Slew {
    start_us: i64,
    correction_us: i64,
    corrected_at_us: i64,
    last_us: i64,
}

impl Slew {
    fn new(wall_us: i64) -> Self {
        Self { start_us: wall_us, correction_us: 0, corrected_at_us: 0, last_us: wall_us }
    }

    /// House time at `elapsed_us` since the start while the wall says `wall_us`.
    fn now(&mut self, elapsed_us: i64, wall_us: i64) -> i64 {
        let passed_us = elapsed_us - self.corrected_at_us;
        let room_us = passed_us.saturating_mul(SLEW_US_PER_S) / 1_000_000;
        if room_us > 0 {
            let behind_us = wall_us - (self.start_us + elapsed_us + self.correction_us);
            self.correction_us += behind_us.clamp(-room_us, room_us);
            self.corrected_at_us = elapsed_us;
        }
        self.last_us = self.last_us.max(self.start_us + elapsed_us + self.correction_us);
        self.last_us
    }
}

/// Tells a step of the wall clock from the slow approach of house time, once per step.
#[derive(Debug, Clone, Default)]
struct Steps {
    known_us: i64,
}

impl Steps {
    /// `difference_us` of the wall clock to house time, now.
    fn step(&mut self, difference_us: i64) -> Option<i64> {
        let by_us = difference_us - std::mem::replace(&mut self.known_us, difference_us);
        (by_us.abs() > JUMP_US).then_some(by_us)
    }
}

/// The clock that the shell hands to every cell.
#[derive(Debug)]
pub struct HouseClock {
    started: Instant,
    slew: Mutex<Slew>,
    steps: Mutex<Steps>,
}

impl HouseClock {
    /// A clock that starts at the present wall time.
    #[must_use]
    pub fn start() -> Self {
        Self {
            started: Instant::now(),
            slew: Mutex::new(Slew::new(wall_us())),
            steps: Mutex::default(),
        }
    }

    /// House time.
    ///
    /// # Panics
    /// Never: the lock is held for arithmetic only.
    pub fn now(&self) -> Timestamp {
        let elapsed_us = i64::try_from(self.started.elapsed().as_micros()).unwrap_or(i64::MAX);
        let mut slew = self.slew.lock().expect("arithmetic does not panic");
        Timestamp::from_micros(slew.now(elapsed_us, wall_us()))
    }

    /// Difference of the wall clock to house time in microseconds, if it is a jump.
    pub fn jump_us(&self) -> Option<i64> {
        let difference_us = self.difference_us();
        (difference_us.abs() > JUMP_US).then_some(difference_us)
    }

    /// By how much the wall clock was set since the last time this was asked, in microseconds, if
    /// it was. Ask every few seconds.
    ///
    /// # Panics
    /// Never: the lock is held for arithmetic only.
    pub fn jumped(&self) -> Option<i64> {
        let difference_us = self.difference_us();
        self.steps.lock().expect("arithmetic does not panic").step(difference_us)
    }

    fn difference_us(&self) -> i64 {
        wall_us() - self.now().micros()
    }
}

fn wall_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000;

    #[test]
    fn a_step_of_the_wall_clock_is_followed_slowly() {
        let mut slew = Slew::new(1_000 * S);
        assert_eq!(slew.now(10 * S, 1_010 * S), 1_010 * S);
        // The wall jumps an hour ahead: after ten seconds we moved by 5 ms at most.
        assert_eq!(slew.now(20 * S, 1_020 * S + 3_600 * S), 1_020 * S + 5_000);
    }

    #[test]
    fn a_step_is_told_once_and_the_approach_is_none() {
        let mut steps = Steps::default();
        let told: Vec<_> = [0, 900, 3_600 * S, 3_600 * S - 2_500, 3_599 * S, 0, -S, -3 * S]
            .into_iter()
            .filter_map(|difference_us| steps.step(difference_us))
            .collect();
        assert_eq!(told, [3_600 * S - 900, -3_599 * S, -2 * S]);
    }

    #[test]
    fn it_never_goes_back() {
        let mut slew = Slew::new(1_000 * S);
        let mut last = 0;
        for step in 0..1_000 {
            let now = slew.now(step * 1_000, 500 * S);
            assert!(last <= now);
            last = now;
        }
    }
}
