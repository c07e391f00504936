//! Callers who could not be kept and are to be called back.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use model::config::TenantConfig;
use model::{AgentId, CallId, QueueId};
use serde::{Deserialize, Serialize};
use store::{CallbackFilter, CallbackPlace, Role};
use utoipa::ToSchema;

use crate::app::App;
use crate::at::At;
use crate::extract::{Asked, Id};
use crate::guard::{Caller, Signed};
use crate::page::{Page, cursor, limit, place};
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

/// Which part of the list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct CallbacksQuery {
    /// Rows, 1 to 200; 50 unless told.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Open call-backs first, the longest wait first; then those that were done, the newest first. An
/// agent sees those of the queues they serve.
#[utoipa::path(get, path = "/api/v1/callbacks", tag = "calls", params(CallbacksQuery),
    responses((status = 200, body = Page<CallbackRow>)))]
pub(crate) async fn list(
    State(app): State<App>,
    Signed(caller): Signed,
    Asked(query): Asked<CallbacksQuery>,
) -> Result<Json<Page<CallbackRow>>, Problem> {
    let rows = limit(query.limit)?;
    let config = app.config(caller.tenant).await?;
    let after: Option<CallbackPlace> = query.cursor.as_deref().map(place).transpose()?;
    let filter = CallbackFilter { queues: served(&caller, &config), after };
    let mut found = app.db(&caller).callbacks(&filter, rows + 1).await?;
    let more = found.len() > rows as usize;
    found.truncate(rows as usize);
    let next_cursor = found.last().filter(|_| more).map(|last| cursor(&last.place()));
    let row = |callback: store::Callback| CallbackRow {
        call: callback.call.to_string(),
        caller: callback.number,
        queue: queue_named(&config, callback.queue),
        waiting_since: At(callback.waiting_since),
        listed_at: At(callback.listed_at),
        done: callback.done_at.is_some(),
    };
    Ok(Json(Page { items: found.into_iter().map(row).collect(), next_cursor }))
}

/// Marks a call-back as done.
#[utoipa::path(post, path = "/api/v1/callbacks/{call}/done", tag = "calls",
    params(("call" = String, Path)), responses((status = 204)))]
pub(crate) async fn done(
    State(app): State<App>,
    Signed(caller): Signed,
    Id(call): Id<CallId>,
) -> Result<StatusCode, Problem> {
    let (db, config) = (app.db(&caller), app.config(caller.tenant).await?);
    let queue = db.callback_queue(call).await?;
    if served(&caller, &config).is_some_and(|served| !served.contains(&queue)) {
        return Err(Problem::not_found());
    }
    db.callback_done(call, app.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The queues whose call-backs somebody looks after; `None` for all.
fn served(caller: &Caller, config: &TenantConfig) -> Option<BTreeSet<QueueId>> {
    if caller.role >= Role::Supervisor {
        return None;
    }
    let agent = caller.user.as_ref().map(|user| AgentId::of_user(user.id));
    let seat = agent.and_then(|agent| config.agents.get(&agent));
    Some(seat.map(|seat| seat.queues.clone()).unwrap_or_default())
}
