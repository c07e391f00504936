//! The house key: 256 random bits in a file that only the owner may read.
//!
//! It protects what must not lie readable on a disk: the flight log and what is kept of the secrets
//! of telephones. Losing it loses the flight log, and every telephone needs another secret; the
//! record stays.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::secret::random_bytes;

/// Bytes of the key.
const KEY_BYTES: usize = 32;
/// Bytes of a nonce of AES-GCM.
const NONCE_BYTES: usize = 12;
/// How a sealed value of a row begins.
pub(crate) const SEALED: &str = "sealed:";
/// Bytes of the tag that AES-GCM appends.
pub const TAG_BYTES: usize = 16;

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
         your own copy back, or move the file away, then a new key is made, the flight log so far \
         cannot be replayed any more and each telephone needs another secret"
    )]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Its length.
        found: usize,
    },
}

impl HouseKey {
    /// A key of the operating system's generator.
    #[must_use]
    pub fn generate() -> Self {
        Self(random_bytes())
    }

    /// Reads the key, or makes one with mode 0600 where there is none.
    ///
    /// # Errors
    /// When the file cannot be used, is readable by others or damaged.
    pub fn load_or_create(path: &Path) -> Result<Self, KeyError> {
        let fail = |source| KeyError::Io { path: path.to_owned(), source };
        if !path.exists() {
            let key = Self::generate();
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(path)
                .map_err(fail)?;
            file.write_all(&key.0).and_then(|()| file.sync_all()).map_err(fail)?;
            return Ok(key);
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

    /// A key for one file, that of the house with the file's salt.
    #[must_use]
    pub fn of_file(&self, salt: &[u8; 16], purpose: &'static str) -> FileKey {
        FileKey { key: self.derive(salt, purpose), chunk: 0 }
    }

    /// A key for values in rows.
    pub(crate) fn of_rows(&self, purpose: &'static str) -> RowKey {
        RowKey(self.derive(&[], purpose))
    }

    /// HKDF-SHA256 (RFC 5869) of the house key.
    fn derive(&self, salt: &[u8], purpose: &'static str) -> LessSafeKey {
        let mut derived = [0_u8; KEY_BYTES];
        Salt::new(HKDF_SHA256, salt)
            .extract(&self.0)
            .expand(&[purpose.as_bytes()], DerivedLength)
            .and_then(|okm| okm.fill(&mut derived))
            .expect("32 bytes are within the limit of HKDF-SHA256");
        let key = UnboundKey::new(&AES_256_GCM, &derived).expect("32 bytes make an AES-256 key");
        LessSafeKey::new(key)
    }
}

struct DerivedLength;

impl KeyType for DerivedLength {
    fn len(&self) -> usize {
        KEY_BYTES
    }
}

/// Seals or opens the chunks of one file in order: the nonce is the chunk's number, used once.
#[derive(Debug)]
pub struct FileKey {
    key: LessSafeKey,
    chunk: u64,
}

impl FileKey {
    fn nonce(&mut self) -> Nonce {
        let mut bytes = [0_u8; NONCE_BYTES];
        bytes[4..].copy_from_slice(&self.chunk.to_be_bytes());
        self.chunk += 1;
        Nonce::assume_unique_for_key(bytes)
    }

    /// Encrypts in place and appends the tag.
    ///
    /// # Panics
    /// Above 64 GB a chunk, the limit of AES-GCM.
    pub fn seal(&mut self, data: &mut Vec<u8>) {
        let nonce = self.nonce();
        self.key
            .seal_in_place_append_tag(nonce, Aad::empty(), data)
            .expect("chunks are far below the limit of AES-GCM");
    }

    /// Decrypts the next chunk, or `None` when it is not authentic.
    pub fn open<'a>(&mut self, data: &'a mut [u8]) -> Option<&'a [u8]> {
        let nonce = self.nonce();
        self.key.open_in_place(nonce, Aad::empty(), data).ok().map(|plain| &*plain)
    }
}

/// Seals single values of rows, each under a nonce of its own.
pub(crate) struct RowKey(LessSafeKey);

impl RowKey {
    /// Encrypts a value. `place` says where it belongs: copied elsewhere it cannot be opened.
    pub(crate) fn seal(&self, place: &str, plain: &str) -> String {
        let nonce = random_bytes::<NONCE_BYTES>();
        let mut data = plain.as_bytes().to_vec();
        self.0
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(place.as_bytes()),
                &mut data,
            )
            .expect("a value of a row is far below the limit of AES-GCM");
        format!("{SEALED}{}", URL_SAFE_NO_PAD.encode([&nonce[..], &data].concat()))
    }

    /// Decrypts a value; `None` when it was sealed with another key, for another place, or never.
    pub(crate) fn open(&self, place: &str, sealed: &str) -> Option<String> {
        let mut bytes = URL_SAFE_NO_PAD.decode(sealed.strip_prefix(SEALED)?).ok()?;
        let (nonce, data) = bytes.split_first_chunk_mut::<NONCE_BYTES>()?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let plain = self.0.open_in_place(nonce, Aad::from(place.as_bytes()), data).ok()?;
        String::from_utf8(plain.to_vec()).ok()
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
        let mut seal = key.of_file(&[1; 16], "test");
        let (mut a, mut b) = (b"one".to_vec(), b"two".to_vec());
        seal.seal(&mut a);
        seal.seal(&mut b);
        let mut open = key.of_file(&[1; 16], "test");
        assert_eq!(open.open(&mut a.clone()), Some(&b"one"[..]));
        assert_eq!(open.open(&mut a), None, "a chunk cannot be repeated");
        let mut other = key.of_file(&[2; 16], "test");
        assert_eq!(other.open(&mut b), None);
    }

    #[test]
    fn a_value_opens_with_its_key_at_its_place_only() {
        let key = HouseKey::generate().of_rows("test");
        let sealed = key.seal("a place", "a value");
        assert_ne!(sealed, key.seal("a place", "a value"), "nothing shows that two are equal");
        assert_eq!(key.open("a place", &sealed).as_deref(), Some("a value"));
        assert_eq!(key.open("another place", &sealed), None);
        assert_eq!(HouseKey::generate().of_rows("test").open("a place", &sealed), None);
        for cut in 0..sealed.len() {
            assert_eq!(key.open("a place", &sealed[..cut]), None, "{cut}");
        }
        assert_eq!(key.open("a place", "a value"), None);
    }
}
