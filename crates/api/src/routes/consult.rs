//! Asking a colleague in: who is there, ring one, let the customer in, leave them the customer.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use model::event::AgentState;
use model::input::Command;
use model::{AgentId, CallId, Refusal, Topic, limits};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::at::At;
use crate::body::Body;
use crate::extract::Id;
use crate::guard::Signed;
use crate::ports::TopicData;
use crate::problem::Problem;
use crate::routes::agent::command_on;
use crate::routes::named::word;

/// Who is asked in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConsultBody {
    /// The id of a colleague.
    colleague: String,
    /// Leave the customer to them as soon as they take it; if they do not, the customer stays on
    /// hold until `resume`.
    #[serde(default)]
    hand_over: bool,
}

/// Those whom an agent can ask.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Colleagues {
    /// Those who can be asked first, then by name; at most 500.
    items: Vec<Colleague>,
}

/// Somebody who takes contacts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Colleague {
    /// Their id.
    id: String,
    /// Their name.
    name: String,
    /// What they do now, in the words of the live state.
    state: String,
    /// Since when.
    since: Option<At>,
    /// Whether they can be asked at this moment.
    free: bool,
    /// The queues they serve, by name.
    queues: Vec<String>,
}

/// The others who take contacts, and what they do now.
#[utoipa::path(get, path = "/api/v1/colleagues", tag = "desk",
    responses((status = 200, body = Colleagues)))]
pub(crate) async fn list(
    State(app): State<App>,
    Signed(caller): Signed,
) -> Result<Json<Colleagues>, Problem> {
    let config = app.config(caller.tenant).await?;
    let own = caller.user.as_ref().map(|user| AgentId::of_user(user.id));
    let others = config.agents.iter().filter(|(id, _)| Some(**id) != own);
    let mut items: Vec<Colleague> = others
        .map(|(id, agent)| {
            let latest = app.floor.latest(caller.tenant, Topic::Agent(*id));
            let view = match latest.map(|update| update.data) {
                Some(TopicData::Agent(view)) => Some(view),
                _ => None,
            };
            let state = view.as_ref().map_or(AgentState::SignedOut, |view| view.state);
            let queues = agent.queues.iter().filter_map(|queue| config.queues.get(queue));
            let mut queues: Vec<String> = queues.map(|queue| queue.name.clone()).collect();
            queues.sort();
            Colleague {
                id: id.to_string(),
                name: agent.name.clone(),
                state: word(&state),
                since: view.map(|view| At(view.since)),
                free: state == AgentState::Ready,
                queues,
            }
        })
        .collect();
    items.sort_by(|a, b| (!a.free, &a.name).cmp(&(!b.free, &b.name)));
    items.truncate(limits::COLLEAGUES_MAX);
    Ok(Json(Colleagues { items }))
}

/// Rings a colleague; the customer hears music from now on.
#[utoipa::path(post, path = "/api/v1/calls/{call}/consult", tag = "desk",
    params(("call" = String, Path)), request_body = ConsultBody,
    responses((status = 204), (status = 409, description = "not_free, wrong_state"),
        (status = 422, description = "unknown_choice")))]
pub(crate) async fn begin(
    State(app): State<App>,
    Signed(caller): Signed,
    Id(call): Id<CallId>,
    Body(body): Body<ConsultBody>,
) -> Result<StatusCode, Problem> {
    // Whose they are decides the cell; what is no id is nobody's.
    let colleague = body.colleague.parse().map_err(|_| Problem::from(Refusal::UnknownChoice))?;
    let hand_over = body.hand_over;
    command_on(&app, &caller, call, Command::Consult { call, colleague, hand_over }).await
}

/// Lets the colleague go, or stops ringing them: agent and customer talk again. As the colleague,
/// leaves.
#[utoipa::path(post, path = "/api/v1/calls/{call}/consult/end", tag = "desk",
    params(("call" = String, Path)),
    responses((status = 204), (status = 409, description = "wrong_state")))]
pub(crate) async fn end(
    State(app): State<App>,
    Signed(caller): Signed,
    Id(call): Id<CallId>,
) -> Result<StatusCode, Problem> {
    command_on(&app, &caller, call, Command::EndConsult { call }).await
}

/// Leaves the customer to the colleague, with all that is known of them, and begins the wrap-up.
#[utoipa::path(post, path = "/api/v1/calls/{call}/consult/hand-over", tag = "desk",
    params(("call" = String, Path)),
    responses((status = 204), (status = 409, description = "wrong_state")))]
pub(crate) async fn hand_over(
    State(app): State<App>,
    Signed(caller): Signed,
    Id(call): Id<CallId>,
) -> Result<StatusCode, Problem> {
    command_on(&app, &caller, call, Command::HandOver { call }).await
}

/// Lets the customer in: all three talk.
#[utoipa::path(post, path = "/api/v1/calls/{call}/conference", tag = "desk",
    params(("call" = String, Path)),
    responses((status = 204), (status = 409, description = "wrong_state")))]
pub(crate) async fn confer(
    State(app): State<App>,
    Signed(caller): Signed,
    Id(call): Id<CallId>,
) -> Result<StatusCode, Problem> {
    command_on(&app, &caller, call, Command::Conference { call }).await
}

/// Talks with the colleague alone again; the customer hears music.
#[utoipa::path(post, path = "/api/v1/calls/{call}/conference/end", tag = "desk",
    params(("call" = String, Path)),
    responses((status = 204), (status = 409, description = "wrong_state")))]
pub(crate) async fn part(
    State(app): State<App>,
    Signed(caller): Signed,
    Id(call): Id<CallId>,
) -> Result<StatusCode, Problem> {
    command_on(&app, &caller, call, Command::EndConference { call }).await
}
