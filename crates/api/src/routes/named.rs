//! Names beside ids, codes with labels: the small shapes that many resources share.

use model::config::TenantConfig;
use model::effect::{Fact, FactKind};
use model::{AgentId, QueueId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::routes::words::FactName;

/// A thing and what people call it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Named {
    /// Its id.
    pub(crate) id: String,
    /// Its name, or its id when it is gone.
    pub(crate) name: String,
}

/// A code and what people read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Choice {
    /// The stable code.
    pub(crate) code: String,
    /// What people read.
    pub(crate) label: String,
}

/// What a caller chose or typed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct FactRow {
    kind: FactName,
    /// The menu or the variable.
    key: String,
    /// What the agent reads.
    label: String,
    /// The key or the digits; of a secret one `•` for each digit.
    value: String,
    /// Stands for the digits of a secret. They are kept nowhere.
    secret: Option<String>,
}

pub(crate) fn queue_named(config: &TenantConfig, id: QueueId) -> Named {
    let name = config.queues.get(&id).map_or_else(|| id.to_string(), |queue| queue.name.clone());
    Named { id: id.to_string(), name }
}

pub(crate) fn agent_named(config: &TenantConfig, id: AgentId) -> Named {
    let name = config.agents.get(&id).map_or_else(|| id.to_string(), |agent| agent.name.clone());
    Named { id: id.to_string(), name }
}

pub(crate) fn disposition(config: &TenantConfig, code: &str) -> Choice {
    let label = config.dispositions.get(code).cloned().unwrap_or_else(|| code.to_owned());
    Choice { code: code.to_owned(), label }
}

pub(crate) fn fact_row(fact: Fact) -> FactRow {
    let kind = match fact.kind {
        FactKind::Chosen => FactName::Chosen,
        FactKind::Typed => FactName::Typed,
    };
    let secret = fact.secret.map(|secret| secret.to_string());
    FactRow { kind, key: fact.key, label: fact.label, value: fact.value, secret }
}

/// The one word of a unit variant, as in the database and the model.
pub(crate) fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        other => unreachable!("only unit variants are words, not {other:?}"),
    }
}
