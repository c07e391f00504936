//! Checks a calendar and names the place of every fault.
//!
//! Invariant: a calendar without a fault can be asked at any time.

use jiff::civil::Date;
use model::config::{Calendar, Interval};

use crate::zone;

/// Minutes of a civil day.
const DAY_MIN: u16 = 24 * 60;

/// One fault of a calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalendarFault {
    /// JSON pointer (RFC 6901) to the place, from the calendar's own root.
    pub pointer: String,
    /// The stable code.
    pub code: &'static str,
    /// A plain sentence that says what to do.
    pub detail: String,
}

/// Every fault of a calendar, in the order of its document; none means it can be used.
#[must_use]
pub fn check(calendar: &Calendar, tenant_zone: &str) -> Vec<CalendarFault> {
    let mut faults = Vec::new();
    if let Err(error) = zone::of(calendar, tenant_zone) {
        faults.push(fault("/zone", "unknown_zone", error.to_string()));
    }
    for (day, intervals) in &calendar.week {
        let pointer = format!("/week/{day}");
        if !(1..=7).contains(day) {
            let detail = "weekdays go from 1, Monday, to 7, Sunday".to_owned();
            faults.push(fault(&pointer, "bad_weekday", detail));
        }
        check_day(&pointer, intervals, &mut faults);
    }
    for (date, intervals) in &calendar.exceptions {
        // RFC 6901 section 3: `~` and `/` inside a name are written `~0` and `~1`.
        let pointer = format!("/exceptions/{}", date.replace('~', "~0").replace('/', "~1"));
        // Only the printed form is looked up, so another spelling would never be found.
        if !date.parse::<Date>().is_ok_and(|parsed| parsed.to_string() == *date) {
            let detail = "write the date as year-month-day, as in 2026-12-25".to_owned();
            faults.push(fault(&pointer, "bad_date", detail));
        }
        check_day(&pointer, intervals, &mut faults);
    }
    faults
}

fn check_day(pointer: &str, intervals: &[Interval], faults: &mut Vec<CalendarFault>) {
    for (n, interval) in intervals.iter().enumerate() {
        let place = format!("{pointer}/{n}");
        if interval.from_min >= interval.until_min || interval.until_min > DAY_MIN {
            let detail = "the beginning must come before the end, and the end is at most 1440";
            faults.push(fault(&place, "bad_interval", detail.to_owned()));
        }
        let overlaps = |other: &Interval| {
            other.from_min < interval.until_min && interval.from_min < other.until_min
        };
        if intervals[..n].iter().any(overlaps) {
            let detail = "this overlaps an earlier interval of the day; join the two".to_owned();
            faults.push(fault(&place, "overlap", detail));
        }
    }
}

fn fault(pointer: &str, code: &'static str, detail: String) -> CalendarFault {
    CalendarFault { pointer: pointer.to_owned(), code, detail }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_named_with_its_place() {
        let interval = |from_min, until_min| Interval { from_min, until_min };
        let calendar = Calendar {
            name: "hours".into(),
            zone: Some("Nowhere".into()),
            week: [
                (1, vec![interval(540, 720), interval(700, 900)]),
                (8, vec![interval(600, 600), interval(0, 1441)]),
            ]
            .into(),
            exceptions: [("25.12.2026".to_owned(), vec![]), ("2026-12-25".to_owned(), vec![])]
                .into(),
        };
        let found: Vec<_> = check(&calendar, "UTC")
            .into_iter()
            .map(|f| format!("{} {}", f.pointer, f.code))
            .collect();
        assert_eq!(
            found,
            [
                "/zone unknown_zone",
                "/week/1/1 overlap",
                "/week/8 bad_weekday",
                "/week/8/0 bad_interval",
                "/week/8/1 bad_interval",
                "/week/8/1 overlap",
                "/exceptions/25.12.2026 bad_date",
            ]
        );
    }
}
