//! Secrets: made by the operating system's generator, kept only as digests, never printed.

use std::fmt;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash as Parsed, Salt};
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// A bearer secret as its owner holds it. Printing it shows nothing; [`Token::reveal`] does.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// 256 random bits, for sessions.
    #[must_use]
    pub fn session() -> Self {
        Self(random_text::<32>())
    }

    /// 256 random bits behind the prefix `ant_`, for API keys: people and scanners recognise it.
    #[must_use]
    pub fn api_key() -> Self {
        Self(format!("{API_KEY_PREFIX}{}", random_text::<32>()))
    }

    /// 128 random bits, for the first start and for one-use tickets.
    #[must_use]
    pub fn short() -> Self {
        Self(random_text::<16>())
    }

    /// 130 random bits for a telephone, in letters and digits that nobody takes for one another:
    /// somebody may have to type them on a keypad.
    #[must_use]
    pub fn phone() -> Self {
        let bytes = random_bytes::<26>();
        let groups = bytes.chunks(5).map(|group| {
            let letter = |byte: &u8| char::from(TYPED[usize::from(byte % 32)]);
            group.iter().map(letter).collect::<String>()
        });
        Self(groups.collect::<Vec<_>>().join("-"))
    }

    /// The text, to hand it to its owner once.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    #[must_use]
    pub fn digest(&self) -> TokenDigest {
        TokenDigest::of(&self.0)
    }
}

/// Without l and o, 0 and 1.
const TYPED: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// How every API key begins.
pub const API_KEY_PREFIX: &str = "ant_";

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// SHA-256 of a token. Enough for secrets of 128 random bits and more; passwords need argon2.
#[derive(Clone, Copy, Debug, Eq, PartialOrd, Ord)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// The digest of what a client presented.
    #[must_use]
    pub fn of(presented: &str) -> Self {
        Self(Sha256::digest(presented.as_bytes()).into())
    }

    /// As it is stored.
    #[must_use]
    pub fn to_hex(&self) -> String {
        hex(&self.0)
    }
}

impl PartialEq for TokenDigest {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// An argon2id hash in PHC form.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}

impl PasswordHash {
    /// Hashes a password: argon2id, 19 MiB, 2 passes, 1 lane (OWASP password storage sheet).
    /// Takes tens of milliseconds of CPU: not for an async thread.
    #[must_use]
    pub fn make(password: &str) -> Self {
        let salt = Salt::new(&random_bytes::<16>()).expect("16 bytes are a salt");
        let params = Params::new(19 * 1_024, 2, 1, None).expect("constant parameters are in range");
        let hash = derive(password, &salt, &params).expect("salt and parameters are in range");
        let parsed = Parsed {
            algorithm: ARGON2ID_IDENT,
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(&params).expect("parameters that were read can be told"),
            salt: Some(salt),
            hash: Some(hash),
        };
        Self(parsed.to_string())
    }

    /// Whether this is the password. As slow as [`PasswordHash::make`].
    #[must_use]
    pub fn verify(&self, password: &str) -> bool {
        let Ok(parsed) = Parsed::new(&self.0) else { return false };
        let Parsed { algorithm: ARGON2ID_IDENT, salt: Some(salt), hash: Some(kept), .. } = parsed
        else {
            return false;
        };
        // Both sides are of the type that compares in constant time.
        Params::try_from(&parsed)
            .is_ok_and(|params| derive(password, &salt, &params).is_some_and(|made| made == kept))
    }

    pub(crate) fn stored(text: String) -> Self {
        Self(text)
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

/// glibc gives a block above its largest mmap threshold back to the system as soon as it is freed.
/// A smaller one it keeps, once for each thread that ever hashed: 19 MiB apiece for nothing.
const GIVEN_BACK_BYTES: usize = 33 << 20;

/// The key of a password; `None` for parameters out of range.
fn derive(password: &str, salt: &Salt, params: &Params) -> Option<Output> {
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
    let blocks = params.block_count();
    let mut memory = Vec::with_capacity(blocks.max(GIVEN_BACK_BYTES / Block::SIZE));
    memory.resize(blocks, Block::new());
    let length = params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
    let mut key = [0; Output::MAX_LENGTH];
    let key = key.get_mut(..length)?;
    argon2.hash_password_into_with_memory(password.as_bytes(), salt, key, &mut memory).ok()?;
    Output::new(key).ok()
}

fn random_text<const N: usize>() -> String {
    URL_SAFE_NO_PAD.encode(random_bytes::<N>())
}

pub(crate) fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0_u8; N];
    getrandom::fill(&mut bytes).expect("the operating system hands out random bytes");
    bytes
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_show_nothing_and_differ() {
        let (a, b) = (Token::api_key(), Token::api_key());
        assert_ne!(a.reveal(), b.reveal());
        assert!(a.reveal().starts_with(API_KEY_PREFIX) && a.reveal().len() == 4 + 43);
        assert_eq!(format!("{a:?}"), "Token(..)");
        assert_eq!(a.digest(), TokenDigest::of(a.reveal()));
        assert_ne!(a.digest(), b.digest());
        let (phone, other) = (Token::phone(), Token::phone());
        assert!(phone.reveal().len() == 31 && phone.reveal().split('-').count() == 6);
        assert_ne!(phone.reveal(), other.reveal());
    }

    #[test]
    fn a_password_is_verified_by_its_hash_only() {
        let hash = PasswordHash::make("correct horse battery");
        assert!(hash.verify("correct horse battery"));
        assert!(!hash.verify("correct horse batterz"));
        assert!(!hash.verify(""));
        assert!(hash.text().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert_eq!(format!("{hash:?}"), "PasswordHash(..)");
        assert!(!PasswordHash::stored(String::new()).verify(""));
    }
}
