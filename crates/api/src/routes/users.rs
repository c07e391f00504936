//! People: who signs in, what they may do, which queues they serve and on which telephone.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use model::config::{Agent, Device};
use model::sip::SipTarget;
use model::{AgentId, DeviceId, DialString, QueueId, Timestamp, UserId, limits};
use serde::{Deserialize, Serialize};
use store::{ConfigDraft, PasswordHash, Role, User, fold_mail, fresh_id};
use utoipa::ToSchema;

use crate::account::{check_mail, check_password, check_users};
use crate::app::App;
use crate::body::Body;
use crate::edit::{check_language, check_name, edit};
use crate::extract::{Id, IfMatch, etag};
use crate::guard::{Administrator, Caller};
use crate::page::Page;
use crate::problem::Problem;
use crate::stay::holds_contact;

/// What somebody may do.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RoleName {
    Agent,
    Supervisor,
    Administrator,
}

/// A telephone.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum DeviceBody {
    /// The page itself.
    Browser,
    /// A SIP telephone at a fixed address.
    Sip { target: TargetBody },
    /// A SIP telephone that registers with the house.
    Phone,
}

/// Where a SIP telephone is.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TargetBody {
    /// The user part of its address.
    user: String,
    /// IP address and port, as `192.0.2.7:5060`.
    address: String,
}

/// Somebody, as they are to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserBody {
    mail: String,
    name: String,
    role: RoleName,
    /// At least 12 characters. Left out: no change; nobody can sign in without one.
    #[serde(default)]
    password: Option<String>,
    language: String,
    /// Ids of queues.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    queues: BTreeSet<String>,
    /// Skill to proficiency, 1 to 10.
    #[serde(default)]
    skills: BTreeMap<String, u8>,
    /// The telephone; with `null` this person takes no contacts. Left out: as it was, and the
    /// browser for a new agent.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<DeviceBody>)]
    device: Option<Option<DeviceBody>>,
    /// What the company's telephones dial to reach this agent: 2 to 6 digits that are no number of
    /// the company and nobody else's.
    #[serde(default)]
    extension: Option<String>,
}

/// Tells `null` from nothing.
fn said<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// Somebody.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserRow {
    id: String,
    mail: String,
    name: String,
    role: RoleName,
    language: String,
    queues: Vec<String>,
    skills: BTreeMap<String, u8>,
    device: Option<DeviceBody>,
    /// What the company's telephones dial to reach them.
    extension: Option<String>,
    /// By what their telephone registers; `null` until it has a secret.
    phone_username: Option<String>,
}

/// Everybody.
#[utoipa::path(get, path = "/api/v1/users", tag = "administration",
    responses((status = 200, body = Page<UserRow>)))]
pub(crate) async fn list(
    State(app): State<App>,
    Administrator(caller): Administrator,
) -> Result<Response, Problem> {
    let config = app.config(caller.tenant).await?;
    let db = app.db(&caller);
    let (users, phones) = (db.users().await?, db.phone_names().await?);
    let rows = users.iter().map(|user| row(user, seat(&config.agents, user.id), &phones)).collect();
    Ok((etag(config.n), Json(Page::<UserRow>::whole(rows))).into_response())
}

/// One of them.
#[utoipa::path(get, path = "/api/v1/users/{id}", tag = "administration",
    params(("id" = String, Path)), responses((status = 200, body = UserRow)))]
pub(crate) async fn show(
    State(app): State<App>,
    Administrator(caller): Administrator,
    Id(id): Id<UserId>,
) -> Result<Response, Problem> {
    let config = app.config(caller.tenant).await?;
    let db = app.db(&caller);
    let (user, phones) = (db.user(id).await?, db.phone_names().await?);
    let row = row(&user, seat(&config.agents, id), &phones);
    Ok((etag(config.n), Json(row)).into_response())
}

/// Adds somebody.
#[utoipa::path(post, path = "/api/v1/users", tag = "administration", request_body = UserBody,
    responses((status = 201, body = UserRow), (status = 409, description = "mail_taken")))]
pub(crate) async fn create(
    State(app): State<App>,
    Administrator(caller): Administrator,
    base: IfMatch,
    Body(body): Body<UserBody>,
) -> Result<Response, Problem> {
    let hash = new_password(&app, &body).await?;
    let id: UserId = fresh_id(app.now());
    let now = app.now();
    let edited = edit(&app, &caller, base, format!("add user {id}"), |draft| {
        check_users(draft.users.len())?;
        put(draft, id, body, (hash, now), &PhoneNames::new())
    })
    .await?;
    Ok((StatusCode::CREATED, etag(edited.config.n), Json(edited.value)).into_response())
}

/// Changes somebody.
#[utoipa::path(put, path = "/api/v1/users/{id}", tag = "administration",
    params(("id" = String, Path)), request_body = UserBody,
    responses((status = 200, body = UserRow), (status = 412, description = "stale")))]
pub(crate) async fn replace(
    State(app): State<App>,
    Administrator(caller): Administrator,
    Id(id): Id<UserId>,
    base: IfMatch,
    Body(body): Body<UserBody>,
) -> Result<Response, Problem> {
    let db = app.db(&caller);
    db.user(id).await?;
    let phones = db.phone_names().await?;
    let config = app.config(caller.tenant).await?;
    let device = seat(&config.agents, id).map(|agent| &agent.device);
    // Either ends their session, or their conversation is at another telephone than the page says.
    if body.password.is_some()
        || body.device.as_ref().is_some_and(|one| is_other(one.as_ref(), device))
    {
        not_on_contact(&app, &caller, id)?;
    }
    let hash = new_password(&app, &body).await?;
    let now = app.now();
    let edited = edit(&app, &caller, base, format!("change user {id}"), |draft| {
        let known = draft.users.contains_key(&id);
        if known { put(draft, id, body, (hash, now), &phones) } else { Err(Problem::not_found()) }
    })
    .await?;
    Ok((etag(edited.config.n), Json(edited.value)).into_response())
}

/// Takes somebody out: their sessions end, and what they did stays in the records. Not while they
/// hold a contact, whose customer would be cut off.
#[utoipa::path(delete, path = "/api/v1/users/{id}", tag = "administration",
    params(("id" = String, Path)),
    responses((status = 204), (status = 409, description = "oneself, last_administrator or on_contact")))]
pub(crate) async fn remove(
    State(app): State<App>,
    Administrator(caller): Administrator,
    Id(id): Id<UserId>,
    base: IfMatch,
) -> Result<Response, Problem> {
    if caller.user.as_ref().is_some_and(|user| user.id == id) {
        let detail = "Nobody takes out their own account. Ask another administrator.";
        return Err(Problem::conflict("oneself", detail));
    }
    not_on_contact(&app, &caller, id)?;
    let edited = edit(&app, &caller, base, format!("remove user {id}"), |draft| {
        let user = draft.users.get(&id).cloned().ok_or_else(Problem::not_found)?;
        last_administrator_stays(draft, &User { role: Role::Agent, ..user })?;
        draft.users.remove(&id);
        draft.config.agents.remove(&AgentId::of_user(id));
        Ok(())
    })
    .await?;
    Ok((StatusCode::NO_CONTENT, etag(edited.config.n)).into_response())
}

/// What ends somebody's sessions ends their conversation.
fn not_on_contact(app: &App, caller: &Caller, id: UserId) -> Result<(), Problem> {
    if holds_contact(app, caller.tenant, AgentId::of_user(id)) {
        let detail = "They hold a contact. Wait until it is over.";
        return Err(Problem::conflict("on_contact", detail));
    }
    Ok(())
}

async fn new_password(app: &App, body: &UserBody) -> Result<Option<PasswordHash>, Problem> {
    match &body.password {
        None => Ok(None),
        Some(password) => {
            check_password(password, "/password")?;
            Ok(Some(app.store.hash_password(password.clone()).await?))
        }
    }
}

fn put(
    draft: &mut ConfigDraft,
    id: UserId,
    body: UserBody,
    (hash, now): (Option<PasswordHash>, Timestamp),
    phones: &PhoneNames,
) -> Result<UserRow, Problem> {
    check_mail(&body.mail, "/mail")?;
    check_name(&body.name, "/name")?;
    check_language(&body.language, "/language")?;
    check_skills(&body.skills)?;
    let user = User {
        id,
        mail: fold_mail(&body.mail),
        name: body.name.clone(),
        role: body.role.into(),
        language: body.language.clone(),
    };
    last_administrator_stays(draft, &user)?;
    let agent_id = AgentId::of_user(id);
    let known = draft.config.agents.get(&agent_id).map(|agent| agent.device.clone());
    let new_agent = user.role == Role::Agent && !draft.users.contains_key(&id);
    let device = match body.device {
        Some(wanted) => device(wanted, known.as_ref(), now)?,
        None => known.or(new_agent.then_some(Device::Browser)),
    };
    match device {
        None => _ = draft.config.agents.remove(&agent_id),
        Some(device) => {
            let queues = queues(draft, &body.queues)?;
            let extension = extension(draft, agent_id, body.extension)?;
            let agent = Agent { name: body.name, queues, skills: body.skills, device, extension };
            draft.config.agents.insert(agent_id, agent);
        }
    }
    if let Some(hash) = hash {
        draft.passwords.insert(id, hash);
    }
    let row = row(&user, draft.config.agents.get(&agent_id), phones);
    draft.users.insert(id, user);
    Ok(row)
}

/// A house without an administrator could never be changed again.
fn last_administrator_stays(draft: &ConfigDraft, user: &User) -> Result<(), Problem> {
    let was = draft.users.get(&user.id).is_some_and(|old| old.role == Role::Administrator);
    let others =
        draft.users.values().any(|other| other.id != user.id && other.role == Role::Administrator);
    if was && user.role != Role::Administrator && !others {
        let detail = "This is the last administrator. Make somebody else one first.";
        return Err(Problem::conflict("last_administrator", detail).at("/role"));
    }
    Ok(())
}

fn queues(draft: &ConfigDraft, ids: &BTreeSet<String>) -> Result<BTreeSet<QueueId>, Problem> {
    ids.iter()
        .map(|text| {
            let known = text.parse().ok().filter(|id| draft.config.queues.contains_key(id));
            known.ok_or_else(|| {
                let detail = format!("There is no queue {text}.");
                Problem::unprocessable("unknown_queue", detail).at("/queues")
            })
        })
        .collect()
}

/// Numbers of the company and extensions are dialled alike, so none may be both.
fn extension(
    draft: &ConfigDraft,
    agent: AgentId,
    wanted: Option<String>,
) -> Result<Option<DialString>, Problem> {
    let Some(text) = wanted else { return Ok(None) };
    let refused = |code, detail: String| Problem::unprocessable(code, detail).at("/extension");
    let (least, most) = (limits::EXTENSION_DIGITS_MIN, limits::EXTENSION_DIGITS_MAX);
    let is_sound = (least..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let extension: Option<DialString> = text.parse().ok().filter(|_| is_sound);
    let Some(extension) = extension else {
        return Err(refused("bad_extension", format!("An extension is {least} to {most} digits.")));
    };
    let mut numbers = draft.config.numbers.keys();
    if numbers.any(|number| number.bare() == extension.as_str()) {
        return Err(refused("extension_taken", format!("{text} is a number of the company.")));
    }
    let mut others = draft.config.agents.iter().filter(|(id, _)| **id != agent);
    if let Some((_, other)) = others.find(|(_, other)| other.extension.as_ref() == Some(&extension))
    {
        return Err(refused("extension_taken", format!("{} has {text}.", other.name)));
    }
    Ok(Some(extension))
}

fn device(
    body: Option<DeviceBody>,
    known: Option<&Device>,
    now: Timestamp,
) -> Result<Option<Device>, Problem> {
    let Some(body) = body else { return Ok(None) };
    let target = match body {
        DeviceBody::Browser => return Ok(Some(Device::Browser)),
        DeviceBody::Phone => {
            let device = match known {
                Some(Device::Phone { device }) => *device,
                _ => fresh_id::<DeviceId>(now),
            };
            return Ok(Some(Device::Phone { device }));
        }
        DeviceBody::Sip { target } => target,
    };
    let user = target.user.parse().map_err(|error: model::number::NumberError| {
        Problem::unprocessable("bad_number", error.to_string()).at("/device/target/user")
    })?;
    let address = target.address.parse().map_err(|_| {
        let detail = "Expected an IP address and port like 192.0.2.7:5060.";
        Problem::unprocessable("bad_address", detail).at("/device/target/address")
    })?;
    let device = match known {
        Some(Device::Sip { device, .. }) => *device,
        _ => fresh_id::<DeviceId>(now),
    };
    Ok(Some(Device::Sip { device, target: SipTarget { user, address } }))
}

fn seat(agents: &BTreeMap<AgentId, Agent>, user: UserId) -> Option<&Agent> {
    agents.get(&AgentId::of_user(user))
}

/// Whether somebody gets a telephone of another kind, or none any more.
fn is_other(wanted: Option<&DeviceBody>, known: Option<&Device>) -> bool {
    match (wanted, known) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(wanted), Some(known)) => !matches!(
            (wanted, known),
            (DeviceBody::Browser, Device::Browser)
                | (DeviceBody::Sip { .. }, Device::Sip { .. })
                | (DeviceBody::Phone, Device::Phone { .. })
        ),
    }
}

type PhoneNames = BTreeMap<DeviceId, DialString>;

fn row(user: &User, agent: Option<&Agent>, phones: &PhoneNames) -> UserRow {
    let device = agent.map(|agent| match &agent.device {
        Device::Browser => DeviceBody::Browser,
        Device::Phone { .. } => DeviceBody::Phone,
        Device::Sip { target, .. } => DeviceBody::Sip {
            target: TargetBody {
                user: target.user.to_string(),
                address: target.address.to_string(),
            },
        },
    });
    let queues = agent.map(|agent| agent.queues.iter().map(ToString::to_string).collect());
    UserRow {
        id: user.id.to_string(),
        mail: user.mail.clone(),
        name: user.name.clone(),
        role: user.role.into(),
        language: user.language.clone(),
        queues: queues.unwrap_or_default(),
        skills: agent.map(|agent| agent.skills.clone()).unwrap_or_default(),
        device,
        extension: agent.and_then(|agent| agent.extension.as_ref().map(ToString::to_string)),
        phone_username: agent.and_then(|agent| match &agent.device {
            Device::Phone { device } => phones.get(device).map(ToString::to_string),
            Device::Browser | Device::Sip { .. } => None,
        }),
    }
}

/// Fails unless skills are named and rated 1 to 10.
pub(crate) fn check_skills(skills: &BTreeMap<String, u8>) -> Result<(), Problem> {
    if skills.len() > limits::SKILLS_MAX {
        let detail = format!("At most {} skills.", limits::SKILLS_MAX);
        return Err(Problem::unprocessable("limit", detail).at("/skills"));
    }
    for (name, level) in skills {
        check_name(name, "/skills")?;
        if !(1..=limits::PROFICIENCY_MAX).contains(level) {
            let detail = format!("A proficiency is 1 to {}.", limits::PROFICIENCY_MAX);
            return Err(Problem::unprocessable("bad_level", detail).at(format!("/skills/{name}")));
        }
    }
    Ok(())
}

impl From<RoleName> for Role {
    fn from(role: RoleName) -> Self {
        match role {
            RoleName::Agent => Self::Agent,
            RoleName::Supervisor => Self::Supervisor,
            RoleName::Administrator => Self::Administrator,
        }
    }
}

impl From<Role> for RoleName {
    fn from(role: Role) -> Self {
        match role {
            Role::Agent => Self::Agent,
            Role::Supervisor => Self::Supervisor,
            Role::Administrator => Self::Administrator,
        }
    }
}
