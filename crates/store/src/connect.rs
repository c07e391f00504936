//! Opening the database file: every connection gets the same safety settings, and they are read
//! back, because a setting that was silently ignored is a promise that cannot be kept.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions, Row};

use crate::error::StoreError;

/// Connections that read. WAL lets them run beside the writer.
pub(crate) const READERS: u32 = 4;
/// Connections that only look up who somebody is: every request begins with it, and none waits for
/// a search that takes long.
pub(crate) const DOORS: u32 = 2;
/// How long a lock is waited for. Only a backup or a foreign tool can hold one.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Texts the writer keeps prepared: [`crate::floor::group`] has some eight hundred, of which a
/// house under a steady load uses few.
const WRITER_STATEMENTS: usize = 200;

/// What every connection must have, as `PRAGMA` prints it.
const REQUIRED: [(&str, &str, &str); 3] = [
    ("journal_mode", "PRAGMA journal_mode", "wal"),
    ("synchronous", "PRAGMA synchronous", "2"),
    ("foreign_keys", "PRAGMA foreign_keys", "1"),
];

fn options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .disable_statement_logging()
}

/// The connection that writes. It leaves checkpoints to [`crate::checkpoint`], and keeps the
/// journals of its statements in memory.
pub(crate) async fn writer(file: &Path) -> Result<SqliteConnection, StoreError> {
    let options = options(file)
        .pragma("wal_autocheckpoint", "0")
        .pragma("temp_store", "2")
        .statement_cache_capacity(WRITER_STATEMENTS);
    let mut conn = options.connect().await?;
    read_back(&mut conn).await?;
    Ok(conn)
}

/// A connection that only reads, beside whatever has the file open. It makes no file.
pub(crate) async fn onlooker(file: &Path) -> Result<SqliteConnection, StoreError> {
    let options = options(file).create_if_missing(false).read_only(true);
    Ok(options.connect().await?)
}

/// The connections that read, all opened and checked now.
pub(crate) async fn readers(file: &Path, many: u32) -> Result<SqlitePool, StoreError> {
    let pool = SqlitePoolOptions::new()
        .min_connections(many)
        .max_connections(many)
        .acquire_timeout(BUSY_TIMEOUT)
        .connect_with(options(file).pragma("query_only", "1"))
        .await?;
    let mut held = Vec::new();
    for _ in 0..many {
        let mut conn = pool.acquire().await?;
        read_back(&mut conn).await?;
        held.push(conn);
    }
    Ok(pool)
}

/// Fails unless the connection really has the settings it was asked for.
pub(crate) async fn read_back(conn: &mut SqliteConnection) -> Result<(), StoreError> {
    for (setting, question, wanted) in REQUIRED {
        let row = sqlx::query(question).fetch_one(&mut *conn).await?;
        let found = match row.try_get::<i64, _>(0) {
            Ok(number) => number.to_string(),
            Err(_) => row.try_get::<String, _>(0)?,
        };
        if found != wanted {
            return Err(StoreError::Unsafe { setting, found, wanted });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_connection_reads_back_its_safety() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.db");
        let mut conn = writer(&file).await.unwrap();
        readers(&file, READERS).await.unwrap();

        sqlx::query("PRAGMA synchronous = NORMAL").execute(&mut conn).await.unwrap();
        let error = read_back(&mut conn).await.unwrap_err();
        assert!(
            matches!(&error, StoreError::Unsafe { setting: "synchronous", found, .. } if found == "1"),
            "{error}"
        );
    }
}
