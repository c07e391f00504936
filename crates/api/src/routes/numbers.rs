//! The number plan: which flow answers a number.
//!
//! Invariant: whether another tenant has a number shows in no answer.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use model::{DialString, FlowId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::body::Body;
use crate::edit::{check_room, edit};
use crate::extract::{Id, IfMatch, etag};
use crate::guard::Administrator;
use crate::page::Page;
use crate::problem::Problem;

/// Numbers of one tenant.
const NUMBERS_MAX: usize = 10_000;

/// Where a number leads.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NumberBody {
    /// The id of a published flow.
    flow: String,
}

/// A number.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NumberRow {
    /// As it is dialled.
    dialled: String,
    /// The id of its flow.
    flow: String,
}

fn row(dialled: &DialString, flow: FlowId) -> NumberRow {
    NumberRow { dialled: dialled.to_string(), flow: flow.to_string() }
}

/// All numbers.
#[utoipa::path(get, path = "/api/v1/numbers", tag = "administration",
    responses((status = 200, body = Page<NumberRow>)))]
pub(crate) async fn list(
    State(app): State<App>,
    Administrator(caller): Administrator,
) -> Result<Response, Problem> {
    let config = app.config(caller.tenant).await?;
    let rows = config.numbers.iter().map(|(dialled, flow)| row(dialled, *flow)).collect();
    Ok((etag(config.n), Json(Page::<NumberRow>::whole(rows))).into_response())
}

/// One of them.
#[utoipa::path(get, path = "/api/v1/numbers/{dialled}", tag = "administration",
    params(("dialled" = String, Path)), responses((status = 200, body = NumberRow)))]
pub(crate) async fn show(
    State(app): State<App>,
    Administrator(caller): Administrator,
    Id(dialled): Id<DialString>,
) -> Result<Response, Problem> {
    let config = app.config(caller.tenant).await?;
    let flow = config.numbers.get(&dialled).ok_or_else(Problem::not_found)?;
    Ok((etag(config.n), Json(row(&dialled, *flow))).into_response())
}

/// Leads a number to a flow.
#[utoipa::path(put, path = "/api/v1/numbers/{dialled}", tag = "administration",
    params(("dialled" = String, Path)), request_body = NumberBody,
    responses((status = 200, body = NumberRow)))]
pub(crate) async fn put(
    State(app): State<App>,
    Administrator(caller): Administrator,
    Id(dialled): Id<DialString>,
    base: IfMatch,
    Body(body): Body<NumberBody>,
) -> Result<Response, Problem> {
    let summary = format!("lead number {dialled} to a flow");
    let edited = edit(&app, &caller, base, summary, |draft| {
        let config = &mut draft.config;
        let flow = body.flow.parse().ok().filter(|id| config.flows.contains_key(id));
        let flow: FlowId = flow.ok_or_else(|| {
            let detail = "There is no such published flow. Publish it first.";
            Problem::unprocessable("unknown_flow", detail).at("/flow")
        })?;
        let mut agents = config.agents.values();
        let is_own = |own: &DialString| own.as_str() == dialled.bare();
        if let Some(agent) = agents.find(|agent| agent.extension.as_ref().is_some_and(is_own)) {
            let detail = format!("{dialled} is the extension of {}.", agent.name);
            return Err(Problem::unprocessable("extension_taken", detail));
        }
        if !config.numbers.contains_key(&dialled) {
            check_room(config.numbers.len(), NUMBERS_MAX, "numbers")?;
        }
        config.numbers.insert(dialled.clone(), flow);
        Ok(row(&dialled, flow))
    })
    .await?;
    Ok((etag(edited.config.n), Json(edited.value)).into_response())
}

/// Takes a number out of the plan: its callers are refused.
#[utoipa::path(delete, path = "/api/v1/numbers/{dialled}", tag = "administration",
    params(("dialled" = String, Path)), responses((status = 204)))]
pub(crate) async fn remove(
    State(app): State<App>,
    Administrator(caller): Administrator,
    Id(dialled): Id<DialString>,
    base: IfMatch,
) -> Result<Response, Problem> {
    let edited = edit(&app, &caller, base, format!("remove number {dialled}"), |draft| {
        draft.config.numbers.remove(&dialled).map(|_| ()).ok_or_else(Problem::not_found)
    })
    .await?;
    Ok((StatusCode::NO_CONTENT, etag(edited.config.n)).into_response())
}
