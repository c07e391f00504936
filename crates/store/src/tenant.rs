//! Tenants, and the fence: whatever belongs to one is reached through [`TenantDb`] alone, and each
//! of its queries names the tenant of its [`Ctx`].

use std::fmt;

use model::{Domain, TenantId, Timestamp, UserId};

use crate::error::StoreError;
use crate::store::Store;
use crate::text::Columns;

/// On whose behalf and why a query runs.
#[derive(Debug, Clone)]
pub struct Ctx {
    /// Whose data. Nothing of another tenant is read or written under it.
    pub tenant: TenantId,
    /// Who acts.
    pub actor: Actor,
    /// Names the request in logs.
    pub request: String,
}

impl Ctx {
    /// The house itself acts for a tenant.
    #[must_use]
    pub fn system(tenant: TenantId) -> Self {
        Self { tenant, actor: Actor::System, request: String::new() }
    }
}

/// Who acts. Printed as `system`, `user:<id>`, `key:<name>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// The house itself.
    System,
    /// Somebody who signed in.
    User(UserId),
    /// A program with an API key, by the name of that key.
    ApiKey(String),
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => f.write_str("system"),
            Self::User(user) => write!(f, "user:{user}"),
            Self::ApiKey(name) => write!(f, "key:{name}"),
        }
    }
}

impl std::str::FromStr for Actor {
    type Err = StoreError;
    fn from_str(text: &str) -> Result<Self, StoreError> {
        let unknown = || StoreError::damaged("an actor of no known form");
        match text.split_once(':') {
            None if text == "system" => Ok(Self::System),
            Some(("user", id)) => id.parse().map(Self::User).map_err(|_| unknown()),
            Some(("key", name)) => Ok(Self::ApiKey(name.to_owned())),
            _ => Err(unknown()),
        }
    }
}

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// Names it.
    pub id: TenantId,
    /// What people call it.
    pub name: String,
    /// IANA name of its time zone.
    pub zone: String,
    /// BCP 47 tag of its language.
    pub language: String,
    /// Its SIP domain: a call to it reaches this tenant's numbers and no other's.
    pub domain: Option<Domain>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Everything of one tenant, and nothing else.
#[derive(Debug, Clone)]
pub struct TenantDb {
    pub(crate) store: Store,
    pub(crate) ctx: Ctx,
}

impl TenantDb {
    /// Whose it is, and who acts.
    #[must_use]
    pub fn ctx(&self) -> &Ctx {
        &self.ctx
    }

    /// The tenant as a parameter.
    pub(crate) fn id(&self) -> String {
        self.ctx.tenant.to_string()
    }

    pub(crate) fn readers(&self) -> &sqlx::SqlitePool {
        &self.store.inner.readers
    }
}

impl Store {
    /// Every tenant, oldest first.
    ///
    /// # Errors
    /// Faults of the database.
    pub async fn tenants(&self) -> Result<Vec<Tenant>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, name, zone, language, domain, created_at
             FROM tenant ORDER BY created_at, id",
        )
        .fetch_all(&self.inner.readers)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Tenant {
                    id: row.parsed("id")?,
                    name: row.text("name")?,
                    zone: row.text("zone")?,
                    language: row.text("language")?,
                    domain: row.parsed_opt("domain")?,
                    created_at: row.time("created_at")?,
                })
            })
            .collect()
    }

    /// Gives a tenant its SIP domain, or takes it away. Only the operator of the house may ask for
    /// it: whoever chose a domain freely could draw another tenant's calls to himself.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when another tenant has the domain; [`StoreError::NotFound`] when
    /// there is no such tenant; faults of the database.
    pub async fn set_domain(
        &self,
        tenant: TenantId,
        domain: Option<Domain>,
    ) -> Result<(), StoreError> {
        let writer = &self.inner.writer;
        let write = writer.run(move |conn| {
            Box::pin(async move {
                let done = sqlx::query("UPDATE tenant SET domain = $2 WHERE id = $1")
                    .bind(tenant.to_string())
                    .bind(domain.as_ref().map(Domain::as_str))
                    .execute(conn)
                    .await?;
                if done.rows_affected() == 0 { Err(StoreError::NotFound) } else { Ok(()) }
            })
        });
        write.await
    }
}
