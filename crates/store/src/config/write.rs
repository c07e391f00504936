//! The difference between two drafts as rows.

use std::collections::{BTreeMap, BTreeSet};

use model::sip::PhoneAccount;
use model::{DeviceId, DialString, Domain, FlowId, Timestamp, UserId};
use serde::Serialize;
use sqlx::sqlite::SqliteConnection;

use super::draft::{ConfigDraft, FlowDraft};
use crate::error::StoreError;
use crate::key::RowKey;
use crate::phone;
use crate::secret::PasswordHash;
use crate::tenant::Actor;
use crate::text::{Columns, word};
use crate::user::User;

type ItemKey = (&'static str, String);

#[derive(PartialEq, Eq)]
struct Item {
    name: String,
    body: String,
}

/// Everything one version changes.
pub(super) struct Write {
    tenant: String,
    tenant_row: (String, String, String),
    n: i64,
    at: i64,
    actor: String,
    summary: String,
    snapshot: String,
    items_gone: Vec<ItemKey>,
    items: Vec<(ItemKey, Item)>,
    users_gone: Vec<UserId>,
    users: Vec<User>,
    passwords: Vec<(UserId, PasswordHash)>,
    phones_gone: Vec<DeviceId>,
    phone_secrets: Vec<PhoneAccount>,
    flows_gone: Vec<FlowId>,
    flows: Vec<(FlowId, FlowDraft, String)>,
    versions: Vec<(FlowId, i64, String)>,
    numbers_gone: Vec<DialString>,
    numbers: Vec<(DialString, FlowId)>,
}

impl Write {
    pub(super) fn between(
        before: &ConfigDraft,
        after: &ConfigDraft,
        actor: &Actor,
        summary: &str,
        at: Timestamp,
    ) -> Result<Self, StoreError> {
        let config = &after.config;
        let (items_gone, items) = changes(items(before)?, items(after)?);
        let (users_gone, users) = changes(before.users.clone(), after.users.clone());
        let (flows_gone, flows) = changes(before.flows.clone(), after.flows.clone());
        let (numbers_gone, numbers) =
            changes(before.config.numbers.clone(), config.numbers.clone());
        let phones: BTreeSet<DeviceId> = config.phones().collect();
        let phones_gone =
            before.config.phones().filter(|device| !phones.contains(device)).collect();
        let mut versions = Vec::new();
        for (flow, published) in &config.flows {
            let known = before.config.flows.get(flow).map(|flow| flow.version);
            if known != Some(published.version) {
                versions.push((*flow, number(published.version)?, json(&published.flow)?));
            }
        }
        let flows = flows
            .into_iter()
            .map(|(id, flow)| json(&flow.draft).map(|draft| (id, flow, draft)))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            tenant: config.tenant.to_string(),
            tenant_row: (config.name.clone(), config.zone.clone(), config.language.clone()),
            n: number(config.n)?,
            at: at.micros(),
            actor: actor.to_string(),
            summary: summary.to_owned(),
            snapshot: json(config)?,
            items_gone,
            items,
            users_gone,
            users: users.into_iter().map(|(_, user)| user).collect(),
            passwords: after.passwords.clone().into_iter().collect(),
            phones_gone,
            phone_secrets: after.phone_secrets.clone(),
            flows_gone,
            flows,
            versions,
            numbers_gone,
            numbers,
        })
    }

    /// The row of a new tenant.
    pub(super) async fn make_tenant(
        &self,
        conn: &mut SqliteConnection,
        first_only: bool,
        domain: Option<&Domain>,
    ) -> Result<(), StoreError> {
        if first_only {
            let row =
                sqlx::query("SELECT COUNT(*) AS tenants FROM tenant").fetch_one(&mut *conn).await?;
            if row.number("tenants")? > 0 {
                return Err(StoreError::Conflict { what: "the first tenant" });
            }
        }
        let (name, zone, language) = &self.tenant_row;
        sqlx::query(
            "INSERT INTO tenant (id, name, zone, language, created_at, domain)
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(self.tenant.as_str())
        .bind(name.as_str())
        .bind(zone.as_str())
        .bind(language.as_str())
        .bind(self.at)
        .bind(domain.map(Domain::as_str))
        .execute(conn)
        .await?;
        Ok(())
    }

    /// All changes and the snapshot, inside the caller's transaction.
    pub(super) async fn apply(
        &self,
        conn: &mut SqliteConnection,
        key: &RowKey,
    ) -> Result<(), StoreError> {
        self.take_place(conn).await?;
        self.write_users(conn).await?;
        self.write_phones(conn, key).await?;
        self.write_items(conn).await?;
        self.write_flows(conn).await?;
        sqlx::query(
            "INSERT INTO config_version (tenant_id, n, at, actor, summary, snapshot)
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(self.tenant.as_str())
        .bind(self.n)
        .bind(self.at)
        .bind(self.actor.as_str())
        .bind(self.summary.as_str())
        .bind(self.snapshot.as_str())
        .execute(conn)
        .await?;
        Ok(())
    }

    /// Checks that this is the next version, whoever else may have the file open.
    async fn take_place(&self, conn: &mut SqliteConnection) -> Result<(), StoreError> {
        let row =
            sqlx::query("SELECT COALESCE(MAX(n), 0) AS n FROM config_version WHERE tenant_id = $1")
                .bind(self.tenant.as_str())
                .fetch_one(&mut *conn)
                .await?;
        let current = row.count("n")?;
        if current + 1 != u64::try_from(self.n).unwrap_or(0) {
            return Err(StoreError::Stale { current });
        }
        let (name, zone, language) = &self.tenant_row;
        sqlx::query("UPDATE tenant SET name = $2, zone = $3, language = $4 WHERE id = $1")
            .bind(self.tenant.as_str())
            .bind(name.as_str())
            .bind(zone.as_str())
            .bind(language.as_str())
            .execute(conn)
            .await?;
        Ok(())
    }

    async fn write_users(&self, conn: &mut SqliteConnection) -> Result<(), StoreError> {
        for user in &self.users_gone {
            sqlx::query("DELETE FROM app_user WHERE tenant_id = $1 AND id = $2")
                .bind(self.tenant.as_str())
                .bind(user.to_string())
                .execute(&mut *conn)
                .await?;
        }
        for user in &self.users {
            sqlx::query(
                "INSERT INTO app_user (tenant_id, id, mail, name, role, language)
                 VALUES ($1, $2, $3, $4, $5, $6)
                 ON CONFLICT (tenant_id, id) DO UPDATE SET mail = excluded.mail,
                     name = excluded.name, role = excluded.role, language = excluded.language",
            )
            .bind(self.tenant.as_str())
            .bind(user.id.to_string())
            .bind(crate::user::fold_mail(&user.mail))
            .bind(user.name.as_str())
            .bind(word(&user.role))
            .bind(user.language.as_str())
            .execute(&mut *conn)
            .await?;
        }
        for (user, hash) in &self.passwords {
            sqlx::query("UPDATE app_user SET password_hash = $3 WHERE tenant_id = $1 AND id = $2")
                .bind(self.tenant.as_str())
                .bind(user.to_string())
                .bind(hash.text())
                .execute(&mut *conn)
                .await?;
            sqlx::query("DELETE FROM session WHERE tenant_id = $1 AND user_id = $2")
                .bind(self.tenant.as_str())
                .bind(user.to_string())
                .execute(&mut *conn)
                .await?;
        }
        Ok(())
    }

    async fn write_phones(
        &self,
        conn: &mut SqliteConnection,
        key: &RowKey,
    ) -> Result<(), StoreError> {
        // With another secret a telephone is nowhere, also after a restart.
        let renewed = self.phone_secrets.iter().map(|phone| phone.device);
        for device in self.phones_gone.iter().copied().chain(renewed) {
            for statement in [
                "DELETE FROM phone WHERE tenant_id = $1 AND device_id = $2",
                "DELETE FROM phone_contact WHERE tenant_id = $1 AND device_id = $2",
            ] {
                sqlx::query(statement)
                    .bind(self.tenant.as_str())
                    .bind(device.to_string())
                    .execute(&mut *conn)
                    .await?;
            }
        }
        for account in &self.phone_secrets {
            let PhoneAccount { device, username, ha1 } = account;
            sqlx::query(
                "INSERT INTO phone (tenant_id, device_id, username, digest, sealed, made_at)
                 VALUES ($1, $2, $3, $4, $5, $6)",
            )
            .bind(self.tenant.as_str())
            .bind(device.to_string())
            .bind(username.as_str())
            .bind(word(&ha1.digest()))
            .bind(phone::sealed(key, &self.tenant, account))
            .bind(self.at)
            .execute(&mut *conn)
            .await?;
        }
        Ok(())
    }

    async fn write_items(&self, conn: &mut SqliteConnection) -> Result<(), StoreError> {
        // Out first: two things may exchange their names.
        let changed = self.items.iter().map(|(key, _)| key);
        for (kind, id) in self.items_gone.iter().chain(changed) {
            sqlx::query("DELETE FROM config_item WHERE tenant_id = $1 AND kind = $2 AND id = $3")
                .bind(self.tenant.as_str())
                .bind(*kind)
                .bind(id.as_str())
                .execute(&mut *conn)
                .await?;
        }
        for ((kind, id), item) in &self.items {
            sqlx::query(
                "INSERT INTO config_item (tenant_id, kind, id, name, body)
                 VALUES ($1, $2, $3, $4, $5)",
            )
            .bind(self.tenant.as_str())
            .bind(*kind)
            .bind(id.as_str())
            .bind(item.name.as_str())
            .bind(item.body.as_str())
            .execute(&mut *conn)
            .await?;
        }
        Ok(())
    }

    async fn write_flows(&self, conn: &mut SqliteConnection) -> Result<(), StoreError> {
        for (id, flow, draft) in &self.flows {
            sqlx::query(
                "INSERT INTO flow (tenant_id, id, name, draft, published)
                 VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (tenant_id, id) DO UPDATE SET name = excluded.name,
                     draft = excluded.draft, published = excluded.published",
            )
            .bind(self.tenant.as_str())
            .bind(id.to_string())
            .bind(flow.name.as_str())
            .bind(draft.as_str())
            .bind(flow.published.map(number).transpose()?)
            .execute(&mut *conn)
            .await?;
        }
        for (flow, version, document) in &self.versions {
            sqlx::query(
                "INSERT INTO flow_version (tenant_id, flow_id, version, document, at, actor)
                 VALUES ($1, $2, $3, $4, $5, $6)",
            )
            .bind(self.tenant.as_str())
            .bind(flow.to_string())
            .bind(*version)
            .bind(document.as_str())
            .bind(self.at)
            .bind(self.actor.as_str())
            .execute(&mut *conn)
            .await?;
        }
        self.write_numbers(conn).await?;
        for flow in &self.flows_gone {
            sqlx::query("DELETE FROM flow WHERE tenant_id = $1 AND id = $2")
                .bind(self.tenant.as_str())
                .bind(flow.to_string())
                .execute(&mut *conn)
                .await?;
        }
        Ok(())
    }

    async fn write_numbers(&self, conn: &mut SqliteConnection) -> Result<(), StoreError> {
        for dialled in &self.numbers_gone {
            sqlx::query("DELETE FROM number WHERE tenant_id = $1 AND dialled = $2")
                .bind(self.tenant.as_str())
                .bind(dialled.as_str())
                .execute(&mut *conn)
                .await?;
        }
        for (dialled, flow) in &self.numbers {
            // A new number is the youngest claim of the house; one that only leads elsewhere now
            // keeps its place.
            sqlx::query(
                "INSERT INTO number (tenant_id, dialled, flow_id, claim)
                 VALUES ($1, $2, $3, (SELECT COALESCE(MAX(claim), 0) + 1 FROM number))
                 ON CONFLICT (tenant_id, dialled) DO UPDATE SET flow_id = excluded.flow_id",
            )
            .bind(self.tenant.as_str())
            .bind(dialled.as_str())
            .bind(flow.to_string())
            .execute(&mut *conn)
            .await?;
        }
        Ok(())
    }
}

/// What is in `before` alone, and what is new or different in `after`.
fn changes<K: Ord, V: PartialEq>(
    before: BTreeMap<K, V>,
    mut after: BTreeMap<K, V>,
) -> (Vec<K>, Vec<(K, V)>) {
    let mut gone = Vec::new();
    for (key, old) in before {
        match after.get(&key) {
            None => gone.push(key),
            Some(new) if *new == old => _ = after.remove(&key),
            Some(_) => {}
        }
    }
    (gone, after.into_iter().collect())
}

/// Everything of a configuration that is one row of `config_item`.
fn items(draft: &ConfigDraft) -> Result<BTreeMap<ItemKey, Item>, StoreError> {
    let config = &draft.config;
    let mut items = BTreeMap::new();
    for (id, queue) in &config.queues {
        items.insert(("queue", id.to_string()), item(&queue.name, queue)?);
    }
    for (id, agent) in &config.agents {
        // Two people may have the same name.
        items.insert(("agent", id.to_string()), item(&id.to_string(), agent)?);
    }
    for (id, prompt) in &config.prompts {
        items.insert(("prompt", id.to_string()), item(&prompt.name, prompt)?);
    }
    for (id, calendar) in &config.calendars {
        items.insert(("calendar", id.to_string()), item(&calendar.name, calendar)?);
    }
    for (code, label) in &config.dispositions {
        items.insert(("disposition", code.clone()), item(code, label)?);
    }
    for (code, label) in &config.break_reasons {
        items.insert(("break_reason", code.clone()), item(code, label)?);
    }
    Ok(items)
}

fn item<T: Serialize>(name: &str, body: &T) -> Result<Item, StoreError> {
    Ok(Item { name: name.to_owned(), body: json(body)? })
}

fn json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::damaged(error.to_string()))
}

fn number(value: u64) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| StoreError::damaged("a number beyond 2^63"))
}
