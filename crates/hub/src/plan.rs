//! The number plan of the house: whose call it is.
//!
//! Invariant: a call to a tenant's domain never reaches another tenant, and a younger claim of a
//! number never takes over the calls of an older one.

use std::collections::HashMap;

use model::domain::Domain;
use model::id::TenantId;
use model::number::DialString;
use store::{NumberClaim, Tenant};

/// Numbers and domains of all tenants, as they were read at one moment.
#[derive(Debug, Default)]
pub struct NumberPlan {
    domains: HashMap<Domain, TenantId>,
    /// Claims by the number without its plus sign, oldest first.
    claims: HashMap<String, Vec<(TenantId, DialString)>>,
}

impl NumberPlan {
    /// `claims` in their order: the oldest first.
    #[must_use]
    pub fn new(tenants: Vec<Tenant>, claims: Vec<NumberClaim>) -> Self {
        let mut plan = Self::default();
        for Tenant { id, domain, .. } in tenants {
            if let Some(domain) = domain {
                plan.domains.insert(domain, id);
            }
        }
        for NumberClaim { tenant, dialled, .. } in claims {
            plan.claims.entry(dialled.bare().to_owned()).or_default().push((tenant, dialled));
        }
        plan
    }

    /// Whose call it is, and the number as that tenant's configuration spells it. A number is known
    /// with and without its plus sign; the spelling that was dialled wins within one tenant, but it
    /// never wins over an older claim of another.
    #[must_use]
    pub fn find(
        &self,
        domain: Option<&Domain>,
        dialled: &DialString,
    ) -> Option<(TenantId, &DialString)> {
        let claims = self.claims.get(dialled.bare())?;
        let tenant = match domain.and_then(|domain| self.domains.get(domain)) {
            Some(named) => *named,
            None => claims.first()?.0,
        };
        Some((tenant, self.find_of(tenant, dialled)?))
    }

    /// The number as that tenant's configuration spells it, if it is one of theirs.
    #[must_use]
    pub fn find_of(&self, tenant: TenantId, dialled: &DialString) -> Option<&DialString> {
        let claims = self.claims.get(dialled.bare())?;
        let own = || claims.iter().filter(|(of, _)| *of == tenant).map(|(_, number)| number);
        own().find(|number| *number == dialled).or_else(|| own().next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Timestamp;

    fn tenant(n: i64, domain: Option<&str>) -> Tenant {
        Tenant {
            id: store::fresh_id(Timestamp::from_micros(n)),
            name: "Twin".to_owned(),
            zone: "UTC".to_owned(),
            language: "en".to_owned(),
            domain: domain.map(|domain| domain.parse().expect("a domain")),
            created_at: Timestamp::from_micros(n),
        }
    }

    fn claim(tenant: &Tenant, dialled: &str) -> NumberClaim {
        let flow = store::fresh_id(Timestamp::default());
        NumberClaim { dialled: dialled.parse().expect("dialable"), tenant: tenant.id, flow }
    }

    fn found(plan: &NumberPlan, uri: &str) -> Option<(TenantId, String)> {
        let (dialled, host) = uri.split_once('@').expect("number@host");
        let (dialled, domain) = (dialled.parse().expect("dialable"), host.parse().ok());
        let (tenant, number) = plan.find(domain.as_ref(), &dialled)?;
        Some((tenant, number.to_string()))
    }

    #[test]
    fn a_domain_reaches_its_tenant_alone() {
        let (old, young) = (tenant(1, Some("old.example")), tenant(2, Some("young.example")));
        let claims = vec![claim(&old, "100"), claim(&young, "100"), claim(&old, "200")];
        let plan = NumberPlan::new(vec![old.clone(), young.clone()], claims);
        let number = |tenant: &Tenant| Some((tenant.id, "100".to_owned()));
        assert_eq!(found(&plan, "100@old.example"), number(&old));
        assert_eq!(found(&plan, "100@young.example"), number(&young));
        assert_eq!(found(&plan, "100@Young.EXAMPLE."), number(&young));
        assert_eq!(found(&plan, "200@young.example"), None);
        assert_eq!(found(&plan, "300@old.example"), None);
        for host in ["127.0.0.1", "localhost", "nobody.example", "sub.young.example"] {
            assert_eq!(found(&plan, &format!("100@{host}")), number(&old), "{host}");
        }
    }

    #[test]
    fn a_spelling_is_no_way_around_an_older_claim() {
        let (old, young) = (tenant(1, None), tenant(2, Some("young.example")));
        let claims = vec![claim(&old, "+3021"), claim(&young, "3021"), claim(&young, "+3021")];
        let plan = NumberPlan::new(vec![old.clone(), young.clone()], claims);
        for spelling in ["3021", "+3021"] {
            let expected = Some((old.id, "+3021".to_owned()));
            assert_eq!(found(&plan, &format!("{spelling}@192.0.2.1")), expected);
            let expected = Some((young.id, spelling.to_owned()));
            assert_eq!(found(&plan, &format!("{spelling}@young.example")), expected);
        }
    }
}
