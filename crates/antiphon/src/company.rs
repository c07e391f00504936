//! The example company of the demo, and the sounds every new tenant begins with.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use model::config::{Agent, Calendar, Clip, Device, Interval, Prompt, Queue, TenantConfig};
use model::flow::Flow;
use model::id::{AgentId, TenantId};
use model::number::DialString;
use model::time::Timestamp;
use rust_embed::RustEmbed;
use serde::Deserialize;
use store::{Actor, ConfigDraft, Ctx, Edit, FlowDraft, NewTenant, PasswordHash, Role, Store, User};

/// Prompts, music and the demo company, as files of this repository.
#[derive(RustEmbed)]
#[folder = "../../assets"]
struct Assets;

/// An account of the demo.
#[derive(Debug, Clone, serde::Serialize)]
pub(crate) struct Account {
    pub(crate) mail: String,
    pub(crate) password: String,
    pub(crate) role: Role,
}

/// What the demo made.
#[derive(Debug)]
pub(crate) struct Founded {
    pub(crate) tenant: TenantId,
    /// What customers dial; the first is the one whose calls people take.
    pub(crate) numbers: Vec<String>,
    /// Those of people.
    pub(crate) accounts: Vec<Account>,
    /// Those whose calls the demo takes itself.
    pub(crate) synthetic: Vec<AgentId>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Company {
    name: String,
    zone: String,
    language: String,
    calendars: BTreeMap<String, Week>,
    dispositions: BTreeMap<String, String>,
    break_reasons: BTreeMap<String, String>,
    queues: BTreeMap<String, QueueSkills>,
    queue_defaults: QueueDefaults,
    users: Vec<Person>,
    lines: Vec<Line>,
}

/// A number and what its callers hear.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    number: String,
    name: String,
    flow: Flow,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Week {
    week: BTreeMap<u8, Vec<Interval>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct QueueSkills {
    skills: BTreeMap<String, u8>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct QueueDefaults {
    strategy: model::config::Strategy,
    ring_ms: i64,
    wrap_up_ms: i64,
    music: String,
    service_level_ms: i64,
    short_abandon_ms: i64,
    length_max: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Person {
    mail: String,
    name: String,
    role: Role,
    queues: BTreeSet<String>,
    skills: BTreeMap<String, u8>,
    /// Nobody signs in as this one.
    #[serde(default)]
    synthetic: bool,
}

/// A clip before it has a name: samples as they are stored, and their length.
struct Sound {
    bytes: Vec<u8>,
    length_ms: u32,
}

/// The shipped sounds: prompt name to language to sound. Music serves every language (`*`).
fn sounds() -> anyhow::Result<BTreeMap<String, BTreeMap<String, Sound>>> {
    let mut sounds: BTreeMap<String, BTreeMap<String, Sound>> = BTreeMap::new();
    for path in Assets::iter() {
        let Some(stem) = path.strip_suffix(".wav") else { continue };
        let (language, name) = match stem.split('/').collect::<Vec<_>>().as_slice() {
            ["prompts", language, name] => ((*language).to_owned(), (*name).to_owned()),
            ["music", name] => ("*".to_owned(), (*name).to_owned()),
            ["speech", ..] => continue,
            _ => bail!("the shipped sound {path} lies in no known folder"),
        };
        let file = Assets::get(&path).ok_or_else(|| anyhow!("{path} is missing"))?;
        let clip = media::clip::Clip::from_wav(&file.data).with_context(|| path.to_string())?;
        let bytes = clip.samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let sound = Sound { bytes, length_ms: clip.length_ms() };
        sounds.entry(name).or_default().insert(language, sound);
    }
    Ok(sounds)
}

/// The shipped prompts and music, for a new tenant.
pub(crate) fn starter() -> anyhow::Result<Vec<api::StarterSound>> {
    let mut starter = Vec::new();
    for (name, languages) in sounds()? {
        for (language, sound) in languages {
            let pairs = sound.bytes.chunks_exact(2);
            let samples = pairs.map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
            starter.push(api::StarterSound { name: name.clone(), language, samples });
        }
    }
    Ok(starter)
}

/// What synthetic customers say.
pub(crate) fn speech() -> anyhow::Result<Vec<Arc<[i16]>>> {
    let paths = Assets::iter().filter(|path| path.starts_with("speech/"));
    paths
        .map(|path| {
            let file = Assets::get(&path).ok_or_else(|| anyhow!("{path} is missing"))?;
            let clip = media::clip::Clip::from_wav(&file.data).with_context(|| path.to_string())?;
            Ok(clip.samples)
        })
        .collect()
}

/// Makes the example company, or takes the one that is there; every account gets a new password.
pub(crate) async fn found(store: &Store, now: Timestamp) -> anyhow::Result<Founded> {
    let document = Assets::get("demo/company.json").context("the demo company is missing")?;
    let company: Company = serde_json::from_slice(&document.data)?;
    let passwords = passwords(&company).await?;
    let known = store.tenants().await?.into_iter().find(|tenant| tenant.name == company.name);
    let tenant = match known {
        Some(tenant) => tenant.id,
        None => {
            let new = NewTenant {
                name: company.name.clone(),
                zone: company.zone.clone(),
                language: company.language.clone(),
                domain: None,
                first_only: false,
            };
            let made = store
                .create_tenant(new, Actor::System, now, |draft| people(draft, &company, now))
                .await?;
            let tenant = made.config.tenant;
            furnish(store, tenant, &company, now).await?;
            tenant
        }
    };
    let db = store.tenant(Ctx::system(tenant));
    let edit = Edit { expected: None, summary: "demo: new passwords".to_owned(), at: now };
    let synthetic = db.edit_config(edit, |draft| -> anyhow::Result<Vec<AgentId>> {
        let mut synthetic = Vec::new();
        for (id, user) in &draft.users {
            if let Some((_, hash)) = passwords.get(&user.mail) {
                draft.passwords.insert(*id, hash.clone());
            } else if company.users.iter().any(|one| one.synthetic && one.mail == user.mail) {
                synthetic.push(AgentId::of_user(*id));
            }
        }
        Ok(synthetic)
    });
    let synthetic = synthetic.await?.value;
    let account = |person: &Person| {
        let (password, _) = passwords.get(&person.mail)?;
        let (mail, password) = (person.mail.clone(), password.clone());
        Some(Account { mail, password, role: person.role })
    };
    let accounts = company.users.iter().filter_map(account).collect();
    let numbers = company.lines.into_iter().map(|line| line.number).collect();
    Ok(Founded { tenant, numbers, accounts, synthetic })
}

type Passwords = BTreeMap<String, (String, PasswordHash)>;

async fn passwords(company: &Company) -> anyhow::Result<Passwords> {
    let people = company.users.iter().filter(|person| !person.synthetic);
    let mails: Vec<String> = people.map(|person| person.mail.clone()).collect();
    let make = move || {
        mails
            .into_iter()
            .map(|mail| {
                let password = store::Token::short().reveal().to_owned();
                let hash = PasswordHash::make(&password);
                (mail, (password, hash))
            })
            .collect()
    };
    Ok(tokio::task::spawn_blocking(make).await?)
}

fn people(draft: &mut ConfigDraft, company: &Company, now: Timestamp) -> anyhow::Result<()> {
    for person in &company.users {
        let id = store::fresh_id(now);
        let user = User {
            id,
            mail: store::fold_mail(&person.mail),
            name: person.name.clone(),
            role: person.role,
            language: company.language.clone(),
        };
        draft.users.insert(id, user);
    }
    Ok(())
}

/// Prompts, queues, hours, the flow and its number.
async fn furnish(
    store: &Store,
    tenant: TenantId,
    company: &Company,
    now: Timestamp,
) -> anyhow::Result<()> {
    let db = store.tenant(Ctx::system(tenant));
    let sounds = tokio::task::spawn_blocking(sounds).await??;
    let mut prompts = Vec::new();
    for (name, languages) in sounds {
        let mut variants = BTreeMap::new();
        for (language, sound) in languages {
            let clip = db.put_blob(sound.bytes, now).await?;
            variants.insert(language, Clip { clip, length_ms: sound.length_ms });
        }
        prompts.push(Prompt { name, variants });
    }
    let edit = Edit { expected: None, summary: "demo: the company".to_owned(), at: now };
    db.edit_config(edit, |draft| arrange(draft, company, prompts, now)).await?;
    Ok(())
}

fn arrange(
    draft: &mut ConfigDraft,
    company: &Company,
    prompts: Vec<Prompt>,
    now: Timestamp,
) -> anyhow::Result<()> {
    let config = &mut draft.config;
    config.prompts = prompts.into_iter().map(|prompt| (store::fresh_id(now), prompt)).collect();
    config.dispositions.clone_from(&company.dispositions);
    config.break_reasons.clone_from(&company.break_reasons);
    for (name, week) in &company.calendars {
        let (week, exceptions) = (week.week.clone(), BTreeMap::new());
        let calendar = Calendar { name: name.clone(), zone: None, week, exceptions };
        config.calendars.insert(store::fresh_id(now), calendar);
    }
    for (name, skills) in &company.queues {
        config.queues.insert(store::fresh_id(now), queue(name, skills, &company.queue_defaults));
    }
    let agents: Vec<(AgentId, &Person)> = draft
        .users
        .values()
        .filter_map(|user| {
            let person = company.users.iter().find(|person| person.mail == user.mail)?;
            (!person.queues.is_empty()).then_some((AgentId::of_user(user.id), person))
        })
        .collect();
    for (agent, person) in agents {
        config.agents.insert(agent, profile(config, person));
    }
    company.lines.iter().try_for_each(|line| publish(draft, line, now))
}

fn queue(name: &str, skills: &QueueSkills, defaults: &QueueDefaults) -> Queue {
    Queue {
        name: name.to_owned(),
        strategy: defaults.strategy,
        skills: skills.skills.clone(),
        ring_ms: defaults.ring_ms,
        wrap_up_ms: defaults.wrap_up_ms,
        music: defaults.music.clone(),
        service_level_ms: defaults.service_level_ms,
        short_abandon_ms: defaults.short_abandon_ms,
        length_max: defaults.length_max,
    }
}

fn profile(config: &TenantConfig, person: &Person) -> Agent {
    let serves = |queue: &Queue| person.queues.contains(&queue.name);
    let queues = config.queues.iter().filter(|(_, queue)| serves(queue)).map(|(id, _)| *id);
    Agent {
        name: person.name.clone(),
        queues: queues.collect(),
        skills: person.skills.clone(),
        device: Device::Browser,
        extension: None,
    }
}

fn publish(draft: &mut ConfigDraft, line: &Line, now: Timestamp) -> anyhow::Result<()> {
    let document = serde_json::to_string(&line.flow)?;
    if let Err(faults) = hub::Hub::check_flow(&document, &draft.config) {
        let first = faults.first().map(|fault| format!("{}: {}", fault.pointer, fault.detail));
        bail!("the demo flow {:?} has faults: {}", line.name, first.unwrap_or_default());
    }
    let flow = store::fresh_id(now);
    let name = line.name.clone();
    let entry = FlowDraft { name, draft: Arc::new(line.flow.clone()), published: None };
    draft.flows.insert(flow, entry);
    draft.publish(flow).context("the flow was just added")?;
    let number: DialString = line.number.parse()?;
    draft.config.numbers.insert(number, flow);
    Ok(())
}
