//! What can go wrong with the record: every fault is a value, and the caller learns whether
//! anything was kept.

/// Why the store did not do what was asked. Unless said otherwise nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk or the quota is full. Goes away when space is made; the store keeps running.
    #[error("the disk is full: nothing was saved")]
    Full,
    /// A write could not be made durable; whether it is there is unknown. The store takes no more
    /// writes until the process is started again (a failed fsync must never be retried).
    #[error("the disk failed while saving: no more is written until a restart")]
    Stopped,
    /// The writer's lane is full.
    #[error("too much waits to be saved, try again shortly")]
    Busy,
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// No such row in this tenant.
    #[error("there is no such thing here")]
    NotFound,
    /// The row exists already or is still in use.
    #[error("{what} is taken")]
    Conflict {
        /// The kind of thing, as in `the domain`, `the name`.
        what: &'static str,
    },
    /// A folder cannot be used for this.
    #[error("{} {why}", path.display())]
    Folder {
        /// Which.
        path: std::path::PathBuf,
        /// Why not, and what to do.
        why: &'static str,
    },
    /// The configuration changed since it was read.
    #[error("the configuration is at version {current} by now")]
    Stale {
        /// The version in force.
        current: u64,
    },
    /// The file was written by a newer program.
    #[error(
        "this data folder has schema {found}, this program knows up to {known}: use the newer program"
    )]
    NewerSchema {
        /// Schema number of the file.
        found: i64,
        /// Highest schema number of this build.
        known: i64,
    },
    /// A connection does not have the safety settings that were asked for.
    #[error("database setting {setting} is {found}, must be {wanted}: refusing to run unsafely")]
    Unsafe {
        /// The PRAGMA.
        setting: &'static str,
        /// What was read back.
        found: String,
        /// What it has to be.
        wanted: &'static str,
    },
    /// Stored data cannot be read: a damaged row, file or backup.
    #[error("damaged data: {what}")]
    Damaged {
        /// What and where, free of personal data.
        what: String,
    },
    /// The operating system refused a file operation.
    #[error("file error: {0}")]
    Io(#[from] std::io::Error),
    /// Any other fault of the database.
    #[error("database error: {0}")]
    Database(#[source] sqlx::Error),
}

impl StoreError {
    pub(crate) fn folder(path: &std::path::Path, why: &'static str) -> Self {
        Self::Folder { path: path.to_owned(), why }
    }

    pub(crate) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged { what: what.into() }
    }

    /// Whether the disk itself failed, so that nothing written since can be trusted.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        matches!(self, Self::Stopped)
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        // SQLite's extended code keeps the primary one in its low byte.
        let primary = error
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::code)
            .and_then(|code| code.parse::<i64>().ok())
            .map(|code| code & 0xff);
        let unique = error.as_database_error().filter(|fault| fault.is_unique_violation());
        if let Some(fault) = unique {
            return Self::Conflict { what: taken(fault.message()) };
        }
        if error
            .as_database_error()
            .is_some_and(sqlx::error::DatabaseError::is_foreign_key_violation)
        {
            return Self::Conflict { what: "a thing that is still referred to" };
        }
        match (primary, &error) {
            (Some(SQLITE_FULL), _) => Self::Full,
            (Some(SQLITE_IOERR), _) => Self::Stopped,
            (Some(SQLITE_BUSY), _) => Self::Busy,
            (Some(SQLITE_CORRUPT | SQLITE_NOTADB), _) => Self::damaged(error.to_string()),
            (_, sqlx::Error::RowNotFound) => Self::NotFound,
            (_, sqlx::Error::PoolClosed) => Self::Closed,
            (_, sqlx::Error::PoolTimedOut) => Self::Busy,
            _ => Self::Database(error),
        }
    }
}

/// Which thing a violated constraint is about, in words of the API.
fn taken(message: &str) -> &'static str {
    const PLACES: [(&str, &str); 7] = [
        ("tenant.domain", "the domain"),
        ("app_user.mail", "the mail address"),
        ("config_item", "the name"),
        ("flow.", "the name"),
        ("api_key", "the name of the key"),
        ("phone.username", "the username of the telephone"),
        ("event.seq", "the place in the journal"),
    ];
    PLACES.iter().find(|(place, _)| message.contains(place)).map_or("the id", |(_, what)| *what)
}

// Primary result codes of https://www.sqlite.org/rescode.html
const SQLITE_BUSY: i64 = 5;
const SQLITE_IOERR: i64 = 10;
const SQLITE_CORRUPT: i64 = 11;
const SQLITE_FULL: i64 = 13;
const SQLITE_NOTADB: i64 = 26;
