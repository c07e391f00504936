//! Ids made outside a cell: by the shell, from the operating system's generator.

use model::Timestamp;
use model::id::Id;
use uuid::Uuid;

/// A new UUIDv7 (RFC 9562 section 5.7) for a thing made at `now`.
#[must_use]
pub fn fresh_id<T: Id>(now: Timestamp) -> T {
    let mut bytes = crate::secret::random_bytes::<16>();
    let ms = u64::try_from(now.micros() / 1_000).unwrap_or(0);
    bytes[..6].copy_from_slice(&ms.to_be_bytes()[2..]);
    bytes[6] = (bytes[6] & 0x0f) | 0x70;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    T::from_uuid(Uuid::from_bytes(bytes))
}
