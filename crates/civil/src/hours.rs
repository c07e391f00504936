//! Opening hours: open at this instant, and when that changes.
//!
//! Invariant: `next_change` is the first instant after `now` at which `is_open` answers otherwise.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{ToSpan, Zoned};
use model::Timestamp;
use model::config::{Calendar, Interval};

use crate::zone::{self, ZoneError};

/// How many days ahead a change is looked for. A calendar that is silent for longer has none.
const DAYS_AHEAD: u32 = 400;

/// Whether the calendar is open at `now`, in its own zone or else in `tenant_zone` (IANA names).
///
/// # Errors
///
/// The zone is unknown or `now` is outside of the calendar.
pub fn is_open(calendar: &Calendar, tenant_zone: &str, now: Timestamp) -> Result<bool, ZoneError> {
    let zone = zone::of(calendar, tenant_zone)?;
    Ok(open_at(calendar, &zone::civil(&zone, now)?))
}

/// The first instant after `now` at which [`is_open`] answers otherwise; `None` when there is none
/// within 400 days.
///
/// # Errors
///
/// As [`is_open`].
pub fn next_change(
    calendar: &Calendar,
    tenant_zone: &str,
    now: Timestamp,
) -> Result<Option<Timestamp>, ZoneError> {
    let zone = zone::of(calendar, tenant_zone)?;
    let start = zone::civil(&zone, now)?;
    let open = open_at(calendar, &start);
    let mut date = start.date();
    for _ in 0..DAYS_AHEAD {
        let change = boundaries(calendar, &zone, date)?
            .into_iter()
            .find(|at| *at > now && is_open_in(calendar, &zone, *at).is_ok_and(|now| now != open));
        if change.is_some() {
            return Ok(change);
        }
        date = date.tomorrow().map_err(|_| ZoneError::OutOfRange)?;
    }
    Ok(None)
}

fn is_open_in(calendar: &Calendar, zone: &TimeZone, at: Timestamp) -> Result<bool, ZoneError> {
    Ok(open_at(calendar, &zone::civil(zone, at)?))
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

/// Every instant of a civil day at which the hours may change, in order: both readings of each
/// boundary, midnight, and the clock changes themselves.
fn boundaries(
    calendar: &Calendar,
    zone: &TimeZone,
    date: Date,
) -> Result<Vec<Timestamp>, ZoneError> {
    let mut minutes = vec![0_i64, 24 * 60];
    for interval in intervals(calendar, date) {
        minutes.extend([i64::from(interval.from_min), i64::from(interval.until_min)]);
    }
    let midnight = date.at(0, 0, 0, 0);
    let mut instants = Vec::new();
    for minute in minutes {
        let civil = midnight.checked_add(minute.minutes()).map_err(|_| ZoneError::OutOfRange)?;
        for reading in [
            zone.to_ambiguous_timestamp(civil).earlier(),
            zone.to_ambiguous_timestamp(civil).later(),
        ] {
            instants.push(reading.map_err(|_| ZoneError::OutOfRange)?);
        }
    }
    let first = instants.iter().copied().min().ok_or(ZoneError::OutOfRange)?;
    let last = instants.iter().copied().max().ok_or(ZoneError::OutOfRange)?;
    let changes = zone.following(first).map(|change| change.timestamp());
    instants.extend(changes.take_while(|at| *at <= last));
    instants.sort_unstable();
    instants.dedup();
    Ok(instants.iter().map(|at| Timestamp::from_micros(at.as_microsecond())).collect())
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
    fn check(calendar: &Calendar, zone: &str, cases: &[(&str, bool, Option<&str>)]) {
        for &(now, open, next) in cases {
            assert_eq!(is_open(calendar, zone, at(now)), Ok(open), "open at {now}");
            assert_eq!(next_change(calendar, zone, at(now)), Ok(next.map(at)), "change at {now}");
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
                ("2026-12-21T06:59:59Z", false, Some("2026-12-21T07:00:00Z")),
                ("2026-12-21T07:00:00Z", true, Some("2026-12-21T15:30:00Z")),
                ("2026-12-21T15:30:00Z", false, Some("2026-12-23T07:00:00Z")),
                ("2026-12-22T10:00:00Z", false, Some("2026-12-23T07:00:00Z")),
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
                ("2026-03-29T00:30:00Z", false, Some("2026-03-29T01:00:00Z")),
                ("2026-03-29T01:00:00Z", true, Some("2026-03-29T02:00:00Z")),
                // 02:30 comes twice: open, closed again when the clock goes back, and open again.
                ("2026-10-25T00:00:00Z", false, Some("2026-10-25T00:30:00Z")),
                ("2026-10-25T00:30:00Z", true, Some("2026-10-25T01:00:00Z")),
                ("2026-10-25T01:00:00Z", false, Some("2026-10-25T01:30:00Z")),
                ("2026-10-25T01:30:00Z", true, Some("2026-10-25T03:00:00Z")),
            ],
        );
    }

    #[test]
    fn round_the_clock_and_never() {
        let always: Vec<_> = (1..=7).map(|day| (day, 0, 1440)).collect();
        let noon = "2026-06-01T12:00:00Z";
        check(&calendar(&always, &[]), "Asia/Tehran", &[(noon, true, None)]);
        check(&calendar(&[], &[]), "Asia/Tehran", &[(noon, false, None)]);
        let closed_once = calendar(&always, &[("2027-01-01", &[])]);
        check(&closed_once, "UTC", &[(noon, true, Some("2027-01-01T00:00:00Z"))]);
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
