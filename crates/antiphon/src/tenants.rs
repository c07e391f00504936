//! The operator's view over all tenants: who is here, under which domain, with which numbers.
//!
//! Invariant: only whoever may open the data folder sees more than one tenant or sets a domain.

use anyhow::Context as _;
use hub::{Hub, NumberPlan};
use model::TenantConfig;
use model::domain::Domain;
use model::id::TenantId;
use model::time::Timestamp;
use serde::{Deserialize, Serialize};
use store::{NumberClaim, Store, Tenant};

use crate::company;

/// A tenant to be made. It holds a password: never printed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTenant {
    pub(crate) name: String,
    pub(crate) zone: String,
    pub(crate) language: String,
    pub(crate) domain: Option<Domain>,
    pub(crate) mail: String,
    pub(crate) admin: String,
    pub(crate) password: String,
}

/// A tenant in a list.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TenantRow {
    pub(crate) id: TenantId,
    pub(crate) name: String,
    pub(crate) domain: Option<Domain>,
}

/// A tenant's number in a list, the oldest claim first.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct NumberRow {
    pub(crate) dialled: String,
    pub(crate) tenant: TenantRow,
    /// Whether calls that name no tenant's domain reach this tenant under the number.
    pub(crate) without_domain: bool,
}

impl From<&Tenant> for TenantRow {
    fn from(tenant: &Tenant) -> Self {
        let Tenant { id, name, domain, .. } = tenant;
        Self { id: *id, name: name.clone(), domain: domain.clone() }
    }
}

/// Makes a tenant; what is said is its id.
pub(crate) async fn add(
    store: &Store,
    hub: Option<&Hub>,
    new: NewTenant,
    at: Timestamp,
) -> anyhow::Result<String> {
    let starter = tokio::task::spawn_blocking(company::starter).await??;
    let company = api::NewCompany {
        name: new.name,
        zone: new.zone,
        language: new.language,
        domain: new.domain,
        mail: new.mail,
        admin: new.admin,
        password: new.password,
        first_only: false,
    };
    let sound = |document: &str, config: &TenantConfig| Hub::check_flow(document, config).is_ok();
    let (tenant, furnished) = api::found_company(store, &starter, company, &sound, at).await?;
    if let Some(hub) = hub {
        let known = hub.config_changed(tenant).await;
        known.with_context(|| {
            format!("tenant {tenant} was made, but the house does not know it yet: restart it")
        })?;
    }
    furnished.with_context(|| {
        format!("tenant {tenant} was made, but without the shipped sounds and its first flow")
    })?;
    Ok(tenant.to_string())
}

/// Gives a tenant its SIP domain, or takes it away.
pub(crate) async fn set_domain(
    store: &Store,
    hub: Option<&Hub>,
    tenant: TenantId,
    domain: Option<Domain>,
) -> anyhow::Result<String> {
    store.set_domain(tenant, domain.clone()).await?;
    let named = domain.as_ref().map_or("-", Domain::as_str);
    tracing::info!(tenant.id = %tenant, domain = named, "the domain of a tenant was set");
    if let Some(hub) = hub {
        let known = hub.domains_changed().await;
        known.context("the domain is kept, but the house does not know it yet: restart it")?;
    }
    Ok(match domain {
        Some(domain) => format!("calls to {domain} reach this tenant alone"),
        None => "no domain leads to this tenant".to_owned(),
    })
}

/// All tenants as JSON.
pub(crate) async fn list(store: &Store) -> anyhow::Result<String> {
    let tenants = store.tenants().await?;
    Ok(serde_json::to_string(&tenants.iter().map(TenantRow::from).collect::<Vec<_>>())?)
}

/// The number plan as JSON.
pub(crate) async fn numbers(store: &Store) -> anyhow::Result<String> {
    let (tenants, claims) = (store.tenants().await?, store.number_plan().await?);
    let plan = NumberPlan::new(tenants.clone(), claims.clone());
    let row = |NumberClaim { dialled, tenant, .. }: &NumberClaim| {
        let owner = tenants.iter().find(|known| known.id == *tenant)?;
        let reached = plan.find(None, dialled).is_some_and(|(reached, _)| reached == *tenant);
        let dialled = dialled.to_string();
        Some(NumberRow { dialled, tenant: owner.into(), without_domain: reached })
    };
    Ok(serde_json::to_string(&claims.iter().filter_map(row).collect::<Vec<_>>())?)
}

impl std::fmt::Display for TenantRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let domain = self.domain.as_ref().map_or("-", Domain::as_str);
        write!(f, "{}  {domain}  {}", self.id, self.name)
    }
}

impl std::fmt::Display for NumberRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let reach = if self.without_domain { "any host" } else { "domain only" };
        write!(f, "{}  {reach}  {}", self.dialled, self.tenant)
    }
}
