//! Reading the journal: a tenant's events in the order they happened.

use model::{AgentId, CallId, Recorded, Timestamp};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Sqlite};

use crate::error::StoreError;
use crate::tenant::TenantDb;
use crate::text::Columns;

/// The newest place, by the primary key.
pub(crate) const LAST_SEQ: &str =
    "SELECT COALESCE(MAX(seq), 0) AS seq FROM event WHERE tenant_id = $1";
/// The events of one call, by the index `event_by_call`.
pub(crate) const CALL_EVENTS: &str = "SELECT seq, at, config_n, body FROM event
     WHERE tenant_id = $1 AND call_id = $2 ORDER BY seq";

/// The events of the calls that are in an agent's list of contacts since a time: by the indexes
/// `event_by_agent` and `event_by_call`. The sign keeps the planner from reading the whole journal
/// of the tenant for the sake of the order.
pub(crate) const CONTACT_EVENTS: &str = "SELECT seq, at, config_n, body FROM event
     WHERE tenant_id = $1 AND call_id IN (
         SELECT call_id FROM event WHERE tenant_id = $1 AND agent_id = $2 AND at >= $3
     ) ORDER BY +seq";

impl TenantDb {
    /// The place of the newest event, 0 when there is none.
    ///
    /// # Errors
    /// Faults of the database.
    pub async fn last_seq(&self) -> Result<u64, StoreError> {
        let row = sqlx::query(LAST_SEQ).bind(self.id()).fetch_one(self.readers()).await?;
        row.count("seq")
    }

    /// At most `limit` events from `from_seq` on.
    ///
    /// # Errors
    /// Faults of the database; damaged rows.
    pub async fn events(&self, from_seq: u64, limit: u32) -> Result<Vec<Recorded>, StoreError> {
        let rows = sqlx::query(
            "SELECT seq, at, config_n, body FROM event
             WHERE tenant_id = $1 AND seq >= $2 ORDER BY seq LIMIT $3",
        )
        .bind(self.id())
        .bind(i64::try_from(from_seq).unwrap_or(i64::MAX))
        .bind(i64::from(limit))
        .fetch_all(self.readers())
        .await?;
        self.recorded(&rows)
    }

    /// Every event of one call.
    ///
    /// # Errors
    /// Faults of the database; damaged rows.
    pub async fn call_events(&self, call: CallId) -> Result<Vec<Recorded>, StoreError> {
        let query = sqlx::query(CALL_EVENTS).bind(self.id()).bind(call.to_string());
        let rows = query.fetch_all(self.readers()).await?;
        self.recorded(&rows)
    }

    /// Every event of some calls, in the order of the journal.
    ///
    /// # Errors
    /// Faults of the database; damaged rows.
    pub async fn events_of_calls(&self, calls: &[CallId]) -> Result<Vec<Recorded>, StoreError> {
        if calls.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self.of_calls("", calls).build().fetch_all(self.readers()).await?;
        self.recorded(&rows)
    }

    /// The query of [`Self::events_of_calls`], with a word before it.
    pub(crate) fn of_calls(&self, before: &str, calls: &[CallId]) -> QueryBuilder<Sqlite> {
        let mut sql = QueryBuilder::<Sqlite>::new(before);
        sql.push("SELECT seq, at, config_n, body FROM event WHERE tenant_id = ");
        sql.push_bind(self.id()).push(" AND call_id IN (");
        let mut ids = sql.separated(", ");
        for call in calls {
            ids.push_bind(call.to_string());
        }
        // The sign as in [`CONTACT_EVENTS`].
        sql.push(") ORDER BY +seq");
        sql
    }

    /// Every event of the calls in which an agent left a conversation, declined or did not answer
    /// since a time, in the order of the journal. Rows of earlier releases may give more calls.
    ///
    /// # Errors
    /// Faults of the database; damaged rows.
    pub async fn events_of_contacts(
        &self,
        agent: AgentId,
        since: Timestamp,
    ) -> Result<Vec<Recorded>, StoreError> {
        let query = sqlx::query(CONTACT_EVENTS).bind(self.id());
        let query = query.bind(agent.to_string()).bind(since.micros());
        let rows = query.fetch_all(self.readers()).await?;
        self.recorded(&rows)
    }

    fn recorded(&self, rows: &[SqliteRow]) -> Result<Vec<Recorded>, StoreError> {
        rows.iter()
            .map(|row| {
                Ok(Recorded {
                    tenant: self.ctx.tenant,
                    seq: row.count("seq")?,
                    at: row.time("at")?,
                    config: row.count("config_n")?,
                    event: row.json("body")?,
                })
            })
            .collect()
    }
}
