//! Tags, branches and ids of our own, from the operating system's randomness.
//!
//! A To tag of ours carries a keyed checksum: a request inside a dialog that we never made is
//! recognised and refused (481) by the filter without looking at any table.

use std::hash::{BuildHasher, RandomState};
use std::time::{SystemTime, UNIX_EPOCH};

use model::LegId;
use model::id::Id;
use uuid::{Builder, Uuid};

/// Makes and recognises tags. The key lives as long as the process.
#[derive(Debug, Default)]
pub(crate) struct Tags {
    key: RandomState,
}

/// 64 random bits, hexadecimal.
fn random_hex() -> String {
    format!("{:016x}", u64::from_le_bytes(random()))
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system always has random bytes");
    bytes
}

impl Tags {
    /// A new tag for our side of a dialog: 16 random and 16 check digits.
    pub(crate) fn mint(&self) -> String {
        let mut tag = random_hex();
        let check = self.key.hash_one(tag.as_bytes());
        tag.push_str(&format!("{check:016x}"));
        tag
    }

    /// Whether this process minted the tag.
    pub(crate) fn is_ours(&self, tag: &str) -> bool {
        tag.len() == 32
            && tag.is_char_boundary(16)
            && u64::from_str_radix(&tag[16..], 16)
                .is_ok_and(|check| check == self.key.hash_one(&tag.as_bytes()[..16]))
    }

    /// A To tag for a stateless reply: the same for every copy of the same request (RFC 3261
    /// section 8.2.7), and never one that [`Self::is_ours`] accepts.
    pub(crate) fn stateless(&self, call_id: &str, via: &str) -> String {
        format!("s{:016x}", self.key.hash_one((call_id, via)))
    }
}

/// A number from 0 to `most`.
pub(crate) fn chance(most: u32) -> u32 {
    u32::from_le_bytes(random()) % (most + 1)
}

/// A branch for a new client transaction, with the cookie of RFC 3261 section 8.1.1.7.
pub(crate) fn branch() -> String {
    format!("z9hG4bK{}", random_hex())
}

/// A Call-ID of 128 random bits: nobody can guess it, and it names no host.
pub(crate) fn call_id() -> String {
    random_hex() + &random_hex()
}

/// A session id for the o= line (RFC 4566 section 5.2), below 2^62 for parsers with signed numbers.
pub(crate) fn session_id() -> u64 {
    u64::from_le_bytes(random()) >> 2
}

/// A new leg, named by time and randomness (UUIDv7).
pub(crate) fn leg_id() -> LegId {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let millis = u64::try_from(elapsed.as_millis()).unwrap_or(0);
    let raw: Uuid = Builder::from_unix_timestamp_millis(millis, &random::<10>()).into_uuid();
    LegId::from_uuid(raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_tags_are_recognised() {
        let tags = Tags::default();
        let tag = tags.mint();
        assert!(tags.is_ours(&tag));
        assert!(!Tags::default().is_ours(&tag));
        assert!(!tags.is_ours(&tags.stateless("a", "b")));
        for foreign in ["", "1918181833n", "é".repeat(16).as_str(), &"0".repeat(32)] {
            assert!(!tags.is_ours(foreign), "{foreign}");
        }
    }
}
