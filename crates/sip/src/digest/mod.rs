//! Digest authentication from the server's side (RFC 7616, RFC 8760, RFC 3261 section 22).
//!
//! Invariant: nothing is kept for whoever has proven nothing. A nonce proves by its own checksum
//! that it is ours and how old it is; only one with which somebody proved who they are gets a place
//! in the bounded table that tells repeated requests from new ones. An account that nobody has is
//! answered as a wrong password is, after the same work.

mod credentials;

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::Md5;
use model::limits;
use model::sip::{Ha1, REALM};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

pub(crate) use credentials::{Algorithm, Credentials};

/// Digits of a nonce: its second, and randomness and checksum behind it.
const SECOND_DIGITS: usize = 8;
const RANDOM_DIGITS: usize = 16;
const CHECK_DIGITS: usize = 32;
/// Requests that may come out of order with one nonce.
const WINDOW: u32 = 64;

impl Algorithm {
    fn hash(self, text: &str) -> String {
        match self {
            Self::Sha256 => hex(&Sha256::digest(text)),
            Self::Md5 => hex(&Md5::digest(text)),
        }
    }
}

/// The present second, and who asks.
pub(crate) type Guest = (u64, IpAddr);

/// What credentials are worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Worth {
    /// Whoever sent this request knows the secret.
    Proven,
    /// They know it, but the nonce is too old or the request was sent before: challenge anew, and
    /// say that nobody has to type anything (`stale=true`).
    Stale,
    /// Whoever sent them heard a challenge of ours and does not know the secret.
    Wrong,
    /// They are wrong and answer no challenge of this process to that address: anybody can send
    /// them in anybody's name.
    Unasked,
}

/// Which requests of one nonce came already (RFC 7616 section 3.4: `nc`).
#[derive(Debug, Clone, Copy)]
struct Window {
    highest: u32,
    /// Bit n: `highest - n` came.
    came: u64,
}

impl Window {
    /// Whether this is the first request of that number.
    fn is_new(&mut self, count: u32) -> bool {
        if count > self.highest {
            let ahead = count - self.highest;
            self.came = if ahead >= WINDOW { 0 } else { self.came << ahead };
            (self.highest, self.came) = (count, self.came | 1);
            return true;
        }
        let behind = self.highest - count;
        let bit = 1_u64.checked_shl(behind).unwrap_or(0);
        let is_new = bit != 0 && self.came & bit == 0;
        self.came |= bit;
        is_new
    }
}

/// The nonces of the house.
#[derive(Debug)]
pub(crate) struct Nonces {
    key: [u8; 32],
    /// Nonces by which somebody proved who they are.
    used: HashMap<String, Window>,
    /// The same, oldest first, with the second in which they were made.
    order: VecDeque<(u64, String)>,
}

impl Nonces {
    /// With a key that lives as long as the process.
    pub(crate) fn new() -> Self {
        Self { key: random(), used: HashMap::new(), order: VecDeque::new() }
    }

    /// The value of WWW-Authenticate. It is one: telephones that know MD5 alone give up where
    /// another algorithm stands beside it.
    pub(crate) fn challenge(&self, guest: Guest, is_stale: bool, algorithm: Algorithm) -> String {
        let (nonce, name) = (self.make(guest), algorithm.name());
        let stale = if is_stale { ", stale=true" } else { "" };
        format!(
            "Digest realm=\"{REALM}\", nonce=\"{nonce}\", algorithm={name}, qop=\"auth\"{stale}"
        )
    }

    /// Weighs credentials against an account; `None` stands for one that nobody has. Then the work
    /// is the same, and they are wrong.
    pub(crate) fn weigh(
        &mut self,
        guest: Guest,
        method: &str,
        credentials: &Credentials<'_>,
        account: Option<&Ha1>,
    ) -> Worth {
        let (second, age) = (guest.0, self.age(guest, &credentials.nonce));
        let own = |ha1: &&Ha1| Algorithm::from(ha1.digest()) == credentials.algorithm;
        let known = account.filter(own).map(Ha1::hex);
        let right = response(method, credentials, known.unwrap_or(""));
        let fits = bool::from(right.as_bytes().ct_eq(credentials.response.as_bytes()));
        if known.is_none() || !fits || credentials.realm != REALM {
            return if age.is_some() { Worth::Wrong } else { Worth::Unasked };
        }
        match age {
            Some(age) if age <= limits::SIP_NONCE_S => {}
            // Proven with a nonce of an earlier start of the house, or from elsewhere, as well.
            Some(_) | None => return Worth::Stale,
        }
        if self.is_first(second, &credentials.nonce, credentials.count) {
            Worth::Proven
        } else {
            Worth::Stale
        }
    }

    fn make(&self, (second, source): Guest) -> String {
        let text = format!("{second:08x}{}", hex(&random::<{ RANDOM_DIGITS / 2 }>()));
        let check = self.check(&text, source);
        text + &check
    }

    fn check(&self, text: &str, source: IpAddr) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("any length is a key");
        mac.update(text.as_bytes());
        mac.update(source.to_canonical().to_string().as_bytes());
        hex(&mac.finalize().into_bytes()[..CHECK_DIGITS / 2])
    }

    /// How old a nonce is, in seconds, if we gave it to that address.
    fn age(&self, (second, source): Guest, nonce: &str) -> Option<u64> {
        let all = SECOND_DIGITS + RANDOM_DIGITS + CHECK_DIGITS;
        if nonce.len() != all || !nonce.is_ascii() {
            return None;
        }
        let (text, check) = nonce.split_at(SECOND_DIGITS + RANDOM_DIGITS);
        let ours = bool::from(self.check(text, source).as_bytes().ct_eq(check.as_bytes()));
        let made = u64::from_str_radix(&text[..SECOND_DIGITS], 16).ok().filter(|_| ours)?;
        Some(second.saturating_sub(made))
    }

    fn is_first(&mut self, second: u64, nonce: &str, count: u32) -> bool {
        while let Some((made, _)) = self.order.front()
            && (*made + limits::SIP_NONCE_S < second
                || self.order.len() >= limits::SIP_NONCES_USED_MAX)
        {
            if let Some((_, gone)) = self.order.pop_front() {
                self.used.remove(&gone);
            }
        }
        if let Some(window) = self.used.get_mut(nonce) {
            return window.is_new(count);
        }
        self.order.push_back((second, nonce.to_owned()));
        self.used.insert(nonce.to_owned(), Window { highest: count, came: 1 });
        true
    }
}

/// What the far side must have said (RFC 7616 section 3.4.1, `qop=auth`).
fn response(method: &str, credentials: &Credentials<'_>, ha1: &str) -> String {
    let Credentials { algorithm, nonce, uri, client_nonce, count_text, .. } = credentials;
    let ha2 = algorithm.hash(&format!("{method}:{uri}"));
    algorithm.hash(&format!("{ha1}:{nonce}:{count_text}:{client_nonce}:auth:{ha2}"))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system always has random bytes");
    bytes
}

#[cfg(test)]
pub(crate) mod tests;
