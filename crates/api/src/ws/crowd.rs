//! How many live connections one account has, so that no account takes those of all.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use model::TenantId;

use crate::guard::Caller;

/// Live connections of one person or program: tabs, and those that are dying after a bad network.
const PER_ACCOUNT_MAX: usize = 20;

type Account = (TenantId, String);

/// Live connections, counted by account.
#[derive(Debug, Clone, Default)]
pub(crate) struct Crowd(Arc<Mutex<BTreeMap<Account, usize>>>);

/// One live connection, until it is dropped.
#[derive(Debug)]
pub(crate) struct Member {
    crowd: Crowd,
    account: Account,
}

impl Crowd {
    /// Counts a connection in, or `None` when its account has too many.
    pub(crate) fn join(&self, caller: &Caller) -> Option<Member> {
        let account = (caller.tenant, caller.actor.to_string());
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(account.clone()).or_insert(0);
        if *count >= PER_ACCOUNT_MAX {
            return None;
        }
        *count += 1;
        Some(Member { crowd: self.clone(), account })
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut counts = self.crowd.0.lock().unwrap_or_else(PoisonError::into_inner);
        match counts.get_mut(&self.account) {
            Some(count) if *count > 1 => *count -= 1,
            _ => _ = counts.remove(&self.account),
        }
    }
}
