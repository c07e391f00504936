//! The configuration of a tenant: edited as a draft, kept as rows and as one immutable snapshot
//! per version, all in one transaction.
//!
//! Invariant: versions are contiguous from 1, and version n is never changed once it exists.

mod draft;
mod write;

use std::sync::{Arc, PoisonError};

use model::config::TenantConfig;
use model::{DialString, Domain, FlowId, TenantId, Timestamp};

use crate::error::StoreError;
use crate::store::{Inner, Store};
use crate::tenant::{Actor, Ctx, TenantDb};
use crate::text::Columns;

pub use draft::{ConfigDraft, FlowDraft};

/// Why and on which ground a draft is made.
#[derive(Debug, Clone)]
pub struct Edit {
    /// The version the editor saw; `None` edits whatever is in force.
    pub expected: Option<u64>,
    /// What is done, in one line, free of personal data.
    pub summary: String,
    /// When.
    pub at: Timestamp,
}

/// A committed edit.
#[derive(Debug, Clone)]
pub struct Edited<T> {
    /// The configuration in force now.
    pub config: Arc<TenantConfig>,
    /// What the editor returned.
    pub value: T,
}

/// A tenant to be made.
#[derive(Debug, Clone)]
pub struct NewTenant {
    /// What people call it.
    pub name: String,
    /// IANA name of its time zone.
    pub zone: String,
    /// BCP 47 tag of its language.
    pub language: String,
    /// Its SIP domain, if it has one.
    pub domain: Option<Domain>,
    /// Only when the house has no tenant yet: the first start.
    pub first_only: bool,
}

/// A tenant's number: who has it and where it leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberClaim {
    /// The number, as that tenant wrote it.
    pub dialled: DialString,
    /// Whose it is.
    pub tenant: TenantId,
    /// The flow that answers.
    pub flow: FlowId,
}

/// One entry of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigVersion {
    /// The version.
    pub n: u64,
    /// When it was made.
    pub at: Timestamp,
    /// By whom.
    pub by: Actor,
    /// What was done.
    pub summary: String,
}

impl Store {
    /// Makes a tenant with its first configuration.
    ///
    /// # Errors
    /// What `edit` returns; [`StoreError::Conflict`] when `first_only` and there is one, or the
    /// domain is taken; faults of the database. Nothing is made then.
    pub async fn create_tenant<T, E>(
        &self,
        new: NewTenant,
        actor: Actor,
        at: Timestamp,
        edit: impl FnOnce(&mut ConfigDraft) -> Result<T, E>,
    ) -> Result<Edited<T>, E>
    where
        E: From<StoreError>,
    {
        let _editing = self.inner.editing.lock().await;
        let tenant: TenantId = crate::id::fresh_id(at);
        let (first_only, domain) = (new.first_only, new.domain.clone());
        let before = ConfigDraft::empty(tenant, new);
        let mut after = before.clone();
        let value = edit(&mut after)?;
        after.config.n = 1;
        let write = write::Write::between(&before, &after, &actor, "set up", at)?;
        let (writer, phone_key) = (&self.inner.writer, self.inner.phone_key.clone());
        writer
            .run(move |conn| {
                Box::pin(async move {
                    write.make_tenant(conn, first_only, domain.as_ref()).await?;
                    write.apply(conn, &phone_key).await
                })
            })
            .await?;
        Ok(Edited { config: self.remember(after.config), value })
    }

    /// The number plan of the whole house, oldest claim first. Several tenants may have one number.
    ///
    /// # Errors
    /// Faults of the database; damaged rows.
    pub async fn number_plan(&self) -> Result<Vec<NumberClaim>, StoreError> {
        let rows = sqlx::query("SELECT dialled, tenant_id, flow_id FROM number ORDER BY claim")
            .fetch_all(&self.inner.readers)
            .await?;
        rows.iter()
            .map(|row| {
                Ok(NumberClaim {
                    dialled: row.parsed("dialled")?,
                    tenant: row.parsed("tenant_id")?,
                    flow: row.parsed("flow_id")?,
                })
            })
            .collect()
    }

    fn remember(&self, config: TenantConfig) -> Arc<TenantConfig> {
        let config = Arc::new(config);
        let mut known = self.inner.configs.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(config.tenant, Arc::clone(&config));
        config
    }
}

impl TenantDb {
    /// The configuration in force.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such tenant; faults of the database.
    pub async fn config(&self) -> Result<Arc<TenantConfig>, StoreError> {
        let known = {
            let known = self.store.inner.configs.lock().unwrap_or_else(PoisonError::into_inner);
            known.get(&self.ctx.tenant).cloned()
        };
        if let Some(config) = known {
            return Ok(config);
        }
        // Under the lock of edits, so that an older version cannot be remembered after a newer.
        let _editing = self.store.inner.editing.lock().await;
        let config = self.newest_config().await?;
        Ok(self.store.remember(config))
    }

    /// Changes the configuration: `change` works on a draft of the version in force, and what it
    /// left is committed as the next version. Edits of one house never overlap.
    ///
    /// # Errors
    /// What `change` returns; [`StoreError::Stale`] when the version in force is not the expected
    /// one; [`StoreError::Conflict`] for names and mail addresses that are taken.
    pub async fn edit_config<T, E>(
        &self,
        edit: Edit,
        change: impl FnOnce(&mut ConfigDraft) -> Result<T, E>,
    ) -> Result<Edited<T>, E>
    where
        E: From<StoreError>,
    {
        let _editing = self.store.inner.editing.lock().await;
        let before = self.draft().await?;
        let current = before.config.n;
        if edit.expected.is_some_and(|expected| expected != current) {
            return Err(StoreError::Stale { current }.into());
        }
        let mut after = before.clone();
        let value = change(&mut after)?;
        after.config.n = current + 1;
        let write =
            write::Write::between(&before, &after, &self.ctx.actor, &edit.summary, edit.at)?;
        let Inner { writer, phone_key, .. } = &*self.store.inner;
        let phone_key = phone_key.clone();
        writer
            .run(move |conn| Box::pin(async move { write.apply(conn, &phone_key).await }))
            .await?;
        Ok(Edited { config: self.store.remember(after.config), value })
    }

    /// Everything that can be edited, as it is now.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such tenant; faults of the database.
    pub async fn draft(&self) -> Result<ConfigDraft, StoreError> {
        let config = self.newest_config().await?;
        let users = self.users().await?.into_iter().map(|user| (user.id, user)).collect();
        let rows = sqlx::query("SELECT id, name, draft, published FROM flow WHERE tenant_id = $1")
            .bind(self.id())
            .fetch_all(self.readers())
            .await?;
        let mut flows = std::collections::BTreeMap::new();
        for row in &rows {
            let published = row.number_opt("published")?.and_then(|n| u64::try_from(n).ok());
            let flow = FlowDraft {
                name: row.text("name")?,
                draft: Arc::new(row.json("draft")?),
                published,
            };
            flows.insert(row.parsed("id")?, flow);
        }
        let (passwords, phone_secrets) = Default::default();
        Ok(ConfigDraft { config, users, passwords, phone_secrets, flows })
    }

    async fn newest_config(&self) -> Result<TenantConfig, StoreError> {
        let row = sqlx::query(
            "SELECT snapshot FROM config_version WHERE tenant_id = $1 ORDER BY n DESC LIMIT 1",
        )
        .bind(self.id())
        .fetch_one(self.readers())
        .await?;
        row.json("snapshot")
    }

    /// The configuration as it was in one version.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; faults of the database.
    pub async fn config_at(&self, n: u64) -> Result<TenantConfig, StoreError> {
        let row =
            sqlx::query("SELECT snapshot FROM config_version WHERE tenant_id = $1 AND n = $2")
                .bind(self.id())
                .bind(i64::try_from(n).unwrap_or(i64::MAX))
                .fetch_one(self.readers())
                .await?;
        row.json("snapshot")
    }

    /// At most `limit` versions older than `before`, newest first.
    ///
    /// # Errors
    /// Faults of the database.
    pub async fn config_versions(
        &self,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<ConfigVersion>, StoreError> {
        let before = before.and_then(|n| i64::try_from(n).ok()).unwrap_or(i64::MAX);
        let rows = sqlx::query(
            "SELECT n, at, actor, summary FROM config_version
             WHERE tenant_id = $1 AND n < $2 ORDER BY n DESC LIMIT $3",
        )
        .bind(self.id())
        .bind(before)
        .bind(i64::from(limit))
        .fetch_all(self.readers())
        .await?;
        rows.iter()
            .map(|row| {
                Ok(ConfigVersion {
                    n: row.count("n")?,
                    at: row.time("at")?,
                    by: row.parsed("actor")?,
                    summary: row.text("summary")?,
                })
            })
            .collect()
    }
}

impl ConfigDraft {
    fn empty(tenant: TenantId, new: NewTenant) -> Self {
        let config = TenantConfig {
            tenant,
            name: new.name,
            n: 0,
            zone: new.zone,
            language: new.language,
            queues: Default::default(),
            agents: Default::default(),
            flows: Default::default(),
            numbers: Default::default(),
            prompts: Default::default(),
            calendars: Default::default(),
            dispositions: Default::default(),
            break_reasons: Default::default(),
        };
        Self {
            config,
            users: Default::default(),
            passwords: Default::default(),
            phone_secrets: Default::default(),
            flows: Default::default(),
        }
    }
}

impl Store {
    /// The tenant's data as the house itself sees it.
    #[must_use]
    pub fn system(&self, tenant: TenantId) -> TenantDb {
        self.tenant(Ctx::system(tenant))
    }
}
