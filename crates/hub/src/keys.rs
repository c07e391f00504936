//! The keys of one telephone leg, which may come by RTP, by SIP INFO, or by both.
//!
//! Devices set to "SIP INFO" go on listing telephone-event in their descriptions, so what was
//! agreed on says nothing: a leg's keys count by INFO until one comes by RTP, and each press once.

use std::collections::VecDeque;

use model::limits;
use model::time::{Span, Timestamp};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    /// A key came by RTP (RFC 4733): INFO repeats it.
    by_rtp: bool,
    /// Keys that came by INFO so far, which may come by RTP as well.
    by_info: VecDeque<(char, Timestamp)>,
}

impl Keys {
    /// A key came by RTP; false when INFO has brought it already.
    pub(crate) fn rtp(&mut self, now: Timestamp, key: char) -> bool {
        self.by_rtp = true;
        self.forget_old(now);
        match self.by_info.iter().position(|(known, _)| *known == key) {
            Some(place) => {
                // Those before it were lost on the way by RTP.
                self.by_info.drain(..=place);
                false
            }
            None => true,
        }
    }

    /// A key came by INFO; false when RTP brings the keys of this leg.
    pub(crate) fn info(&mut self, now: Timestamp, key: char) -> bool {
        if self.by_rtp {
            return false;
        }
        self.forget_old(now);
        // Planes below let no more keys through than this in a second.
        if self.by_info.len() < limits::DIGITS_PER_SECOND_MAX as usize * 3 {
            self.by_info.push_back((key, now));
        }
        true
    }

    /// The far side takes and sends no more keys by RTP.
    pub(crate) fn no_rtp(&mut self) {
        *self = Self::default();
    }

    fn forget_old(&mut self, now: Timestamp) {
        let old =
            |(_, at): &(char, Timestamp)| Span::from_millis(limits::KEY_TWIN_MS) <= now.since(*at);
        while self.by_info.front().is_some_and(old) {
            self.by_info.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys as they come: milliseconds, `i` by INFO or `r` by RTP, the key. What counts is left.
    fn heard(keys: &mut Keys, presses: &[(i64, char, char)]) -> String {
        let counts = |(ms, way, key): &(i64, char, char)| {
            let now = Timestamp::from_micros(ms * 1_000);
            let counts = if *way == 'i' { keys.info(now, *key) } else { keys.rtp(now, *key) };
            counts.then_some(*key)
        };
        presses.iter().filter_map(counts).collect()
    }

    #[test]
    fn each_press_counts_once_whichever_way_it_comes() {
        for (presses, expected) in [
            (vec![(0, 'i', '1'), (500, 'i', '1'), (900, 'i', '2')], "112"),
            (vec![(0, 'r', '1'), (100, 'i', '1'), (500, 'r', '2'), (600, 'i', '2')], "12"),
            (vec![(0, 'i', '1'), (50, 'r', '1'), (500, 'i', '2'), (550, 'r', '2')], "12"),
            (vec![(0, 'i', '1'), (20, 'i', '2'), (50, 'r', '1'), (70, 'r', '2')], "12"),
            (vec![(0, 'i', '1'), (20, 'i', '2'), (70, 'r', '2'), (900, 'r', '1')], "121"),
            (vec![(0, 'i', '1'), (9_000, 'r', '1')], "11"),
        ] {
            assert_eq!(heard(&mut Keys::default(), &presses), expected, "{presses:?}");
        }
    }

    #[test]
    fn without_keys_by_rtp_those_by_info_count_again() {
        let mut keys = Keys::default();
        assert_eq!(heard(&mut keys, &[(0, 'r', '1'), (10, 'i', '1')]), "1");
        keys.no_rtp();
        assert_eq!(heard(&mut keys, &[(900, 'i', '1')]), "1");
    }
}
