//! Tenants, and the fence: whatever belongs to one is reached through [`TenantDb`] alone.

use model::{TenantId, Timestamp, UserId};

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

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// The house itself.
    System,
    /// Somebody who signed in.
    User(UserId),
    /// A program with an API key, by the name of that key.
    ApiKey(String),
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
    /// When it was made.
    pub created_at: Timestamp,
}
