//! The legs behind one shared socket: by the user fragment of their binding requests, then by the
//! addresses that have proved themselves.
//!
//! Invariant: an address leads to a leg only after that leg accepted something from it, so nobody
//! can draw another page's datagrams to himself by naming it.

use std::collections::HashMap;
use std::net::SocketAddr;

use model::limits::PHONE_SOURCES_MAX;

use super::demux;

/// Which leg a datagram is for. `K` names a leg for the caller, a slot or an id.
#[derive(Debug)]
pub struct Routes<K> {
    by_ufrag: HashMap<String, K>,
    by_source: HashMap<SocketAddr, K>,
    legs: HashMap<K, Known>,
}

#[derive(Debug)]
struct Known {
    ufrag: String,
    sources: Vec<SocketAddr>,
}

impl<K> Default for Routes<K> {
    fn default() -> Self {
        Self { by_ufrag: HashMap::new(), by_source: HashMap::new(), legs: HashMap::new() }
    }
}

impl<K: Copy + Eq + std::hash::Hash> Routes<K> {
    /// A leg with its [`ufrag`](super::BrowserLeg::ufrag). One of the same name is forgotten.
    pub fn add(&mut self, leg: K, ufrag: &str) {
        self.remove(leg);
        self.by_ufrag.insert(ufrag.to_owned(), leg);
        self.legs.insert(leg, Known { ufrag: ufrag.to_owned(), sources: Vec::new() });
    }

    /// Forgets a leg.
    pub fn remove(&mut self, leg: K) {
        let Some(known) = self.legs.remove(&leg) else { return };
        self.by_ufrag.remove(&known.ufrag);
        for source in known.sources {
            if self.by_source.get(&source) == Some(&leg) {
                self.by_source.remove(&source);
            }
        }
    }

    /// The leg that a datagram claims to be for; `None` means drop it.
    #[must_use]
    pub fn find(&self, source: SocketAddr, datagram: &[u8]) -> Option<K> {
        // A known address may speak for a new leg: a page reloaded behind the same NAT binding.
        let named = demux::stun_ufrag(datagram).map(|ufrag| self.by_ufrag.get(ufrag));
        named.unwrap_or_else(|| self.by_source.get(&source)).copied()
    }

    /// The leg [accepted](super::BrowserLeg::receive) a datagram from this address. Free of
    /// allocation when it is known.
    pub fn learn(&mut self, source: SocketAddr, leg: K) {
        if self.by_source.get(&source) == Some(&leg) {
            return;
        }
        let Some(known) = self.legs.get_mut(&leg) else { return };
        if known.sources.len() >= PHONE_SOURCES_MAX {
            let oldest = known.sources.remove(0);
            if self.by_source.get(&oldest) == Some(&leg) {
                self.by_source.remove(&oldest);
            }
        }
        known.sources.push(source);
        self.by_source.insert(source, leg);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 9], port))
    }

    fn request(ufrag: &str) -> Vec<u8> {
        let mut datagram = vec![0, 1, 0, 16, 0x21, 0x12, 0xa4, 0x42];
        datagram.extend([7; 12]);
        datagram.extend([0, 6, 0, 12]);
        datagram.extend(format!("{ufrag}:{:1$}", "", 11 - ufrag.len()).bytes());
        datagram
    }

    #[test]
    fn by_name_first_then_by_proven_address() {
        let mut routes = Routes::default();
        routes.add(1, "aaaa");
        routes.add(2, "bbbb");
        assert_eq!(routes.find(source(1), &request("bbbb")), Some(2));
        assert_eq!(routes.find(source(1), &request("cccc")), None);
        assert_eq!(routes.find(source(1), &[0x80; 40]), None, "not yet proven");
        routes.learn(source(1), 2);
        assert_eq!(routes.find(source(1), &[0x80; 40]), Some(2));
        assert_eq!(routes.find(source(1), &request("aaaa")), Some(1), "the name is newer");
        routes.learn(source(1), 1);
        assert_eq!(routes.find(source(1), &[0x80; 40]), Some(1));
        routes.remove(2);
        assert_eq!(routes.find(source(1), &[0x80; 40]), Some(1), "the address has moved on");
        routes.add(1, "dddd");
        assert_eq!(routes.find(source(1), &[0x80; 40]), None, "a leg made anew begins anew");
        assert_eq!(routes.find(source(1), &request("aaaa")), None);
    }

    #[test]
    fn addresses_of_a_leg_are_bounded() {
        let mut routes = Routes::default();
        routes.add('x', "aaaa");
        for port in 1..=1_000 {
            routes.learn(source(port), 'x');
        }
        assert_eq!(routes.by_source.len(), PHONE_SOURCES_MAX);
        assert_eq!(routes.find(source(1), &[0x80; 40]), None);
        assert_eq!(routes.find(source(1_000), &[0x80; 40]), Some('x'));
        routes.learn(source(5), 'y');
        routes.remove('x');
        assert!(routes.by_source.is_empty() && routes.by_ufrag.is_empty());
    }
}
