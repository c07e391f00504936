//! Recordings that a crash cut off: how much of each can be heard is written into its row, while
//! calls are taken again already.
//!
//! Invariant: whatever is found of a file, its row is closed by it, and no later start looks again.

use std::io::ErrorKind;

use media::recording::{RecordingError, salvage};
use model::TenantId;
use model::limits;
use store::{FloorBatch, FloorRow, RecordingRow, Store, StoreError};
use tokio::task::JoinSet;

/// Closes the rows of recordings that a dead process left open.
pub(crate) async fn salvage_all(store: Store, cut_off: Vec<(TenantId, RecordingRow)>) {
    let mut under_way = JoinSet::new();
    for (tenant, row) in cut_off {
        if under_way.len() >= limits::SALVAGES_AT_ONCE_MAX {
            under_way.join_next().await;
        }
        under_way.spawn(salvage_one(store.clone(), tenant, row));
    }
    while under_way.join_next().await.is_some() {}
}

async fn salvage_one(store: Store, tenant: TenantId, row: RecordingRow) {
    let recording = row.recording;
    if let Err(error) = close(&store, tenant, row).await {
        // The next start tries again.
        tracing::error!(tenant.id = %tenant, %recording, %error, "a cut-off recording stays open");
    }
}

#[derive(Debug, thiserror::Error)]
enum SalvageError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    File(#[from] RecordingError),
    #[error("looking at it failed: {0}")]
    Task(#[from] tokio::task::JoinError),
}

async fn close(store: &Store, tenant: TenantId, row: RecordingRow) -> Result<(), SalvageError> {
    let file = store.recording_file(&row)?;
    let salvaged = tokio::task::spawn_blocking(move || salvage(&file)).await?;
    let (length_ms, sha256) = match salvaged {
        Ok(salvaged) => (salvaged.length_ms, salvaged.sha256),
        // A disk that does not answer today may do so tomorrow.
        Err(RecordingError::Disk(error)) if !is_gone(&error) => {
            return Err(RecordingError::Disk(error).into());
        }
        // Gone, or without a whole second: there is nothing to be heard.
        Err(_) => (0, String::new()),
    };
    let row = RecordingRow { length_ms, sha256: Some(sha256), ..row };
    let rows = vec![FloorRow::Recording(row)];
    Ok(store.floor().commit(FloorBatch { tenant, events: Vec::new(), rows }).await?)
}

fn is_gone(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::UnexpectedEof)
}
