//! The company itself: what it is called, where its days begin, what it speaks.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use model::config::{Prompt, TenantConfig};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::at::check_zone;
use crate::body::Body;
use crate::edit::{check_language, check_name, edit, hold_without, serves_all};
use crate::extract::{IfMatch, etag};
use crate::guard::Administrator;
use crate::problem::Problem;

/// The company.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Company {
    /// What people call it.
    name: String,
    /// IANA name of the zone in which its days begin and its opening hours count.
    zone: String,
    /// BCP 47 tag: what callers hear who chose no language, and the screens of somebody new.
    language: String,
}

impl Company {
    fn of(config: &TenantConfig) -> Self {
        Self {
            name: config.name.clone(),
            zone: config.zone.clone(),
            language: config.language.clone(),
        }
    }
}

/// The company I belong to.
#[utoipa::path(get, path = "/api/v1/company", tag = "administration",
    responses((status = 200, body = Company)))]
pub(crate) async fn show(
    State(app): State<App>,
    Administrator(caller): Administrator,
) -> Result<Response, Problem> {
    let config = app.config(caller.tenant).await?;
    Ok((etag(config.n), Json(Company::of(&config))).into_response())
}

/// Changes it. A language in which something that callers hear has no sound is refused.
#[utoipa::path(put, path = "/api/v1/company", tag = "administration", request_body = Company,
    responses((status = 200, body = Company), (status = 409, description = "not_spoken")))]
pub(crate) async fn put(
    State(app): State<App>,
    Administrator(caller): Administrator,
    base: IfMatch,
    Body(company): Body<Company>,
) -> Result<Response, Problem> {
    check_name(&company.name, "/name")?;
    check_zone(&company.zone, "/zone")?;
    check_language(&company.language, "/language")?;
    let floor = Arc::clone(&app.floor);
    let edited = edit(&app, &caller, base, "change the company".to_owned(), |draft| {
        let config = &mut draft.config;
        let Company { name, zone, language } = company;
        let silent = |prompt: &Prompt| {
            serves_all(prompt, &config.language) && !serves_all(prompt, &language)
        };
        let prompts = config.prompts.iter().filter(|(_, prompt)| silent(prompt));
        let prompts = prompts.map(|(id, _)| *id).collect();
        hold_without(floor.as_ref(), config, &prompts)
            .map_err(|used| not_spoken(&used, &language))?;
        (config.name, config.zone, config.language) = (name, zone, language);
        Ok(Company::of(config))
    })
    .await?;
    Ok((etag(edited.config.n), Json(edited.value)).into_response())
}

/// How telephones and trunks reach the company.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Reach {
    /// SIP over UDP, as `192.0.2.7:5060`.
    sip: String,
    /// Its own SIP domain, if it has one; without one it is reached at the address.
    domain: Option<String>,
}

/// Where to send calls for one of its numbers.
#[utoipa::path(get, path = "/api/v1/reach", tag = "administration",
    responses((status = 200, body = Reach)))]
pub(crate) async fn reach(
    State(app): State<App>,
    Administrator(caller): Administrator,
) -> Result<Json<Reach>, Problem> {
    let tenants = app.store.tenants().await?;
    let tenant = tenants.into_iter().find(|tenant| tenant.id == caller.tenant);
    let domain = tenant.and_then(|tenant| tenant.domain).map(|domain| domain.to_string());
    Ok(Json(Reach { sip: app.floor.reached_at().to_string(), domain }))
}

fn not_spoken(used: &Problem, language: &str) -> Problem {
    let why = used.errors.first().map_or(&used.detail, |fault| &fault.detail);
    let detail = format!("Something that callers hear has no sound for {language}: {why}");
    Problem::conflict("not_spoken", detail).at("/language")
}
