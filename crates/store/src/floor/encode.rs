//! Batches as SQL parameters. Encoding happens on the sender's thread; the writer only binds.

use std::sync::LazyLock;

use model::TenantId;
use serde::Serialize;
use sqlx::sqlite::SqliteConnection;

use super::row::{CallRow, FloorBatch, FloorRow, RecordingRow};
use crate::error::StoreError;
use crate::text::word;

/// Events per statement: far below SQLite's 32,766 and PostgreSQL's 65,535 parameters.
const EVENTS_PER_STATEMENT: usize = 64;
const EVENT_COLUMNS: usize = 7;

static INSERT_MANY: LazyLock<String> = LazyLock::new(|| insert_events(EVENTS_PER_STATEMENT));
static INSERT_ONE: LazyLock<String> = LazyLock::new(|| insert_events(1));

fn insert_events(rows: usize) -> String {
    let values: Vec<String> = (0..rows)
        .map(|row| {
            let place = |column: usize| format!("${}", row * EVENT_COLUMNS + column + 1);
            format!("({})", (0..EVENT_COLUMNS).map(place).collect::<Vec<_>>().join(", "))
        })
        .collect();
    format!(
        "INSERT INTO event (tenant_id, seq, at, config_n, call_id, agent_id, body) VALUES {}",
        values.join(", ")
    )
}

/// A batch whose texts are made.
pub(crate) struct Encoded {
    tenant: TenantId,
    pub(crate) events: Vec<EventRow>,
    rows: Vec<FloorRow>,
}

/// One event as its row.
#[derive(Clone)]
pub(crate) struct EventRow {
    tenant: String,
    seq: i64,
    at: i64,
    config: i64,
    call: Option<String>,
    agent: Option<String>,
    body: String,
}

impl Encoded {
    /// Fails when an event is of another tenant than its batch: the fence of the floor lane.
    pub(crate) fn new(batch: FloorBatch) -> Result<Self, StoreError> {
        let tenant = batch.tenant.to_string();
        let mut events = Vec::with_capacity(batch.events.len());
        for recorded in &batch.events {
            if recorded.tenant != batch.tenant {
                return Err(StoreError::damaged("an event of another tenant in a batch"));
            }
            events.push(EventRow {
                tenant: tenant.clone(),
                seq: number(recorded.seq)?,
                at: recorded.at.micros(),
                config: number(recorded.config)?,
                call: recorded.event.call().map(|call| call.to_string()),
                agent: recorded.event.agent().map(|agent| agent.to_string()),
                body: json(&recorded.event)?,
            });
        }
        Ok(Self { tenant: batch.tenant, events, rows: batch.rows })
    }
}

/// The events of one transaction on their way into full statements.
#[derive(Default)]
pub(crate) struct Group {
    pending: Vec<EventRow>,
}

impl Group {
    /// Writes the rows of a batch and takes its events in.
    pub(crate) async fn add(
        &mut self,
        conn: &mut SqliteConnection,
        batch: &Encoded,
    ) -> Result<(), StoreError> {
        self.pending.extend(batch.events.iter().cloned());
        while self.pending.len() >= EVENTS_PER_STATEMENT {
            let rest = self.pending.split_off(EVENTS_PER_STATEMENT);
            let full = std::mem::replace(&mut self.pending, rest);
            insert(conn, INSERT_MANY.as_str(), full).await?;
        }
        for row in &batch.rows {
            write_row(conn, batch.tenant, row).await?;
        }
        Ok(())
    }

    /// Writes what is left.
    pub(crate) async fn flush(self, conn: &mut SqliteConnection) -> Result<(), StoreError> {
        for event in self.pending {
            insert(conn, INSERT_ONE.as_str(), vec![event]).await?;
        }
        Ok(())
    }
}

async fn insert(
    conn: &mut SqliteConnection,
    sql: &'static str,
    events: Vec<EventRow>,
) -> Result<(), StoreError> {
    let mut query = sqlx::query(sql);
    for event in events {
        query = query
            .bind(event.tenant)
            .bind(event.seq)
            .bind(event.at)
            .bind(event.config)
            .bind(event.call)
            .bind(event.agent)
            .bind(event.body);
    }
    query.execute(conn).await?;
    Ok(())
}

async fn write_row(
    conn: &mut SqliteConnection,
    tenant: TenantId,
    row: &FloorRow,
) -> Result<(), StoreError> {
    let tenant = tenant.to_string();
    let query = match row {
        FloorRow::Call(call) => return write_call(conn, tenant, call).await,
        FloorRow::Recording(recording) => return write_recording(conn, tenant, recording).await,
        FloorRow::Party { party, number, name } => sqlx::query(
            "INSERT INTO party (tenant_id, id, number, name) VALUES ($1, $2, $3, $4)
             ON CONFLICT (tenant_id, id) DO UPDATE SET number = excluded.number, name = excluded.name",
        )
        .bind(tenant)
        .bind(party.to_string())
        .bind(number.as_deref())
        .bind(name.as_deref()),
        FloorRow::Fact { call, n, fact, at } => sqlx::query(
            "INSERT INTO fact (tenant_id, call_id, n, kind, key, label, value, at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(tenant)
        .bind(call.to_string())
        .bind(i64::from(*n))
        .bind(word(&fact.kind))
        .bind(fact.key.as_str())
        .bind(fact.label.as_str())
        .bind(fact.value.as_str())
        .bind(at.micros()),
        FloorRow::Note { call, agent, text, at } => sqlx::query(
            "INSERT INTO note (tenant_id, call_id, agent_id, text, at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (tenant_id, call_id, agent_id)
             DO UPDATE SET text = excluded.text, at = excluded.at",
        )
        .bind(tenant)
        .bind(call.to_string())
        .bind(agent.to_string())
        .bind(text.as_str())
        .bind(at.micros()),
        FloorRow::Callback { call, party, queue, waiting_since, listed_at } => sqlx::query(
            "INSERT INTO callback (tenant_id, call_id, party_id, queue_id, waiting_since, listed_at)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant_id, call_id) DO NOTHING",
        )
        .bind(tenant)
        .bind(call.to_string())
        .bind(party.to_string())
        .bind(queue.to_string())
        .bind(waiting_since.micros())
        .bind(listed_at.micros()),
        FloorRow::AgentIntent { agent, intent } => sqlx::query(
            "INSERT INTO agent_intent (tenant_id, agent_id, intent) VALUES ($1, $2, $3)
             ON CONFLICT (tenant_id, agent_id) DO UPDATE SET intent = excluded.intent",
        )
        .bind(tenant)
        .bind(agent.to_string())
        .bind(intent.to_string()),
    };
    query.execute(conn).await?;
    Ok(())
}

async fn write_call(
    conn: &mut SqliteConnection,
    tenant: String,
    row: &CallRow,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO call (tenant_id, id, party_id, leg_id, dialled, flow_id, flow_version,
             language, consent, started_at, answered_at, ended_at, queue_id, waiting_since,
             agent_id, waited_us, talk_us, hold_us, wrap_us, outcome, cause, disposition,
             resolved, recorded)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
             $19, $20, $21, $22, $23, $24)
         ON CONFLICT (tenant_id, id) DO UPDATE SET
             party_id = excluded.party_id, language = excluded.language,
             consent = excluded.consent, answered_at = excluded.answered_at,
             ended_at = excluded.ended_at, queue_id = excluded.queue_id,
             waiting_since = excluded.waiting_since, agent_id = excluded.agent_id,
             waited_us = excluded.waited_us, talk_us = excluded.talk_us,
             hold_us = excluded.hold_us, wrap_us = excluded.wrap_us, outcome = excluded.outcome,
             cause = excluded.cause, disposition = excluded.disposition,
             resolved = excluded.resolved, recorded = excluded.recorded",
    )
    .bind(tenant)
    .bind(row.call.to_string())
    .bind(row.party.to_string())
    .bind(row.leg.to_string())
    .bind(row.dialled.as_str())
    .bind(row.flow.to_string())
    .bind(number(row.flow_version)?)
    .bind(row.language.as_str())
    .bind(word(&row.consent))
    .bind(row.started_at.micros())
    .bind(row.answered_at.map(model::Timestamp::micros))
    .bind(row.ended_at.map(model::Timestamp::micros))
    .bind(row.queue.map(|id| id.to_string()))
    .bind(row.waiting_since.map(model::Timestamp::micros))
    .bind(row.agent.map(|id| id.to_string()))
    .bind(row.waited_us)
    .bind(row.talk_us)
    .bind(row.hold_us)
    .bind(row.wrap_us)
    .bind(row.outcome.as_ref().map(word))
    .bind(row.cause.as_ref().map(word))
    .bind(row.disposition.as_deref())
    .bind(row.resolved)
    .bind(row.recorded)
    .execute(conn)
    .await?;
    Ok(())
}

async fn write_recording(
    conn: &mut SqliteConnection,
    tenant: String,
    row: &RecordingRow,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO recording (tenant_id, id, call_id, n, started_at, path, length_ms, complete,
             sha256)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (tenant_id, id) DO UPDATE SET length_ms = excluded.length_ms,
             complete = excluded.complete, sha256 = excluded.sha256",
    )
    .bind(tenant)
    .bind(row.recording.to_string())
    .bind(row.call.to_string())
    .bind(i64::from(row.n))
    .bind(row.started_at.micros())
    .bind(row.path.as_str())
    .bind(row.length_ms)
    .bind(row.complete)
    .bind(row.sha256.as_deref())
    .execute(conn)
    .await?;
    Ok(())
}

fn number(value: u64) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| StoreError::damaged("a number beyond 2^63"))
}

fn json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::damaged(error.to_string()))
}
