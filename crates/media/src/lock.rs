//! The source lock: whose RTP a leg listens to (reliability S6).
//!
//! Invariant: a stranger is never heard and never sent to. The signalled address is taken at once.
//! Another one is learned, after packets in sequence, only in the network of the signalled IP
//! address or of the one that the peer's SIP messages come from: there are the far side of an
//! address translation, a second gateway of a carrier, a second address of the same computer. It
//! loses to the signalled address whenever that speaks. Packets in sequence alone prove nothing:
//! whoever sprays all ports can number them (RTP bleed, CVE-2017-14099, CVE-2025-53399).

use std::net::{IpAddr, SocketAddr};

use crate::rtp::sequence_distance;

/// Packets in sequence that a port other than the signalled one must send.
pub(crate) const PROBATION_PACKETS: u8 = 5;
/// Time within which they must come, in milliseconds.
pub(crate) const PROBATION_MS: u64 = 500;

/// Decides from which address one leg takes packets.
#[derive(Debug, Clone, Default)]
pub(crate) struct SourceLock {
    signalled: Option<SocketAddr>,
    /// Where the peer's SIP messages come from.
    sip: Option<IpAddr>,
    locked: Option<SocketAddr>,
    candidate: Option<Candidate>,
}

#[derive(Debug, Clone, Copy)]
struct Candidate {
    address: SocketAddr,
    ssrc: u32,
    sequence: u16,
    since_ms: u64,
    packets: u8,
}

impl SourceLock {
    /// The peer's description came or changed: whatever was learned is forgotten, unless its place
    /// is the same.
    pub(crate) fn signal(&mut self, address: Option<SocketAddr>, sip: Option<IpAddr>) {
        if (address, sip) == (self.signalled, self.sip) {
            return;
        }
        *self = Self { signalled: address, sip, locked: None, candidate: None };
    }

    fn may_be_learned(&self, source: IpAddr) -> bool {
        let signalled = self.signalled.map(|address| address.ip());
        [self.sip, signalled].into_iter().flatten().any(|peer| same_network(peer, source))
    }

    /// Where to send: to the address that is heard, else to the signalled one.
    #[must_use]
    pub(crate) fn target(&self) -> Option<SocketAddr> {
        self.locked.or(self.signalled)
    }

    /// Whether this is the address that is heard, or the signalled one while none is.
    #[must_use]
    pub(crate) fn is_peer(&self, source: SocketAddr) -> bool {
        self.target() == Some(source)
    }

    /// Whether a valid packet of a negotiated payload type may be taken.
    pub(crate) fn admit(
        &mut self,
        now_ms: u64,
        source: SocketAddr,
        sequence: u16,
        ssrc: u32,
    ) -> bool {
        if self.locked == Some(source) {
            return true;
        }
        if self.signalled == Some(source) {
            (self.locked, self.candidate) = (Some(source), None);
            return true;
        }
        if self.locked.is_some() || !self.may_be_learned(source.ip()) {
            return false;
        }
        let packets = match self.candidate {
            Some(last)
                if last.address == source
                    && last.ssrc == ssrc
                    && sequence_distance(last.sequence, sequence) == 1
                    && now_ms.saturating_sub(last.since_ms) <= PROBATION_MS =>
            {
                last.packets + 1
            }
            // Another source must not reset the first one's probation while that is running.
            Some(last)
                if last.address != source
                    && now_ms.saturating_sub(last.since_ms) <= PROBATION_MS =>
            {
                return false;
            }
            _ => 1,
        };
        if packets >= PROBATION_PACKETS {
            (self.locked, self.candidate) = (Some(source), None);
            return true;
        }
        let since_ms = match self.candidate {
            Some(last) if packets > 1 => last.since_ms,
            _ => now_ms,
        };
        self.candidate = Some(Candidate { address: source, ssrc, sequence, since_ms, packets });
        false
    }
}

/// Whether two addresses share the 24 bits (IPv4) or the 64 bits (IPv6) that one site has.
fn same_network(one: IpAddr, other: IpAddr) -> bool {
    match (one.to_canonical(), other.to_canonical()) {
        (IpAddr::V4(one), IpAddr::V4(other)) => one.octets()[..3] == other.octets()[..3],
        (IpAddr::V6(one), IpAddr::V6(other)) => one.octets()[..8] == other.octets()[..8],
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_description_with_the_same_place_forgets_nothing() {
        let mut lock = lock();
        let (signalled, sip) = (lock.signalled, lock.sip);
        let behind = address("203.0.113.5:61000");
        for n in 0..u16::from(PROBATION_PACKETS) {
            lock.admit(u64::from(n), behind, n, 1);
        }
        lock.signal(signalled, sip);
        assert_eq!(lock.target(), Some(behind));
        lock.signal(Some(address("192.0.2.1:4002")), sip);
        assert_eq!(lock.target(), Some(address("192.0.2.1:4002")));
    }

    /// Signalled at 192.0.2.1:4000 by SIP messages from 203.0.113.5.
    fn lock() -> SourceLock {
        let mut lock = SourceLock::default();
        let sip = address("203.0.113.5:5060").ip();
        lock.signal(Some(address("192.0.2.1:4000")), Some(sip));
        lock
    }

    #[test]
    fn the_signalled_address_is_taken_at_once_and_strangers_never() {
        let mut lock = lock();
        let stranger = address("198.51.100.9:4000");
        let refused = |lock: &mut SourceLock, from: u64| {
            (from..from + 100).all(|n| !lock.admit(n * 20, stranger, n as u16, 9))
        };
        assert!(refused(&mut lock, 0), "before the first packet");
        assert_eq!(lock.target(), Some(address("192.0.2.1:4000")));
        assert!(lock.admit(2_000, address("192.0.2.1:4000"), 1, 7));
        assert!(refused(&mut lock, 100), "in silence");
        lock.signal(Some(address("192.0.2.1:4000")), None);
        assert!(refused(&mut lock, 200), "after a re-INVITE");
        lock.signal(None, None);
        assert!(refused(&mut lock, 300), "while nothing is signalled");
        assert_eq!(lock.target(), None);
    }

    #[test]
    fn a_port_where_the_peer_is_is_learned_after_five_in_sequence_and_then_locked() {
        let sites = ["203.0.113.5:61000", "192.0.2.1:61000", "192.0.2.7:4000"];
        for real in sites.into_iter().chain(["[::ffff:203.0.113.5]:61000"]) {
            let (mut lock, real) = (lock(), address(real));
            let taken: Vec<bool> = (0..6).map(|n| lock.admit(n * 20, real, n as u16, 7)).collect();
            assert_eq!(taken, [false, false, false, false, true, true]);
            assert_eq!(lock.target(), Some(real));
            let other = address("203.0.113.5:1");
            assert!((0..50).all(|n| !lock.admit(n, other, n as u16, 9)), "one is enough");
            assert!(lock.admit(900, address("192.0.2.1:4000"), 1, 7), "the signalled address wins");
            assert!(!lock.admit(920, real, 7, 7));
        }
    }

    #[test]
    fn gaps_slowness_and_other_streams_do_not_learn() {
        let real = address("203.0.113.5:61000");
        for step in [(20, 2_u16), (200, 1), (20, 0)] {
            let mut lock = lock();
            assert!((0..20).all(|n| !lock.admit(n * step.0, real, n as u16 * step.1, 7)));
        }
        let mut lock = lock();
        assert!(
            (0..20).all(|n| !lock.admit(n * 20, real, n as u16, n as u32)),
            "each its own SSRC"
        );
    }

    #[test]
    fn a_network_is_24_bits_or_64() {
        let same = |one: &str, other: &str| {
            let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
            same_network(ip(one), ip(other))
        };
        assert!(same("127.0.0.2", "127.0.0.1") && same("2001:db8::1", "2001:db8::ffff:2"));
        assert!(!same("127.0.0.2", "127.0.1.2") && !same("2001:db8::1", "2001:db8:0:1::1"));
        assert!(same("::ffff:127.0.0.2", "127.0.0.1") && !same("::1", "127.0.0.1"));
    }

    #[test]
    fn a_new_description_forgets() {
        let mut lock = lock();
        assert!(lock.admit(0, address("192.0.2.1:4000"), 1, 7));
        lock.signal(Some(address("192.0.2.2:5000")), None);
        assert!(!lock.admit(20, address("192.0.2.1:4000"), 2, 7));
        assert!(lock.admit(20, address("192.0.2.2:5000"), 9, 8));
    }
}
