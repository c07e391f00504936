//! Signing in and out.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::input::Command;
use model::{Span, TenantId, limits};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use store::{TokenDigest, User};
use utoipa::ToSchema;

use crate::app::App;
use crate::body::{bytes, parse, require_type};
use crate::client::Client;
use crate::guard::{Caller, SESSION_COOKIE, Signed, by_session, session_cookie};
use crate::layer::RequestId;
use crate::problem::Problem;
use crate::routes::me::Me;
use crate::stay::{COOKIE_LASTS, SESSION_LASTS};

/// Who signs in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Credentials {
    mail: String,
    password: String,
}

/// A `Set-Cookie` header.
pub(crate) type Cookie = [(HeaderName, HeaderValue); 1];

/// Signs in. A wrong password and an unknown address are told in the same words and time.
#[utoipa::path(post, path = "/api/v1/session", tag = "session", request_body = Credentials,
    responses((status = 200, body = Me), (status = 401, description = "bad_credentials"),
        (status = 429, description = "too_many_tries")))]
pub(crate) async fn sign_in(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let (parts, client, body) = entrance::<Credentials>(&app, request).await?;
    let attempt = app.throttle.try_account(&body.mail, client.address, app.now())?;
    let host = client.domain();
    // A longer one is nobody's: it is not even hashed.
    let fits = body.password.chars().count() <= limits::PASSWORD_CHARS_MAX;
    let password = if fits { body.password.as_str() } else { "" };
    let Some((tenant, user)) = app.store.sign_in(&body.mail, password, host.as_ref()).await? else {
        attempt.failed(app.now());
        let detail = "The mail address or the password is wrong.";
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "bad_credentials", detail));
    };
    let (cookie, me) = signed_in(&app, &parts, tenant, user).await?;
    Ok((cookie, Json(me)).into_response())
}

/// Signs out: the session ends and its WebSockets close. With the last session of a person who
/// takes contacts the shift ends too; a conversation that goes on is still brought to its end.
#[utoipa::path(delete, path = "/api/v1/session", tag = "session",
    responses((status = 204)))]
pub(crate) async fn sign_out(
    State(app): State<App>,
    Signed(caller): Signed,
    parts: Parts,
) -> Result<Response, Problem> {
    caller.person()?;
    end_session(&app, &caller).await?;
    let client = Client::of(&parts, &app.proxies);
    Ok((StatusCode::NO_CONTENT, cookie("", Span::ZERO, client.https)).into_response())
}

/// Ends a session, and the shift with the last one of a person.
async fn end_session(app: &App, caller: &Caller) -> Result<(), Problem> {
    app.store.revoke_session(caller.token).await?;
    if let Some(user) = &caller.user
        && !app.db(caller).has_session(user.id, app.now()).await?
    {
        end_shift(app, caller).await;
    }
    Ok(())
}

/// Nobody is at the desk any more: calls must not ring there. The session is over in any case, so
/// that a house which cannot do it now is no reason to refuse.
async fn end_shift(app: &App, caller: &Caller) {
    let Ok(agent) = app.seat(caller).await else { return };
    if let Err(refusal) = app.floor.command(caller.tenant, agent, Command::SignOut).await {
        tracing::warn!(%refusal, tenant.id = %caller.tenant, "a shift did not end with its session");
    }
}

/// Begins a session. A token that came with the request is left behind: nobody can have planted it.
/// Where it was another person's, who left this browser signed in, they are signed out.
pub(crate) async fn signed_in(
    app: &App,
    parts: &Parts,
    tenant: TenantId,
    user: User,
) -> Result<(Cookie, Me), Problem> {
    let db = app.store.system(tenant);
    let token = db.create_session(user.id, app.now(), SESSION_LASTS).await?;
    if let Some(old) = session_cookie(&parts.headers) {
        let request_id = RequestId::of(&parts.extensions);
        if let Some(old) = by_session(app, TokenDigest::of(&old), request_id).await? {
            end_session(app, &old).await?;
        }
    }
    let client = Client::of(parts, &app.proxies);
    let cookie = cookie(token.reveal(), COOKIE_LASTS, client.https);
    Ok((cookie, Me::of(app, tenant, &user).await?))
}

fn cookie(token: &str, lasts: Span, https: bool) -> Cookie {
    let secure = if https { "; Secure" } else { "" };
    let seconds = lasts.micros() / 1_000_000;
    let text = format!(
        "{SESSION_COOKIE}={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}"
    );
    let value = HeaderValue::from_str(&text).expect("a token is URL-safe base64");
    [(header::SET_COOKIE, value)]
}

/// A request to sign in: its head, who sent it, and its body. Foreign pages are refused before
/// anything is read: they could sign a person in as somebody else.
pub(crate) async fn entrance<T: DeserializeOwned>(
    app: &App,
    request: Request,
) -> Result<(Parts, Client, T), Problem> {
    let (parts, body) = request.into_parts();
    let client = Client::of(&parts, &app.proxies);
    client.check_origin(&parts.headers, false)?;
    let request = Request::from_parts(parts.clone(), body);
    require_type(&request, "application/json")?;
    // Nobody is known yet: many who stall must not fill the memory.
    let bytes = bytes(request, limits::HTTP_ENTRANCE_BYTES_MAX).await?;
    Ok((parts, client, parse(&bytes)?))
}
