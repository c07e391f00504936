//! The call-back list: callers who could not be kept.

use std::collections::BTreeSet;

use model::{CallId, PartyId, QueueId, Timestamp};
use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Sqlite};

use crate::error::StoreError;
use crate::tenant::TenantDb;
use crate::text::Columns;

/// A caller to be called back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callback {
    /// The call that was lost.
    pub call: CallId,
    /// Whom.
    pub party: PartyId,
    /// The number as shown.
    pub number: Option<String>,
    /// For which queue.
    pub queue: QueueId,
    /// Since when the caller had waited.
    pub waiting_since: Timestamp,
    /// When it was listed.
    pub listed_at: Timestamp,
    /// When somebody did it.
    pub done_at: Option<Timestamp>,
}

impl Callback {
    /// Its place in the list.
    #[must_use]
    pub fn place(&self) -> CallbackPlace {
        let at = self.done_at.unwrap_or(self.waiting_since);
        CallbackPlace { is_done: self.done_at.is_some(), at, call: self.call }
    }
}

/// A place in the list: open ones first, the longest wait first, then the newest done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallbackPlace {
    /// Whether it is among the done ones.
    pub is_done: bool,
    /// Since when the caller waited, of a done one when it was done.
    pub at: Timestamp,
    /// Which.
    pub call: CallId,
}

/// Which call-backs to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallbackFilter {
    /// Of these queues; of every one when there are none given.
    pub queues: Option<BTreeSet<QueueId>>,
    /// Listed after this one: the last of the page before.
    pub after: Option<CallbackPlace>,
}

impl TenantDb {
    /// Who is to be called back: open ones first, the longest wait first, then the newest done; at
    /// most `limit`.
    ///
    /// # Errors
    /// Faults of the database; damaged rows.
    pub async fn callbacks(
        &self,
        filter: &CallbackFilter,
        limit: u32,
    ) -> Result<Vec<Callback>, StoreError> {
        let mut sql = QueryBuilder::<Sqlite>::new(
            "SELECT b.call_id, b.party_id, p.number, b.queue_id, b.waiting_since, b.listed_at,
                 b.done_at
             FROM callback b
             LEFT JOIN party p ON p.tenant_id = b.tenant_id AND p.id = b.party_id
             WHERE b.tenant_id = ",
        );
        sql.push_bind(self.id());
        if let Some(queues) = &filter.queues {
            if queues.is_empty() {
                return Ok(Vec::new());
            }
            sql.push(" AND b.queue_id IN (");
            let mut list = sql.separated(", ");
            for queue in queues {
                list.push_bind(queue.to_string());
            }
            sql.push(")");
        }
        if let Some(place) = filter.after {
            let (at, call) = (place.at.micros(), place.call.to_string());
            if place.is_done {
                sql.push(" AND b.done_at IS NOT NULL AND (b.done_at < ").push_bind(at);
                sql.push(" OR (b.done_at = ").push_bind(at);
            } else {
                sql.push(" AND (b.done_at IS NOT NULL OR b.waiting_since > ").push_bind(at);
                sql.push(" OR (b.waiting_since = ").push_bind(at);
            }
            sql.push(" AND b.call_id > ").push_bind(call).push("))");
        }
        sql.push(
            " ORDER BY CASE WHEN b.done_at IS NULL THEN 0 ELSE 1 END, b.done_at DESC,
                 CASE WHEN b.done_at IS NULL THEN b.waiting_since ELSE 0 END, b.call_id LIMIT ",
        );
        sql.push_bind(i64::from(limit));
        let rows = sql.build().fetch_all(self.readers()).await?;
        rows.iter().map(read).collect()
    }

    /// The queue that a call-back is for.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; faults of the database.
    pub async fn callback_queue(&self, call: CallId) -> Result<QueueId, StoreError> {
        let row =
            sqlx::query("SELECT queue_id FROM callback WHERE tenant_id = $1 AND call_id = $2")
                .bind(self.id())
                .bind(call.to_string())
                .fetch_one(self.readers())
                .await?;
        row.parsed("queue_id")
    }

    /// Marks a call-back as done. Doing it twice keeps the first time.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; faults of the database.
    pub async fn callback_done(&self, call: CallId, at: Timestamp) -> Result<(), StoreError> {
        let (tenant, actor) = (self.id(), self.ctx.actor.to_string());
        let changed = self
            .store
            .inner
            .writer
            .run(move |conn| {
                Box::pin(async move {
                    let done = sqlx::query(
                        "UPDATE callback SET done_at = COALESCE(done_at, $3),
                             done_by = COALESCE(done_by, $4)
                         WHERE tenant_id = $1 AND call_id = $2",
                    )
                    .bind(tenant)
                    .bind(call.to_string())
                    .bind(at.micros())
                    .bind(actor)
                    .execute(conn)
                    .await?;
                    Ok(done.rows_affected())
                })
            })
            .await?;
        if changed == 0 { Err(StoreError::NotFound) } else { Ok(()) }
    }
}

fn read(row: &SqliteRow) -> Result<Callback, StoreError> {
    Ok(Callback {
        call: row.parsed("call_id")?,
        party: row.parsed("party_id")?,
        number: row.text_opt("number")?,
        queue: row.parsed("queue_id")?,
        waiting_since: row.time("waiting_since")?,
        listed_at: row.time("listed_at")?,
        done_at: row.time_opt("done_at")?,
    })
}
