//! What an editor works on.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::config::{PublishedFlow, TenantConfig};
use model::flow::Flow;
use model::sip::PhoneAccount;
use model::{FlowId, UserId};

use crate::secret::PasswordHash;
use crate::user::User;

/// Everything of a tenant that an administrator changes.
#[derive(Debug, Clone)]
pub struct ConfigDraft {
    /// What the floor will see. `n` is set by the commit; `flows` follows [`ConfigDraft::publish`].
    pub config: TenantConfig,
    /// Everybody who signs in.
    pub users: BTreeMap<UserId, User>,
    /// New passwords. Whoever gets one is signed out everywhere.
    pub passwords: BTreeMap<UserId, PasswordHash>,
    /// New secrets of telephones.
    pub phone_secrets: Vec<PhoneAccount>,
    /// Flows with their drafts.
    pub flows: BTreeMap<FlowId, FlowDraft>,
}

/// A flow on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowDraft {
    /// Its name.
    pub name: String,
    /// The document being worked on.
    pub draft: Arc<Flow>,
    /// The newest published version.
    pub published: Option<u64>,
}

impl ConfigDraft {
    /// Puts the draft of a flow into force as its next version; `None` when there is no such flow.
    pub fn publish(&mut self, flow: FlowId) -> Option<u64> {
        let entry = self.flows.get_mut(&flow)?;
        let version = entry.published.unwrap_or(0) + 1;
        entry.published = Some(version);
        let published =
            PublishedFlow { name: entry.name.clone(), version, flow: Arc::clone(&entry.draft) };
        self.config.flows.insert(flow, published);
        Some(version)
    }
}
