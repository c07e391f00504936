//! Commands that look after a data folder: accounts, keys, tenants, backup, restore, replay.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail};
use model::domain::Domain;
use model::limits::PASSWORD_CHARS_MIN;
use model::time::Timestamp;
use store::{Damaged, HouseKey, Restored, StoreError};

use crate::cli::{Role, TenantArgs};
use crate::control::{self, Request};
use crate::keys::KeyRow;
use crate::settings::Settings;
use crate::tenants::{NewTenant, NumberRow, TenantRow};
use crate::{BUILD, say, tell};

/// An account to be made.
#[derive(Debug)]
pub(crate) struct NewUser {
    pub(crate) mail: String,
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) tenant: Option<String>,
    /// Names of the queues to serve.
    pub(crate) queues: Vec<String>,
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

async fn password() -> anyhow::Result<String> {
    tell(&format!("password (at least {PASSWORD_CHARS_MIN} characters), then Enter:"));
    let read = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).map(|_| line.trim_end().to_owned())
    });
    read.await?.context("no password was given on the standard input")
}

/// `antiphon user add`: the password comes from the standard input.
pub(crate) async fn add_user(settings: Settings, new: NewUser) -> anyhow::Result<()> {
    let password = password().await?;
    let NewUser { mail, name, role, tenant, queues } = new;
    let request = Request::AddUser { mail, name, role: role.into(), tenant, password, queues };
    say(&control::ask(&settings, request, now()).await?);
    Ok(())
}

/// `antiphon api-key create`: the key alone on the standard output.
pub(crate) async fn create_key(
    settings: Settings,
    role: Role,
    name: String,
    tenant: Option<String>,
    days: u32,
) -> anyhow::Result<()> {
    let request = Request::CreateKey { name, role: role.into(), tenant, days };
    say(&control::ask(&settings, request, now()).await?);
    tell(&format!("it is good for {days} days; `api-key list` says until when"));
    Ok(())
}

/// `antiphon api-key list`.
pub(crate) async fn list_keys(
    settings: Settings,
    tenant: Option<String>,
    json: bool,
) -> anyhow::Result<()> {
    list::<KeyRow>(settings, Request::ListKeys { tenant }, json).await
}

/// `antiphon api-key revoke`.
pub(crate) async fn revoke_key(
    settings: Settings,
    tenant: Option<String>,
    name: String,
) -> anyhow::Result<()> {
    let request = Request::RevokeKey { name, tenant };
    say(&control::ask(&settings, request, now()).await?);
    Ok(())
}

/// `antiphon tenant add`: the password of its administrator comes from the standard input, the
/// tenant's id alone goes to the standard output.
pub(crate) async fn add_tenant(settings: Settings, add: TenantArgs) -> anyhow::Result<()> {
    let TenantArgs { name, zone, language, domain, mail, admin } = add;
    let password = password().await?;
    let new = NewTenant { name, zone, language, domain, mail, admin, password };
    say(&control::ask(&settings, Request::AddTenant(new), now()).await?);
    Ok(())
}

/// `antiphon tenant domain`.
pub(crate) async fn set_domain(
    settings: Settings,
    tenant: Option<String>,
    domain: Option<Domain>,
) -> anyhow::Result<()> {
    let request = Request::SetDomain { tenant, domain };
    say(&control::ask(&settings, request, now()).await?);
    Ok(())
}

/// `antiphon tenant list`.
pub(crate) async fn list_tenants(settings: Settings, json: bool) -> anyhow::Result<()> {
    list::<TenantRow>(settings, Request::ListTenants, json).await
}

/// `antiphon number list`.
pub(crate) async fn list_numbers(settings: Settings, json: bool) -> anyhow::Result<()> {
    list::<NumberRow>(settings, Request::ListNumbers, json).await
}

async fn list<Row>(settings: Settings, request: Request, json: bool) -> anyhow::Result<()>
where
    Row: std::fmt::Display + serde::de::DeserializeOwned,
{
    let answer = control::ask(&settings, request, now()).await?;
    if json {
        say(&answer);
        return Ok(());
    }
    for row in serde_json::from_str::<Vec<Row>>(&answer)? {
        say(&row.to_string());
    }
    Ok(())
}

/// `antiphon backup`, while the house runs or not.
pub(crate) async fn backup(settings: Settings, to: PathBuf) -> anyhow::Result<()> {
    let dir = &settings.data.dir;
    let backup = store::backup(dir, &to, now()).await;
    let manifest = match backup {
        // It names the folder itself.
        Err(error @ StoreError::Folder { .. }) => return Err(error.into()),
        backup => backup.with_context(|| format!("the data folder {}", dir.display()))?,
    };
    say(&format!("saved {} files to {}", manifest.files.len(), to.display()));
    tell(&format!(
        "not among them: the house key ({}), a certificate that the house made, and the flight log, \
         which is only good for its own program",
        settings.key_file().display()
    ));
    Ok(())
}

/// `antiphon restore`.
pub(crate) async fn restore(from: &Path, data: &Path, skip_damaged: bool) -> anyhow::Result<()> {
    let damaged = if skip_damaged { Damaged::RecordingsLeftOut } else { Damaged::Refused };
    let restored = store::restore(from, data, damaged).await;
    if matches!(restored, Err(StoreError::Damaged { .. })) && !skip_damaged {
        tell("--skip-damaged leaves out recordings that are damaged and restores the rest");
    }
    let Restored { manifest, left_out } = restored?;
    for (_, why) in &left_out {
        say(&format!("left out: {why}"));
    }
    let whole = manifest.files.len() - left_out.len();
    say(&format!("restored {whole} files into {}", data.display()));
    Ok(())
}

/// `antiphon replay`: fails when a decision differs.
pub(crate) fn replay(settings: &Settings, files: &[PathBuf], json: bool) -> anyhow::Result<()> {
    let key = HouseKey::load(&settings.key_file())?;
    let files = named_or_all(settings, files)?;
    let mut differing = 0;
    for file in &files {
        let replayed =
            hub::replay(file, &key, BUILD, |_| {}).with_context(|| file.display().to_string())?;
        differing += usize::from(replayed.difference.is_some());
        if json {
            say(&serde_json::to_string(&replayed)?);
            continue;
        }
        let (inputs, decisions) = (replayed.inputs, replayed.decisions);
        say(&format!("{}: {inputs} inputs, {decisions} decisions", file.display()));
        for (what, then, now) in [
            ("program", &replayed.build, &replayed.replayed_by),
            ("time zone data", &replayed.tzdb, &replayed.replayed_with_tzdb),
        ] {
            if then != now {
                say(&format!("  another {what}: {then} then, {now} now"));
            }
        }
        if replayed.fails_again {
            say("  the program fails at the last input, as it did then");
        }
        if let Some(difference) = &replayed.difference {
            say(&format!(
                "  the first that differs: {}",
                serde_json::to_string_pretty(difference)?
            ));
        }
    }
    match differing {
        0 if json => Ok(()),
        0 => {
            say("no difference: every decision is the same");
            Ok(())
        }
        n => bail!("{n} of {} segments decide differently now", files.len()),
    }
}

/// `antiphon replay --plain`.
pub(crate) fn print_flight(settings: &Settings, files: &[PathBuf]) -> anyhow::Result<()> {
    let key = HouseKey::load(&settings.key_file())?;
    for file in named_or_all(settings, files)? {
        say(&hub::plain_text(&file, &key).with_context(|| file.display().to_string())?);
    }
    Ok(())
}

fn named_or_all(settings: &Settings, files: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    match files {
        [] => segments(&settings.data.dir.join("flight")),
        named => Ok(named.to_vec()),
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
