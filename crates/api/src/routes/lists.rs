//! Opening hours, results of a wrap-up, reasons for a break: short lists that are edited whole.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use model::CalendarId;
use model::config::{Calendar, TenantConfig};
use serde::{Deserialize, Serialize};
use store::fresh_id;
use utoipa::ToSchema;

use crate::app::App;
use crate::body::Body;
use crate::edit::{check_name, edit};
use crate::extract::{IfMatch, etag};
use crate::guard::{Administrator, Caller};
use crate::problem::{Fault, Problem};
use crate::routes::named::Choice;
use crate::shape;

/// Entries of one list.
const ENTRIES_MAX: usize = 200;
/// Exceptions of one calendar: ten years of holidays.
const EXCEPTIONS_MAX: usize = 1_000;
/// Open intervals of one day.
const INTERVALS_MAX: usize = 24;

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
    let zone = app.config(caller.tenant).await?.zone.clone();
    let mut calendars = BTreeMap::new();
    for (key, calendar) in list {
        check_calendar(&calendar, &key, &zone)?;
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

fn check_calendar(calendar: &Calendar, key: &str, tenant_zone: &str) -> Result<(), Problem> {
    let limit = |place: &str, detail: String| {
        Err(Problem::unprocessable("limit", detail).at(format!("/{key}/{place}")))
    };
    check_name(&calendar.name, &format!("/{key}/name"))?;
    if calendar.exceptions.len() > EXCEPTIONS_MAX {
        return limit("exceptions", format!("At most {EXCEPTIONS_MAX} exceptions."));
    }
    let mut days = calendar.week.values().chain(calendar.exceptions.values());
    if days.any(|intervals| intervals.len() > INTERVALS_MAX) {
        return limit("", format!("At most {INTERVALS_MAX} intervals of a day."));
    }
    let faults = civil::check(calendar, tenant_zone);
    if faults.is_empty() {
        return Ok(());
    }
    let mut problem = Problem::unprocessable("bad_calendar", "The opening hours have faults.");
    problem.errors = faults.iter().map(|fault| Fault::of_calendar(key, fault)).collect();
    Err(problem)
}
