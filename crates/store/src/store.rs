//! The store as a whole: opening and closing a data folder, and the house-level handles.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use model::{TenantConfig, TenantId};
use sqlx::sqlite::SqlitePool;

use crate::connect;
use crate::error::StoreError;
use crate::floor::FloorLane;
use crate::migrate;
use crate::tenant::{Ctx, TenantDb};
use crate::writer::{Figures, Writer};

/// The database file of a data folder.
pub(crate) const DATABASE_FILE: &str = "antiphon.db";
/// The folder of prompts, by digest.
pub(crate) const BLOBS_DIR: &str = "blobs";
/// The folder of recordings.
pub(crate) const RECORDINGS_DIR: &str = "recordings";
/// Held while a process has the folder open.
const LOCK_FILE: &str = "antiphon.lock";
/// Passwords hashed at once: each takes 19 MiB and a core.
const PASSWORDS_AT_ONCE: usize = 2;

/// An open data folder. Clones share it.
#[derive(Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) dir: PathBuf,
    pub(crate) writer: Writer,
    pub(crate) readers: SqlitePool,
    /// The newest configuration of each tenant that was asked for.
    pub(crate) configs: Mutex<BTreeMap<TenantId, Arc<TenantConfig>>>,
    /// Held from reading a draft until it is committed: edits never overtake each other.
    pub(crate) editing: tokio::sync::Mutex<()>,
    pub(crate) passwords: tokio::sync::Semaphore,
    _lock: File,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("dir", &self.inner.dir).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens a data folder, making it when it does not exist, and brings its schema up to date.
    ///
    /// # Errors
    /// [`StoreError::NewerSchema`] and [`StoreError::Unsafe`] name what is wrong with the file;
    /// [`StoreError::Conflict`] when another process has the folder.
    pub async fn open(dir: &Path) -> Result<Self, StoreError> {
        for folder in [dir, &dir.join(BLOBS_DIR), &dir.join(RECORDINGS_DIR)] {
            std::fs::create_dir_all(folder)?;
        }
        let lock = lock(dir)?;
        let file = dir.join(DATABASE_FILE);
        let mut conn = connect::writer(&file).await?;
        migrate::migrate(&mut conn, &file).await?;
        let readers = connect::readers(&file).await?;
        crate::blob::sync_dir(dir)?;
        Ok(Self {
            inner: Arc::new(Inner {
                dir: dir.to_owned(),
                writer: Writer::start(conn, file),
                readers,
                configs: Mutex::default(),
                editing: tokio::sync::Mutex::default(),
                passwords: tokio::sync::Semaphore::new(PASSWORDS_AT_ONCE),
                _lock: lock,
            }),
        })
    }

    /// Finishes what waits to be written and closes the file. Everything asked of the store
    /// afterwards is refused with [`StoreError::Closed`].
    pub async fn close(&self) {
        self.inner.writer.close().await;
        self.inner.readers.close().await;
    }

    /// The data folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.inner.dir
    }

    /// Where cells hand in events and rows.
    #[must_use]
    pub fn floor(&self) -> FloorLane {
        FloorLane { writer: self.inner.writer.clone() }
    }

    /// The fence: everything of one tenant.
    #[must_use]
    pub fn tenant(&self, ctx: Ctx) -> TenantDb {
        TenantDb { store: self.clone(), ctx }
    }

    /// What the writer did since the start.
    #[must_use]
    pub fn figures(&self) -> Figures {
        self.inner.writer.figures()
    }

    /// Resolves when the disk failed: the process should end and be started again.
    pub async fn stopped(&self) {
        self.inner.writer.stopped().await;
    }

    /// Whether the database answers and takes writes.
    ///
    /// # Errors
    /// What is wrong with it.
    pub async fn check(&self) -> Result<(), StoreError> {
        if self.inner.writer.is_stopped() {
            return Err(StoreError::Stopped);
        }
        sqlx::query("SELECT COUNT(*) FROM tenant").execute(&self.inner.readers).await?;
        Ok(())
    }
}

/// One process per folder: two writers would not see each other's place in the journal.
fn lock(dir: &Path) -> Result<File, StoreError> {
    let file = File::options().create(true).append(true).open(dir.join(LOCK_FILE))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => {
            Err(StoreError::Conflict { what: "the data folder (another process has it open)" })
        }
        Err(std::fs::TryLockError::Error(error)) => Err(error.into()),
    }
}
