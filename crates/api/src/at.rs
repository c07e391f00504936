//! Times and lengths as the API writes them: RFC 3339 in UTC with microseconds, and seconds.

use model::Timestamp;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use crate::problem::Problem;

/// A point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2026-11-22T09:30:00.000000Z")]
pub(crate) struct At(pub(crate) Timestamp);

impl At {
    /// Reads RFC 3339, in any offset.
    pub(crate) fn parse(text: &str) -> Option<Timestamp> {
        let at: jiff::Timestamp = text.parse().ok()?;
        Some(Timestamp::from_micros(at.as_microsecond()))
    }
}

impl std::fmt::Display for At {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0.micros()) {
            Ok(at) => write!(f, "{at:.6}"),
            Err(_) => f.write_str("9999-12-31T23:59:59.999999Z"),
        }
    }
}

impl Serialize for At {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Microseconds as seconds.
pub(crate) fn seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}

/// The beginning of the civil day in a zone; of the UTC day when the zone is unknown.
pub(crate) fn midnight(now: Timestamp, zone: &str) -> Timestamp {
    let zone = jiff::tz::TimeZone::get(zone).unwrap_or(jiff::tz::TimeZone::UTC);
    jiff::Timestamp::from_microsecond(now.micros())
        .ok()
        .and_then(|at| at.to_zoned(zone).start_of_day().ok())
        .map_or(now, |start| Timestamp::from_micros(start.timestamp().as_microsecond()))
}

/// Fails unless this is the IANA name of a zone.
pub(crate) fn check_zone(name: &str, pointer: &str) -> Result<(), Problem> {
    if jiff::tz::TimeZone::get(name).is_ok() {
        Ok(())
    } else {
        let detail = "A time zone is an IANA name like Europe/Athens.";
        Err(Problem::unprocessable("bad_zone", detail).at(pointer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339_with_microseconds() {
        let at = At(Timestamp::from_micros(1_790_000_000_000_001));
        assert_eq!(at.to_string(), "2026-09-21T14:13:20.000001Z");
        assert_eq!(At::parse(&at.to_string()), Some(at.0));
        assert_eq!(At::parse("2026-09-21T17:13:20.000001+03:00"), Some(at.0));
        for bad in ["", "yesterday", "2026-09-21", "2026-13-01T00:00:00Z"] {
            assert_eq!(At::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_day_begins_at_local_midnight() {
        let noon = At::parse("2026-03-29T12:00:00Z").unwrap();
        let athens = At(midnight(noon, "Europe/Athens"));
        assert_eq!(athens.to_string(), "2026-03-28T22:00:00.000000Z");
        assert!(check_zone("Europe/Vilnius", "/zone").is_ok());
        let refused = check_zone("Moon/Base", "/zone").expect_err("no such place");
        assert_eq!((refused.code, refused.errors[0].pointer.as_str()), ("bad_zone", "/zone"));
    }
}
