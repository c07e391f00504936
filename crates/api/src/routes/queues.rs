//! Queues.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use model::config::{Queue, Strategy, TenantConfig};
use model::{QueueId, limits};
use serde::{Deserialize, Serialize};
use store::fresh_id;
use utoipa::ToSchema;

use crate::app::App;
use crate::body::Body;
use crate::edit::{check_name, check_room, edit};
use crate::extract::{Id, IfMatch, etag};
use crate::guard::Administrator;
use crate::page::Page;
use crate::problem::Problem;
use crate::routes::users::check_skills;

/// How agents are chosen.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StrategyName {
    /// Whoever has been ready for the longest time.
    LongestReady,
}

/// A queue as it is to be. Times in milliseconds.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct QueueBody {
    name: String,
    strategy: StrategyName,
    /// Skills every contact asks for, with the least proficiency.
    #[serde(default)]
    skills: BTreeMap<String, u8>,
    /// How long an offer rings.
    ring_ms: i64,
    /// How long wrap-up lasts; 0 for none.
    wrap_up_ms: i64,
    /// The name of the music prompt.
    music: String,
    /// Threshold of the service level.
    service_level_ms: i64,
    /// Leaving earlier is a short abandon.
    short_abandon_ms: i64,
    /// Most contacts that may wait.
    length_max: u32,
}

/// A queue.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct QueueRow {
    id: String,
    #[serde(flatten)]
    queue: QueueBody,
}

impl QueueRow {
    fn of(id: QueueId, queue: &Queue) -> Self {
        let Queue { strategy: Strategy::LongestReady, .. } = queue;
        Self {
            id: id.to_string(),
            queue: QueueBody {
                name: queue.name.clone(),
                strategy: StrategyName::LongestReady,
                skills: queue.skills.clone(),
                ring_ms: queue.ring_ms,
                wrap_up_ms: queue.wrap_up_ms,
                music: queue.music.clone(),
                service_level_ms: queue.service_level_ms,
                short_abandon_ms: queue.short_abandon_ms,
                length_max: queue.length_max,
            },
        }
    }
}

impl QueueBody {
    fn checked(self) -> Result<Queue, Problem> {
        check_name(&self.name, "/name")?;
        check_name(&self.music, "/music")?;
        check_skills(&self.skills)?;
        within("/ring_ms", self.ring_ms, 1_000, 300_000)?;
        within("/wrap_up_ms", self.wrap_up_ms, 0, limits::WRAP_UP_MS_MAX)?;
        within("/service_level_ms", self.service_level_ms, 1_000, 3_600_000)?;
        within("/short_abandon_ms", self.short_abandon_ms, 0, 600_000)?;
        within("/length_max", i64::from(self.length_max), 1, QUEUE_LENGTH_MAX)?;
        let StrategyName::LongestReady = self.strategy;
        Ok(Queue {
            name: self.name,
            strategy: Strategy::LongestReady,
            skills: self.skills,
            ring_ms: self.ring_ms,
            wrap_up_ms: self.wrap_up_ms,
            music: self.music,
            service_level_ms: self.service_level_ms,
            short_abandon_ms: self.short_abandon_ms,
            length_max: self.length_max,
        })
    }
}

/// Whoever waits would hear nothing.
fn check_music(config: &TenantConfig, queue: &Queue) -> Result<(), Problem> {
    if config.prompts.values().any(|prompt| prompt.name == queue.music) {
        return Ok(());
    }
    let detail = format!("There is no sound {:?}. Upload it among the prompts first.", queue.music);
    Err(Problem::unprocessable("unknown_prompt", detail).at("/music"))
}

const QUEUE_LENGTH_MAX: i64 = limits::QUEUE_ENTRIES_MAX as i64;

fn within(pointer: &str, value: i64, least: i64, most: i64) -> Result<(), Problem> {
    if (least..=most).contains(&value) {
        Ok(())
    } else {
        let detail = format!("Expected {least} to {most}.");
        Err(Problem::unprocessable("out_of_range", detail).at(pointer))
    }
}

/// All queues, by name.
#[utoipa::path(get, path = "/api/v1/queues", tag = "administration",
    responses((status = 200, body = Page<QueueRow>)))]
pub(crate) async fn list(
    State(app): State<App>,
    Administrator(caller): Administrator,
) -> Result<Response, Problem> {
    let config = app.config(caller.tenant).await?;
    let mut rows: Vec<_> =
        config.queues.iter().map(|(id, queue)| QueueRow::of(*id, queue)).collect();
    rows.sort_by(|a, b| a.queue.name.cmp(&b.queue.name));
    Ok((etag(config.n), Json(Page::whole(rows))).into_response())
}

/// One of them.
#[utoipa::path(get, path = "/api/v1/queues/{id}", tag = "administration",
    params(("id" = String, Path)), responses((status = 200, body = QueueRow)))]
pub(crate) async fn show(
    State(app): State<App>,
    Administrator(caller): Administrator,
    Id(id): Id<QueueId>,
) -> Result<Response, Problem> {
    let config = app.config(caller.tenant).await?;
    let queue = config.queues.get(&id).ok_or_else(Problem::not_found)?;
    Ok((etag(config.n), Json(QueueRow::of(id, queue))).into_response())
}

/// Adds a queue.
#[utoipa::path(post, path = "/api/v1/queues", tag = "administration", request_body = QueueBody,
    responses((status = 201, body = QueueRow), (status = 409, description = "name_taken")))]
pub(crate) async fn create(
    State(app): State<App>,
    Administrator(caller): Administrator,
    base: IfMatch,
    Body(body): Body<QueueBody>,
) -> Result<Response, Problem> {
    let queue = body.checked()?;
    let id: QueueId = fresh_id(app.now());
    let row = QueueRow::of(id, &queue);
    let summary = format!("add queue {}", queue.name);
    let edited = edit(&app, &caller, base, summary, |draft| {
        check_room(draft.config.queues.len(), limits::QUEUES_PER_TENANT_MAX, "queues")?;
        check_music(&draft.config, &queue)?;
        draft.config.queues.insert(id, queue);
        Ok(())
    })
    .await?;
    Ok((StatusCode::CREATED, etag(edited.config.n), Json(row)).into_response())
}

/// Changes a queue.
#[utoipa::path(put, path = "/api/v1/queues/{id}", tag = "administration",
    params(("id" = String, Path)), request_body = QueueBody,
    responses((status = 200, body = QueueRow), (status = 409, description = "in_use")))]
pub(crate) async fn replace(
    State(app): State<App>,
    Administrator(caller): Administrator,
    Id(id): Id<QueueId>,
    base: IfMatch,
    Body(body): Body<QueueBody>,
) -> Result<Response, Problem> {
    let queue = body.checked()?;
    let row = QueueRow::of(id, &queue);
    let summary = format!("change queue {}", queue.name);
    let edited = edit(&app, &caller, base, summary, |draft| {
        check_music(&draft.config, &queue)?;
        let known = draft.config.queues.get_mut(&id).ok_or_else(Problem::not_found)?;
        *known = queue;
        Ok(())
    })
    .await?;
    Ok((etag(edited.config.n), Json(row)).into_response())
}

/// Removes a queue that no published flow leads to. Its agents stop serving it.
#[utoipa::path(delete, path = "/api/v1/queues/{id}", tag = "administration",
    params(("id" = String, Path)),
    responses((status = 204), (status = 409, description = "in_use")))]
pub(crate) async fn remove(
    State(app): State<App>,
    Administrator(caller): Administrator,
    Id(id): Id<QueueId>,
    base: IfMatch,
) -> Result<Response, Problem> {
    let config = app.config(caller.tenant).await?;
    let name = &config.queues.get(&id).ok_or_else(Problem::not_found)?.name;
    let edited = edit(&app, &caller, base, format!("remove queue {name}"), |draft| {
        draft.config.queues.remove(&id).ok_or_else(Problem::not_found)?;
        for agent in draft.config.agents.values_mut() {
            agent.queues.remove(&id);
        }
        Ok(())
    })
    .await?;
    Ok((StatusCode::NO_CONTENT, etag(edited.config.n)).into_response())
}
