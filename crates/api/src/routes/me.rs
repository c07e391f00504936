//! Who I am.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::request::Parts;
use model::{AgentId, TenantId, limits};
use serde::{Deserialize, Serialize};
use store::User;
use utoipa::ToSchema;

use crate::account::check_password;
use crate::app::App;
use crate::body::Body;
use crate::client::Client;
use crate::edit::check_language;
use crate::guard::Signed;
use crate::problem::Problem;
use crate::routes::users::RoleName;

/// Somebody who signed in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Me {
    user_id: String,
    name: String,
    mail: String,
    /// `agent`, `supervisor` or `administrator`.
    role: RoleName,
    /// BCP 47 tag of the screens.
    language: String,
    tenant: TenantOfMe,
    /// Whether this person takes contacts.
    agent: bool,
}

/// The company.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TenantOfMe {
    id: String,
    name: String,
    zone: String,
    language: String,
}

/// What one may change about oneself.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MePatch {
    /// BCP 47 tag of the screens.
    language: Option<String>,
}

/// A new password for oneself.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordChange {
    /// The password in force: a page that was left open is not enough.
    old: String,
    /// At least 12 characters.
    new: String,
}

impl Me {
    pub(crate) async fn of(app: &App, tenant: TenantId, user: &User) -> Result<Self, Problem> {
        let config = app.config(tenant).await?;
        Ok(Self {
            user_id: user.id.to_string(),
            name: user.name.clone(),
            mail: user.mail.clone(),
            role: user.role.into(),
            language: user.language.clone(),
            tenant: TenantOfMe {
                id: tenant.to_string(),
                name: config.name.clone(),
                zone: config.zone.clone(),
                language: config.language.clone(),
            },
            agent: config.agents.contains_key(&AgentId::of_user(user.id)),
        })
    }
}

/// Who I am.
#[utoipa::path(get, path = "/api/v1/me", tag = "session", responses((status = 200, body = Me)))]
pub(crate) async fn show(
    State(app): State<App>,
    Signed(caller): Signed,
) -> Result<Json<Me>, Problem> {
    let me = Me::of(&app, caller.tenant, caller.person()?).await?;
    Ok(Json(me))
}

/// Changes the language of my screens.
#[utoipa::path(patch, path = "/api/v1/me", tag = "session", request_body = MePatch,
    responses((status = 200, body = Me)))]
pub(crate) async fn change(
    State(app): State<App>,
    Signed(caller): Signed,
    Body(patch): Body<MePatch>,
) -> Result<Json<Me>, Problem> {
    let mut user = caller.person()?.clone();
    if let Some(language) = patch.language {
        check_language(&language, "/language")?;
        app.db(&caller).set_user_language(user.id, language.clone()).await?;
        user.language = language;
    }
    Ok(Json(Me::of(&app, caller.tenant, &user).await?))
}

/// Changes my password. My other sessions end.
#[utoipa::path(put, path = "/api/v1/me/password", tag = "session", request_body = PasswordChange,
    responses((status = 204), (status = 403, description = "wrong_password"),
        (status = 422, description = "weak_password"),
        (status = 429, description = "too_many_tries")))]
pub(crate) async fn put_password(
    State(app): State<App>,
    Signed(caller): Signed,
    parts: Parts,
    Body(change): Body<PasswordChange>,
) -> Result<StatusCode, Problem> {
    let user = caller.person()?;
    check_password(&change.new, "/new")?;
    let client = Client::of(&parts, &app.proxies);
    let attempt = app.throttle.try_account(&user.mail, client.address, app.now())?;
    let db = app.db(&caller);
    let fits = change.old.chars().count() <= limits::PASSWORD_CHARS_MAX;
    if !fits || !db.is_password(user.id, change.old).await? {
        attempt.failed(app.now());
        let detail = "This is not your password.";
        return Err(Problem::forbidden("wrong_password", detail).at("/old"));
    }
    let hash = app.store.hash_password(change.new).await?;
    db.set_password(user.id, hash, caller.token).await?;
    tracing::info!(tenant.id = %caller.tenant, user.id = %user.id, "somebody changed their password");
    Ok(StatusCode::NO_CONTENT)
}
