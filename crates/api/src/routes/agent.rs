//! Commands of an agent: shift, offers, the call in progress, wrap-up. Each is answered when it is
//! decided and saved.

use axum::extract::State;
use axum::http::StatusCode;
use model::input::Command;
use model::{AgentId, CallId, Event, OfferId, Refusal, limits};
use serde::Deserialize;
use store::{FloorBatch, FloorRow};
use utoipa::ToSchema;

use crate::app::App;
use crate::body::Body;
use crate::extract::Id;
use crate::guard::{Caller, Signed};
use crate::problem::Problem;
use crate::routes::calls::visible;

/// Why a break is taken or an offer given back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReasonBody {
    reason: String,
}

/// How a contact ended.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WrapUpBody {
    /// A code of the dispositions.
    disposition: String,
    /// Was the request resolved?
    resolved: bool,
    /// At most 4,000 characters.
    #[serde(default)]
    note: String,
}

/// What an agent or supervisor writes about a call.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoteBody {
    /// At most 4,000 characters.
    note: String,
}

/// Where a customer is sent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TransferBody {
    /// The id of a queue.
    queue: String,
}

/// More time.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExtendBody {
    /// Seconds more, 1 to 3600.
    seconds: u32,
}

async fn command(app: &App, caller: &Caller, command: Command) -> Result<StatusCode, Problem> {
    let agent = app.seat(caller).await?;
    app.floor.command(caller.tenant, agent, command).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A command about one call. Who takes no contacts hears that only of a call that they may see.
pub(super) async fn command_on(
    app: &App,
    caller: &Caller,
    call: CallId,
    command: Command,
) -> Result<StatusCode, Problem> {
    let agent = match app.seat(caller).await {
        Ok(agent) => agent,
        Err(no_seat) => {
            visible(app, caller, call).await?;
            return Err(no_seat);
        }
    };
    app.floor.command(caller.tenant, agent, command).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A command about an offer, which nobody but its agent knows of.
async fn command_at(app: &App, caller: &Caller, command: Command) -> Result<StatusCode, Problem> {
    let agent = match app.seat(caller).await {
        Err(problem) if problem.code == "no_seat" => return Err(Problem::not_found()),
        seat => seat?,
    };
    app.floor.command(caller.tenant, agent, command).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn check_reason(reason: &str) -> Result<(), Problem> {
    crate::edit::check_name(reason, "/reason")
}

fn check_note(note: &str) -> Result<(), Problem> {
    if note.chars().count() > limits::NOTE_CHARS_MAX {
        let detail = format!("A note has at most {} characters.", limits::NOTE_CHARS_MAX);
        return Err(Problem::unprocessable("too_long", detail).at("/note"));
    }
    Ok(())
}

/// Begins the shift.
#[utoipa::path(post, path = "/api/v1/agent/sign-in", tag = "desk", responses((status = 204)))]
pub(crate) async fn sign_in(
    State(app): State<App>,
    Signed(caller): Signed,
) -> Result<StatusCode, Problem> {
    command(&app, &caller, Command::SignIn).await
}

/// Ends the shift.
#[utoipa::path(post, path = "/api/v1/agent/sign-out", tag = "desk", responses((status = 204)))]
pub(crate) async fn sign_out(
    State(app): State<App>,
    Signed(caller): Signed,
) -> Result<StatusCode, Problem> {
    command(&app, &caller, Command::SignOut).await
}

/// Takes offers from now on.
#[utoipa::path(post, path = "/api/v1/agent/ready", tag = "desk", responses((status = 204)))]
pub(crate) async fn ready(
    State(app): State<App>,
    Signed(caller): Signed,
) -> Result<StatusCode, Problem> {
    command(&app, &caller, Command::Ready).await
}

/// Takes no offers after the present contact.
#[utoipa::path(post, path = "/api/v1/agent/break", tag = "desk", request_body = ReasonBody,
    responses((status = 204), (status = 422, description = "unknown_choice")))]
pub(crate) async fn take_break(
    State(app): State<App>,
    Signed(caller): Signed,
    Body(body): Body<ReasonBody>,
) -> Result<StatusCode, Problem> {
    check_reason(&body.reason)?;
    command(&app, &caller, Command::Break { reason: body.reason }).await
}

/// Takes the offer.
#[utoipa::path(post, path = "/api/v1/offers/{offer}/accept", tag = "desk",
    params(("offer" = String, Path)),
    responses((status = 204), (status = 409, description = "offer_gone")))]
pub(crate) async fn accept(
    State(app): State<App>,
    Signed(caller): Signed,
    Id(offer): Id<OfferId>,
) -> Result<StatusCode, Problem> {
    command_at(&app, &caller, Command::Accept { offer }).await
}

/// Gives the offer back.
#[utoipa::path(post, path = "/api/v1/offers/{offer}/decline", tag = "desk",
    params(("offer" = String, Path)), request_body = ReasonBody,
    responses((status = 204), (status = 409, description = "offer_gone")))]
pub(crate) async fn decline(
    State(app): State<App>,
    Signed(caller): Signed,
    Id(offer): Id<OfferId>,
    Body(body): Body<ReasonBody>,
) -> Result<StatusCode, Problem> {
    check_reason(&body.reason)?;
    command_at(&app, &caller, Command::Decline { offer, reason: body.reason }).await
}

/// Lets the customer hear music.
#[utoipa::path(post, path = "/api/v1/calls/{call}/hold", tag = "desk",
    params(("call" = String, Path)), responses((status = 204)))]
pub(crate) async fn hold(
    State(app): State<App>,
    Signed(caller): Signed,
    Id(call): Id<CallId>,
) -> Result<StatusCode, Problem> {
    command_on(&app, &caller, call, Command::Hold { call }).await
}

/// Talks again.
#[utoipa::path(post, path = "/api/v1/calls/{call}/resume", tag = "desk",
    params(("call" = String, Path)), responses((status = 204)))]
pub(crate) async fn resume(
    State(app): State<App>,
    Signed(caller): Signed,
    Id(call): Id<CallId>,
) -> Result<StatusCode, Problem> {
    command_on(&app, &caller, call, Command::Resume { call }).await
}

/// Sends the customer to a queue, with all that is known of them, and begins the wrap-up.
#[utoipa::path(post, path = "/api/v1/calls/{call}/transfer", tag = "desk",
    params(("call" = String, Path)), request_body = TransferBody,
    responses((status = 204), (status = 422, description = "unknown_choice"),
        (status = 503, description = "overloaded: the queue is full")))]
pub(crate) async fn transfer(
    State(app): State<App>,
    Signed(caller): Signed,
    Id(call): Id<CallId>,
    Body(body): Body<TransferBody>,
) -> Result<StatusCode, Problem> {
    // Whose it is decides the cell; what is no id is nobody's.
    let queue = body.queue.parse().map_err(|_| Problem::from(Refusal::UnknownChoice))?;
    command_on(&app, &caller, call, Command::Transfer { call, queue }).await
}

/// Ends the call for both.
#[utoipa::path(post, path = "/api/v1/calls/{call}/hangup", tag = "desk",
    params(("call" = String, Path)), responses((status = 204)))]
pub(crate) async fn hangup(
    State(app): State<App>,
    Signed(caller): Signed,
    Id(call): Id<CallId>,
) -> Result<StatusCode, Problem> {
    command_on(&app, &caller, call, Command::Hangup { call }).await
}

/// Finishes the wrap-up.
#[utoipa::path(post, path = "/api/v1/calls/{call}/wrap-up", tag = "desk",
    params(("call" = String, Path)), request_body = WrapUpBody,
    responses((status = 204), (status = 422, description = "unknown_choice")))]
pub(crate) async fn wrap_up(
    State(app): State<App>,
    Signed(caller): Signed,
    Id(call): Id<CallId>,
    Body(body): Body<WrapUpBody>,
) -> Result<StatusCode, Problem> {
    check_note(&body.note)?;
    let WrapUpBody { disposition, resolved, note } = body;
    command_on(&app, &caller, call, Command::WrapUp { call, disposition, resolved, note }).await
}

/// Keeps my note on a call, in place of an earlier one of mine.
// Also after the wrap-up: a note that was begun must not be lost because the time ran out.
#[utoipa::path(put, path = "/api/v1/calls/{call}/note", tag = "desk",
    params(("call" = String, Path)), request_body = NoteBody,
    responses((status = 204), (status = 422, description = "too_long")))]
pub(crate) async fn put_note(
    State(app): State<App>,
    Signed(caller): Signed,
    Id(call): Id<CallId>,
    Body(body): Body<NoteBody>,
) -> Result<StatusCode, Problem> {
    check_note(&body.note)?;
    may_note(&app, &caller, call).await?;
    let agent = AgentId::of_user(caller.person()?.id);
    let note = FloorRow::Note { call, agent, text: body.note, at: app.now() };
    let batch = FloorBatch { tenant: caller.tenant, events: vec![], rows: vec![note] };
    app.store.floor().commit(batch).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Fails unless somebody may see the call or talked on it: also the first of two agents, or a
/// colleague who was asked in, has something to say, though the call counts as the other's.
async fn may_note(app: &App, caller: &Caller, call: CallId) -> Result<(), Problem> {
    let Err(hidden) = visible(app, caller, call).await else { return Ok(()) };
    let events = app.db(caller).call_events(call).await?;
    let own = caller.user.as_ref().map(|user| AgentId::of_user(user.id));
    let talked = |event: &Event| match event {
        Event::Connected { agent, .. } | Event::ConsultJoined { colleague: agent, .. } => {
            Some(*agent) == own
        }
        _ => false,
    };
    if events.iter().any(|recorded| talked(&recorded.event)) { Ok(()) } else { Err(hidden) }
}

/// Takes more time to wrap up.
#[utoipa::path(post, path = "/api/v1/calls/{call}/wrap-up/extend", tag = "desk",
    params(("call" = String, Path)), request_body = ExtendBody, responses((status = 204)))]
pub(crate) async fn extend_wrap_up(
    State(app): State<App>,
    Signed(caller): Signed,
    Id(call): Id<CallId>,
    Body(body): Body<ExtendBody>,
) -> Result<StatusCode, Problem> {
    let by_ms = i64::from(body.seconds) * 1_000;
    if !(1..=limits::WRAP_UP_MS_MAX).contains(&by_ms) {
        let detail = "Ask for 1 to 3600 seconds.";
        return Err(Problem::unprocessable("bad_length", detail).at("/seconds"));
    }
    command_on(&app, &caller, call, Command::ExtendWrapUp { call, by_ms }).await
}
