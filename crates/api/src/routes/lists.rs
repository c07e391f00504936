//! Opening hours, results of a wrap-up, reasons for a break: short lists that are edited whole.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use model::CalendarId;
use model::config::{Calendar, Interval, TenantConfig};
use serde::{Deserialize, Serialize};
use store::fresh_id;
use utoipa::ToSchema;

use crate::app::App;
use crate::at::is_zone;
use crate::body::Body;
use crate::edit::{check_name, edit};
use crate::extract::{IfMatch, etag};
use crate::guard::{Administrator, Caller};
use crate::problem::Problem;
use crate::routes::named::Choice;
use crate::shape;

/// Entries of one list.
const ENTRIES_MAX: usize = 200;
/// Exceptions of one calendar: ten years of holidays.
const EXCEPTIONS_MAX: usize = 1_000;
/// Open intervals of one day.
const INTERVALS_MAX: usize = 24;
const MINUTES_OF_A_DAY: u16 = 1_440;

/// A list of choices.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Choices {
    items: Vec<Choice>,
}

/// Calendars by id. A key that is no id names a new one.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = BTreeMap<String, shape::Calendar>)]
pub(crate) struct Calendars(BTreeMap<String, Calendar>);

fn choices(map: &BTreeMap<String, String>) -> Choices {
    let choice =
        |(code, label): (&String, &String)| Choice { code: code.clone(), label: label.clone() };
    Choices { items: map.iter().map(choice).collect() }
}

fn checked(list: Choices) -> Result<BTreeMap<String, String>, Problem> {
    if list.items.len() > ENTRIES_MAX {
        let detail = format!("At most {ENTRIES_MAX} entries.");
        return Err(Problem::unprocessable("limit", detail).at("/items"));
    }
    let mut map = BTreeMap::new();
    for (n, Choice { code, label }) in list.items.into_iter().enumerate() {
        check_name(&code, &format!("/items/{n}/code"))?;
        check_name(&label, &format!("/items/{n}/label"))?;
        if map.insert(code, label).is_some() {
            let detail = "Each code may appear once.";
            return Err(Problem::unprocessable("duplicate", detail).at(format!("/items/{n}/code")));
        }
    }
    Ok(map)
}

/// The results that a wrap-up may choose.
#[utoipa::path(get, path = "/api/v1/dispositions", tag = "administration",
    responses((status = 200, body = Choices)))]
pub(crate) async fn dispositions(
    State(app): State<App>,
    Administrator(caller): Administrator,
) -> Result<Response, Problem> {
    show(&app, &caller, |config| choices(&config.dispositions)).await
}

/// Replaces them.
#[utoipa::path(put, path = "/api/v1/dispositions", tag = "administration", request_body = Choices,
    responses((status = 200, body = Choices)))]
pub(crate) async fn put_dispositions(
    State(app): State<App>,
    Administrator(caller): Administrator,
    base: IfMatch,
    Body(list): Body<Choices>,
) -> Result<Response, Problem> {
    let map = checked(list)?;
    let edited = edit(&app, &caller, base, "change dispositions".to_owned(), |draft| {
        draft.config.dispositions = map;
        Ok(choices(&draft.config.dispositions))
    })
    .await?;
    Ok((etag(edited.config.n), Json(edited.value)).into_response())
}

/// The reasons for a break.
#[utoipa::path(get, path = "/api/v1/break-reasons", tag = "administration",
    responses((status = 200, body = Choices)))]
pub(crate) async fn break_reasons(
    State(app): State<App>,
    Administrator(caller): Administrator,
) -> Result<Response, Problem> {
    show(&app, &caller, |config| choices(&config.break_reasons)).await
}

/// Replaces them.
#[utoipa::path(put, path = "/api/v1/break-reasons", tag = "administration",
    request_body = Choices, responses((status = 200, body = Choices)))]
pub(crate) async fn put_break_reasons(
    State(app): State<App>,
    Administrator(caller): Administrator,
    base: IfMatch,
    Body(list): Body<Choices>,
) -> Result<Response, Problem> {
    let map = checked(list)?;
    let edited = edit(&app, &caller, base, "change break reasons".to_owned(), |draft| {
        draft.config.break_reasons = map;
        Ok(choices(&draft.config.break_reasons))
    })
    .await?;
    Ok((etag(edited.config.n), Json(edited.value)).into_response())
}

/// Opening hours by id.
#[utoipa::path(get, path = "/api/v1/calendars", tag = "administration",
    responses((status = 200, body = Calendars)))]
pub(crate) async fn calendars(
    State(app): State<App>,
    Administrator(caller): Administrator,
) -> Result<Response, Problem> {
    show(&app, &caller, all_calendars).await
}

/// Replaces all opening hours.
#[utoipa::path(put, path = "/api/v1/calendars", tag = "administration", request_body = Calendars,
    responses((status = 200, body = Calendars), (status = 409, description = "in_use")))]
pub(crate) async fn put_calendars(
    State(app): State<App>,
    Administrator(caller): Administrator,
    base: IfMatch,
    Body(Calendars(list)): Body<Calendars>,
) -> Result<Response, Problem> {
    if list.len() > ENTRIES_MAX {
        return Err(Problem::unprocessable("limit", format!("At most {ENTRIES_MAX} calendars.")));
    }
    let mut calendars = BTreeMap::new();
    for (key, calendar) in list {
        check_calendar(&calendar, &key)?;
        let id = key.parse().unwrap_or_else(|_| fresh_id::<CalendarId>(app.now()));
        calendars.insert(id, calendar);
    }
    let edited = edit(&app, &caller, base, "change opening hours".to_owned(), |draft| {
        draft.config.calendars = calendars;
        Ok(all_calendars(&draft.config))
    })
    .await?;
    Ok((etag(edited.config.n), Json(edited.value)).into_response())
}

fn all_calendars(config: &TenantConfig) -> Calendars {
    let entry = |(id, calendar): (&CalendarId, &Calendar)| (id.to_string(), calendar.clone());
    Calendars(config.calendars.iter().map(entry).collect())
}

async fn show<T: Serialize>(
    app: &App,
    caller: &Caller,
    part: impl FnOnce(&TenantConfig) -> T,
) -> Result<Response, Problem> {
    let config = app.config(caller.tenant).await?;
    Ok((etag(config.n), Json(part(&config))).into_response())
}

fn check_calendar(calendar: &Calendar, key: &str) -> Result<(), Problem> {
    let bad = |place: String, detail: &str| {
        Err(Problem::unprocessable("bad_calendar", detail).at(format!("/{key}/{place}")))
    };
    check_name(&calendar.name, &format!("/{key}/name"))?;
    if calendar.zone.as_deref().is_some_and(|zone| !is_zone(zone)) {
        return bad("zone".to_owned(), "A time zone is an IANA name like Europe/Athens.");
    }
    if calendar.exceptions.len() > EXCEPTIONS_MAX {
        return bad("exceptions".to_owned(), "At most 1000 exceptions.");
    }
    for (day, intervals) in &calendar.week {
        if !(1..=7).contains(day) {
            return bad(format!("week/{day}"), "Days are 1 (Monday) to 7 (Sunday).");
        }
        if !intervals_hold(intervals) {
            return bad(format!("week/{day}"), INTERVALS);
        }
    }
    for (date, intervals) in &calendar.exceptions {
        if date.parse::<jiff::civil::Date>().is_err() || date.len() != 10 {
            return bad(format!("exceptions/{date}"), "A date is written 2026-12-25.");
        }
        if !intervals_hold(intervals) {
            return bad(format!("exceptions/{date}"), INTERVALS);
        }
    }
    Ok(())
}

const INTERVALS: &str =
    "Intervals are in order, do not overlap, and end at 1440 minutes at the latest.";

fn intervals_hold(intervals: &[Interval]) -> bool {
    let each = |one: &Interval| one.from_min < one.until_min && one.until_min <= MINUTES_OF_A_DAY;
    intervals.len() <= INTERVALS_MAX
        && intervals.iter().all(each)
        && intervals.windows(2).all(|pair| pair[0].until_min <= pair[1].from_min)
}
