//! Moves what the write-ahead log holds into the database file, beside the writer, so that no
//! transaction pays for it.
//!
//! Invariant: durability never depends on this. What is committed is in the synced log; a
//! checkpoint only keeps that log short.

use std::time::Duration;

use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use crate::error::StoreError;

/// Waits for nobody: what is in use stays in the log for the next time.
pub(crate) const CHECKPOINT: &str = "PRAGMA wal_checkpoint(PASSIVE)";
/// How often the log is looked at.
const EVERY: Duration = Duration::from_secs(1);
/// A log of so many pages of 4 KiB is finished by the writer itself, which alone can be sure that
/// nothing is added meanwhile; only then does the log begin anew.
const PAGES_MAX: i64 = 4_096;

/// What the checkpoints need of the writer.
pub(crate) trait Log: Send {
    /// Resolves when nothing more is written.
    fn stopped(&mut self) -> impl Future<Output = ()> + Send;
    /// Transactions so far.
    fn commits(&self) -> u64;
    /// Asks the writer to make a checkpoint between two transactions.
    fn finish(&self);
}

/// Runs until the writer stops, on a connection of its own.
pub(crate) async fn run(mut conn: SqliteConnection, mut log: impl Log) {
    let mut commits = 0;
    loop {
        tokio::select! {
            () = log.stopped() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        let now = log.commits();
        if now == commits {
            continue;
        }
        commits = now;
        match pages(&mut conn).await {
            Ok(pages) if pages >= PAGES_MAX => log.finish(),
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "no checkpoint: the log grows"),
        }
    }
}

/// Makes a checkpoint and tells how many pages the log has.
async fn pages(conn: &mut SqliteConnection) -> Result<i64, StoreError> {
    let row = sqlx::query(CHECKPOINT).fetch_one(conn).await?;
    Ok(row.try_get(1)?)
}
