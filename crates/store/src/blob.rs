//! Files beside the database: sounds by digest, recordings by place.
//!
//! Invariant: a blob has its final name only when all of it is on disk, so a name that exists
//! always holds what it says.

use std::fs::{DirBuilder, File};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};

use model::media::ClipId;
use model::{CallId, Timestamp};
use sha2::{Digest, Sha256};

use crate::error::StoreError;
use crate::floor::RecordingRow;
use crate::secret::{hex, random_bytes};
use crate::store::{BLOBS_DIR, RECORDINGS_DIR, Store};
use crate::tenant::TenantDb;
use crate::text::Columns;

impl TenantDb {
    /// Keeps a blob and names it by its SHA-256. Keeping it again is harmless.
    ///
    /// # Errors
    /// [`StoreError::Full`]; faults of the file system and the database. Nothing is named then.
    pub async fn put_blob(&self, bytes: Vec<u8>, at: Timestamp) -> Result<ClipId, StoreError> {
        let digest: [u8; 32] = Sha256::digest(&bytes).into();
        let length = i64::try_from(bytes.len()).map_err(|_| StoreError::Full)?;
        let folder = self.store.inner.dir.join(BLOBS_DIR);
        tokio::task::spawn_blocking(move || write_blob(&folder, &hex(&digest), &bytes))
            .await
            .map_err(|_| StoreError::Closed)??;
        let tenant = self.id();
        self.store
            .inner
            .writer
            .run(move |conn| {
                Box::pin(async move {
                    sqlx::query(
                        "INSERT INTO blob (tenant_id, sha256, bytes, created_at)
                         VALUES ($1, $2, $3, $4) ON CONFLICT (tenant_id, sha256) DO NOTHING",
                    )
                    .bind(tenant)
                    .bind(hex(&digest))
                    .bind(length)
                    .bind(at.micros())
                    .execute(conn)
                    .await?;
                    Ok(())
                })
            })
            .await?;
        Ok(ClipId::from_digest(digest))
    }

    /// The bytes of a blob of this tenant, proven by their digest.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], also for a blob of another tenant; [`StoreError::Damaged`].
    pub async fn blob(&self, clip: ClipId) -> Result<Vec<u8>, StoreError> {
        let row = sqlx::query("SELECT bytes FROM blob WHERE tenant_id = $1 AND sha256 = $2")
            .bind(self.id())
            .bind(clip.to_string())
            .fetch_one(self.readers())
            .await?;
        let length = row.count("bytes")?;
        let path = self.store.inner.dir.join(BLOBS_DIR).join(clip.to_string());
        tokio::task::spawn_blocking(move || {
            let bytes = std::fs::read(path)?;
            let digest: [u8; 32] = Sha256::digest(&bytes).into();
            if bytes.len() as u64 == length && ClipId::from_digest(digest) == clip {
                Ok(bytes)
            } else {
                Err(StoreError::damaged(format!("blob {clip}")))
            }
        })
        .await
        .map_err(|_| StoreError::Closed)?
    }

    /// Where file `n` of a call's recording goes, relative to the data folder, with `/`.
    #[must_use]
    pub fn recording_place(&self, call: CallId, n: u32, day: &str) -> String {
        format!("{RECORDINGS_DIR}/{}/{day}/{call}/{n}.rec", self.ctx.tenant)
    }
}

impl Store {
    /// The file of a recording.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when the row points outside the folder of recordings.
    pub fn recording_file(&self, row: &RecordingRow) -> Result<PathBuf, StoreError> {
        let relative = Path::new(&row.path);
        if is_inside(relative) && relative.starts_with(RECORDINGS_DIR) {
            Ok(self.inner.dir.join(relative))
        } else {
            Err(StoreError::damaged(format!("path of recording {}", row.recording)))
        }
    }
}

/// Whether a relative path can only lead below the folder it is joined to.
pub(crate) fn is_inside(relative: &Path) -> bool {
    relative.components().next().is_some()
        && relative.components().all(|part| matches!(part, Component::Normal(_)))
}

fn write_blob(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
    let target = folder.join(name);
    if target.exists() {
        return Ok(());
    }
    let temporary = folder.join(format!(".{name}.{}", hex(&random_bytes::<8>())));
    let written = write_synced(&temporary, bytes).and_then(|()| {
        std::fs::rename(&temporary, &target)?;
        sync_dir(folder)
    });
    if written.is_err() {
        // Leaves nothing behind; the first error is the one that matters.
        let _ = std::fs::remove_file(&temporary);
    }
    written
}

fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let mut file = File::create_new(path).map_err(full_or_io)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(full_or_io)
}

/// Makes a folder, and those above it that are missing, for the owner alone. One that exists stays
/// as it is.
///
/// # Errors
/// [`StoreError::Full`]; faults of the file system.
pub fn make_private_folder(folder: &Path) -> Result<(), StoreError> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(full_or_io)
}

/// Whoever made the folder may have meant it: told, not changed.
pub(crate) fn warn_when_open_to_others(folder: &Path) -> Result<(), StoreError> {
    let mode = std::fs::metadata(folder)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let folder = folder.display();
        tracing::warn!(
            "other users can look into {folder} (mode {mode:o}); run: chmod 700 {folder}"
        );
    }
    Ok(())
}

/// Makes names in a folder durable.
pub(crate) fn sync_dir(folder: &Path) -> Result<(), StoreError> {
    File::open(folder)?.sync_all().map_err(full_or_io)
}

pub(crate) fn full_or_io(error: std::io::Error) -> StoreError {
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => StoreError::Full,
        _ => StoreError::Io(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_inside() {
        for good in ["recordings/a/1.rec", "blobs/00"] {
            assert!(is_inside(Path::new(good)), "{good}");
        }
        for bad in ["", "/etc/passwd", "../a", "recordings/../../a", "./a", "a/.."] {
            assert!(!is_inside(Path::new(bad)), "{bad}");
        }
    }
}
