//! The house key: 256 random bits in a file that only the owner may read.
//!
//! It protects what must not lie readable on a disk: the flight log now, device secrets and
//! recordings at rest later. Losing it loses the flight log, never the record.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};

/// Bytes of the key.
const KEY_BYTES: usize = 32;
/// Bytes of the tag that AES-GCM appends.
pub(crate) const TAG_BYTES: usize = 16;

/// The secret itself; it has no readable form.
#[derive(Clone)]
pub struct HouseKey([u8; KEY_BYTES]);

impl fmt::Debug for HouseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HouseKey(..)")
    }
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or made.
    #[error("the house key {path} cannot be used: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others can read it.
    #[error("the house key {path} can be read by others (mode {mode:o}); run: chmod 600 {path}")]
    Exposed {
        /// Which file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It has the wrong length.
    #[error(
        "the house key {path} has {found} bytes instead of 32; a backup does not contain it: put \
         your own copy back, or move the file away, then a new key is made and the flight log so \
         far cannot be replayed any more"
    )]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Its length.
        found: usize,
    },
}

impl HouseKey {
    /// Reads the key, or makes one with mode 0600 where there is none.
    ///
    /// # Errors
    /// When the file cannot be used, is readable by others or damaged.
    pub fn load_or_create(path: &Path) -> Result<Self, KeyError> {
        let fail = |source| KeyError::Io { path: path.to_owned(), source };
        if !path.exists() {
            let mut key = [0_u8; KEY_BYTES];
            getrandom::fill(&mut key).map_err(|error| fail(io::Error::other(error)))?;
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(path)
                .map_err(fail)?;
            file.write_all(&key).and_then(|()| file.sync_all()).map_err(fail)?;
            return Ok(Self(key));
        }
        Self::load(path)
    }

    /// Reads the key; makes none.
    ///
    /// # Errors
    /// When there is none, or it cannot be used, is readable by others or damaged.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let fail = |source| KeyError::Io { path: path.to_owned(), source };
        let mode = fs::metadata(path).map_err(fail)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyError::Exposed { path: path.to_owned(), mode });
        }
        let mut bytes = Vec::new();
        let file = fs::File::open(path).map_err(fail)?;
        file.take(1_024).read_to_end(&mut bytes).map_err(fail)?;
        let found = bytes.len();
        let key =
            bytes.try_into().map_err(|_| KeyError::Damaged { path: path.to_owned(), found })?;
        Ok(Self(key))
    }

    /// A key for one file: HKDF-SHA256 (RFC 5869) of the house key with the file's salt.
    pub(crate) fn derive(&self, salt: &[u8; 16], purpose: &'static str) -> FileKey {
        let mut derived = [0_u8; KEY_BYTES];
        Salt::new(HKDF_SHA256, salt)
            .extract(&self.0)
            .expand(&[purpose.as_bytes()], DerivedLength)
            .and_then(|okm| okm.fill(&mut derived))
            .expect("32 bytes are within the limit of HKDF-SHA256");
        let key = UnboundKey::new(&AES_256_GCM, &derived).expect("32 bytes make an AES-256 key");
        FileKey { key: LessSafeKey::new(key), chunk: 0 }
    }
}

struct DerivedLength;

impl KeyType for DerivedLength {
    fn len(&self) -> usize {
        KEY_BYTES
    }
}

/// Seals or opens the chunks of one file in order: the nonce is the chunk's number, used once.
pub(crate) struct FileKey {
    key: LessSafeKey,
    chunk: u64,
}

impl FileKey {
    fn nonce(&mut self) -> Nonce {
        let mut bytes = [0_u8; 12];
        bytes[4..].copy_from_slice(&self.chunk.to_be_bytes());
        self.chunk += 1;
        Nonce::assume_unique_for_key(bytes)
    }

    /// Encrypts in place and appends the tag.
    pub(crate) fn seal(&mut self, data: &mut Vec<u8>) {
        let nonce = self.nonce();
        self.key
            .seal_in_place_append_tag(nonce, Aad::empty(), data)
            .expect("chunks are far below the limit of AES-GCM");
    }

    /// Decrypts the next chunk, or `None` when it is not authentic.
    pub(crate) fn open<'a>(&mut self, data: &'a mut [u8]) -> Option<&'a [u8]> {
        let nonce = self.nonce();
        self.key.open_in_place(nonce, Aad::empty(), data).ok().map(|plain| &*plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_refused_when_others_can_read_it() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("house.key");
        assert!(matches!(HouseKey::load(&path), Err(KeyError::Io { .. })));
        assert!(!path.exists(), "reading makes none");
        let first = HouseKey::load_or_create(&path).expect("made");
        let second = HouseKey::load_or_create(&path).expect("read");
        assert_eq!(first.0, second.0);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("chmod");
        assert!(matches!(HouseKey::load_or_create(&path), Err(KeyError::Exposed { .. })));
    }

    #[test]
    fn chunks_open_in_order_only() {
        let key = HouseKey([7; KEY_BYTES]);
        let mut seal = key.derive(&[1; 16], "test");
        let (mut a, mut b) = (b"one".to_vec(), b"two".to_vec());
        seal.seal(&mut a);
        seal.seal(&mut b);
        let mut open = key.derive(&[1; 16], "test");
        assert_eq!(open.open(&mut a.clone()), Some(&b"one"[..]));
        assert_eq!(open.open(&mut a), None, "a chunk cannot be repeated");
        let mut other = key.derive(&[2; 16], "test");
        assert_eq!(other.open(&mut b), None);
    }
}
