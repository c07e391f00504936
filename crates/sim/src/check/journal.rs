//! The journal is contiguous, of one tenant, and time does not go back.

use model::event::Recorded;
use model::{TenantId, Timestamp};

use super::{Check, Verdict, ensure};
use crate::ledger::Ledger;

#[derive(Debug)]
pub(super) struct Contiguous {
    tenant: TenantId,
    seq: u64,
    at: Timestamp,
}

impl Contiguous {
    pub(super) fn new(tenant: TenantId) -> Self {
        Self { tenant, seq: 0, at: Timestamp::default() }
    }
}

impl Check for Contiguous {
    fn name(&self) -> &'static str {
        "contiguous"
    }

    fn event(&mut self, recorded: &Recorded, before: &Ledger) -> Verdict {
        let Recorded { tenant, seq, at, config, .. } = recorded;
        ensure(*tenant == self.tenant, || format!("event {seq} is of tenant {tenant}"))?;
        ensure(*seq == self.seq + 1, || format!("event {seq} follows {}", self.seq))?;
        ensure(*at >= self.at, || format!("event {seq} is earlier than the one before"))?;
        ensure(*config == before.config.n, || format!("event {seq} names configuration {config}"))?;
        (self.seq, self.at) = (*seq, *at);
        Ok(())
    }
}
