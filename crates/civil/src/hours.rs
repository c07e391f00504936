//! Opening hours: open at this instant or not.

use jiff::Zoned;
use jiff::civil::Date;
use model::Timestamp;
use model::config::{Calendar, Interval};

use crate::zone::{self, ZoneError};

/// Whether the calendar is open at `now`, in its own zone or else in `tenant_zone` (IANA names).
///
/// # Errors
///
/// The zone is unknown or `now` is outside of the calendar.
pub fn is_open(calendar: &Calendar, tenant_zone: &str, now: Timestamp) -> Result<bool, ZoneError> {
    let zone = zone::of(calendar, tenant_zone)?;
    Ok(open_at(calendar, &zone::civil(&zone, now)?))
}

fn open_at(calendar: &Calendar, civil: &Zoned) -> bool {
    let time = civil.time();
    let minute = i32::from(time.hour()) * 60 + i32::from(time.minute());
    intervals(calendar, civil.date()).iter().any(|interval| {
        (i32::from(interval.from_min)..i32::from(interval.until_min)).contains(&minute)
    })
}

/// The intervals of a day; an exception replaces the whole day.
fn intervals(calendar: &Calendar, date: Date) -> &[Interval] {
    let weekday = date.weekday().to_monday_one_offset().unsigned_abs();
    calendar
        .exceptions
        .get(&date.to_string())
        .or_else(|| calendar.week.get(&weekday))
        .map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::from_micros(text.parse::<jiff::Timestamp>().unwrap().as_microsecond())
    }

    /// Opening hours as `weekday from-until, ...; date from-until, ...` in minutes.
    fn calendar(week: &[(u8, u16, u16)], exceptions: &[(&str, &[(u16, u16)])]) -> Calendar {
        let mut calendar = Calendar {
            name: "hours".into(),
            zone: None,
            week: Default::default(),
            exceptions: Default::default(),
        };
        for &(day, from_min, until_min) in week {
            calendar.week.entry(day).or_default().push(Interval { from_min, until_min });
        }
        for (date, hours) in exceptions {
            let hours = hours.iter().map(|&(from_min, until_min)| Interval { from_min, until_min });
            calendar.exceptions.insert((*date).into(), hours.collect());
        }
        calendar
    }

    #[track_caller]
    fn check(calendar: &Calendar, zone: &str, cases: &[(&str, bool)]) {
        for &(now, open) in cases {
            assert_eq!(is_open(calendar, zone, at(now)), Ok(open), "open at {now}");
        }
    }

    #[test]
    fn a_week_with_a_holiday() {
        // Monday to Wednesday 9:00-17:30 in Athens (UTC+2 in winter); 2026-12-22 is a Tuesday.
        let hours =
            calendar(&[(1, 540, 1050), (2, 540, 1050), (3, 540, 1050)], &[("2026-12-22", &[])]);
        check(
            &hours,
            "Europe/Athens",
            &[
                ("2026-12-21T06:59:59Z", false),
                ("2026-12-21T07:00:00Z", true),
                ("2026-12-21T15:30:00Z", false),
                ("2026-12-22T10:00:00Z", false),
            ],
        );
    }

    #[test]
    fn the_spring_gap_shortens_and_the_autumn_overlap_repeats() {
        // Berlin: 2026-03-29 02:00 becomes 03:00, 2026-10-25 03:00 becomes 02:00.
        // Sundays 2:30-4:00.
        let hours = calendar(&[(7, 150, 240)], &[]);
        check(
            &hours,
            "Europe/Berlin",
            &[
                // 02:30 does not exist: open from 03:00, the first civil minute after the gap.
                ("2026-03-29T00:30:00Z", false),
                ("2026-03-29T01:00:00Z", true),
                // 02:30 comes twice: open, closed again when the clock goes back, and open again.
                ("2026-10-25T00:00:00Z", false),
                ("2026-10-25T00:30:00Z", true),
                ("2026-10-25T01:00:00Z", false),
                ("2026-10-25T01:30:00Z", true),
            ],
        );
    }

    #[test]
    fn round_the_clock_and_never() {
        let always: Vec<_> = (1..=7).map(|day| (day, 0, 1440)).collect();
        let noon = "2026-06-01T12:00:00Z";
        check(&calendar(&always, &[]), "Asia/Tehran", &[(noon, true)]);
        check(&calendar(&[], &[]), "Asia/Tehran", &[(noon, false)]);
        let closed_once = calendar(&always, &[("2027-01-01", &[])]);
        check(&closed_once, "UTC", &[(noon, true)]);
    }

    #[test]
    fn the_calendar_s_own_zone_goes_first_and_a_wrong_one_is_named() {
        let mut hours = calendar(&[(1, 540, 600)], &[]);
        hours.zone = Some("Pacific/Auckland".into());
        // Monday 09:00 in Auckland is Sunday evening in UTC.
        assert_eq!(is_open(&hours, "UTC", at("2026-06-07T21:00:00Z")), Ok(true));
        hours.zone = Some("Mars/Olympus".into());
        let unknown = ZoneError::Unknown { zone: "Mars/Olympus".into() };
        assert_eq!(is_open(&hours, "UTC", Timestamp::default()), Err(unknown));
        let far = Timestamp::from_micros(i64::MAX);
        assert_eq!(is_open(&calendar(&[], &[]), "UTC", far), Err(ZoneError::OutOfRange));
    }
}
