//! The schema: ordered scripts, each applied once, never changed after a release.
//!
//! Invariant: a file is either at a schema this build knows or it is not opened.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, Row};

use crate::error::StoreError;
use crate::secret::hex;

struct Migration {
    n: i64,
    sql: &'static str,
}

const MIGRATIONS: [Migration; 12] = [
    Migration { n: 1, sql: include_str!("../migrations/0001_house.sql") },
    Migration { n: 2, sql: include_str!("../migrations/0002_config.sql") },
    Migration { n: 3, sql: include_str!("../migrations/0003_floor.sql") },
    Migration { n: 4, sql: include_str!("../migrations/0004_number_plan.sql") },
    Migration { n: 5, sql: include_str!("../migrations/0005_call_search.sql") },
    Migration { n: 6, sql: include_str!("../migrations/0006_recovery.sql") },
    Migration { n: 7, sql: include_str!("../migrations/0007_device_up.sql") },
    Migration { n: 8, sql: include_str!("../migrations/0008_secret.sql") },
    Migration { n: 9, sql: include_str!("../migrations/0009_fewer_call_indexes.sql") },
    Migration { n: 10, sql: include_str!("../migrations/0010_recorded_legs.sql") },
    Migration { n: 11, sql: include_str!("../migrations/0011_phone.sql") },
    Migration { n: 12, sql: include_str!("../migrations/0012_sealed_secret.sql") },
];

/// The schema this build writes.
pub(crate) const SCHEMA: i64 = MIGRATIONS[MIGRATIONS.len() - 1].n;

/// Brings the file to [`SCHEMA`], after copying it beside itself if it holds anything.
pub(crate) async fn migrate(conn: &mut SqliteConnection, file: &Path) -> Result<(), StoreError> {
    sqlx::query("CREATE TABLE IF NOT EXISTS migration (n BIGINT NOT NULL PRIMARY KEY, sha256 TEXT NOT NULL)")
        .execute(&mut *conn)
        .await?;
    let found = check(conn).await?;
    if found == SCHEMA {
        return Ok(());
    }
    if found > 0 {
        let copy = copy_name(file, found);
        tracing::info!(copy = %copy.display(), found, wanted = SCHEMA, "copying before a migration");
        copy_to(conn, &copy).await?;
    }
    apply(conn, &MIGRATIONS, found).await
}

/// Applies the scripts after `found`, each in a transaction of its own.
async fn apply(
    conn: &mut SqliteConnection,
    migrations: &[Migration],
    found: i64,
) -> Result<(), StoreError> {
    for migration in migrations.iter().filter(|migration| migration.n > found) {
        let mut tx = conn.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::raw_sql(migration.sql).execute(&mut *tx).await?;
        sqlx::query("INSERT INTO migration (n, sha256) VALUES ($1, $2)")
            .bind(migration.n)
            .bind(digest(migration.sql))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
    }
    Ok(())
}

/// The schema of an opened file; refuses what this build does not know.
pub(crate) async fn check(conn: &mut SqliteConnection) -> Result<i64, StoreError> {
    let rows =
        sqlx::query("SELECT n, sha256 FROM migration ORDER BY n").fetch_all(&mut *conn).await?;
    let mut found = 0;
    for row in rows {
        found = row.try_get::<i64, _>("n")?;
        let Some(known) = MIGRATIONS.iter().find(|migration| migration.n == found) else {
            return Err(StoreError::NewerSchema { found, known: SCHEMA });
        };
        if row.try_get::<String, _>("sha256")? != digest(known.sql) {
            return Err(StoreError::damaged(format!("migration {found} is not the one released")));
        }
    }
    Ok(found)
}

/// A consistent copy of the database while it is in use.
pub(crate) async fn copy_to(conn: &mut SqliteConnection, target: &Path) -> Result<(), StoreError> {
    let target = target
        .to_str()
        .ok_or_else(|| StoreError::damaged("the target's path is not valid Unicode"))?;
    sqlx::query("VACUUM INTO $1").bind(target).execute(conn).await?;
    Ok(())
}

fn copy_name(file: &Path, schema: i64) -> PathBuf {
    let free = |n: u32| {
        let path = file.with_extension(format!("db.schema-{schema}.{n}"));
        (!path.exists()).then_some(path)
    };
    (1..).find_map(free).expect("a folder does not hold four thousand million copies")
}

fn digest(sql: &str) -> String {
    hex(&Sha256::digest(sql.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tables without a tenant: the list of tenants itself.
    const HOUSE_WIDE: [&str; 1] = ["tenant"];

    #[test]
    fn every_script_of_the_folder_is_applied() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
        let mut scripts: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
            .collect();
        scripts.sort_by_key(|sql| MIGRATIONS.iter().position(|known| known.sql == sql));
        let known: Vec<&str> = MIGRATIONS.iter().map(|migration| migration.sql).collect();
        assert_eq!(scripts, known);
    }

    #[test]
    fn every_table_names_its_tenant_and_only_portable_types() {
        for migration in &MIGRATIONS {
            let code: String = migration
                .sql
                .lines()
                .filter(|line| !line.trim_start().starts_with("--"))
                .collect::<Vec<_>>()
                .join("\n");
            for table in code.split("CREATE TABLE ").skip(1) {
                let (name, rest) = table.split_once(' ').unwrap();
                let body = rest.split_once(");").unwrap().0;
                assert!(
                    HOUSE_WIDE.contains(&name) || body.contains("tenant_id TEXT NOT NULL"),
                    "{name} has no tenant_id"
                );
            }
            for word in
                ["INTEGER", "NUMERIC", "TIMESTAMP", "JSONB", "UUID", "AUTOINCREMENT", "ROWID"]
            {
                assert!(!code.contains(word), "{word} in migration {}", migration.n);
            }
        }
    }

    #[tokio::test]
    async fn a_newer_file_and_a_changed_script_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.db");
        let mut conn = crate::connect::writer(&file).await.unwrap();
        migrate(&mut conn, &file).await.unwrap();
        migrate(&mut conn, &file).await.unwrap();

        sqlx::query("INSERT INTO migration (n, sha256) VALUES (999, '')")
            .execute(&mut conn)
            .await
            .unwrap();
        let error = migrate(&mut conn, &file).await.unwrap_err();
        assert!(matches!(error, StoreError::NewerSchema { found: 999, known: SCHEMA }), "{error}");

        sqlx::query("DELETE FROM migration WHERE n = 999").execute(&mut conn).await.unwrap();
        sqlx::query("UPDATE migration SET sha256 = 'x' WHERE n = 1")
            .execute(&mut conn)
            .await
            .unwrap();
        assert!(matches!(migrate(&mut conn, &file).await, Err(StoreError::Damaged { .. })));
    }

    /// A file as the program of schema `n` left it.
    async fn written_by(n: usize, file: &Path) -> SqliteConnection {
        let mut conn = crate::connect::writer(file).await.unwrap();
        sqlx::query("CREATE TABLE migration (n BIGINT NOT NULL PRIMARY KEY, sha256 TEXT NOT NULL)")
            .execute(&mut conn)
            .await
            .unwrap();
        apply(&mut conn, &MIGRATIONS[..n], 0).await.unwrap();
        conn
    }

    async fn column(conn: &mut SqliteConnection, sql: &'static str) -> Vec<String> {
        let rows = sqlx::query(sql).fetch_all(conn).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    #[tokio::test]
    async fn the_file_is_copied_before_it_is_migrated() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.db");
        let mut conn = written_by(2, &file).await;
        migrate(&mut conn, &file).await.unwrap();
        let copy = dir.path().join("a.db.schema-2.1");
        let mut copy = crate::connect::writer(&copy).await.unwrap();
        assert_eq!(check(&mut copy).await.unwrap(), 2);
        assert_eq!(check(&mut conn).await.unwrap(), SCHEMA);
    }

    #[tokio::test]
    async fn calls_of_the_last_hour_are_looked_at_once_more() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.db");
        let mut conn = written_by(4, &file).await;
        let hour = 3_600_000_000_i64;
        sqlx::query("INSERT INTO tenant VALUES ('t', 'One', 'UTC', 'en', 1, NULL)")
            .execute(&mut conn)
            .await
            .unwrap();
        for (seq, at) in [(1, 0), (2, 10 * hour)] {
            sqlx::query("INSERT INTO event VALUES ('t', $1, $2, 1, NULL, NULL, '{}')")
                .bind(seq)
                .bind(at)
                .execute(&mut conn)
                .await
                .unwrap();
        }
        for (call, ended_at) in [("old", Some(hour)), ("new", Some(10 * hour)), ("open", None)] {
            sqlx::query(
                "INSERT INTO call VALUES ('t', $1, 'p', 'l', '100', 'f', 1, 'en', 'unasked', 1,
                     NULL, $2, NULL, NULL, NULL, 0, 0, 0, 0, NULL, NULL, NULL, NULL, FALSE)",
            )
            .bind(call)
            .bind(ended_at)
            .execute(&mut conn)
            .await
            .unwrap();
        }
        migrate(&mut conn, &file).await.unwrap();
        let unfinished = "SELECT id FROM call WHERE NOT finished ORDER BY id";
        assert_eq!(column(&mut conn, unfinished).await, ["new", "open"]);
    }

    #[tokio::test]
    async fn numbers_of_a_house_wide_plan_stay_where_they_were() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.db");
        let mut conn = written_by(3, &file).await;
        for sql in [
            "INSERT INTO tenant VALUES ('t1', 'One', 'UTC', 'en', 1), ('t2', 'Two', 'UTC', 'en', 2)",
            "INSERT INTO flow VALUES ('t1', 'f1', 'Main', '{}', 1), ('t2', 'f2', 'Main', '{}', 1)",
            "INSERT INTO number VALUES ('200', 't1', 'f1'), ('100', 't2', 'f2'), ('+1', 't1', 'f1')",
        ] {
            sqlx::query(sql).execute(&mut conn).await.unwrap();
        }
        migrate(&mut conn, &file).await.unwrap();
        let plan = column(
            &mut conn,
            "SELECT dialled || ' ' || tenant_id || ' ' || flow_id FROM number ORDER BY claim",
        );
        assert_eq!(plan.await, ["+1 t1 f1", "100 t2 f2", "200 t1 f1"]);
        let tenants = "SELECT name FROM tenant WHERE domain IS NULL ORDER BY id";
        assert_eq!(column(&mut conn, tenants).await, ["One", "Two"]);
        // The rebuilt table still refers to the flows, and another tenant may have the number.
        let orphan = "INSERT INTO number VALUES ('t1', '300', 'f2', 4)";
        sqlx::query(orphan).execute(&mut conn).await.unwrap_err();
        let twin = "INSERT INTO number VALUES ('t1', '100', 'f1', 4)";
        sqlx::query(twin).execute(&mut conn).await.unwrap();
    }
}
