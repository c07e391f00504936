//! The source lock: whose RTP a leg listens to (reliability S6).
//!
//! Invariant: a stranger is never heard and never sent to. The signalled address is taken at once.
//! Another one is learned, after packets in sequence, only in the network of the signalled IP
//! address or of the one that the peer's SIP messages come from: there are the far side of an
//! address translation, a second gateway of a carrier, a second address of the same computer. It
//! loses to the signalled address whenever that speaks. Packets in sequence alone prove nothing:
//! whoever sprays all ports can number them (RTP bleed, CVE-2017-14099, CVE-2025-53399).
//!
//! While the address that is heard speaks, no other is learned. Once it is silent, one may be, by
//! the same rule: a translation gives a telephone that comes back from hold another port, a carrier
//! moves its sound within its network, and neither tells. The one that was silent needs to prove
//! nothing when it speaks again: what came in between was a neighbour then.

use std::net::{IpAddr, SocketAddr};

use crate::rtp::{Header, sequence_distance};

/// Packets in sequence that a port other than the signalled one must send.
pub(crate) const PROBATION_PACKETS: u8 = 5;
/// Least time within which they must come, in milliseconds; long packets get more.
pub(crate) const PROBATION_MS: u64 = 500;
/// Silence of the address that is heard after which another may be learned, in milliseconds.
pub(crate) const SOURCE_SILENT_MS: u64 = 1_000;
/// Time after the peer moved in which the address heard before is not learned anew, in
/// milliseconds: what is still under way from there must not be taken for the new place.
pub(crate) const SOURCE_LEFT_MS: u64 = 2_000;

/// Decides from which address one leg takes packets.
#[derive(Debug, Clone, Default)]
pub(crate) struct SourceLock {
    signalled: Option<SocketAddr>,
    /// Where the peer's SIP messages come from.
    sip: Option<IpAddr>,
    locked: Option<Locked>,
    /// What was heard before another address was learned in its silence.
    silent: Option<SocketAddr>,
    /// What was heard before the peer moved, and until when it is not learned anew.
    left: Option<(SocketAddr, u64)>,
    candidate: Option<Candidate>,
}

#[derive(Debug, Clone, Copy)]
struct Locked {
    address: SocketAddr,
    heard_ms: u64,
}

#[derive(Debug, Clone, Copy)]
struct Candidate {
    address: SocketAddr,
    ssrc: u32,
    sequence: u16,
    until_ms: u64,
    packets: u8,
}

impl SourceLock {
    /// The peer's description came or changed: whatever was learned is forgotten, unless its place
    /// is the same.
    pub(crate) fn signal(&mut self, now_ms: u64, address: Option<SocketAddr>, sip: Option<IpAddr>) {
        if (address, sip) == (self.signalled, self.sip) {
            return;
        }
        // A hold without an address moves nothing: its end may come from where it was.
        let moved = self.signalled.is_some() && address.is_some() && address != self.signalled;
        let heard = self.locked.filter(|_| moved);
        let left = heard.map(|heard| (heard.address, now_ms + SOURCE_LEFT_MS)).or(self.left);
        *self = Self { signalled: address, sip, left, ..Self::default() };
    }

    fn may_be_learned(&self, now_ms: u64, source: SocketAddr) -> bool {
        let left = self.left.is_some_and(|(left, until)| left == source && now_ms < until);
        let signalled = self.signalled.map(|address| address.ip());
        let mut near = [self.sip, signalled].into_iter().flatten();
        !left && near.any(|peer| same_network(peer, source.ip()))
    }

    /// Where to send: to the address that is heard, else to the signalled one.
    #[must_use]
    pub(crate) fn target(&self) -> Option<SocketAddr> {
        self.locked.map(|locked| locked.address).or(self.signalled)
    }

    /// Whether this is the address that is heard, or the signalled one while none is: a sign of
    /// life of the peer.
    pub(crate) fn hear(&mut self, now_ms: u64, source: SocketAddr) -> bool {
        match &mut self.locked {
            Some(locked) if locked.address == source => {
                locked.heard_ms = now_ms;
                self.candidate = None;
                true
            }
            Some(_) => false,
            None => self.signalled == Some(source),
        }
    }

    /// Whether a valid packet of a negotiated payload type, `packet_ms` milliseconds long, may be
    /// taken.
    pub(crate) fn admit(
        &mut self,
        now_ms: u64,
        source: SocketAddr,
        header: &Header,
        packet_ms: u64,
    ) -> bool {
        let is_back = self.silent == Some(source);
        if self.signalled != Some(source) && !is_back {
            if self.hear(now_ms, source) {
                return true;
            }
            let heard = self.locked.map(|locked| now_ms.saturating_sub(locked.heard_ms));
            let speaks = heard.is_some_and(|silent_ms| silent_ms < SOURCE_SILENT_MS);
            if speaks
                || !self.may_be_learned(now_ms, source)
                || !self.prove(now_ms, source, header, packet_ms)
            {
                return false;
            }
        }
        let locked = Locked { address: source, heard_ms: now_ms };
        let before = self.locked.replace(locked).map(|before| before.address);
        // Whoever is back, or is where its description says, was never replaced.
        let was_learned = self.signalled != Some(source) && !is_back;
        self.silent = before.filter(|before| was_learned && *before != source);
        self.candidate = None;
        true
    }

    /// One more packet of an address on probation. True with the last that is asked for.
    fn prove(&mut self, now_ms: u64, source: SocketAddr, header: &Header, packet_ms: u64) -> bool {
        let length_ms = PROBATION_MS.max(u64::from(PROBATION_PACKETS) * packet_ms);
        let (packets, until_ms) = match self.candidate.filter(|last| now_ms <= last.until_ms) {
            // Another source must not reset the first one's probation while that is running.
            Some(last) if last.address != source => return false,
            Some(last)
                if last.ssrc == header.ssrc
                    && sequence_distance(last.sequence, header.sequence) == 1 =>
            {
                (last.packets + 1, last.until_ms)
            }
            _ => (1, now_ms + length_ms),
        };
        let (ssrc, sequence) = (header.ssrc, header.sequence);
        self.candidate = Some(Candidate { address: source, ssrc, sequence, until_ms, packets });
        packets >= PROBATION_PACKETS
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

    const SIGNALLED: &str = "192.0.2.1:4000";
    /// The far side of the peer's address translation.
    const BEHIND: &str = "203.0.113.5:61000";

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    /// Signalled at 192.0.2.1:4000 by SIP messages from 203.0.113.5.
    fn lock() -> SourceLock {
        let mut lock = SourceLock::default();
        let sip = address("203.0.113.5:5060").ip();
        lock.signal(0, Some(address(SIGNALLED)), Some(sip));
        lock
    }

    impl SourceLock {
        /// A packet of 20 ms.
        fn takes(&mut self, now_ms: u64, source: SocketAddr, sequence: u16, ssrc: u32) -> bool {
            self.takes_long(now_ms, source, (sequence, ssrc), 20)
        }

        fn takes_long(
            &mut self,
            now_ms: u64,
            source: SocketAddr,
            (sequence, ssrc): (u16, u32),
            packet_ms: u64,
        ) -> bool {
            let header = Header { marker: false, payload_type: 0, sequence, timestamp: 0, ssrc };
            self.admit(now_ms, source, &header, packet_ms)
        }

        /// How many of `packets` in sequence, one every 20 ms from `now_ms` on, are taken.
        fn taken_of(&mut self, packets: u64, now_ms: u64, source: &str) -> usize {
            let source = address(source);
            let took = (0..packets).filter(|n| self.takes(now_ms + n * 20, source, *n as u16, 7));
            took.count()
        }
    }

    #[test]
    fn a_description_with_the_same_place_forgets_nothing() {
        let mut lock = lock();
        let (signalled, sip) = (lock.signalled, lock.sip);
        lock.taken_of(u64::from(PROBATION_PACKETS), 0, BEHIND);
        lock.signal(90, signalled, sip);
        assert_eq!(lock.target(), Some(address(BEHIND)));
        lock.signal(90, Some(address("192.0.2.1:4002")), sip);
        assert_eq!(lock.target(), Some(address("192.0.2.1:4002")));
    }

    #[test]
    fn the_signalled_address_is_taken_at_once_and_strangers_never() {
        let mut lock = lock();
        let stranger = address("198.51.100.9:4000");
        let refused = |lock: &mut SourceLock, from: u64| {
            (from..from + 100).all(|n| !lock.takes(n * 20, stranger, n as u16, 9))
        };
        assert!(refused(&mut lock, 0), "before the first packet");
        assert_eq!(lock.target(), Some(address(SIGNALLED)));
        assert!(lock.takes(2_000, address(SIGNALLED), 1, 7));
        assert!(refused(&mut lock, 100), "in silence");
        assert!(refused(&mut lock, 1_000), "in long silence");
        lock.signal(22_000, Some(address(SIGNALLED)), None);
        assert!(refused(&mut lock, 1_100), "after a re-INVITE");
        lock.signal(24_000, None, None);
        assert!(refused(&mut lock, 1_200), "while nothing is signalled");
        assert_eq!(lock.target(), None);
    }

    #[test]
    fn a_port_where_the_peer_is_is_learned_after_five_in_sequence_and_then_locked() {
        let sites = [BEHIND, "192.0.2.1:61000", "192.0.2.7:4000"];
        for real in sites.into_iter().chain(["[::ffff:203.0.113.5]:61000"]) {
            let (mut lock, real) = (lock(), address(real));
            let taken: Vec<bool> = (0..6).map(|n| lock.takes(n * 20, real, n as u16, 7)).collect();
            assert_eq!(taken, [false, false, false, false, true, true]);
            assert_eq!(lock.target(), Some(real));
            let other = address("203.0.113.5:1");
            assert!((0..50).all(|n| !lock.takes(100 + n, other, n as u16, 9)), "one is enough");
            assert!(lock.takes(900, address(SIGNALLED), 1, 7), "the signalled address wins");
            assert!(!lock.takes(920, real, 7, 7));
        }
    }

    /// Hold, and the translation forgets the port; or a carrier moves the sound to another host.
    #[test]
    fn once_the_heard_address_is_silent_another_of_the_same_network_is_learned() {
        for next in ["203.0.113.5:61222", "203.0.113.9:4000"] {
            let mut lock = lock();
            assert_eq!(lock.taken_of(20, 0, BEHIND), 16);
            assert_eq!(lock.taken_of(20, 400, next), 0, "the heard one spoke a moment ago");
            assert_eq!(lock.taken_of(20, 1_400, "198.51.100.9:4000"), 0, "a stranger stays out");
            assert_eq!(lock.taken_of(20, 1_900, next), 16, "the same probation as at the start");
            assert_eq!(lock.target(), Some(address(next)));
            assert_eq!(
                lock.taken_of(20, 2_300, "203.0.113.7:4000"),
                0,
                "and it holds as the first"
            );
        }
    }

    /// A neighbour that speaks into the silence of a telephone gets no more than that silence.
    #[test]
    fn the_address_that_was_silent_is_heard_at_once_when_it_speaks_again() {
        let mut lock = lock();
        let neighbour = "203.0.113.9:4000";
        assert_eq!(lock.taken_of(20, 0, BEHIND), 16);
        assert_eq!(lock.taken_of(20, 1_900, neighbour), 16);
        assert_eq!(lock.taken_of(20, 2_300, BEHIND), 20, "no probation");
        assert_eq!(lock.target(), Some(address(BEHIND)));
        assert_eq!(lock.taken_of(20, 2_700, neighbour), 0, "it has no way back of its own");
        assert_eq!(lock.taken_of(20, 3_900, neighbour), 16);
        assert_eq!(lock.taken_of(1, 4_300, BEHIND), 1, "as often as it takes");
    }

    #[test]
    fn while_the_heard_address_lives_nobody_replaces_it() {
        let (mut lock, real) = (lock(), address(BEHIND));
        let other = address("203.0.113.5:1");
        assert_eq!(lock.taken_of(20, 0, BEHIND), 16);
        // It speaks rarely, or sends comfort noise alone; the other sends without a pause.
        for n in 20..1_000_u64 {
            match n {
                _ if n % 90 == 0 => assert!(lock.takes(n * 20, real, n as u16, 7)),
                _ if n % 45 == 0 => assert!(lock.hear(n * 20, real)),
                _ => assert!(!lock.takes(n * 20, other, n as u16, 9)),
            }
        }
        // It comes back before the other has passed, whose packets are so long that it has time.
        assert!((0..4).all(|n| !lock.takes_long(30_000, other, (n, 9), 400)));
        assert!(lock.takes(30_080, real, 9, 7));
        assert!(!lock.takes_long(31_200, other, (4, 9), 400), "its probation began anew");
    }

    #[test]
    fn gaps_slowness_and_other_streams_do_not_learn() {
        let real = address(BEHIND);
        for step in [(20, 2_u16), (200, 1), (20, 0)] {
            let mut lock = lock();
            assert!((0..20).all(|n| !lock.takes(n * step.0, real, n as u16 * step.1, 7)));
        }
        let mut lock = lock();
        assert!(
            (0..20).all(|n| !lock.takes(n * 20, real, n as u16, n as u32)),
            "each its own SSRC"
        );
    }

    #[test]
    fn long_packets_have_as_much_longer() {
        let learned = |packet_ms: u64, every_ms: u64| {
            let mut lock = lock();
            (0..20)
                .any(|n| lock.takes_long(n * every_ms, address(BEHIND), (n as u16, 7), packet_ms))
        };
        for packet_ms in [10, 20, 60, 120, 150, 200] {
            assert!(learned(packet_ms, packet_ms), "{packet_ms} ms");
        }
        assert!(!learned(200, 300), "too slow even for that length");
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
        assert!(lock.takes(0, address(SIGNALLED), 1, 7));
        lock.signal(10, Some(address("192.0.2.2:5000")), None);
        assert!(!lock.takes(20, address(SIGNALLED), 2, 7));
        assert!(lock.takes(20, address("192.0.2.2:5000"), 9, 8));
    }

    /// The telephone changes its private port; what it sent before is under way for a while.
    #[test]
    fn what_is_under_way_from_the_old_place_does_not_lock_it_again() {
        let mut lock = lock();
        let sip = lock.sip;
        assert_eq!(lock.taken_of(20, 0, BEHIND), 16);
        lock.signal(400, Some(address("192.0.2.1:4002")), sip);
        assert_eq!(lock.taken_of(10, 400, BEHIND), 0, "of the old stream");
        assert_eq!(lock.taken_of(10, 600, "203.0.113.5:61222"), 6, "the new one");
        // Where nothing else comes, the old place was the right one.
        lock.signal(1_000, Some(address("192.0.2.1:4004")), sip);
        assert_eq!(lock.taken_of(150, 1_000, "203.0.113.5:61222"), 46);
    }

    #[test]
    fn a_hold_without_an_address_does_not_forbid_the_place() {
        let mut lock = lock();
        let (signalled, sip) = (lock.signalled, lock.sip);
        assert_eq!(lock.taken_of(20, 0, BEHIND), 16);
        lock.signal(400, None, sip);
        lock.signal(1_000, signalled, sip);
        assert_eq!(lock.taken_of(20, 1_000, BEHIND), 16);
    }
}
