//! Backup without downtime, and restore into an empty folder.
//!
//! A backup is a folder: the database as of one moment, every blob and recording, and last of all
//! `manifest.json` with the length and SHA-256 of each file. Without a manifest it is no backup.
//! Restore believes nothing that the manifest does not prove.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use model::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sqlx::Row;

use crate::blob::{full_or_io, is_inside, make_private_folder, sync_dir};
use crate::connect;
use crate::error::StoreError;
use crate::migrate;
use crate::secret::hex;
use crate::store::{BLOBS_DIR, DATABASE_FILE, RECORDINGS_DIR};

/// The file that makes a folder a backup.
const MANIFEST_FILE: &str = "manifest.json";
/// The form of the manifest that this build writes and reads.
const MANIFEST_SCHEMA: u32 = 1;
/// Most bytes of a manifest: about a million files.
const MANIFEST_BYTES_MAX: u64 = 256 * 1_024 * 1_024;

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The form of this document.
    pub schema: u32,
    /// When the backup was begun.
    pub made_at: Timestamp,
    /// Its files.
    pub files: Vec<ManifestFile>,
}

/// One file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestFile {
    /// Relative to the backup, with `/`.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256, hexadecimal.
    pub sha256: String,
}

/// Why nothing is written into a folder that holds something.
const NOT_EMPTY: &str = "is not empty: name a folder that does not exist yet";
/// Why nothing is restored from a folder.
const NO_BACKUP: &str = "is no backup: there is no manifest in it";

/// Writes a backup of the data folder `dir` into `target`, which must not exist or be empty. It
/// takes no lock and changes nothing: a house may run on the folder, in this process or another.
///
/// # Errors
/// [`StoreError::Folder`] when `target` holds anything; [`StoreError::NewerSchema`];
/// [`StoreError::Full`]; faults of the file system. A folder without a manifest stays behind then.
pub async fn backup(dir: &Path, target: &Path, now: Timestamp) -> Result<Manifest, StoreError> {
    let mut conn = connect::onlooker(&dir.join(DATABASE_FILE)).await?;
    migrate::check(&mut conn).await?;
    make_empty(target)?;
    // First the rows: every file they name exists already and is copied after them.
    migrate::copy_to(&mut conn, &target.join(DATABASE_FILE)).await?;
    sqlx::Connection::close(conn).await?;
    let (from, to) = (dir.to_owned(), target.to_owned());
    tokio::task::spawn_blocking(move || copy_files(&from, &to, now))
        .await
        .map_err(|_| StoreError::Closed)?
}

fn copy_files(from: &Path, to: &Path, now: Timestamp) -> Result<Manifest, StoreError> {
    File::open(to.join(DATABASE_FILE))?.sync_all().map_err(full_or_io)?;
    let (bytes, sha256) = digest_file(&to.join(DATABASE_FILE))?;
    let mut files = vec![ManifestFile { path: DATABASE_FILE.to_owned(), bytes, sha256 }];
    for folder in [BLOBS_DIR, RECORDINGS_DIR] {
        for path in files_below(from, Path::new(folder))? {
            let (source, target) = (from.join(&path), to.join(&path));
            make_parent(&target)?;
            // A recording may grow meanwhile: what counts is what was copied.
            let (bytes, sha256) = copy_file(&source, &target)?;
            files.push(ManifestFile { path: slashes(&path)?, bytes, sha256 });
        }
    }
    // The manifest says that everything is there: so it has to be, with its names.
    sync_folders(to)?;
    let manifest = Manifest { schema: MANIFEST_SCHEMA, made_at: now, files };
    let text = serde_json::to_vec_pretty(&manifest)
        .map_err(|error| StoreError::damaged(error.to_string()))?;
    let mut file = File::create_new(to.join(MANIFEST_FILE)).map_err(full_or_io)?;
    file.write_all(&text).and_then(|()| file.sync_all()).map_err(full_or_io)?;
    sync_dir(to)?;
    Ok(manifest)
}

/// What to do with a file of a backup that is not what the manifest says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damaged {
    /// Nothing is restored.
    Refused,
    /// Recordings are left out: a scratch in one of a million must not cost the house. The database
    /// and the sounds of flows have to be whole all the same.
    RecordingsLeftOut,
}

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// What the backup holds.
    pub manifest: Manifest,
    /// Files of it that were left out, and why.
    pub left_out: Vec<(String, String)>,
}

/// Makes a data folder from a backup. `target` must not exist or be empty; it appears under its
/// name only when every file was proven and the database found whole.
///
/// # Errors
/// [`StoreError::Folder`] when `target` holds anything; [`StoreError::Damaged`] names the first
/// file that is not what the manifest says and may not be left out; [`StoreError::NewerSchema`].
pub async fn restore(
    backup: &Path,
    target: &Path,
    damaged: Damaged,
) -> Result<Restored, StoreError> {
    let existed = target.exists();
    if existed && std::fs::read_dir(target)?.next().is_some() {
        return Err(StoreError::folder(target, NOT_EMPTY));
    }
    let staging = sibling(target)?;
    let restored = match stage(backup, &staging, damaged).await {
        Ok(restored) => restored,
        Err(error) => {
            // Half a restore must not be mistaken for a whole one.
            let _ = std::fs::remove_dir_all(&staging);
            return Err(error);
        }
    };
    if existed {
        std::fs::remove_dir(target)?;
    }
    std::fs::rename(&staging, target)?;
    sync_dir(parent(target))?;
    Ok(restored)
}

async fn stage(backup: &Path, staging: &Path, damaged: Damaged) -> Result<Restored, StoreError> {
    let (from, to) = (backup.to_owned(), staging.to_owned());
    let restored = tokio::task::spawn_blocking(move || {
        let manifest = read_manifest(&from)?;
        make_empty(&to)?;
        let mut left_out = Vec::new();
        for file in &manifest.files {
            let may_go = damaged == Damaged::RecordingsLeftOut
                && Path::new(&file.path).starts_with(RECORDINGS_DIR);
            match copy_proven(&from, &to, file) {
                Err(StoreError::Damaged { what }) if may_go => {
                    left_out.push((file.path.clone(), what));
                }
                other => other?,
            }
        }
        sync_folders(&to)?;
        Ok::<_, StoreError>(Restored { manifest, left_out })
    })
    .await
    .map_err(|_| StoreError::Closed)??;
    verify_database(&staging.join(DATABASE_FILE)).await?;
    Ok(restored)
}

/// Copies a file that is what the manifest says, or nothing.
fn copy_proven(from: &Path, to: &Path, file: &ManifestFile) -> Result<(), StoreError> {
    let target = to.join(&file.path);
    make_parent(&target)?;
    let copied = copy_file(&from.join(&file.path), &target).and_then(|(bytes, sha256)| {
        if bytes == file.bytes && sha256 == file.sha256 {
            Ok(())
        } else {
            Err(StoreError::damaged(format!("{} is not what the manifest says", file.path)))
        }
    });
    if copied.is_err() {
        // It may not have been made; what counts is the first fault.
        let _ = std::fs::remove_file(&target);
    }
    copied
}

/// Proves that the database of a restored folder is whole and of a known schema.
async fn verify_database(file: &Path) -> Result<(), StoreError> {
    let mut conn = connect::writer(file).await?;
    let row = sqlx::query("PRAGMA integrity_check").fetch_one(&mut conn).await?;
    let found: String = row.try_get(0)?;
    if found != "ok" {
        return Err(StoreError::damaged(format!("database: {found}")));
    }
    migrate::check(&mut conn).await?;
    sqlx::Connection::close(conn).await?;
    Ok(())
}

fn read_manifest(backup: &Path) -> Result<Manifest, StoreError> {
    let mut text = String::new();
    let file = File::open(backup.join(MANIFEST_FILE)).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => StoreError::folder(backup, NO_BACKUP),
        _ => error.into(),
    })?;
    file.take(MANIFEST_BYTES_MAX).read_to_string(&mut text)?;
    let manifest: Manifest = serde_json::from_str(&text)
        .map_err(|error| StoreError::damaged(format!("{MANIFEST_FILE}: {error}")))?;
    if manifest.schema != MANIFEST_SCHEMA {
        return Err(StoreError::damaged(format!("{MANIFEST_FILE}: schema {}", manifest.schema)));
    }
    let mut seen = BTreeSet::new();
    for file in &manifest.files {
        let path = Path::new(&file.path);
        let known = file.path == DATABASE_FILE
            || path.starts_with(BLOBS_DIR)
            || path.starts_with(RECORDINGS_DIR);
        if !known || !is_inside(path) || !seen.insert(&file.path) {
            return Err(StoreError::damaged(format!("{MANIFEST_FILE}: path {:?}", file.path)));
        }
    }
    if !manifest.files.iter().any(|file| file.path == DATABASE_FILE) {
        return Err(StoreError::damaged(format!("{MANIFEST_FILE}: no database")));
    }
    Ok(manifest)
}

/// Plain files below `root/folder`, relative to `root`, hidden and temporary ones left out.
fn files_below(root: &Path, folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(root.join(&folder))? {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() && !entry.file_name().to_string_lossy().starts_with('.') {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Copies a plain file and makes it durable; its length and SHA-256 as copied. A link is refused:
/// it could lead out of the backup. A source that cannot be read is damage, and named.
fn copy_file(source: &Path, target: &Path) -> Result<(u64, String), StoreError> {
    let unreadable =
        |error: std::io::Error| StoreError::damaged(format!("{}: {error}", source.display()));
    if !std::fs::symlink_metadata(source).map_err(unreadable)?.is_file() {
        return Err(StoreError::damaged(format!("{} is no plain file", source.display())));
    }
    let mut from = File::open(source).map_err(unreadable)?;
    let mut to = File::create_new(target).map_err(full_or_io)?;
    let sums = pump(&mut from, Some(&mut to), unreadable)?;
    to.sync_all().map_err(full_or_io)?;
    Ok(sums)
}

fn digest_file(path: &Path) -> Result<(u64, String), StoreError> {
    pump(&mut File::open(path)?, None, StoreError::Io)
}

fn pump(
    from: &mut File,
    mut to: Option<&mut File>,
    unreadable: impl Fn(std::io::Error) -> StoreError,
) -> Result<(u64, String), StoreError> {
    let mut buffer = vec![0_u8; 256 * 1_024];
    let mut digest = Sha256::new();
    let mut bytes = 0_u64;
    loop {
        let read = from.read(&mut buffer).map_err(&unreadable)?;
        if read == 0 {
            return Ok((bytes, hex(&digest.finalize())));
        }
        digest.update(&buffer[..read]);
        bytes += read as u64;
        if let Some(to) = to.as_mut() {
            to.write_all(&buffer[..read]).map_err(full_or_io)?;
        }
    }
}

fn make_empty(folder: &Path) -> Result<(), StoreError> {
    make_named(folder, make_private_folder)?;
    match std::fs::read_dir(folder)?.next() {
        None => Ok(()),
        Some(_) => Err(StoreError::folder(folder, NOT_EMPTY)),
    }
}

/// Makes a folder and those above it that are missing, and their names durable.
fn make_named(
    folder: &Path,
    make: impl Fn(&Path) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let new = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.exists();
    let made: Vec<&Path> = folder.ancestors().take_while(new).collect();
    make(folder)?;
    made.into_iter().try_for_each(|folder| sync_dir(parent(folder)))
}

/// Makes the names in a folder and in all below it durable: a file that was synced is lost with the
/// name of its folder.
fn sync_folders(root: &Path) -> Result<(), StoreError> {
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            }
        }
        sync_dir(&folder)?;
    }
    Ok(())
}

fn make_parent(file: &Path) -> Result<(), StoreError> {
    make_private_folder(parent(file))
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// A hidden name beside `target`, on the same file system, so that a rename is enough.
fn sibling(target: &Path) -> Result<PathBuf, StoreError> {
    let name = target
        .file_name()
        .ok_or_else(|| StoreError::damaged("the folder to restore into has no name"))?;
    let salt = hex(&crate::secret::random_bytes::<4>());
    make_named(parent(target), |folder| std::fs::create_dir_all(folder).map_err(full_or_io))?;
    Ok(parent(target).join(format!(".{}.{salt}", name.to_string_lossy())))
}

fn slashes(path: &Path) -> Result<String, StoreError> {
    path.to_str()
        .map(|text| text.replace(std::path::MAIN_SEPARATOR, "/"))
        .ok_or_else(|| StoreError::damaged("a file name is not valid Unicode"))
}
