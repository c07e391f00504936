//! Who asks: the session or key of a request, its role, and the origin of the page.
//!
//! Invariant: a route that names one of these extractors runs only for somebody who may use it.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use model::TenantId;
use store::{API_KEY_PREFIX, Actor, Role, Term, TokenDigest, User};

use crate::app::App;
use crate::client::Client;
use crate::layer::RequestId;
use crate::problem::Problem;

/// The cookie of a session.
pub(crate) const SESSION_COOKIE: &str = "antiphon_session";

/// Somebody who was recognised.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) tenant: TenantId,
    pub(crate) actor: Actor,
    pub(crate) role: Role,
    /// The person; `None` for a program with a key.
    pub(crate) user: Option<User>,
    /// What they presented, as its digest.
    pub(crate) token: TokenDigest,
    /// The time of the session; keys of programs have none.
    pub(crate) term: Option<Term>,
    pub(crate) request_id: String,
}

impl Caller {
    pub(crate) fn person(&self) -> Result<&User, Problem> {
        self.user
            .as_ref()
            .ok_or_else(|| Problem::forbidden("forbidden", "Only a person can do this."))
    }
}

/// Anybody who signed in.
#[derive(Debug, Clone)]
pub(crate) struct Signed(pub(crate) Caller);
/// Somebody who may change the configuration.
#[derive(Debug, Clone)]
pub(crate) struct Administrator(pub(crate) Caller);

impl FromRequestParts<App> for Signed {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        at_least(parts, app, Role::Agent).await.map(Self)
    }
}

impl FromRequestParts<App> for Administrator {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        at_least(parts, app, Role::Administrator).await.map(Self)
    }
}

async fn at_least(parts: &Parts, app: &App, role: Role) -> Result<Caller, Problem> {
    let caller = identify(parts, app).await?.ok_or_else(Problem::no_session)?;
    if caller.role >= role {
        Ok(caller)
    } else {
        Err(Problem::forbidden("forbidden", "Your role does not allow this."))
    }
}

/// Recognises a request by its key or its cookie. A cookie comes with every request a browser
/// makes, also one that a foreign page asked for: so whatever changes something needs our Origin.
pub(crate) async fn identify(parts: &Parts, app: &App) -> Result<Option<Caller>, Problem> {
    let request_id = RequestId::of(&parts.extensions);
    if let Some(key) = bearer(&parts.headers) {
        return by_digest(app, TokenDigest::of(&key), request_id).await;
    }
    let Some(token) = session_cookie(&parts.headers) else { return Ok(None) };
    if !matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS) {
        Client::of(parts, &app.proxies).check_origin(&parts.headers, true)?;
    }
    by_session(app, TokenDigest::of(&token), request_id).await
}

/// The person behind a session that is in force.
pub(crate) async fn by_session(
    app: &App,
    token: TokenDigest,
    request_id: String,
) -> Result<Option<Caller>, Problem> {
    let session = app.store.session(token, app.now()).await?;
    Ok(session.map(|session| Caller {
        tenant: session.tenant,
        actor: Actor::User(session.user.id),
        role: session.user.role,
        user: Some(session.user),
        token,
        term: Some(session.term),
        request_id,
    }))
}

/// The program behind an API key that is in force.
async fn by_digest(
    app: &App,
    token: TokenDigest,
    request_id: String,
) -> Result<Option<Caller>, Problem> {
    let found = app.store.api_key(token, app.now()).await?;
    Ok(found.map(|key| Caller {
        tenant: key.tenant,
        actor: Actor::ApiKey(key.name),
        role: key.role,
        user: None,
        token,
        term: None,
        request_id,
    }))
}

/// The API key of an `Authorization: Bearer` header.
fn bearer(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    let is_key = scheme.eq_ignore_ascii_case("bearer") && key.starts_with(API_KEY_PREFIX);
    is_key.then(|| key.to_owned())
}

/// The token of the session cookie.
pub(crate) fn session_cookie(headers: &HeaderMap) -> Option<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == SESSION_COOKIE)
        .map(|(_, token)| token.to_owned())
}

impl App {
    /// Looks a caller up again: as they are now, or `None` when the session or key is over.
    pub(crate) async fn renew(&self, caller: &Caller) -> Result<Option<Caller>, Problem> {
        let request_id = caller.request_id.clone();
        if caller.user.is_some() {
            by_session(self, caller.token, request_id).await
        } else {
            by_digest(self, caller.token, request_id).await
        }
    }
}
