//! Keys from RFC 4733 reports: one key per event, however many packets carry it.
//!
//! Invariant: an RTP timestamp yields at most one key, and never an older one after a newer.

use std::time::{Duration, Instant};

use model::limits::DIGITS_PER_SECOND_MAX;

/// The keys by event code (RFC 4733 section 3.2).
const KEYS: [char; 16] =
    ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A', 'B', 'C', 'D'];

/// Recognises the keys of one stream.
#[derive(Debug, Default)]
pub(super) struct Digits {
    last_timestamp: Option<u32>,
    second_began: Option<Instant>,
    in_this_second: u32,
}

impl Digits {
    /// The key that this report begins, unless it repeats, is late, no key, or one too many in
    /// this second. The first report counts, not the last, so a lost end delays nothing.
    pub(super) fn report(&mut self, now: Instant, timestamp: u32, payload: &[u8]) -> Option<char> {
        let key = *KEYS.get(usize::from(*payload.first()?))?;
        if payload.len() < 4 {
            return None;
        }
        let is_newer = |last: u32| {
            let ahead = timestamp.wrapping_sub(last);
            ahead != 0 && ahead < 1 << 31
        };
        if !self.last_timestamp.is_none_or(is_newer) {
            return None;
        }
        self.last_timestamp = Some(timestamp);
        self.within_rate(now).then_some(key)
    }

    fn within_rate(&mut self, now: Instant) -> bool {
        let in_same_second = |began: Instant| now.duration_since(began) < Duration::from_secs(1);
        if !self.second_began.is_some_and(in_same_second) {
            self.second_began = Some(now);
            self.in_this_second = 0;
        }
        self.in_this_second += 1;
        self.in_this_second <= DIGITS_PER_SECOND_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_per_event() {
        let now = Instant::now();
        let mut digits = Digits::default();
        let one = [1, 0, 0, 160];
        assert_eq!(digits.report(now, u32::MAX - 10, &one), Some('1'));
        assert_eq!(digits.report(now, u32::MAX - 10, &one), None, "a repetition");
        assert_eq!(digits.report(now, 800, &[11, 0x80, 0, 160]), Some('#'), "over the wrap");
        assert_eq!(digits.report(now, u32::MAX - 10, &one), None, "late");
        for bad in [&[][..], &[1], &[1, 0, 0], &[16, 0, 0, 0], &[255, 0, 0, 0]] {
            assert_eq!(digits.report(now, 1_600, bad), None);
        }
        assert_eq!(digits.report(now, 1_600, &one), Some('1'), "bad reports use up nothing");
    }

    #[test]
    fn a_flood_is_cut_off() {
        let start = Instant::now();
        let mut digits = Digits::default();
        let mut taken = 0;
        for n in 0..1_000_u32 {
            let now = start + Duration::from_millis(u64::from(n));
            taken += u32::from(digits.report(now, n * 8, &[5, 0, 0, 8]).is_some());
        }
        assert_eq!(taken, DIGITS_PER_SECOND_MAX);
        let later = start + Duration::from_secs(1);
        assert_eq!(digits.report(later, 1_000_000, &[5, 0, 0, 8]), Some('5'));
    }
}
