//! How often somebody may try to sign in: per account and per address, over a minute.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use model::{Span, Timestamp};
use store::TokenDigest;

use crate::client::network_of;
use crate::problem::Problem;

/// Tries per account in [`WINDOW`].
const PER_ACCOUNT_MAX: usize = 5;
/// Tries per address in [`WINDOW`].
const PER_ADDRESS_MAX: usize = 20;
const WINDOW: Span = Span::from_secs(60);
/// Accounts and addresses that are remembered; beyond it the stalest are forgotten.
const KEYS_MAX: usize = 50_000;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    /// The digest of a mail address: known or not, nobody's address is kept here.
    Account(String),
    /// As [`network_of`] tells: of IPv6 anybody has 2^64.
    Address(IpAddr),
}

/// The tries of the last minute.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    tries: Mutex<HashMap<Key, Vec<Timestamp>>>,
}

impl Throttle {
    /// Counts a try to sign in, or refuses it with the time to wait.
    pub(crate) fn try_account(
        &self,
        mail: &str,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<(), Problem> {
        self.take(Key::Address(network_of(address)), PER_ADDRESS_MAX, now)?;
        let account = TokenDigest::of(&store::fold_mail(mail)).to_hex();
        self.take(Key::Account(account), PER_ACCOUNT_MAX, now)
    }

    /// Counts a try with a one-time secret, or refuses it.
    pub(crate) fn try_address(&self, address: IpAddr, now: Timestamp) -> Result<(), Problem> {
        self.take(Key::Address(network_of(address)), PER_ADDRESS_MAX, now)
    }

    fn take(&self, key: Key, most: usize, now: Timestamp) -> Result<(), Problem> {
        let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = |at: &Timestamp| now.since(*at) < WINDOW;
        if tries.len() >= KEYS_MAX && !tries.contains_key(&key) {
            tries.retain(|_, list| list.last().is_some_and(fresh));
            if tries.len() >= KEYS_MAX {
                // Strangers who fill the memory must not lock everybody else out.
                let stalest = tries.iter().min_by_key(|(_, list)| list.last().copied());
                let stalest = stalest.map(|(key, _)| key.clone());
                stalest.and_then(|key| tries.remove(&key));
            }
        }
        let list = tries.entry(key).or_default();
        list.retain(fresh);
        match list.first() {
            Some(first) if list.len() >= most => {
                let wait = WINDOW.micros() - now.since(*first).micros();
                Err(too_often(Span::from_micros(wait)))
            }
            _ => {
                list.push(now);
                Ok(())
            }
        }
    }
}

fn too_often(wait: Span) -> Problem {
    let seconds = u32::try_from(wait.micros().div_euclid(1_000_000) + 1).unwrap_or(60);
    let detail = format!("Too many tries. Wait {seconds} seconds.");
    Problem::new(axum::http::StatusCode::TOO_MANY_REQUESTS, "too_many_tries", detail).retry(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_and_addresses_are_counted_apart() {
        let throttle = Throttle::default();
        let at = |s| Timestamp::from_micros(1_000_000_000) + Span::from_secs(s);
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        for _ in 0..PER_ACCOUNT_MAX {
            throttle.try_account("A@example.com", address, at(0)).unwrap();
        }
        let refused = throttle.try_account(" a@example.com", address, at(10)).unwrap_err();
        assert_eq!((refused.code, refused.retry_after_s), ("too_many_tries", Some(51)));
        for n in 0..PER_ADDRESS_MAX - PER_ACCOUNT_MAX - 1 {
            throttle.try_account(&format!("{n}@example.com"), address, at(10)).unwrap();
        }
        assert!(throttle.try_account("z@example.com", address, at(11)).is_err());
        assert!(throttle.try_account("z@example.com", "::1".parse().unwrap(), at(11)).is_ok());
        throttle.try_account("a@example.com", address, at(61)).unwrap();
    }

    #[test]
    fn a_full_memory_forgets_the_stalest_and_serves_the_next() {
        let throttle = Throttle::default();
        let at = |micros: i64| Timestamp::from_micros(1_000_000_000 + micros);
        let address = |n: u32| IpAddr::V4((0x0a00_0000 + n).into());
        let many = u32::try_from(KEYS_MAX).unwrap();
        for n in 0..many {
            throttle.try_address(address(n), at(i64::from(n))).unwrap();
        }
        throttle.try_address(address(many), at(i64::from(many))).unwrap();
        let tries = throttle.tries.lock().unwrap();
        assert_eq!(tries.len(), KEYS_MAX);
        assert!(!tries.contains_key(&Key::Address(address(0))));
    }

    #[test]
    fn a_network_of_ipv6_is_counted_as_one() {
        let throttle = Throttle::default();
        let now = Timestamp::from_micros(1_000_000_000);
        for n in 0..PER_ADDRESS_MAX {
            throttle.try_address(format!("2001:db8::{n:x}").parse().unwrap(), now).unwrap();
        }
        assert!(throttle.try_address("2001:db8::ffff".parse().unwrap(), now).is_err());
        assert!(throttle.try_address("2001:db8:0:1::1".parse().unwrap(), now).is_ok());
    }
}
