//! Batches as SQL parameters. Encoding happens on the sender's thread; the writer only binds.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use model::{CallId, PartyId, TenantId};
use serde::Serialize;
use sqlx::Sqlite;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteConnection};

use super::row::{CallRow, FloorBatch, FloorRow, RecordingRow};
use crate::error::StoreError;
use crate::text::word;

/// Rows per statement, with [`CALL_COLUMNS`] each: far below SQLite's 32,766 and PostgreSQL's
/// 65,535 parameters.
const ROWS_PER_STATEMENT: usize = 64;
const SIZES: usize = ROWS_PER_STATEMENT.ilog2() as usize + 1;
const CALL_COLUMNS: usize = 25;
const EVENT_COLUMNS: usize = 7;
const PARTY_COLUMNS: usize = 4;

/// One statement for up to `1 << place` rows each. A statement costs two changes of thread whatever
/// it writes, so the places of the smallest one that has room are filled up with rows of nulls,
/// which it leaves out.
type Statements = LazyLock<[String; SIZES]>;

static EVENTS: Statements = LazyLock::new(|| {
    let head = "INSERT INTO event (tenant_id, seq, at, config_n, call_id, agent_id, body)";
    statements(head, EVENT_COLUMNS, "")
});

static PARTIES: Statements = LazyLock::new(|| {
    let head = "INSERT INTO party (tenant_id, id, number, name)";
    let newer = "ON CONFLICT (tenant_id, id)
        DO UPDATE SET number = excluded.number, name = excluded.name";
    statements(head, PARTY_COLUMNS, newer)
});

static CALLS: Statements = LazyLock::new(|| {
    let head = "INSERT INTO call (tenant_id, id, party_id, leg_id, dialled, flow_id, flow_version,
        language, consent, started_at, answered_at, ended_at, queue_id, waiting_since, agent_id,
        waited_us, talk_us, hold_us, wrap_us, outcome, cause, disposition, resolved, recorded,
        finished)";
    let newer = "ON CONFLICT (tenant_id, id) DO UPDATE SET
        party_id = excluded.party_id, language = excluded.language,
        consent = excluded.consent, answered_at = excluded.answered_at,
        ended_at = excluded.ended_at, queue_id = excluded.queue_id,
        waiting_since = excluded.waiting_since, agent_id = excluded.agent_id,
        waited_us = excluded.waited_us, talk_us = excluded.talk_us,
        hold_us = excluded.hold_us, wrap_us = excluded.wrap_us, outcome = excluded.outcome,
        cause = excluded.cause, disposition = excluded.disposition,
        resolved = excluded.resolved, recorded = excluded.recorded,
        finished = excluded.finished";
    statements(head, CALL_COLUMNS, newer)
});

fn statements(head: &str, columns: usize, tail: &str) -> [String; SIZES] {
    // Numbered places have names, and each that is bound is looked for among all of them.
    let row = format!("({})", vec!["?"; columns].join(", "));
    let values = |rows: usize| vec![row.as_str(); rows].join(", ");
    // The first column of every table here names the tenant and is never null.
    let text = |place: usize| {
        format!(
            "{head} SELECT * FROM (VALUES {}) WHERE column1 IS NOT NULL {tail}",
            values(1 << place)
        )
    };
    std::array::from_fn(text)
}

type Statement<'q> = Query<'q, Sqlite, SqliteArguments>;

/// Runs rows through statements of their table. With `all` false, what does not fill the largest
/// one stays.
async fn write_rows<T>(
    conn: &mut SqliteConnection,
    (statements, columns): (&'static Statements, usize),
    rows: &mut Vec<T>,
    all: bool,
    bind: impl for<'q> Fn(Statement<'q>, T) -> Result<Statement<'q>, StoreError>,
) -> Result<(), StoreError> {
    while rows.len() >= ROWS_PER_STATEMENT || (all && !rows.is_empty()) {
        let count = rows.len().min(ROWS_PER_STATEMENT);
        let places = count.next_power_of_two();
        let mut query = sqlx::query(statements[places.ilog2() as usize].as_str());
        for row in rows.drain(..count) {
            query = bind(query, row)?;
        }
        for _ in count * columns..places * columns {
            query = query.bind(None::<i64>);
        }
        query.execute(&mut *conn).await?;
    }
    Ok(())
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

/// The number of a party as shown, and its name.
type Shown = (Option<String>, Option<String>);

/// The rows of one transaction on their way into full statements.
#[derive(Default)]
pub(crate) struct Group {
    events: Vec<EventRow>,
    /// The newest of each: one statement must not write a row twice.
    parties: BTreeMap<(TenantId, PartyId), Shown>,
    calls: BTreeMap<(TenantId, CallId), CallRow>,
}

/// So many gathered calls and parties end the taking of batches: they are written after it, and a
/// transaction is to stay short.
const GATHERED_MAX: usize = 256;

impl Group {
    /// Whether what is gathered is enough for one transaction.
    pub(crate) fn is_full(&self) -> bool {
        self.calls.len() + self.parties.len() >= GATHERED_MAX
    }

    /// Takes a batch in, and writes what fills a statement or has one of its own.
    pub(crate) async fn add(
        &mut self,
        conn: &mut SqliteConnection,
        batch: &Encoded,
    ) -> Result<(), StoreError> {
        self.events.extend(batch.events.iter().cloned());
        write_rows(conn, (&EVENTS, EVENT_COLUMNS), &mut self.events, false, bind_event).await?;
        let tenant = batch.tenant;
        for row in &batch.rows {
            match row {
                FloorRow::Call(call) => {
                    self.calls.insert((tenant, call.call), CallRow::clone(call));
                }
                FloorRow::Party { party, number, name } => {
                    self.parties.insert((tenant, *party), (number.clone(), name.clone()));
                }
                FloorRow::Recording(recording) => {
                    write_recording(conn, tenant.to_string(), recording).await?;
                }
                row => write_row(conn, tenant, row).await?,
            }
        }
        Ok(())
    }

    /// Writes what is left.
    pub(crate) async fn flush(self, conn: &mut SqliteConnection) -> Result<(), StoreError> {
        let Self { mut events, parties, calls } = self;
        let (mut parties, mut calls) = (parties.into_iter().collect(), calls.into_iter().collect());
        write_rows(conn, (&PARTIES, PARTY_COLUMNS), &mut parties, true, bind_party).await?;
        write_rows(conn, (&CALLS, CALL_COLUMNS), &mut calls, true, bind_call).await?;
        write_rows(conn, (&EVENTS, EVENT_COLUMNS), &mut events, true, bind_event).await
    }
}

#[expect(clippy::unnecessary_wraps, reason = "one shape for every table")]
fn bind_event(query: Statement<'_>, event: EventRow) -> Result<Statement<'_>, StoreError> {
    Ok(query
        .bind(event.tenant)
        .bind(event.seq)
        .bind(event.at)
        .bind(event.config)
        .bind(event.call)
        .bind(event.agent)
        .bind(event.body))
}

#[expect(clippy::unnecessary_wraps, reason = "one shape for every table")]
fn bind_party(
    query: Statement<'_>,
    ((tenant, party), (number, name)): ((TenantId, PartyId), Shown),
) -> Result<Statement<'_>, StoreError> {
    Ok(query.bind(tenant.to_string()).bind(party.to_string()).bind(number).bind(name))
}

fn bind_call(
    query: Statement<'_>,
    ((tenant, _), row): ((TenantId, CallId), CallRow),
) -> Result<Statement<'_>, StoreError> {
    Ok(query
        .bind(tenant.to_string())
        .bind(row.call.to_string())
        .bind(row.party.to_string())
        .bind(row.leg.to_string())
        .bind(row.dialled.as_str().to_owned())
        .bind(row.flow.to_string())
        .bind(number(row.flow_version)?)
        .bind(row.language)
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
        .bind(row.disposition)
        .bind(row.resolved)
        .bind(row.recorded)
        .bind(row.finished))
}

/// A row whose table sees few of them.
async fn write_row(
    conn: &mut SqliteConnection,
    tenant: TenantId,
    row: &FloorRow,
) -> Result<(), StoreError> {
    let tenant = tenant.to_string();
    let query = match row {
        // These come in numbers: the group has statements for them.
        FloorRow::Call(_) | FloorRow::Recording(_) | FloorRow::Party { .. } => return Ok(()),
        FloorRow::Fact { call, n, fact, at } => sqlx::query(
            "INSERT INTO fact (tenant_id, call_id, n, kind, key, label, value, at, secret_id)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(tenant)
        .bind(call.to_string())
        .bind(i64::from(*n))
        .bind(word(&fact.kind))
        .bind(fact.key.as_str())
        .bind(fact.label.as_str())
        .bind(fact.value.as_str())
        .bind(at.micros())
        .bind(fact.secret.map(|secret| secret.to_string())),
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
        FloorRow::DeviceUp { agent, leg } => sqlx::query(
            "INSERT INTO device_up (tenant_id, agent_id, leg_id) VALUES ($1, $2, $3)
             ON CONFLICT (tenant_id, agent_id) DO UPDATE SET leg_id = excluded.leg_id",
        )
        .bind(tenant)
        .bind(agent.to_string())
        .bind(leg.to_string()),
        FloorRow::DeviceDown { agent, leg } => sqlx::query(
            "DELETE FROM device_up WHERE tenant_id = $1 AND agent_id = $2 AND leg_id = $3",
        )
        .bind(tenant)
        .bind(agent.to_string())
        .bind(leg.to_string()),
    };
    query.execute(conn).await?;
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
