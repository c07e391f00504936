//! Commands that look after a data folder: accounts, keys, backup, restore, replay.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail};
use hub::HouseKey;
use model::id::TenantId;
use model::time::{Span, Timestamp};
use store::{Ctx, Edit, PasswordHash, Store, Tenant, User};

use crate::cli::Role;
use crate::settings::Settings;
use crate::{say, tell};

/// Fewest characters of a password.
const PASSWORD_CHARS_MIN: usize = 12;
/// How long a key lives.
const KEY_LIVES: Span = Span::from_secs(90 * 24 * 3_600);

/// An account to be made.
#[derive(Debug)]
pub(crate) struct NewUser {
    pub(crate) mail: String,
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) tenant: Option<String>,
}

impl From<Role> for store::Role {
    fn from(role: Role) -> Self {
        match role {
            Role::Agent => Self::Agent,
            Role::Supervisor => Self::Supervisor,
            Role::Administrator => Self::Administrator,
        }
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

async fn open(settings: &Settings) -> anyhow::Result<Store> {
    let dir = &settings.data.dir;
    if !dir.exists() {
        bail!("there is no data folder {}; name it with --data", dir.display());
    }
    Ok(Store::open(dir).await?)
}

async fn tenant(store: &Store, wanted: Option<&str>) -> anyhow::Result<TenantId> {
    let tenants = store.tenants().await?;
    let named = |tenant: &&Tenant| wanted.is_none_or(|name| tenant.name == name);
    let mut found = tenants.iter().filter(named);
    let names = || tenants.iter().map(|tenant| tenant.name.as_str()).collect::<Vec<_>>().join(", ");
    match (found.next(), found.next()) {
        (Some(tenant), None) => Ok(tenant.id),
        (Some(_), Some(_)) => {
            bail!("there are several tenants, name one with --tenant: {}", names())
        }
        (None, _) if tenants.is_empty() => {
            bail!("there is no tenant yet: open the page and set up")
        }
        (None, _) => bail!("there is no such tenant; known: {}", names()),
    }
}

/// `antiphon user add`: the password comes from the standard input.
pub(crate) async fn add_user(settings: Settings, new: NewUser) -> anyhow::Result<()> {
    tell("password (at least 12 characters), then Enter:");
    let read = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).map(|_| line.trim_end().to_owned())
    });
    let password = read.await?.context("no password was given on the standard input")?;
    if password.chars().count() < PASSWORD_CHARS_MIN {
        bail!("the password is too short: at least {PASSWORD_CHARS_MIN} characters");
    }
    let store = open(&settings).await?;
    let tenant = tenant(&store, new.tenant.as_deref()).await?;
    let hash = tokio::task::spawn_blocking(move || PasswordHash::make(&password)).await?;
    let at = now();
    let edit = Edit { expected: None, summary: "an account was added".to_owned(), at };
    store
        .tenant(Ctx::system(tenant))
        .edit_config(edit, |draft| -> anyhow::Result<()> {
            let id = store::fresh_id(at);
            let language = draft.config.language.clone();
            let mail = store::fold_mail(&new.mail);
            let user = User { id, mail, name: new.name, role: new.role.into(), language };
            draft.users.insert(id, user);
            draft.passwords.insert(id, hash);
            Ok(())
        })
        .await?;
    store.close().await;
    say("the account was made");
    Ok(())
}

/// `antiphon api-key create`: the key alone on the standard output.
pub(crate) async fn create_key(
    settings: Settings,
    role: Role,
    name: String,
    wanted: Option<String>,
) -> anyhow::Result<()> {
    let store = open(&settings).await?;
    let tenant = tenant(&store, wanted.as_deref()).await?;
    let db = store.tenant(Ctx::system(tenant));
    let at = now();
    let key = db.create_api_key(name, role.into(), at, Some(at + KEY_LIVES)).await?;
    store.close().await;
    say(key.reveal());
    Ok(())
}

/// `antiphon backup`, while the house runs or not.
pub(crate) async fn backup(settings: Settings, to: PathBuf) -> anyhow::Result<()> {
    let dir = &settings.data.dir;
    let manifest =
        store::backup(dir, &to, now()).await.with_context(|| dir.display().to_string())?;
    say(&format!("saved {} files to {}", manifest.files.len(), to.display()));
    Ok(())
}

/// `antiphon restore`.
pub(crate) async fn restore(from: &Path, data: &Path) -> anyhow::Result<()> {
    let manifest = store::restore(from, data).await?;
    say(&format!("restored {} files into {}", manifest.files.len(), data.display()));
    Ok(())
}

/// `antiphon replay`: fails when a decision differs.
pub(crate) fn replay(settings: &Settings, files: &[PathBuf], json: bool) -> anyhow::Result<()> {
    let key = HouseKey::load_or_create(&settings.key_file())?;
    let files = match files {
        [] => segments(&settings.data.dir.join("flight"))?,
        named => named.to_vec(),
    };
    let mut differing = 0;
    for file in &files {
        let replayed =
            hub::replay(file, &key, |_| {}).with_context(|| file.display().to_string())?;
        differing += usize::from(replayed.difference.is_some());
        if json {
            say(&serde_json::to_string(&replayed)?);
            continue;
        }
        let (inputs, decisions) = (replayed.inputs, replayed.decisions);
        say(&format!("{}: {inputs} inputs, {decisions} decisions", file.display()));
        if let Some(difference) = &replayed.difference {
            say(&format!(
                "  the first that differs: {}",
                serde_json::to_string_pretty(difference)?
            ));
        }
    }
    match differing {
        0 => Ok(()),
        n => bail!("{n} of {} segments decide differently now", files.len()),
    }
}

fn segments(dir: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let tenants = std::fs::read_dir(dir)
        .with_context(|| format!("there is no flight log in {}", dir.display()))?;
    for tenant in tenants {
        for file in std::fs::read_dir(tenant?.path())? {
            files.push(file?.path());
        }
    }
    files.sort();
    Ok(files)
}
