//! Telephones that register with the house: their secrets.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use model::config::Device;
use model::sip::Digest;
use model::{AgentId, UserId};
use serde::{Deserialize, Serialize};
use store::phone_secret;
use utoipa::ToSchema;

use crate::app::App;
use crate::body::Body;
use crate::edit::edit;
use crate::extract::{Id, IfMatch, etag};
use crate::guard::Administrator;
use crate::problem::Problem;

/// How the telephone proves that it knows its secret.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DigestName {
    #[default]
    Sha256,
    /// For telephones that know nothing newer.
    Md5,
}

/// Which secret is wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PhoneSecretBody {
    #[serde(default)]
    digest: DigestName,
}

/// What has to be entered at a telephone. The secret is shown this once.
#[derive(Serialize, ToSchema)]
pub(crate) struct PhoneSecret {
    /// User name and authentication name.
    username: String,
    /// Password.
    secret: String,
    /// Registrar, over UDP.
    server: String,
}

/// Gives somebody's telephone a new secret: where it was registered with the one before, it is so
/// no longer. A call that it is on goes on.
#[utoipa::path(post, path = "/api/v1/users/{id}/phone-secret", tag = "administration",
    params(("id" = String, Path)), request_body = PhoneSecretBody,
    responses((status = 200, body = PhoneSecret),
        (status = 409, description = "no_phone: their device is another one")))]
pub(crate) async fn renew(
    State(app): State<App>,
    Administrator(caller): Administrator,
    Id(id): Id<UserId>,
    base: IfMatch,
    Body(body): Body<PhoneSecretBody>,
) -> Result<Response, Problem> {
    let db = app.db(&caller);
    db.user(id).await?;
    let mut known = db.phone_names().await?;
    let edited = edit(&app, &caller, base, format!("new telephone secret of user {id}"), |draft| {
        let agent = draft.config.agents.get(&AgentId::of_user(id));
        let Some(Device::Phone { device }) = agent.map(|agent| &agent.device) else {
            let detail = "Choose a telephone that registers as their device first.";
            return Err(Problem::conflict("no_phone", detail));
        };
        let (account, secret) = phone_secret(*device, body.digest.into(), known.remove(device));
        let username = account.username.to_string();
        draft.phone_secrets.push(account);
        Ok((username, secret))
    })
    .await?;
    let (username, secret) = edited.value;
    let (secret, server) = (secret.reveal().to_owned(), app.floor.reached_at().to_string());
    let body = PhoneSecret { username, secret, server };
    Ok((etag(edited.config.n), Json(body)).into_response())
}

impl From<DigestName> for Digest {
    fn from(name: DigestName) -> Self {
        match name {
            DigestName::Sha256 => Self::Sha256,
            DigestName::Md5 => Self::Md5,
        }
    }
}
