//! A new company and what it begins with: the same for the first start and for the operator's
//! command.
//!
//! Invariant: a company is made whole, with an administrator who can sign in, or not at all.

use model::config::{Agent, Clip, Device, Prompt, Queue, Strategy};
use model::media::ClipId;
use model::{AgentId, Domain, PromptId, QueueId, TenantId, Timestamp};
use store::{Actor, ConfigDraft, Edit, NewTenant, Role, Store, User, fold_mail, fresh_id};

use crate::app::StarterSound;
use crate::at::is_zone;
use crate::edit::{check_language, check_name};
use crate::problem::Problem;
use crate::routes::users::{check_mail, check_password};

/// A company to be made. It holds a password: never printed.
pub struct NewCompany {
    /// What people call it.
    pub name: String,
    /// IANA name of its time zone.
    pub zone: String,
    /// BCP 47 tag of its language.
    pub language: String,
    /// Its SIP domain, if it has one.
    pub domain: Option<Domain>,
    /// The mail address of its first administrator.
    pub mail: String,
    /// The name of its first administrator.
    pub admin: String,
    /// The password of its first administrator.
    pub password: String,
    /// Only when the house has no tenant yet: the first start.
    pub first_only: bool,
}

impl std::fmt::Debug for NewCompany {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewCompany").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Makes a company with its first queue, results, reasons and administrator, then its sounds.
///
/// # Errors
/// What is wrong with a field; a domain that another tenant has; faults of the record. When only
/// the sounds failed, the company exists without them.
pub async fn found_company(
    store: &Store,
    starter: &[StarterSound],
    new: NewCompany,
    now: Timestamp,
) -> Result<TenantId, Problem> {
    let (tenant, _) = found(store, new, now).await?;
    install_sounds(store, starter, tenant, now).await?;
    Ok(tenant)
}

fn check(new: &NewCompany) -> Result<(), Problem> {
    check_name(&new.name, "/tenant_name")?;
    check_name(&new.admin, "/admin/name")?;
    check_mail(&new.mail, "/admin/mail")?;
    check_password(&new.password, "/admin/password")?;
    check_language(&new.language, "/language")?;
    if is_zone(&new.zone) {
        Ok(())
    } else {
        let detail = "A time zone is an IANA name like Europe/Athens.";
        Err(Problem::unprocessable("bad_zone", detail).at("/zone"))
    }
}

/// The company without its sounds, and its administrator.
pub(crate) async fn found(
    store: &Store,
    new: NewCompany,
    now: Timestamp,
) -> Result<(TenantId, User), Problem> {
    check(&new)?;
    let hash = store.hash_password(new.password).await?;
    let tenant = NewTenant {
        name: new.name,
        zone: new.zone,
        language: new.language.clone(),
        domain: new.domain,
        first_only: new.first_only,
    };
    let user = User {
        id: fresh_id(now),
        mail: fold_mail(&new.mail),
        name: new.admin,
        role: Role::Administrator,
        language: new.language,
    };
    let actor = Actor::User(user.id);
    let made = store
        .create_tenant(tenant, actor, now, |draft| {
            furnish(draft, &user, now);
            draft.passwords.insert(user.id, hash);
            Ok::<_, Problem>(())
        })
        .await?;
    Ok((made.config.tenant, user))
}

/// What a house needs before its first call: one queue, a few results and reasons, and the
/// administrator at a desk.
fn furnish(draft: &mut ConfigDraft, user: &User, now: Timestamp) {
    let queue: QueueId = fresh_id(now);
    draft.users.insert(user.id, user.clone());
    draft.config.queues.insert(queue, first_queue());
    draft.config.agents.insert(
        AgentId::of_user(user.id),
        Agent {
            name: user.name.clone(),
            queues: [queue].into(),
            skills: Default::default(),
            device: Device::Browser,
        },
    );
    for (code, label) in [("answered", "Answered"), ("follow_up", "Follow-up needed")] {
        draft.config.dispositions.insert(code.to_owned(), label.to_owned());
    }
    for (code, label) in [("lunch", "Lunch"), ("pause", "Short break"), ("meeting", "Meeting")] {
        draft.config.break_reasons.insert(code.to_owned(), label.to_owned());
    }
}

fn first_queue() -> Queue {
    Queue {
        name: "Support".to_owned(),
        strategy: Strategy::LongestReady,
        skills: Default::default(),
        ring_ms: 20_000,
        wrap_up_ms: 60_000,
        music: "music".to_owned(),
        service_level_ms: 20_000,
        short_abandon_ms: 5_000,
        length_max: 200,
    }
}

/// The prompts and the music that come with the program.
pub(crate) async fn install_sounds(
    store: &Store,
    starter: &[StarterSound],
    tenant: TenantId,
    now: Timestamp,
) -> Result<(), Problem> {
    if starter.is_empty() {
        return Ok(());
    }
    let db = store.system(tenant);
    let mut clips: Vec<(String, String, ClipId, u32)> = Vec::new();
    for sound in starter {
        let bytes: Vec<u8> = sound.samples.iter().flat_map(|one| one.to_le_bytes()).collect();
        let clip = db.put_blob(bytes, now).await?;
        let length_ms = u32::try_from(sound.samples.len() / 8).unwrap_or(u32::MAX);
        clips.push((sound.name.clone(), sound.language.clone(), clip, length_ms));
    }
    let edit = Edit { expected: None, summary: "first prompts".to_owned(), at: now };
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
        Ok::<_, Problem>(())
    })
    .await?;
    Ok(())
}
