//! Callers who could not be kept and are to be called back.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use model::CallId;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::at::At;
use crate::extract::Id;
use crate::guard::Signed;
use crate::page::Page;
use crate::problem::Problem;
use crate::routes::named::{Named, queue_named};

/// Somebody to call back.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CallbackRow {
    /// The call that was lost.
    call: String,
    /// The number as shown.
    caller: Option<String>,
    queue: Named,
    waiting_since: At,
    listed_at: At,
    done: bool,
}

/// Open call-backs first, the longest wait first; then those that were done.
#[utoipa::path(get, path = "/api/v1/callbacks", tag = "calls",
    responses((status = 200, body = Page<CallbackRow>)))]
pub(crate) async fn list(
    State(app): State<App>,
    Signed(caller): Signed,
) -> Result<Json<Page<CallbackRow>>, Problem> {
    let config = app.config(caller.tenant).await?;
    let rows = app.db(&caller).callbacks().await?;
    let row = |callback: store::Callback| CallbackRow {
        call: callback.call.to_string(),
        caller: callback.number,
        queue: queue_named(&config, callback.queue),
        waiting_since: At(callback.waiting_since),
        listed_at: At(callback.listed_at),
        done: callback.done_at.is_some(),
    };
    Ok(Json(Page::whole(rows.into_iter().map(row).collect())))
}

/// Marks a call-back as done.
#[utoipa::path(post, path = "/api/v1/callbacks/{call}/done", tag = "calls",
    params(("call" = String, Path)), responses((status = 204)))]
pub(crate) async fn done(
    State(app): State<App>,
    Signed(caller): Signed,
    Id(call): Id<CallId>,
) -> Result<StatusCode, Problem> {
    app.db(&caller).callback_done(call, app.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
