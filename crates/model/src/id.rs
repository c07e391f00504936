//! Identifiers: UUIDv7 behind newtypes, printed as lower-case hyphenated text.
//!
//! An id names a thing and is never authority: secrets come from the operating system's generator
//! in the shell. Ids of the floor are minted by [`IdMint`] from the cell's seed and `now`, so a
//! replay mints the same ones.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::random::Random;
use crate::time::Timestamp;

/// A kind of identifier that [`IdMint`] can make.
pub trait Id: Copy + Ord + fmt::Display {
    /// Wraps a raw UUID.
    fn from_uuid(raw: Uuid) -> Self;
    /// The raw UUID.
    fn uuid(self) -> Uuid;
}

/// The text was not a hyphenated UUID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an id: expected 36 characters like 0190d9f3-7a3c-7b41-9d2e-6a1f0c3b5e77")]
pub struct IdError {
    /// What was given, cut to 64 characters.
    pub text: String,
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl Id for $name {
            fn from_uuid(raw: Uuid) -> Self {
                Self(raw)
            }
            fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.hyphenated())
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                // Only the one printed form is an id: aliases would make two keys of one thing.
                let parsed = (text.len() == 36).then(|| Uuid::try_parse(text).ok()).flatten();
                parsed.map(Self).ok_or_else(|| IdError { text: text.chars().take(64).collect() })
            }
        }
    )*};
}

ids! {
    /// A hard wall: its own people, numbers, data and keys.
    TenantId
    /// One customer's stay from arrival to leaving, across queues and transfers.
    CallId
    /// One media endpoint of a call or of an agent's device.
    LegId
    /// One wait in one queue.
    QueueEntryId
    /// One queue.
    QueueId
    /// A lease on an agent's slot for one contact.
    OfferId
    /// Somebody who takes offers; equals the id of the user it belongs to.
    AgentId
    /// Somebody who signs in.
    UserId
    /// A telephone of an agent.
    DeviceId
    /// A call flow.
    FlowId
    /// Opening hours.
    CalendarId
    /// A spoken prompt or a piece of music.
    PromptId
    /// Who is on a contact: a number or an address, kept apart from events.
    PartyId
    /// One continuous recording file of a call.
    RecordingId
    /// One play-out of prompts to one leg.
    PlayId
    /// One command that waits for its reply.
    RequestId
    /// One secret that a caller typed: it stands for digits that only the shell saw.
    SecretId
}

impl AgentId {
    /// The agent of a user: both carry the same UUID.
    #[must_use]
    pub fn of_user(user: UserId) -> Self {
        Self(user.0)
    }
}

impl UserId {
    /// The user behind an agent.
    #[must_use]
    pub fn of_agent(agent: AgentId) -> Self {
        Self(agent.0)
    }
}

/// Mints UUIDv7 ids from a seed: the same seed and the same times give the same ids.
///
/// Layout: RFC 9562 section 5.7, 48 bit Unix milliseconds, 74 random bits.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct IdMint {
    random: Random,
}

impl IdMint {
    /// A mint for one cell. Two cells must not share a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { random: Random::new(seed) }
    }

    /// The next id at `now`.
    pub fn mint<T: Id>(&mut self, now: Timestamp) -> T {
        let ms = u64::try_from(now.micros() / 1_000).unwrap_or(0);
        let mut bytes = [0_u8; 16];
        bytes[..6].copy_from_slice(&ms.to_be_bytes()[2..]);
        bytes[6..14].copy_from_slice(&self.random.next_u64().to_be_bytes());
        bytes[14..].copy_from_slice(&self.random.next_u64().to_be_bytes()[..2]);
        bytes[6] = (bytes[6] & 0x0f) | 0x70;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        T::from_uuid(Uuid::from_bytes(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_mints_the_same_ids_and_they_are_version_seven() {
        let now = Timestamp::from_micros(1_700_000_000_123_456);
        let (mut a, mut b) = (IdMint::new(7), IdMint::new(7));
        let (x, y): (CallId, CallId) = (a.mint(now), b.mint(now));
        assert_eq!(x, y);
        assert_ne!(x, a.mint(now));
        assert_eq!(x.uuid().get_version_num(), 7);
        assert_eq!(x.to_string().parse::<CallId>(), Ok(x));
    }

    #[test]
    fn only_the_printed_form_is_an_id() {
        for text in
            ["", "7", "{0190d9f3-7a3c-7b41-9d2e-6a1f0c3b5e77}", "0190d9f37a3c7b419d2e6a1f0c3b5e77"]
        {
            assert!(text.parse::<CallId>().is_err(), "{text}");
        }
    }
}
