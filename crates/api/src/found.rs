//! A new company and what it begins with: the same for the first start and for the operator's
//! command.
//!
//! Invariant: a company has an administrator who can sign in, or it is not made at all. Its sounds
//! and its first flow follow; without them it can be repaired on the page.

use model::config::{Clip, EVERY_LANGUAGE, Prompt};
use model::media::ClipId;
use model::{Domain, PromptId, TenantConfig, TenantId, Timestamp};
use store::{Actor, Edit, NewTenant, Role, Store, User, fold_mail, fresh_id};

use crate::account::{check_mail, check_password};
use crate::app::StarterSound;
use crate::at::check_zone;
use crate::edit::{check_language, check_name, serves_all};
use crate::furnish::{first_flow, furnish};
use crate::problem::Problem;

/// The language that every shipped sound is spoken in.
const SHIPPED_LANGUAGE: &str = "en";

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

/// Whether a flow document may be published in a configuration.
pub type FlowCheck<'a> = &'a (dyn Fn(&str, &TenantConfig) -> bool + Send + Sync);

/// Makes a company with its first queue, results, reasons and administrator, then its sounds and
/// the flow that speaks them.
///
/// # Errors
/// What is wrong with a field; a domain that another tenant has; faults of the record. The inner
/// result says whether the sounds and the flow failed: the company exists without them then.
pub async fn found_company(
    store: &Store,
    starter: &[StarterSound],
    new: NewCompany,
    sound: FlowCheck<'_>,
    now: Timestamp,
) -> Result<(TenantId, Result<(), Problem>), Problem> {
    let (tenant, user) = found(store, starter, new, now).await?;
    let furnished = install_sounds(store, starter, (tenant, &user.language), sound, now).await;
    Ok((tenant, furnished))
}

fn check(new: &NewCompany) -> Result<(), Problem> {
    check_name(&new.name, "/tenant_name")?;
    check_name(&new.admin, "/admin/name")?;
    check_mail(&new.mail, "/admin/mail")?;
    check_password(&new.password, "/admin/password")?;
    check_language(&new.language, "/language")?;
    check_zone(&new.zone, "/zone")
}

/// The company without its sounds, and its administrator.
pub(crate) async fn found(
    store: &Store,
    starter: &[StarterSound],
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
            furnish(draft, &user, starter, now);
            draft.passwords.insert(user.id, hash);
            Ok::<_, Problem>(())
        })
        .await?;
    Ok((made.config.tenant, user))
}

/// The prompts and the music that come with the program, and the flow that speaks them in the
/// language of the tenant.
pub(crate) async fn install_sounds(
    store: &Store,
    starter: &[StarterSound],
    (tenant, language): (TenantId, &str),
    sound: FlowCheck<'_>,
    now: Timestamp,
) -> Result<(), Problem> {
    if starter.is_empty() {
        return Ok(());
    }
    let db = store.system(tenant);
    let mut clips: Vec<(String, String, ClipId, u32)> = Vec::new();
    for one in starter {
        let bytes: Vec<u8> = one.samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let clip = db.put_blob(bytes, now).await?;
        let length_ms = u32::try_from(one.samples.len() / 8).unwrap_or(u32::MAX);
        clips.push((one.name.clone(), one.language.clone(), clip, length_ms));
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
        speak_to_everybody(&mut draft.config, language);
        first_flow(draft, sound, language, now);
        Ok::<_, Problem>(())
    })
    .await?;
    Ok(())
}

/// Whoever founds a company in a language that the shipped sounds do not speak would have callers
/// who hear nothing, the notice of the recording included: they hear English until somebody uploads
/// better.
fn speak_to_everybody(config: &mut TenantConfig, language: &str) {
    for prompt in config.prompts.values_mut().filter(|prompt| !serves_all(prompt, language)) {
        if let Some(clip) = prompt.variants.get(SHIPPED_LANGUAGE).copied() {
            prompt.variants.insert(EVERY_LANGUAGE.to_owned(), clip);
        }
    }
}
