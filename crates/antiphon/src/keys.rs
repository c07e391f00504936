//! Keys for programs: made, listed and taken back by whoever may open the data folder.

use anyhow::bail;
use jiff::Timestamp as Instant;
use model::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};
use store::{ListedKey, Role, StoreError, TenantDb};

/// How long a key lives unless told, in days.
pub(crate) const KEY_DAYS: u32 = 90;
/// The longest, in days.
pub(crate) const KEY_DAYS_MAX: u32 = 3_650;

/// A key in a list.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct KeyRow {
    name: String,
    role: Role,
    /// RFC 3339.
    created_at: String,
    /// RFC 3339; none when it never ends.
    expires_at: Option<String>,
    /// Whether it ended by itself.
    expired: bool,
}

/// Makes a key; what is said is the key.
pub(crate) async fn create(
    db: &TenantDb,
    name: String,
    role: Role,
    at: Timestamp,
    days: u32,
) -> anyhow::Result<String> {
    let until = at + Span::from_secs(i64::from(days) * 24 * 3_600);
    let key = db.create_api_key(name, role, at, Some(until)).await?;
    Ok(key.reveal().to_owned())
}

/// All keys as JSON.
pub(crate) async fn list(db: &TenantDb, now: Timestamp) -> anyhow::Result<String> {
    let row = |key: ListedKey| KeyRow {
        name: key.name,
        role: key.role,
        created_at: written(key.created_at),
        expires_at: key.expires_at.map(written),
        expired: key.expires_at.is_some_and(|at| at <= now),
    };
    let rows: Vec<KeyRow> = db.api_keys().await?.into_iter().map(row).collect();
    Ok(serde_json::to_string(&rows)?)
}

/// Takes a key back.
pub(crate) async fn revoke(db: &TenantDb, name: String) -> anyhow::Result<String> {
    match db.revoke_api_key(name.clone()).await {
        Ok(()) => Ok(format!("the key {name:?} opens nothing any more")),
        Err(StoreError::NotFound) => {
            let names: Vec<String> = db.api_keys().await?.into_iter().map(|key| key.name).collect();
            bail!("there is no key {name:?}; known: {}", names.join(", "))
        }
        Err(error) => Err(error.into()),
    }
}

/// A key in place of the one of this name, and of those that earlier releases made beside it under
/// the name and a number: for a program that wants one at every start.
pub(crate) async fn renew(
    db: &TenantDb,
    name: &str,
    role: Role,
    at: Timestamp,
) -> anyhow::Result<String> {
    let numbered = |rest: &str| rest.trim_start().parse::<u64>().is_ok();
    for key in db.api_keys().await? {
        if key.name.strip_prefix(name).is_some_and(|rest| rest.is_empty() || numbered(rest)) {
            db.revoke_api_key(key.name).await?;
        }
    }
    create(db, name.to_owned(), role, at, KEY_DAYS).await
}

fn written(at: Timestamp) -> String {
    Instant::from_microsecond(at.micros()).map_or_else(|_| "never".to_owned(), |at| at.to_string())
}

impl std::fmt::Display for KeyRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let role = match self.role {
            Role::Agent => "agent",
            Role::Supervisor => "supervisor",
            Role::Administrator => "administrator",
        };
        let until = self.expires_at.as_deref().unwrap_or("for ever");
        let ended = if self.expired { " (ended)" } else { "" };
        write!(f, "{role}  until {until}{ended}  {}", self.name)
    }
}
