//! Who changed the configuration when.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use store::{Actor, ConfigVersion};
use utoipa::ToSchema;

use crate::app::App;
use crate::at::At;
use crate::extract::Asked;
use crate::guard::Administrator;
use crate::page::{Page, cursor, limit, place};
use crate::problem::Problem;

/// Which part of the history.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct HistoryQuery {
    /// Rows, 1 to 200; 50 unless told.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// One version.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VersionRow {
    n: u64,
    at: At,
    /// The name of whoever did it; none for the house itself.
    by: Option<String>,
    /// What was done.
    summary: String,
}

/// A summary with names instead of ids: it is kept without names of persons, so that whoever is
/// erased is gone from it too.
fn named(summary: &str, names: &BTreeMap<String, &str>) -> String {
    let word = |word| names.get(word).copied().unwrap_or(word);
    summary.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// The history, newest first.
#[utoipa::path(get, path = "/api/v1/config/versions", tag = "administration",
    params(HistoryQuery), responses((status = 200, body = Page<VersionRow>)))]
pub(crate) async fn list(
    State(app): State<App>,
    Administrator(caller): Administrator,
    Asked(query): Asked<HistoryQuery>,
) -> Result<Json<Page<VersionRow>>, Problem> {
    let rows = limit(query.limit)?;
    let before: Option<u64> = query.cursor.as_deref().map(place).transpose()?;
    let db = app.db(&caller);
    let mut versions = db.config_versions(before, rows + 1).await?;
    let more = versions.len() > rows as usize;
    versions.truncate(rows as usize);
    let next_cursor = versions.last().filter(|_| more).map(|version| cursor(&version.n));
    let users = db.users().await?;
    let flows = db.draft().await?.flows;
    let names: BTreeMap<String, &str> = flows
        .iter()
        .map(|(id, flow)| (id.to_string(), flow.name.as_str()))
        .chain(users.iter().map(|user| (user.id.to_string(), user.name.as_str())))
        .collect();
    let name = |by: Actor| match by {
        Actor::System => None,
        Actor::ApiKey(name) => Some(name),
        Actor::User(id) => {
            let user = users.iter().find(|user| user.id == id);
            Some(user.map_or_else(|| id.to_string(), |user| user.name.clone()))
        }
    };
    let row = |version: ConfigVersion| VersionRow {
        n: version.n,
        at: At(version.at),
        by: name(version.by),
        summary: named(&version.summary, &names),
    };
    Ok(Json(Page { items: versions.into_iter().map(row).collect(), next_cursor }))
}
