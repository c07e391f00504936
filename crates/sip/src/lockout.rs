//! Whoever says a wrong secret again and again is not listened to for a while.
//!
//! It falls on a source and a username together: somebody who guesses locks no telephone out, and
//! one telephone with a stale secret no others of its office.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use model::limits;

type Guest = (IpAddr, String);

#[derive(Debug, Clone, Copy)]
struct Tries {
    /// The second of the first.
    since: u64,
    count: u32,
}

/// See the module. Bounded; whoever began longest ago leaves first.
#[derive(Debug, Default)]
pub(crate) struct Lockouts {
    tries: HashMap<Guest, Tries>,
    order: VecDeque<(u64, Guest)>,
}

impl Lockouts {
    /// Whether what they say is not even weighed.
    pub(crate) fn holds(&mut self, second: u64, source: IpAddr, username: &str) -> bool {
        self.forget_old(second);
        let tries = self.tries.get(&guest(source, username));
        tries.is_some_and(|tries| tries.count >= limits::SIP_WRONG_SECRETS_MAX)
    }

    /// They said a wrong secret.
    pub(crate) fn wrong(&mut self, second: u64, source: IpAddr, username: &str) {
        let guest = guest(source, username);
        if let Some(tries) = self.tries.get_mut(&guest) {
            tries.count += 1;
            return;
        }
        if self.order.len() >= limits::SIP_LOCKOUTS_MAX {
            self.forget_oldest();
        }
        self.order.push_back((second, guest.clone()));
        self.tries.insert(guest, Tries { since: second, count: 1 });
    }

    /// The telephone of this name has another secret: what was said before counts no more.
    pub(crate) fn forgive(&mut self, username: &str) {
        self.tries.retain(|(_, name), _| name != username);
    }

    fn forget_old(&mut self, second: u64) {
        while self.order.front().is_some_and(|(since, _)| since + limits::SIP_LOCKOUT_S <= second) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((since, guest)) = self.order.pop_front()
            && self.tries.get(&guest).is_some_and(|tries| tries.since == since)
        {
            self.tries.remove(&guest);
        }
    }
}

/// Names beyond any of ours are all one.
fn guest(source: IpAddr, username: &str) -> Guest {
    let username = if username.len() > limits::DIAL_STRING_CHARS_MAX { "" } else { username };
    (source.to_canonical(), username.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn it_falls_on_who_guesses_for_a_while() {
        let mut all = Lockouts::default();
        for second in 0..u64::from(limits::SIP_WRONG_SECRETS_MAX) {
            assert!(!all.holds(second, ip(1), "100"));
            all.wrong(second, ip(1), "100");
        }
        assert!(all.holds(20, ip(1), "100"));
        let mut renewed = Lockouts { tries: all.tries.clone(), order: all.order.clone() };
        renewed.forgive("100");
        assert!(!renewed.holds(20, ip(1), "100"));
        assert!(!all.holds(20, ip(2), "100"), "the telephone itself");
        assert!(!all.holds(20, ip(1), "101"), "its neighbour");
        assert!(all.holds(limits::SIP_LOCKOUT_S - 1, ip(1), "100"));
        assert!(!all.holds(limits::SIP_LOCKOUT_S, ip(1), "100"));
        assert!(all.tries.is_empty() && all.order.is_empty());
    }

    #[test]
    fn a_flood_of_names_is_bounded() {
        let mut all = Lockouts::default();
        for n in 0..limits::SIP_LOCKOUTS_MAX + 50 {
            all.wrong(0, ip(1), &n.to_string());
        }
        assert_eq!(all.tries.len(), limits::SIP_LOCKOUTS_MAX);
        assert_eq!(all.order.len(), limits::SIP_LOCKOUTS_MAX);
        let long = "9".repeat(limits::DIAL_STRING_CHARS_MAX + 1);
        all.wrong(0, ip(2), &long);
        assert_eq!(guest(ip(2), &long).1, "");
    }
}
