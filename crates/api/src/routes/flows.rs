//! Flows: drafted, checked, published. A call finishes on the version it began.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use model::flow::{FLOW_SCHEMA, Flow, Node};
use model::{FlowId, limits};
use serde::{Deserialize, Serialize};
use store::{FlowDraft, fresh_id};
use utoipa::ToSchema;

use crate::app::App;
use crate::body::{Body, bytes, require_type};
use crate::edit::{check_name, check_room, edit};
use crate::extract::{Id, IfMatch, etag};
use crate::guard::{Administrator, Caller};
use crate::page::Page;
use crate::problem::{Fault, Problem};
use crate::shape;

/// Flows of one tenant.
const FLOWS_MAX: usize = 500;

/// A new flow.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewFlow {
    name: String,
}

/// A flow in the list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FlowRow {
    id: String,
    name: String,
    published: Option<PublishedRow>,
}

/// The version in force.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PublishedRow {
    version: u64,
}

/// A flow with its documents.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FlowDetail {
    id: String,
    name: String,
    /// The document being worked on.
    #[schema(value_type = shape::Flow)]
    draft: Arc<Flow>,
    /// The document in force.
    published: Option<PublishedFlow>,
}

/// The document in force.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PublishedFlow {
    version: u64,
    #[schema(value_type = shape::Flow)]
    flow: Arc<Flow>,
}

/// What is wrong with a document.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Faults {
    /// None when it can be published.
    faults: Vec<Fault>,
}

/// All flows, by name.
#[utoipa::path(get, path = "/api/v1/flows", tag = "administration",
    responses((status = 200, body = Page<FlowRow>)))]
pub(crate) async fn list(
    State(app): State<App>,
    Administrator(caller): Administrator,
) -> Result<Response, Problem> {
    let draft = app.db(&caller).draft().await?;
    let row = |(id, flow): (&FlowId, &FlowDraft)| FlowRow {
        id: id.to_string(),
        name: flow.name.clone(),
        published: flow.published.map(|version| PublishedRow { version }),
    };
    let mut rows: Vec<_> = draft.flows.iter().map(row).collect();
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    Ok((etag(draft.config.n), Json(Page::whole(rows))).into_response())
}

/// One of them, with its documents.
#[utoipa::path(get, path = "/api/v1/flows/{id}", tag = "administration",
    params(("id" = String, Path)), responses((status = 200, body = FlowDetail)))]
pub(crate) async fn show(
    State(app): State<App>,
    Administrator(caller): Administrator,
    Id(id): Id<FlowId>,
) -> Result<Response, Problem> {
    let (n, detail) = detail(&app, &caller, id).await?;
    Ok((etag(n), Json(detail)).into_response())
}

async fn detail(app: &App, caller: &Caller, id: FlowId) -> Result<(u64, FlowDetail), Problem> {
    let draft = app.db(caller).draft().await?;
    let flow = draft.flows.get(&id).ok_or_else(Problem::not_found)?;
    let published = draft
        .config
        .flows
        .get(&id)
        .map(|flow| PublishedFlow { version: flow.version, flow: Arc::clone(&flow.flow) });
    let detail = FlowDetail {
        id: id.to_string(),
        name: flow.name.clone(),
        draft: Arc::clone(&flow.draft),
        published,
    };
    Ok((draft.config.n, detail))
}

/// Adds a flow whose draft only hangs up.
#[utoipa::path(post, path = "/api/v1/flows", tag = "administration", request_body = NewFlow,
    responses((status = 201, body = FlowDetail), (status = 409, description = "name_taken")))]
pub(crate) async fn create(
    State(app): State<App>,
    Administrator(caller): Administrator,
    base: IfMatch,
    Body(body): Body<NewFlow>,
) -> Result<Response, Problem> {
    check_name(&body.name, "/name")?;
    let id: FlowId = fresh_id(app.now());
    let summary = format!("add flow {}", body.name);
    edit(&app, &caller, base, summary, |draft| {
        check_room(draft.flows.len(), FLOWS_MAX, "flows")?;
        let document = Arc::new(empty());
        let flow = FlowDraft { name: body.name, draft: document, published: None };
        draft.flows.insert(id, flow);
        Ok(())
    })
    .await?;
    let (n, detail) = detail(&app, &caller, id).await?;
    Ok((StatusCode::CREATED, etag(n), Json(detail)).into_response())
}

fn empty() -> Flow {
    let end = Node::HangUp { prompts: Vec::new() };
    Flow { schema: FLOW_SCHEMA, start: "end".to_owned(), nodes: [("end".to_owned(), end)].into() }
}

/// Replaces the draft. A document with faults is refused with all of them.
#[utoipa::path(put, path = "/api/v1/flows/{id}/draft", tag = "administration",
    params(("id" = String, Path)), request_body = shape::Flow,
    responses((status = 200, body = FlowDetail), (status = 422, description = "bad_flow")))]
pub(crate) async fn put_draft(
    State(app): State<App>,
    Administrator(caller): Administrator,
    Id(id): Id<FlowId>,
    base: IfMatch,
    request: Request,
) -> Result<Response, Problem> {
    let document = document(request).await?;
    app.db(&caller).draft().await?.flows.get(&id).ok_or_else(Problem::not_found)?;
    let config = app.config(caller.tenant).await?;
    let flow = Arc::new(app.floor.check_flow(&document, &config).map_err(Problem::flow)?);
    edit(&app, &caller, base, format!("draft flow {id}"), |draft| {
        let known = draft.flows.get_mut(&id).ok_or_else(Problem::not_found)?;
        known.draft = flow;
        Ok(())
    })
    .await?;
    let (n, detail) = detail(&app, &caller, id).await?;
    Ok((etag(n), Json(detail)).into_response())
}

/// Puts the draft into force for the calls that begin from now on.
#[utoipa::path(post, path = "/api/v1/flows/{id}/publish", tag = "administration",
    params(("id" = String, Path)),
    responses((status = 200, body = FlowDetail), (status = 422, description = "bad_flow")))]
pub(crate) async fn publish(
    State(app): State<App>,
    Administrator(caller): Administrator,
    Id(id): Id<FlowId>,
    base: IfMatch,
) -> Result<Response, Problem> {
    let floor = Arc::clone(&app.floor);
    edit(&app, &caller, base, format!("publish flow {id}"), |draft| {
        let flow = draft.flows.get(&id).ok_or_else(Problem::not_found)?;
        let text = serde_json::to_string(&*flow.draft).map_err(|_| Problem::internal())?;
        // Names may have gone since the draft was saved.
        floor.check_flow(&text, &draft.config).map_err(Problem::flow)?;
        draft.publish(id).ok_or_else(Problem::not_found)
    })
    .await?;
    let (n, detail) = detail(&app, &caller, id).await?;
    Ok((etag(n), Json(detail)).into_response())
}

/// Checks a document without keeping it.
#[utoipa::path(post, path = "/api/v1/flows/check", tag = "administration", request_body = shape::Flow,
    responses((status = 200, body = Faults)))]
pub(crate) async fn check(
    State(app): State<App>,
    Administrator(caller): Administrator,
    request: Request,
) -> Result<Json<Faults>, Problem> {
    let document = document(request).await?;
    let config = app.config(caller.tenant).await?;
    let faults = app.floor.check_flow(&document, &config).err().unwrap_or_default();
    Ok(Json(Faults { faults: faults.into_iter().map(Fault::from).collect() }))
}

/// The text of a flow document. The checker reads it itself: it names places better than we could.
async fn document(request: Request) -> Result<String, Problem> {
    require_type(&request, "application/json")?;
    let bytes = bytes(request, limits::FLOW_BYTES_MAX).await?;
    String::from_utf8(bytes.to_vec())
        .map_err(|_| Problem::bad_request("bad_json", "The body is not UTF-8."))
}
