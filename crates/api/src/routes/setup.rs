//! The first start: a token from the console makes the first tenant and its administrator.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use model::{TenantConfig, TenantId};
use serde::{Deserialize, Serialize};
use store::User;
use utoipa::ToSchema;

use crate::app::App;
use crate::found::{NewCompany, found, install_sounds};
use crate::problem::Problem;
use crate::routes::me::Me;
use crate::routes::session::{entrance, signed_in};

/// Whether the house waits for its first start.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SetupState {
    /// True until the first tenant exists.
    needed: bool,
}

/// The first start.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetupBody {
    /// The token that was printed on the console.
    token: String,
    /// The name of the company.
    tenant_name: String,
    /// IANA name of its time zone.
    zone: String,
    /// BCP 47 tag of its language.
    language: String,
    /// The first administrator.
    admin: FirstAdmin,
}

/// The first administrator.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FirstAdmin {
    mail: String,
    name: String,
    /// At least 12 characters.
    password: String,
}

/// Whether the first start is still to be done.
#[utoipa::path(get, path = "/api/v1/setup", tag = "setup",
    responses((status = 200, body = SetupState)))]
pub(crate) async fn state(State(app): State<App>) -> Result<Json<SetupState>, Problem> {
    let needed = app.store.tenants().await?.is_empty();
    Ok(Json(SetupState { needed }))
}

/// Makes the first tenant and signs its administrator in.
#[utoipa::path(post, path = "/api/v1/setup", tag = "setup", request_body = SetupBody,
    responses((status = 201, body = Me), (status = 403, description = "bad_token")))]
pub(crate) async fn begin(
    State(app): State<App>,
    request: axum::extract::Request,
) -> Result<Response, Problem> {
    let (parts, client, body) = entrance::<SetupBody>(&app, request).await?;
    let attempt = app.throttle.try_address(client.address, app.now())?;
    let now = app.now();
    let accepted =
        app.with_setup(|setup| setup.as_ref().is_some_and(|setup| setup.accepts(&body.token, now)));
    if !accepted {
        attempt.failed(now);
        let detail = "The token is wrong, used or older than 15 minutes. Start the program again \
                      for a new one.";
        return Err(Problem::forbidden("bad_token", detail));
    }
    let new = NewCompany {
        name: body.tenant_name,
        zone: body.zone,
        language: body.language,
        domain: None,
        mail: body.admin.mail,
        admin: body.admin.name,
        password: body.admin.password,
        first_only: true,
    };
    let (tenant, user) = found(&app.store, &app.starter, new, now).await?;
    app.with_setup(|setup| *setup = None);
    let sound =
        |document: &str, config: &TenantConfig| app.floor.check_flow(document, config).is_ok();
    let furnished =
        install_sounds(&app.store, &app.starter, (tenant, &user.language), &sound, now).await;
    // The company exists either way, and its administrator can sign in.
    app.floor.config_changed(tenant).await;
    furnished?;
    respond(&app, &parts, tenant, user).await
}

async fn respond(
    app: &App,
    parts: &Parts,
    tenant: TenantId,
    user: User,
) -> Result<Response, Problem> {
    let (cookie, me) = signed_in(app, parts, tenant, user).await?;
    Ok((StatusCode::CREATED, cookie, Json(me)).into_response())
}
