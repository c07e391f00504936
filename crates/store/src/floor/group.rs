//! The floor's transaction: rows of many batches in one script.
//!
//! The writer's connection lives on a thread of its own, and each thing asked of it costs two
//! changes of thread, however little it writes. So a whole transaction, from `BEGIN` to `COMMIT`,
//! is asked for at once.

use std::collections::BTreeMap;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use std::vec;

use model::{CallId, PartyId, TenantId};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sqlx::{AssertSqlSafe, Sqlite};

use super::encode::{Encoded, EventRow, number};
use super::row::{CallRow, FloorRow};
use super::single;
use crate::error::StoreError;
use crate::text::word;

/// Rows of each table that a group takes; the batch that goes beyond them is its last one.
/// Transactions are to stay short.
const EVENTS_MAX: usize = 256;
const ROWS_MAX: usize = 64;

/// The end of a script. A thread of the database that ends in mid-script looks like the end of the
/// script: only the row of this proves that it was reached, without it nobody knows.
const PROOF: &str = "SELECT 1";

/// How long a script is left alone before its answers are looked for.
const NAP: Duration = Duration::from_millis(1);

/// How many rows a statement has places for: the smallest that has room is taken, and the places
/// that are left get rows of nulls, which it leaves out. So there are few texts, and SQLite keeps
/// them prepared. The largest, of [`EVENTS`], has 1,792 parameters; SQLite allows 32,766 and
/// PostgreSQL 65,535.
const PLACES: [usize; 7] = [1, 4, 8, 16, 32, ROWS_MAX, EVENTS_MAX];

/// A table of which a transaction has many rows.
struct Table {
    /// `INSERT INTO` with the columns.
    head: &'static str,
    columns: usize,
    /// What happens to the row that is there already.
    newer: &'static str,
    rows_max: usize,
}

const EVENTS: Table = Table {
    head: "INSERT INTO event (tenant_id, seq, at, config_n, call_id, agent_id, body)",
    columns: 7,
    newer: "",
    rows_max: EVENTS_MAX,
};

const PARTIES: Table = Table {
    head: "INSERT INTO party (tenant_id, id, number, name)",
    columns: 4,
    newer: "ON CONFLICT (tenant_id, id)
        DO UPDATE SET number = excluded.number, name = excluded.name",
    rows_max: ROWS_MAX,
};

const CALLS: Table = Table {
    head: "INSERT INTO call (tenant_id, id, party_id, leg_id, dialled, flow_id, flow_version,
        language, consent, started_at, answered_at, ended_at, queue_id, waiting_since, agent_id,
        waited_us, talk_us, hold_us, wrap_us, outcome, cause, disposition, resolved, recorded,
        finished)",
    columns: 25,
    newer: "ON CONFLICT (tenant_id, id) DO UPDATE SET
        language = excluded.language,
        consent = excluded.consent, answered_at = excluded.answered_at,
        ended_at = excluded.ended_at, queue_id = excluded.queue_id,
        waiting_since = excluded.waiting_since, agent_id = excluded.agent_id,
        waited_us = excluded.waited_us, talk_us = excluded.talk_us,
        hold_us = excluded.hold_us, wrap_us = excluded.wrap_us, outcome = excluded.outcome,
        cause = excluded.cause, disposition = excluded.disposition,
        resolved = excluded.resolved, recorded = excluded.recorded,
        finished = excluded.finished",
    rows_max: ROWS_MAX,
};

impl Table {
    /// Adds the statement for so many rows to a script, `rows_max` at most.
    fn write(&self, script: &mut String, rows: usize) {
        if rows == 0 {
            return;
        }
        // Numbered places have names, and each that is bound is looked for among all of them.
        let row = format!("({})", vec!["?"; self.columns].join(", "));
        let values = vec![row.as_str(); places(rows)].join(", ");
        // The first column of every table here names the tenant and is never null.
        script.extend([
            self.head,
            " SELECT * FROM (VALUES ",
            &values,
            ") WHERE column1 IS NOT NULL ",
            self.newer,
            ";",
        ]);
    }

    /// Binds the rows in the order of [`Self::write`].
    fn bind<'q, T>(
        &self,
        mut script: Script<'q>,
        rows: impl ExactSizeIterator<Item = T>,
        bind: impl Fn(Script<'q>, T) -> Result<Script<'q>, StoreError>,
    ) -> Result<Script<'q>, StoreError> {
        let count = rows.len();
        for row in rows {
            script = bind(script, row)?;
        }
        let empty = if count == 0 { 0 } else { places(count) - count };
        for _ in 0..empty * self.columns {
            script = script.bind(None::<i64>);
        }
        Ok(script)
    }

    /// Writes the rows that one statement has no room for, each `rows_max` by a statement of their
    /// own; gives back the rest.
    async fn write_excess<T>(
        &self,
        conn: &mut SqliteConnection,
        rows: Vec<T>,
        bind: impl for<'q> Fn(Script<'q>, T) -> Result<Script<'q>, StoreError>,
    ) -> Result<vec::IntoIter<T>, StoreError> {
        let mut rows = rows.into_iter();
        while rows.len() > self.rows_max {
            let mut text = String::new();
            self.write(&mut text, self.rows_max);
            text.push_str(PROOF);
            let portion = rows.by_ref().take(self.rows_max);
            let script = self.bind(sqlx::query(AssertSqlSafe(text)), portion, &bind)?;
            script.fetch_optional(&mut *conn).await?.ok_or(StoreError::Stopped)?;
        }
        Ok(rows)
    }
}

fn places(rows: usize) -> usize {
    PLACES.into_iter().find(|&places| places >= rows).unwrap_or(EVENTS_MAX)
}

type Script<'q> = Query<'q, Sqlite, SqliteArguments>;

/// The number of a party as shown, and its name.
type Shown = (Option<String>, Option<String>);

/// The rows of one transaction.
#[derive(Default)]
pub(crate) struct Group {
    events: Vec<EventRow>,
    /// The newest of each: one statement must not write a row twice.
    parties: BTreeMap<(TenantId, PartyId), Shown>,
    calls: BTreeMap<(TenantId, CallId), CallRow>,
    singles: Vec<(TenantId, FloorRow)>,
}

impl Group {
    /// Whether this is enough for one transaction.
    pub(crate) fn is_full(&self) -> bool {
        self.events.len() >= EVENTS_MAX
            || [self.parties.len(), self.calls.len(), self.singles.len()]
                .into_iter()
                .any(|rows| rows >= ROWS_MAX)
    }

    pub(crate) fn add(&mut self, batch: &Encoded) {
        self.events.extend(batch.events.iter().cloned());
        let tenant = batch.tenant;
        for row in &batch.rows {
            match row {
                FloorRow::Call(call) => {
                    self.calls.insert((tenant, call.call), CallRow::clone(call));
                }
                FloorRow::Party { party, number, name } => {
                    self.parties.insert((tenant, *party), (number.clone(), name.clone()));
                }
                row => self.singles.push((tenant, row.clone())),
            }
        }
    }

    /// Begins, writes and commits.
    pub(crate) async fn write(self, conn: &mut SqliteConnection) -> Result<(), StoreError> {
        let Self { events, parties, calls, singles } = self;
        let fits = events.len() <= EVENTS_MAX && parties.len().max(calls.len()) <= ROWS_MAX;
        let mut text = String::new();
        if singles.is_empty() && fits {
            text.push_str("BEGIN IMMEDIATE;");
        } else {
            sqlx::query("BEGIN IMMEDIATE").execute(&mut *conn).await?;
        }
        for (tenant, row) in singles {
            single::write(conn, tenant, &row).await?;
        }
        // After a disk that was full for minutes one batch has thousands of rows.
        let parties = parties.into_iter().collect();
        let parties = PARTIES.write_excess(conn, parties, bind_party).await?;
        let calls = CALLS.write_excess(conn, calls.into_iter().collect(), bind_call).await?;
        let events = EVENTS.write_excess(conn, events, bind_event).await?;
        PARTIES.write(&mut text, parties.len());
        CALLS.write(&mut text, calls.len());
        EVENTS.write(&mut text, events.len());
        text.push_str("COMMIT;");
        text.push_str(PROOF);
        let script = sqlx::query(AssertSqlSafe(text));
        let script = PARTIES.bind(script, parties, bind_party)?;
        let script = CALLS.bind(script, calls, bind_call)?;
        let script = EVENTS.bind(script, events, bind_event)?;
        proved(script, conn).await
    }
}

/// Runs a script whose last statement is [`PROOF`].
///
/// The answer to each statement of it would wake this thread, so it is asked for and then left
/// alone for [`NAP`]: the first answer wakes nobody, and those that follow find nobody to wake.
async fn proved(script: Script<'_>, conn: &mut SqliteConnection) -> Result<(), StoreError> {
    let mut row = pin!(script.fetch_optional(conn));
    let row = match row.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(row) => row,
        Poll::Pending => {
            tokio::time::sleep(NAP).await;
            row.await
        }
    };
    row?.map(drop).ok_or(StoreError::Stopped)
}

#[expect(clippy::unnecessary_wraps, reason = "one shape for every table")]
fn bind_event(query: Script<'_>, event: EventRow) -> Result<Script<'_>, StoreError> {
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
    query: Script<'_>,
    ((tenant, party), (number, name)): ((TenantId, PartyId), Shown),
) -> Result<Script<'_>, StoreError> {
    Ok(query.bind(tenant.to_string()).bind(party.to_string()).bind(number).bind(name))
}

fn bind_call(
    query: Script<'_>,
    ((tenant, _), row): ((TenantId, CallId), CallRow),
) -> Result<Script<'_>, StoreError> {
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
