//! Call records, call-backs, recordings and what agents wanted: read by screens and after a crash.

use model::effect::Fact;
use model::event::CallOutcome;
use model::{AgentId, CallId, LegId, QueueId, Timestamp};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Sqlite};

use crate::error::StoreError;
use crate::floor::{CallRow, RecordingRow};
use crate::tenant::TenantDb;
use crate::text::{Columns, word};

/// Which calls to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallFilter {
    /// Of this queue.
    pub queue: Option<QueueId>,
    /// Of this agent.
    pub agent: Option<AgentId>,
    /// That ended so.
    pub outcome: Option<CallOutcome>,
    /// That started at or after.
    pub from: Option<Timestamp>,
    /// That started before.
    pub until: Option<Timestamp>,
    /// Whose caller's number begins so.
    pub caller_prefix: Option<String>,
    /// Whose caller has this number, and no other.
    pub caller: Option<String>,
    /// Listed after this one: the last of the page before.
    pub after: Option<CallPlace>,
}

/// A place in the list of calls, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallPlace {
    /// When the call started.
    pub started_at: Timestamp,
    /// Which.
    pub call: CallId,
}

/// A call with who called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedCall {
    /// Its record.
    pub row: CallRow,
    /// The caller's number as shown.
    pub number: Option<String>,
    /// The caller's name as shown.
    pub name: Option<String>,
}

/// A note of an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Who wrote.
    pub agent: AgentId,
    /// Free text.
    pub text: String,
    /// When.
    pub at: Timestamp,
}

/// Up to so many callers a search begins with them; more are so common that the newest calls are
/// soon enough of them.
const PARTIES_FEW: i64 = 5_000;

const SELECT_LISTED: &str = "SELECT c.*, p.number AS party_number, p.name AS party_name FROM call c
     LEFT JOIN party p ON p.tenant_id = c.tenant_id AND p.id = c.party_id";

/// What a start reads of the calls. The condition is that of the index `call_unfinished`.
const UNFINISHED_CALLS: &str =
    "SELECT * FROM call WHERE tenant_id = $1 AND NOT finished ORDER BY started_at, id";
/// What a start reads of the recordings, by the index `recording_open`.
const OPEN_RECORDINGS: &str =
    "SELECT * FROM recording WHERE tenant_id = $1 AND sha256 IS NULL ORDER BY started_at";

impl TenantDb {
    /// Calls, newest first, at most `limit`.
    ///
    /// # Errors
    /// Faults of the database; damaged rows.
    pub async fn calls(
        &self,
        filter: &CallFilter,
        limit: u32,
    ) -> Result<Vec<ListedCall>, StoreError> {
        let few = match filter.numbers() {
            None => false,
            Some(range) => match self.parties(range).await? {
                0 => return Ok(Vec::new()),
                found => found < PARTIES_FEW,
            },
        };
        let mut sql = self.listing(SELECT_LISTED, filter, few, limit);
        let rows = sql.build().fetch_all(self.readers()).await?;
        rows.iter().map(read_listed).collect()
    }

    /// How many callers have such a number, counted up to [`PARTIES_FEW`].
    async fn parties(&self, (from, until): (String, String)) -> Result<i64, StoreError> {
        let row = sqlx::query(
            "SELECT COUNT(*) AS found FROM (
                 SELECT 1 FROM party WHERE tenant_id = $1 AND number >= $2 AND number < $3 LIMIT $4
             ) AS begun",
        )
        .bind(self.id())
        .bind(from)
        .bind(until)
        .bind(PARTIES_FEW)
        .fetch_one(self.readers())
        .await?;
        row.number("found")
    }

    /// The query of a list. With `few` it begins at the callers' numbers and sorts what it finds;
    /// otherwise it walks back in time until the page is full.
    fn listing(
        &self,
        select: &str,
        filter: &CallFilter,
        few: bool,
        limit: u32,
    ) -> QueryBuilder<Sqlite> {
        let mut sql = QueryBuilder::<Sqlite>::new(select);
        sql.push(" WHERE c.tenant_id = ").push_bind(self.id());
        if let Some(queue) = filter.queue {
            sql.push(" AND c.queue_id = ").push_bind(queue.to_string());
        }
        if let Some(agent) = filter.agent {
            sql.push(" AND c.agent_id = ").push_bind(agent.to_string());
        }
        if let Some(outcome) = &filter.outcome {
            sql.push(" AND c.outcome = ").push_bind(word(outcome));
        }
        if let Some(from) = filter.from {
            sql.push(" AND c.started_at >= ").push_bind(from.micros());
        }
        if let Some(until) = filter.until {
            sql.push(" AND c.started_at < ").push_bind(until.micros());
        }
        if let Some((from, until)) = filter.numbers() {
            if few {
                sql.push(" AND c.party_id IN (SELECT id FROM party WHERE tenant_id = ");
                sql.push_bind(self.id()).push(" AND number >= ").push_bind(from);
                sql.push(" AND number < ").push_bind(until).push(")");
            } else {
                sql.push(" AND p.number >= ").push_bind(from);
                sql.push(" AND p.number < ").push_bind(until);
            }
        }
        if let Some(place) = filter.after {
            sql.push(" AND (c.started_at < ").push_bind(place.started_at.micros());
            sql.push(" OR (c.started_at = ").push_bind(place.started_at.micros());
            sql.push(" AND c.id < ").push_bind(place.call.to_string()).push("))");
        }
        // The sign keeps the planner from walking back in time for the sake of the order.
        let newest = if few { "+c.started_at" } else { "c.started_at" };
        sql.push(format!(" ORDER BY {newest} DESC, c.id DESC LIMIT "));
        sql.push_bind(i64::from(limit));
        sql
    }

    /// One call.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; faults of the database.
    pub async fn call(&self, call: CallId) -> Result<ListedCall, StoreError> {
        let row = sqlx::query(
            "SELECT c.*, p.number AS party_number, p.name AS party_name FROM call c
             LEFT JOIN party p ON p.tenant_id = c.tenant_id AND p.id = c.party_id
             WHERE c.tenant_id = $1 AND c.id = $2",
        )
        .bind(self.id())
        .bind(call.to_string())
        .fetch_one(self.readers())
        .await?;
        read_listed(&row)
    }

    /// Calls that something may still have to be ended of, oldest first: those that were alive when
    /// the process ended, and those that an agent may have been wrapping up.
    ///
    /// # Errors
    /// Faults of the database; damaged rows.
    pub async fn unfinished_calls(&self) -> Result<Vec<CallRow>, StoreError> {
        let rows = sqlx::query(UNFINISHED_CALLS).bind(self.id()).fetch_all(self.readers()).await?;
        rows.iter().map(read_call).collect()
    }

    /// What the caller chose and typed, in order.
    ///
    /// # Errors
    /// Faults of the database; damaged rows.
    pub async fn facts(&self, call: CallId) -> Result<Vec<Fact>, StoreError> {
        let rows = sqlx::query(
            "SELECT kind, key, label, value, secret_id FROM fact WHERE tenant_id = $1 AND call_id = $2
             ORDER BY n",
        )
        .bind(self.id())
        .bind(call.to_string())
        .fetch_all(self.readers())
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Fact {
                    kind: row.word("kind")?,
                    key: row.text("key")?,
                    label: row.text("label")?,
                    value: row.text("value")?,
                    secret: row.parsed_opt("secret_id")?,
                })
            })
            .collect()
    }

    /// The notes of a call, oldest first.
    ///
    /// # Errors
    /// Faults of the database; damaged rows.
    pub async fn notes(&self, call: CallId) -> Result<Vec<Note>, StoreError> {
        let rows = sqlx::query(
            "SELECT agent_id, text, at FROM note WHERE tenant_id = $1 AND call_id = $2 ORDER BY at",
        )
        .bind(self.id())
        .bind(call.to_string())
        .fetch_all(self.readers())
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Note {
                    agent: row.parsed("agent_id")?,
                    text: row.text("text")?,
                    at: row.time("at")?,
                })
            })
            .collect()
    }

    /// The recordings of a call in order.
    ///
    /// # Errors
    /// Faults of the database; damaged rows.
    pub async fn recordings(&self, call: CallId) -> Result<Vec<RecordingRow>, StoreError> {
        let rows =
            sqlx::query("SELECT * FROM recording WHERE tenant_id = $1 AND call_id = $2 ORDER BY n")
                .bind(self.id())
                .bind(call.to_string())
                .fetch_all(self.readers())
                .await?;
        rows.iter().map(read_recording).collect()
    }

    /// Recordings that were not finished when the process ended and not looked at since.
    ///
    /// # Errors
    /// Faults of the database; damaged rows.
    pub async fn open_recordings(&self) -> Result<Vec<RecordingRow>, StoreError> {
        let rows = sqlx::query(OPEN_RECORDINGS).bind(self.id()).fetch_all(self.readers()).await?;
        rows.iter().map(read_recording).collect()
    }

    /// Telephones of agents that are connected, or were when the process ended, with their legs.
    ///
    /// # Errors
    /// Faults of the database; damaged rows.
    pub async fn devices_up(&self) -> Result<Vec<(AgentId, LegId)>, StoreError> {
        let rows = sqlx::query(
            "SELECT agent_id, leg_id FROM device_up WHERE tenant_id = $1 ORDER BY agent_id",
        )
        .bind(self.id())
        .fetch_all(self.readers())
        .await?;
        rows.iter().map(|row| Ok((row.parsed("agent_id")?, row.parsed("leg_id")?))).collect()
    }

    /// What each agent wanted when it was last written: the cell's own documents.
    ///
    /// # Errors
    /// Faults of the database; damaged rows.
    pub async fn agent_intents(&self) -> Result<Vec<(AgentId, serde_json::Value)>, StoreError> {
        let rows = sqlx::query(
            "SELECT agent_id, intent FROM agent_intent WHERE tenant_id = $1 ORDER BY agent_id",
        )
        .bind(self.id())
        .fetch_all(self.readers())
        .await?;
        rows.iter().map(|row| Ok((row.parsed("agent_id")?, row.json("intent")?))).collect()
    }
}

impl CallFilter {
    /// The range of the callers' numbers that are asked for, its end left out. A range instead of
    /// LIKE: what is asked for may hold any character, and order is binary.
    fn numbers(&self) -> Option<(String, String)> {
        // No number holds a control character: nothing lies between one and this.
        let only = |number: &String| (number.clone(), format!("{number}\u{1}"));
        let all = |prefix: &String| (prefix.clone(), format!("{prefix}\u{10ffff}"));
        self.caller.as_ref().map(only).or_else(|| self.caller_prefix.as_ref().map(all))
    }
}

fn read_listed(row: &SqliteRow) -> Result<ListedCall, StoreError> {
    Ok(ListedCall {
        row: read_call(row)?,
        number: row.text_opt("party_number")?,
        name: row.text_opt("party_name")?,
    })
}

fn read_call(row: &SqliteRow) -> Result<CallRow, StoreError> {
    Ok(CallRow {
        call: row.parsed("id")?,
        party: row.parsed("party_id")?,
        leg: row.parsed("leg_id")?,
        dialled: row.parsed("dialled")?,
        flow: row.parsed("flow_id")?,
        flow_version: row.count("flow_version")?,
        language: row.text("language")?,
        consent: row.word("consent")?,
        started_at: row.time("started_at")?,
        answered_at: row.time_opt("answered_at")?,
        ended_at: row.time_opt("ended_at")?,
        queue: row.parsed_opt("queue_id")?,
        waiting_since: row.time_opt("waiting_since")?,
        agent: row.parsed_opt("agent_id")?,
        waited_us: row.number("waited_us")?,
        talk_us: row.number("talk_us")?,
        hold_us: row.number("hold_us")?,
        wrap_us: row.number("wrap_us")?,
        outcome: row.word_opt("outcome")?,
        cause: row.word_opt("cause")?,
        disposition: row.text_opt("disposition")?,
        resolved: row.flag_opt("resolved")?,
        recorded: row.flag("recorded")?,
        finished: row.flag("finished")?,
    })
}

fn read_recording(row: &SqliteRow) -> Result<RecordingRow, StoreError> {
    Ok(RecordingRow {
        recording: row.parsed("id")?,
        call: row.parsed("call_id")?,
        n: u32::try_from(row.number("n")?).map_err(|_| StoreError::damaged("recording.n"))?,
        legs: row
            .text("legs")?
            .split_whitespace()
            .map(|leg| leg.parse().map_err(|_| StoreError::damaged("recording.legs")))
            .collect::<Result<_, _>>()?,
        started_at: row.time("started_at")?,
        path: row.text("path")?,
        length_ms: row.number("length_ms")?,
        complete: row.flag("complete")?,
        sha256: row.text_opt("sha256")?,
    })
}

#[cfg(test)]
mod tests {
    use model::TenantId;
    use sqlx::Row;

    use super::*;
    use crate::journal::{CALL_EVENTS, CONTACT_EVENTS, LAST_SEQ};
    use crate::tenant::Ctx;
    use crate::{Actor, ConfigDraft, HouseKey, NewTenant, Store};

    /// A search must not read every call of the house: it begins at the number, or stops early.
    #[tokio::test]
    async fn a_search_walks_an_index() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), &HouseKey::generate()).await.unwrap();
        let db = store.system(crate::id::fresh_id(Timestamp::default()));
        let filter = CallFilter { caller_prefix: Some("+30210".into()), ..CallFilter::default() };
        let select = format!("EXPLAIN QUERY PLAN {SELECT_LISTED}");
        let plan = async |few: bool| {
            let mut sql = db.listing(&select, &filter, few, 50);
            let rows = sql.build().fetch_all(db.readers()).await.unwrap();
            rows.iter().map(|row| row.text("detail").unwrap()).collect::<Vec<_>>().join("; ")
        };
        let few = plan(true).await;
        assert!(few.contains("party_by_number") && few.contains("call_by_party"), "{few}");
        let many = plan(false).await;
        assert!(many.contains("call_by_start") && !many.contains("TEMP B-TREE"), "{many}");
    }

    /// Calls of a busy month, all over and done with, and their events.
    const HISTORY: [&str; 2] = [
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000)
         INSERT INTO call SELECT $1, printf('%08d', i), 'p', 'l', '100', 'f', 1, 'en', 'unasked', i,
             i, i + 1, NULL, NULL, NULL, 0, 0, 0, 0, 'handled', 'hangup', NULL, NULL, TRUE, TRUE
         FROM n",
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000)
         INSERT INTO recording SELECT $1, printf('%08d', i), printf('%08d', i), 1, i, 'p', 1, TRUE,
             '00', '' FROM n",
    ];
    const EVENTS: &str =
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000)
         INSERT INTO event SELECT $1, i, i, 1, printf('%08d', i), NULL, '{}' FROM n";

    async fn plan(db: &TenantDb, sql: &str) -> String {
        let query = format!("EXPLAIN QUERY PLAN {sql}");
        let mut query = sqlx::query(sqlx::AssertSqlSafe(query)).bind(db.id());
        for place in ["$2", "$3"] {
            if sql.contains(place) {
                query = query.bind("x");
            }
        }
        let rows = query.fetch_all(db.readers()).await.unwrap();
        rows.iter().map(|row| row.get::<String, _>("detail")).collect::<Vec<_>>().join("; ")
    }

    #[tokio::test]
    async fn what_a_start_reads_does_not_grow_with_history() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), &HouseKey::generate()).await.unwrap();
        let new = NewTenant {
            name: "Test".to_owned(),
            zone: "UTC".to_owned(),
            language: "en".to_owned(),
            domain: None,
            first_only: false,
        };
        let at = Timestamp::from_micros(1);
        let bare = |_: &mut ConfigDraft| Ok::<(), StoreError>(());
        let made = store.create_tenant(new, Actor::System, at, bare).await;
        let tenant: TenantId = made.unwrap().config.tenant;
        let mut conn = crate::connect::writer(&dir.path().join("antiphon.db")).await.unwrap();
        for sql in HISTORY.into_iter().chain([EVENTS]) {
            sqlx::query(sql).bind(tenant.to_string()).execute(&mut conn).await.unwrap();
        }
        let db = store.tenant(Ctx::system(tenant));
        for (sql, index) in [
            (UNFINISHED_CALLS, "call_unfinished"),
            (OPEN_RECORDINGS, "recording_open"),
            (CALL_EVENTS, "event_by_call"),
            (LAST_SEQ, "sqlite_autoindex_event_1"),
        ] {
            let plan = plan(&db, sql).await;
            assert!(plan.contains(index) && !plan.contains("SCAN"), "{sql}: {plan}");
            assert!(!plan.contains("TEMP B-TREE"), "nothing is sorted: {plan}");
        }
        let contacts = plan(&db, CONTACT_EVENTS).await;
        let mut several = db.of_calls("EXPLAIN QUERY PLAN ", &[1, 2].map(|_| crate::fresh_id(at)));
        let rows = several.build().fetch_all(db.readers()).await.unwrap();
        let several: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
        for plan in [&contacts, &several.join("; ")] {
            assert!(plan.contains("event_by_call") && !plan.contains("autoindex"), "{plan}");
        }
        assert!(contacts.contains("event_by_agent"), "{contacts}");
        assert!(db.unfinished_calls().await.unwrap().is_empty());
        assert!(db.open_recordings().await.unwrap().is_empty());
        assert_eq!(db.last_seq().await.unwrap(), 50_000);
    }
}
