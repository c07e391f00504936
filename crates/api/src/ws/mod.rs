//! The live connection of a page: topics it watches and the phone it offers.
//!
//! Invariant: what waits for a slow page is bounded. Topics wait as a name and are read when they
//! are sent, so that a page that slept gets the newest state once.

mod crowd;
mod frame;
mod phone;
mod socket;
mod topic;

use std::sync::Arc;

use axum::Json;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::{RequestExt, extract::FromRequestParts};
use serde::{Deserialize, Serialize};
use store::TICKET_LASTS;
use utoipa::ToSchema;

use crate::app::App;
use crate::at::At;
use crate::client::Client;
use crate::extract::Asked;
use crate::guard::{Caller, Signed, identify};
use crate::problem::Problem;
use crate::serve::Place;

pub(crate) use crowd::Crowd;
pub(crate) use phone::Pages;

/// The session is over.
const CLOSE_SESSION_OVER: u16 = 4401;
/// The caller has no seat any more, so that their own topic is forbidden.
const CLOSE_FORBIDDEN: u16 = 4403;
/// Bytes that are read at all; a message between the limit and this one is answered with 1009.
const READ_BYTES_MAX: usize = 2 * 1_024 * 1_024;
/// What each connection holds for reading. Pages say little: at its default of 128 KiB this was the
/// most that a page cost.
const READ_BUFFER_BYTES: usize = 4 * 1_024;

/// A one-use ticket for a WebSocket without a cookie.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TicketRow {
    ticket: String,
    expires_at: At,
}

/// How a WebSocket is opened without a cookie.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct OpenQuery {
    /// From `POST /api/v1/ws/ticket`.
    ticket: Option<String>,
}

/// A ticket for one WebSocket, good for 30 seconds.
#[utoipa::path(post, path = "/api/v1/ws/ticket", tag = "live",
    responses((status = 201, body = TicketRow)))]
pub(crate) async fn ticket(State(app): State<App>, Signed(caller): Signed) -> Response {
    let now = app.now();
    let ticket = app.tickets.issue(caller, now).reveal().to_owned();
    let row = TicketRow { ticket, expires_at: At(now + TICKET_LASTS) };
    (StatusCode::CREATED, Json(row)).into_response()
}

/// Opens the live connection. Frames are JSON text, described in the guide of the API.
#[utoipa::path(get, path = "/api/v1/ws", tag = "live", params(OpenQuery),
    responses((status = 101, description = "the connection"),
        (status = 403, description = "bad_origin")))]
pub(crate) async fn open(
    State(app): State<App>,
    mut request: Request,
) -> Result<Response, Problem> {
    let upgrade: Result<WebSocketUpgrade, _> = request.extract_parts().await;
    let (mut parts, _) = request.into_parts();
    let Asked(query) = Asked::<OpenQuery>::from_request_parts(&mut parts, &()).await?;
    let caller = recognise(&app, &parts, query).await?;
    let upgrade = upgrade.map_err(|_| {
        let detail = "Open this address as a WebSocket.";
        Problem::new(StatusCode::UPGRADE_REQUIRED, "no_upgrade", detail)
    })?;
    let Ok(permit) = app.sockets.clone().try_acquire_owned() else {
        let detail = "Too many live connections. Try again shortly.";
        let status = StatusCode::SERVICE_UNAVAILABLE;
        return Err(Problem::new(status, "overloaded", detail).retry(5));
    };
    let member = caller.as_ref().map(|caller| app.crowd.join(caller));
    if let Some(None) = member {
        let detail = "This account has too many live connections. Close some pages.";
        let status = StatusCode::TOO_MANY_REQUESTS;
        return Err(Problem::new(status, "too_many_connections", detail).retry(5));
    }
    let place = parts.extensions.get::<Arc<Place>>().cloned();
    let upgrade = upgrade
        .max_message_size(READ_BYTES_MAX)
        .max_frame_size(READ_BYTES_MAX)
        .read_buffer_size(READ_BUFFER_BYTES);
    Ok(upgrade.on_upgrade(move |socket| async move {
        // Held as long as the connection.
        let _held = (permit, member, place);
        match caller {
            Some(caller) => socket::run(app, caller, socket).await,
            // A page cannot see the status of a refused upgrade, but it sees this.
            None => refuse(socket).await,
        }
    }))
}

/// By ticket, or by cookie from one of our own pages: browsers let every page open WebSockets.
async fn recognise(app: &App, parts: &Parts, query: OpenQuery) -> Result<Option<Caller>, Problem> {
    if let Some(ticket) = query.ticket {
        return Ok(app.tickets.redeem(&ticket, app.now()));
    }
    Client::of(parts, &app.proxies).check_origin(&parts.headers, true)?;
    identify(parts, app).await
}

async fn refuse(mut socket: WebSocket) {
    let reason = "session over".into();
    let close = CloseFrame { code: CLOSE_SESSION_OVER, reason };
    // The page may be gone already.
    let _ = socket.send(Message::Close(Some(close))).await;
}
