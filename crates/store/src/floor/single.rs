//! Rows whose tables see few of them, a statement each.

use model::TenantId;
use sqlx::Sqlite;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteConnection};

use super::row::{FloorRow, RecordingRow};
use crate::error::StoreError;
use crate::text::word;

/// Writes a row. Calls and parties come in numbers: the group has statements for them.
pub(super) async fn write(
    conn: &mut SqliteConnection,
    tenant: TenantId,
    row: &FloorRow,
) -> Result<(), StoreError> {
    let tenant = tenant.to_string();
    let query = match row {
        FloorRow::Call(_) | FloorRow::Party { .. } => return Ok(()),
        FloorRow::Recording(row) => recording(tenant, row),
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

fn recording(tenant: String, row: &RecordingRow) -> Query<'_, Sqlite, SqliteArguments> {
    sqlx::query(
        "INSERT INTO recording (tenant_id, id, call_id, n, started_at, path, length_ms, complete,
             sha256, legs)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
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
    .bind(row.legs.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
}
