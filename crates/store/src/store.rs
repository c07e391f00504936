//! The store as a whole: opening and closing a data folder, and the house-level handles.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use model::{TenantConfig, TenantId};
use sqlx::sqlite::SqlitePool;

use crate::blob::{make_private_folder, warn_when_open_to_others};
use crate::connect;
use crate::error::StoreError;
use crate::floor::FloorLane;
use crate::key::{HouseKey, RowKey};
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
    /// Sessions, keys and passwords.
    pub(crate) doors: SqlitePool,
    /// The newest configuration of each tenant that was asked for.
    pub(crate) configs: Mutex<BTreeMap<TenantId, Arc<TenantConfig>>>,
    /// Held from reading a draft until it is committed: edits never overtake each other.
    pub(crate) editing: tokio::sync::Mutex<()>,
    pub(crate) passwords: tokio::sync::Semaphore,
    /// Seals what is kept of the secrets of telephones.
    pub(crate) phone_key: Arc<RowKey>,
    lock: File,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("dir", &self.inner.dir).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens a data folder, making it when it does not exist, and brings its schema up to date.
    /// With another key than it was written with, telephones need another secret each.
    ///
    /// # Errors
    /// [`StoreError::NewerSchema`] and [`StoreError::Unsafe`] name what is wrong with the file;
    /// [`StoreError::Conflict`] when another process has the folder.
    pub async fn open(dir: &Path, key: &HouseKey) -> Result<Self, StoreError> {
        for folder in [dir, &dir.join(BLOBS_DIR), &dir.join(RECORDINGS_DIR)] {
            make_private_folder(folder)?;
        }
        warn_when_open_to_others(dir)?;
        let lock = lock(dir)?;
        let file = dir.join(DATABASE_FILE);
        let mut conn = connect::writer(&file).await?;
        migrate::migrate(&mut conn, &file).await?;
        let phone_key = Arc::new(key.of_rows("phone"));
        let readers = connect::readers(&file, connect::READERS).await?;
        let doors = connect::readers(&file, connect::DOORS).await?;
        crate::blob::sync_dir(dir)?;
        let keeper = connect::writer(&file).await?;
        Ok(Self {
            inner: Arc::new(Inner {
                dir: dir.to_owned(),
                writer: Writer::start(conn, keeper, file).await?,
                readers,
                doors,
                configs: Mutex::default(),
                editing: tokio::sync::Mutex::default(),
                passwords: tokio::sync::Semaphore::new(PASSWORDS_AT_ONCE),
                phone_key,
                lock,
            }),
        })
    }

    /// Finishes what waits to be written, closes the file and frees the folder. Everything asked of
    /// the store afterwards is refused with [`StoreError::Closed`].
    pub async fn close(&self) {
        self.inner.writer.close().await;
        self.inner.readers.close().await;
        self.inner.doors.close().await;
        // Clones may live on in tasks that end later; the folder is free now.
        if let Err(error) = self.inner.lock.unlock() {
            tracing::warn!(%error, "the lock of the data folder is not released yet");
        }
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

    /// Resolves when nothing more is written, because the disk failed, the writer is gone or the
    /// store was closed: the process should end and be started again.
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
            let why = "is in use: another house runs on it; stop that one, or name another folder";
            Err(StoreError::folder(dir, why))
        }
        Err(std::fs::TryLockError::Error(error)) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Event, Recorded, Timestamp};

    use crate::config::NewTenant;
    use crate::floor::FloorBatch;
    use crate::tenant::Actor;

    async fn founded(dir: &Path) -> (Store, TenantId) {
        let store = Store::open(dir, &HouseKey::generate()).await.unwrap();
        let new = NewTenant {
            name: "Example".into(),
            zone: "UTC".into(),
            language: "en".into(),
            domain: None,
            first_only: true,
        };
        let at = Timestamp::default();
        let made =
            store.create_tenant(new, Actor::System, at, |_| Ok::<_, StoreError>(())).await.unwrap();
        (store, made.config.tenant)
    }

    fn batch(tenant: TenantId, first: u64, events: u64) -> FloorBatch {
        let event = |seq| Recorded {
            tenant,
            seq,
            at: Timestamp::default(),
            config: 1,
            event: Event::RecordGap { from_seq: seq, until_seq: seq },
        };
        let events = (first..first + events).map(event).collect();
        FloorBatch { tenant, events, rows: Vec::new() }
    }

    async fn pages_max(store: &Store, sql: &'static str) {
        let set = store.inner.writer.run(move |conn| {
            Box::pin(async move {
                sqlx::query(sql).execute(conn).await?;
                Ok(())
            })
        });
        set.await.unwrap();
    }

    #[tokio::test]
    async fn a_full_disk_loses_nothing_promised_and_passes() {
        let dir = tempfile::tempdir().unwrap();
        let (store, tenant) = founded(dir.path()).await;
        pages_max(&store, "PRAGMA max_page_count = 120").await;
        let mut kept = 0;
        let error = loop {
            match store.floor().commit(batch(tenant, kept + 1, 200)).await {
                Ok(()) => kept += 200,
                Err(error) => break error,
            }
        };
        assert!(matches!(error, StoreError::Full), "{error}");
        let refused = store.floor().commit(batch(tenant, kept + 1, 200)).await;
        assert!(matches!(refused, Err(StoreError::Full)), "{refused:?}");
        assert_eq!(store.system(tenant).last_seq().await.unwrap(), kept);
        store.check().await.unwrap();

        pages_max(&store, "PRAGMA max_page_count = 100000").await;
        store.floor().commit(batch(tenant, kept + 1, 200)).await.unwrap();
        assert_eq!(store.system(tenant).last_seq().await.unwrap(), kept + 200);
    }

    #[tokio::test]
    async fn after_a_failed_sync_nothing_is_promised_any_more() {
        let dir = tempfile::tempdir().unwrap();
        let (store, tenant) = founded(dir.path()).await;
        let failed =
            store.inner.writer.run(|_| Box::pin(async { Err::<(), _>(StoreError::Stopped) })).await;
        assert!(matches!(failed, Err(StoreError::Stopped)));
        let refused = store.floor().commit(batch(tenant, 1, 1)).await;
        assert!(matches!(refused, Err(StoreError::Stopped)), "{refused:?}");
        assert!(matches!(store.check().await, Err(StoreError::Stopped)));
        store.stopped().await;
        store.close().await;
        drop(store);
        let again = Store::open(dir.path(), &HouseKey::generate()).await.unwrap();
        again.floor().commit(batch(tenant, 1, 1)).await.unwrap();
    }

    #[tokio::test]
    async fn searches_keep_nobody_at_the_door() {
        let dir = tempfile::tempdir().unwrap();
        let (store, _) = founded(dir.path()).await;
        let mut searches = Vec::new();
        for _ in 0..connect::READERS {
            searches.push(store.inner.readers.acquire().await.unwrap());
        }
        let now = Timestamp::default();
        let token = crate::secret::Token::session();
        assert!(store.session(token.digest(), now).await.unwrap().is_none());
        assert!(store.api_key(token.digest(), now).await.unwrap().is_none());
        assert!(store.sign_in("nobody@example.com", "password", None).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_writer_that_is_gone_counts_as_stopped() {
        let dir = tempfile::tempdir().unwrap();
        let (store, _) = founded(dir.path()).await;
        let died = store.inner.writer.run(|_| Box::pin(async { panic!("the writer dies") }));
        assert!(matches!(died.await, Err::<(), _>(StoreError::Closed)));
        store.stopped().await;
        assert!(matches!(store.check().await, Err(StoreError::Stopped)));
    }

    #[tokio::test]
    async fn nobody_else_may_look_into_a_new_folder() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let store = Store::open(&data, &HouseKey::generate()).await.unwrap();
        let backup = dir.path().join("backup");
        crate::backup(&data, &backup, Timestamp::default()).await.unwrap();
        let restored = dir.path().join("restored");
        crate::restore(&backup, &restored, crate::Damaged::Refused).await.unwrap();
        for folder in [&data, &data.join(RECORDINGS_DIR), &backup, &restored] {
            let mode = std::fs::metadata(folder).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o700, "{}", folder.display());
        }
        store.close().await;
    }

    #[tokio::test]
    async fn one_process_has_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), &HouseKey::generate()).await.unwrap();
        let second = Store::open(dir.path(), &HouseKey::generate()).await;
        assert!(matches!(second, Err(StoreError::Folder { .. })), "{second:?}");
        store.close().await;
        Store::open(dir.path(), &HouseKey::generate()).await.unwrap().close().await;
        drop(store);
    }
}
