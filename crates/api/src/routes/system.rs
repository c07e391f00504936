//! What operators and their tools ask.

use std::fmt::Write;

use axum::Json;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use serde::Serialize;
use store::Role;
use utoipa::ToSchema;

use crate::app::{App, SOCKETS_MAX};
use crate::client::Client;
use crate::guard::identify;
use crate::problem::Problem;

/// Whether the house can work.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Readiness {
    ready: bool,
    /// For operators only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    checks: Vec<CheckRow>,
}

/// One check.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CheckRow {
    name: &'static str,
    ok: bool,
    /// What is wrong.
    detail: Option<String>,
}

/// The process lives.
#[utoipa::path(get, path = "/healthz", tag = "system",
    responses((status = 200, body = String, content_type = "text/plain")))]
pub(crate) async fn health() -> &'static str {
    "ok"
}

/// Fails unless an operator asks: from this machine, or with the rights of an administrator.
async fn operator(app: &App, parts: &Parts) -> Result<(), Problem> {
    // What a proxy passes on comes from elsewhere, also if nobody told us of that proxy.
    let passed_on = ["x-forwarded-for", "forwarded"].iter().any(|h| parts.headers.contains_key(*h));
    if !passed_on && Client::of(parts, &app.proxies).address.is_loopback() {
        return Ok(());
    }
    let caller = identify(parts, app).await?.ok_or_else(Problem::no_session)?;
    if caller.role == Role::Administrator {
        Ok(())
    } else {
        Err(Problem::forbidden("forbidden", "Your role does not allow this."))
    }
}

/// The house can work, or what is in the way.
// Strangers hear only whether it can.
#[utoipa::path(get, path = "/readyz", tag = "system",
    responses((status = 200, body = Readiness), (status = 503, body = Readiness)))]
pub(crate) async fn ready(State(app): State<App>, parts: Parts) -> Response {
    let store = app.store.check().await.err().map(|error| error.to_string());
    let mut checks = vec![CheckRow { name: "store", ok: store.is_none(), detail: store }];
    for check in app.floor.checks() {
        checks.push(CheckRow { name: check.name, ok: check.fault.is_none(), detail: check.fault });
    }
    let ready = checks.iter().all(|check| check.ok);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    if operator(&app, &parts).await.is_err() {
        checks.clear();
    }
    (status, Json(Readiness { ready, checks })).into_response()
}

/// Figures in the Prometheus text format, for this machine and for administrators.
#[utoipa::path(get, path = "/metrics", tag = "system",
    responses((status = 200, body = String, content_type = "text/plain"),
        (status = 403, description = "forbidden")))]
pub(crate) async fn metrics(State(app): State<App>, parts: Parts) -> Result<Response, Problem> {
    operator(&app, &parts).await?;
    let figures = app.store.figures();
    let sockets = SOCKETS_MAX - app.sockets.available_permits();
    let mut text = app.floor.metrics();
    let rows = [
        ("store_commits_total", "counter", figures.commits as f64),
        ("store_batches_total", "counter", figures.batches as f64),
        ("store_events_total", "counter", figures.events as f64),
        ("store_failures_total", "counter", figures.failures as f64),
        ("store_commit_seconds_max", "gauge", figures.commit_us_max as f64 / 1e6),
        ("api_websockets", "gauge", sockets as f64),
    ];
    for (name, kind, value) in rows {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "# TYPE antiphon_{name} {kind}\nantiphon_{name} {value}");
    }
    for (code, count) in app.refused.all() {
        let _ = writeln!(text, "antiphon_api_refused_total{{code=\"{code}\"}} {count}");
    }
    let kind = HeaderValue::from_static("text/plain; version=0.0.4");
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}

/// This description of the API.
#[utoipa::path(get, path = "/api/openapi.json", tag = "system",
    responses((status = 200, body = Object)))]
pub(crate) async fn openapi() -> Response {
    let kind = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, kind)], crate::openapi()).into_response()
}

/// The same for people.
pub(crate) async fn docs() -> Html<&'static str> {
    Html(crate::docs::PAGE.as_str())
}
