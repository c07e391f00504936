//! The first start: a token from the console makes the first tenant and its administrator.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use model::config::{Clip, Prompt};
use model::media::ClipId;
use model::{PromptId, TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Actor, Edit, NewTenant, PasswordHash, Role, User, fold_mail, fresh_id};
use utoipa::ToSchema;

use crate::app::App;
use crate::at::is_zone;
use crate::edit::{check_language, check_name};
use crate::furnish::{first_flow, furnish};
use crate::problem::Problem;
use crate::routes::me::Me;
use crate::routes::session::{entrance, signed_in};
use crate::routes::users::{check_mail, check_password};

/// Whether the house waits for its first start.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SetupState {
    /// True until the first tenant exists.
    needed: bool,
}

/// The first start.
#[derive(Debug, Deserialize, ToSchema)]
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
#[derive(Debug, Deserialize, ToSchema)]
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
    app.throttle.try_address(client.address, app.now())?;
    let now = app.now();
    let accepted =
        app.with_setup(|setup| setup.as_ref().is_some_and(|setup| setup.accepts(&body.token, now)));
    if !accepted {
        let detail = "The token is wrong, used or older than 15 minutes. Start the program again \
                      for a new one.";
        return Err(Problem::forbidden("bad_token", detail));
    }
    check(&body)?;
    let hash = app.store.hash_password(body.admin.password.clone()).await?;
    let (tenant, user) = make(&app, body, hash, now).await?;
    app.with_setup(|setup| *setup = None);
    install_sounds(&app, tenant, &user.language, now).await?;
    app.floor.config_changed(tenant).await;
    respond(&app, &parts, tenant, user).await
}

fn check(body: &SetupBody) -> Result<(), Problem> {
    check_name(&body.tenant_name, "/tenant_name")?;
    check_name(&body.admin.name, "/admin/name")?;
    check_mail(&body.admin.mail, "/admin/mail")?;
    check_password(&body.admin.password, "/admin/password")?;
    check_language(&body.language, "/language")?;
    if is_zone(&body.zone) {
        Ok(())
    } else {
        let detail = "A time zone is an IANA name like Europe/Athens.";
        Err(Problem::unprocessable("bad_zone", detail).at("/zone"))
    }
}

async fn make(
    app: &App,
    body: SetupBody,
    hash: PasswordHash,
    now: Timestamp,
) -> Result<(TenantId, User), Problem> {
    let new = NewTenant {
        name: body.tenant_name,
        zone: body.zone,
        language: body.language.clone(),
        first_only: true,
    };
    let user = User {
        id: fresh_id(now),
        mail: fold_mail(&body.admin.mail),
        name: body.admin.name,
        role: Role::Administrator,
        language: body.language,
    };
    let actor = Actor::User(user.id);
    let made = app
        .store
        .create_tenant(new, actor, now, |draft| {
            furnish(draft, &user, &app.starter, now);
            draft.passwords.insert(user.id, hash);
            Ok::<_, Problem>(())
        })
        .await?;
    Ok((made.config.tenant, user))
}

/// The prompts and the music that come with the house, and the flow that speaks them.
async fn install_sounds(
    app: &App,
    tenant: TenantId,
    language: &str,
    now: Timestamp,
) -> Result<(), Problem> {
    if app.starter.is_empty() {
        return Ok(());
    }
    let db = app.store.system(tenant);
    let mut clips: Vec<(String, String, ClipId, u32)> = Vec::new();
    for sound in &app.starter {
        let bytes: Vec<u8> = sound.samples.iter().flat_map(|one| one.to_le_bytes()).collect();
        let clip = db.put_blob(bytes, now).await?;
        let length_ms = u32::try_from(sound.samples.len() / 8).unwrap_or(u32::MAX);
        clips.push((sound.name.clone(), sound.language.clone(), clip, length_ms));
    }
    let edit = Edit { expected: None, summary: "first prompts and flow".to_owned(), at: now };
    db.edit_config(edit, |draft| {
        for (name, language, clip, length_ms) in clips {
            let prompts = &mut draft.config.prompts;
            let known = prompts.values_mut().find(|prompt| prompt.name == name);
            let clip = Clip { clip, length_ms };
            match known {
                Some(prompt) => _ = prompt.variants.insert(language, clip),
                None => {
                    let variants = [(language, clip)].into();
                    prompts.insert(fresh_id::<PromptId>(now), Prompt { name, variants });
                }
            }
        }
        first_flow(draft, app.floor.as_ref(), language, now);
        Ok::<_, Problem>(())
    })
    .await?;
    Ok(())
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
