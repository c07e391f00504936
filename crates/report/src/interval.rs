//! The quarter-hours that facts are kept by. Every time zone in use is a whole number of them away
//! from UTC, so a civil day of any tenant is a whole number of intervals.

use model::time::{Span, Timestamp};

/// The length of an interval: 15 minutes.
pub const INTERVAL: Span = Span::from_secs(15 * 60);

/// The beginning of the interval that `at` falls into.
#[must_use]
pub fn start_of(at: Timestamp) -> Timestamp {
    let micros = at.micros();
    Timestamp::from_micros(micros - micros.rem_euclid(INTERVAL.micros()))
}

/// Cuts `from..until` at the borders of the intervals: beginning of the interval and time in it.
pub fn split(from: Timestamp, until: Timestamp) -> impl Iterator<Item = (Timestamp, Span)> {
    let mut from = from;
    std::iter::from_fn(move || {
        if from >= until {
            return None;
        }
        let interval = start_of(from);
        let piece_end = until.min(interval + INTERVAL);
        let piece = (interval, piece_end.since(from));
        from = piece_end;
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_micros(0) + Span::from_secs(secs)
    }

    #[test]
    fn a_stretch_is_cut_at_quarter_hours_and_loses_nothing() {
        let pieces: Vec<_> = split(at(800), at(1_900)).collect();
        let expected =
            [(at(0), 100), (at(900), 900), (at(1_800), 100)].map(|(s, l)| (s, Span::from_secs(l)));
        assert_eq!(pieces, expected);
        assert_eq!(split(at(5), at(5)).count(), 0);
        assert_eq!(start_of(at(-1)), at(-900));
    }
}
