//! How often somebody may fail to sign in, over a minute: to one account from one network, from one
//! network, and to one account from anywhere.
//!
//! Invariant: whoever knows the password is not counted, so that an office behind one address can
//! sign in at nine o'clock; and a stranger's failures do not lock an account for its own network.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::{Span, Timestamp, limits};
use store::TokenDigest;

use crate::client::network_of;
use crate::problem::Problem;

const WINDOW: Span = Span::from_secs(60);

/// Accounts are kept as the digest of a mail address: known or not, nobody's address is kept here.
/// Networks are as [`network_of`] tells: of IPv6 anybody has 2^64 addresses.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    AccountFrom(String, IpAddr),
    Network(IpAddr),
    Account(String),
    /// All that are at work, whoever they are of.
    House,
}

impl Key {
    /// Why one more try is too much, if it is.
    fn refuses(&self, tally: &Tally) -> bool {
        let Tally { failures, at_work, .. } = *tally;
        match self {
            // Tries that are at work may all fail: nobody guesses more by guessing at once.
            Self::AccountFrom(..) => {
                failures + at_work >= limits::SIGN_IN_FAILURES_PER_ACCOUNT_AND_NETWORK_MAX
            }
            Self::Account(_) => failures + at_work >= limits::SIGN_IN_FAILURES_PER_ACCOUNT_MAX,
            Self::House => at_work >= limits::SIGN_INS_AT_ONCE_MAX,
            Self::Network(_) => {
                failures >= limits::SIGN_IN_FAILURES_PER_NETWORK_MAX
                    || at_work >= limits::SIGN_INS_AT_ONCE_PER_NETWORK_MAX
            }
        }
    }
}

/// What one key has to show for itself.
#[derive(Debug, Clone, Copy)]
struct Tally {
    /// When the window began: with a failure, or with the first try.
    since: Timestamp,
    failures: u32,
    /// Tries that have not ended yet.
    at_work: u32,
}

impl Tally {
    fn is_stale(&self, now: Timestamp) -> bool {
        self.at_work == 0 && (self.failures == 0 || now.since(self.since) >= WINDOW)
    }
}

/// The failures of the last minute.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    tallies: Mutex<HashMap<Key, Tally>>,
}

/// A try that is at work. Dropped, it is no more; only [`Attempt::failed`] counts it.
#[derive(Debug)]
pub(crate) struct Attempt<'a> {
    throttle: &'a Throttle,
    keys: Vec<Key>,
}

impl Throttle {
    /// Lets a try to sign in begin, or refuses it with the time to wait.
    pub(crate) fn try_account(
        &self,
        mail: &str,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<Attempt<'_>, Problem> {
        let (account, network) =
            (TokenDigest::of(&store::fold_mail(mail)).to_hex(), network_of(address));
        let of_network = Key::AccountFrom(account.clone(), network);
        let keys = vec![of_network, Key::Network(network), Key::Account(account), Key::House];
        self.begin(keys, now)
    }

    /// The same for a one-time secret, which belongs to no account.
    pub(crate) fn try_address(
        &self,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<Attempt<'_>, Problem> {
        self.begin(vec![Key::Network(network_of(address))], now)
    }

    fn begin(&self, keys: Vec<Key>, now: Timestamp) -> Result<Attempt<'_>, Problem> {
        let mut tallies = self.tallies();
        for key in &keys {
            let Some(tally) = tallies.get_mut(key) else { continue };
            if now.since(tally.since) >= WINDOW {
                (tally.since, tally.failures) = (now, 0);
            }
            if key.refuses(tally) {
                return Err(too_often(tally, now));
            }
        }
        for key in &keys {
            make_room(&mut tallies, key, now);
            let fresh = Tally { since: now, failures: 0, at_work: 0 };
            tallies.entry(key.clone()).or_insert(fresh).at_work += 1;
        }
        Ok(Attempt { throttle: self, keys })
    }

    fn tallies(&self) -> MutexGuard<'_, HashMap<Key, Tally>> {
        self.tallies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempt<'_> {
    /// The secret was wrong.
    pub(crate) fn failed(self, now: Timestamp) {
        let mut tallies = self.throttle.tallies();
        for key in self.keys.iter().filter(|key| **key != Key::House) {
            let Some(tally) = tallies.get_mut(key) else { continue };
            if tally.failures == 0 {
                tally.since = now;
            }
            tally.failures += 1;
        }
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        let mut tallies = self.throttle.tallies();
        for key in &self.keys {
            let Some(tally) = tallies.get_mut(key) else { continue };
            tally.at_work = tally.at_work.saturating_sub(1);
            if tally.at_work == 0 && tally.failures == 0 {
                tallies.remove(key);
            }
        }
    }
}

/// Strangers who fill the memory must not lock everybody else out.
fn make_room(tallies: &mut HashMap<Key, Tally>, key: &Key, now: Timestamp) {
    if tallies.len() < limits::SIGN_IN_KEYS_MAX || tallies.contains_key(key) {
        return;
    }
    tallies.retain(|_, tally| !tally.is_stale(now));
    if tallies.len() >= limits::SIGN_IN_KEYS_MAX {
        let stalest = tallies.iter().min_by_key(|(_, tally)| tally.since);
        let stalest = stalest.map(|(key, _)| key.clone());
        stalest.and_then(|key| tallies.remove(&key));
    }
}

fn too_often(tally: &Tally, now: Timestamp) -> Problem {
    let wait = if tally.failures == 0 {
        Span::ZERO
    } else {
        Span::from_micros(WINDOW.micros() - now.since(tally.since).micros())
    };
    let seconds = u32::try_from(wait.micros().div_euclid(1_000_000) + 1).unwrap_or(60);
    let detail = format!("Too many tries. Wait {seconds} seconds.");
    Problem::new(axum::http::StatusCode::TOO_MANY_REQUESTS, "too_many_tries", detail).retry(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIL: &str = "a@example.com";

    fn at(s: i64) -> Timestamp {
        Timestamp::from_micros(1_000_000_000) + Span::from_secs(s)
    }

    fn from(n: u32) -> IpAddr {
        IpAddr::V4((0x0a00_0000 + n).into())
    }

    #[test]
    fn so_many_at_once_are_enough_for_the_house() {
        let throttle = Throttle::default();
        let mut at_work = Vec::new();
        for n in 0..limits::SIGN_INS_AT_ONCE_MAX {
            let mail = format!("{n}@example.com");
            at_work.push(throttle.try_account(&mail, from(n), at(0)).unwrap());
        }
        let refused = throttle.try_account(MAIL, from(9_999), at(0)).unwrap_err();
        assert_eq!((refused.code, refused.retry_after_s), ("too_many_tries", Some(1)));
        at_work.pop().unwrap().failed(at(0));
        assert!(throttle.try_account(MAIL, from(9_999), at(0)).is_ok());
    }

    #[test]
    fn failures_count_and_successes_do_not() {
        let throttle = Throttle::default();
        for n in 0..1_000 {
            let mail = format!("{n}@example.com");
            drop(throttle.try_account(&mail, from(1), at(0)).unwrap());
        }
        for n in 0..limits::SIGN_IN_FAILURES_PER_ACCOUNT_AND_NETWORK_MAX {
            let spelt = if n % 2 == 0 { " A@example.com" } else { MAIL };
            throttle.try_account(spelt, from(1), at(0)).unwrap().failed(at(0));
        }
        let refused = throttle.try_account(MAIL, from(1), at(10)).unwrap_err();
        assert_eq!((refused.code, refused.retry_after_s), ("too_many_tries", Some(51)));
        assert!(throttle.try_account("b@example.com", from(1), at(10)).is_ok(), "a colleague");
        assert!(throttle.try_account(MAIL, from(1), at(60)).is_ok());
    }

    #[test]
    fn nobody_locks_an_account_from_afar() {
        let throttle = Throttle::default();
        for stranger in 2..100 {
            while let Ok(attempt) = throttle.try_account(MAIL, from(stranger), at(0)) {
                attempt.failed(at(0));
            }
        }
        assert!(throttle.try_account(MAIL, from(1), at(1)).is_ok());
        let all = (2..1_000_u32).filter(|stranger| {
            throttle.try_account(MAIL, from(*stranger), at(2)).map(|a| a.failed(at(2))).is_ok()
        });
        assert!(all.count() < 998, "there is an end to it");
    }

    #[test]
    fn one_network_cannot_try_many_accounts() {
        let throttle = Throttle::default();
        for n in 0..limits::SIGN_IN_FAILURES_PER_NETWORK_MAX {
            let mail = format!("{n}@example.com");
            throttle.try_account(&mail, from(1), at(0)).unwrap().failed(at(0));
        }
        assert!(throttle.try_account("z@example.com", from(1), at(1)).is_err());
        assert!(throttle.try_address(from(1), at(1)).is_err());
        assert!(throttle.try_account("z@example.com", from(2), at(1)).is_ok());
    }

    #[test]
    fn guessing_at_once_is_no_way_around() {
        let throttle = Throttle::default();
        let many: Vec<_> =
            std::iter::from_fn(|| throttle.try_account(MAIL, from(1), at(0)).ok()).collect();
        let most = limits::SIGN_IN_FAILURES_PER_ACCOUNT_AND_NETWORK_MAX as usize;
        assert_eq!(many.len(), most);
        let refused = throttle.try_account(MAIL, from(1), at(0)).unwrap_err();
        assert_eq!(refused.retry_after_s, Some(1));
        drop(many);
        assert!(throttle.try_account(MAIL, from(1), at(0)).is_ok());
        assert!(throttle.tallies().is_empty(), "nothing is kept of those who got in");
    }

    #[test]
    fn a_full_memory_forgets_the_stalest_and_serves_the_next() {
        let throttle = Throttle::default();
        let micros = |n: u32| Timestamp::from_micros(1_000_000_000 + i64::from(n));
        let many = u32::try_from(limits::SIGN_IN_KEYS_MAX).unwrap();
        for n in 0..=many {
            throttle.try_address(from(n), micros(n)).unwrap().failed(micros(n));
        }
        let tallies = throttle.tallies();
        assert_eq!(tallies.len(), limits::SIGN_IN_KEYS_MAX);
        assert!(!tallies.contains_key(&Key::Network(from(0))));
    }

    #[test]
    fn a_network_of_ipv6_is_counted_as_one() {
        let throttle = Throttle::default();
        for n in 0..limits::SIGN_IN_FAILURES_PER_NETWORK_MAX {
            let address = format!("2001:db8::{n:x}").parse().unwrap();
            throttle.try_address(address, at(0)).unwrap().failed(at(0));
        }
        assert!(throttle.try_address("2001:db8::ffff".parse().unwrap(), at(0)).is_err());
        assert!(throttle.try_address("2001:db8:0:1::1".parse().unwrap(), at(0)).is_ok());
    }
}
