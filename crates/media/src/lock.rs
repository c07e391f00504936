//! The source lock: whose RTP a leg listens to (reliability S6).
//!
//! Invariant: a stranger is never heard and never sent to. The signalled address is taken at once;
//! another one only after it proved itself with packets in sequence, and it loses to the signalled
//! address whenever that speaks.

use std::net::SocketAddr;

use crate::rtp::sequence_distance;

/// Packets in sequence that an address other than the signalled one must send.
pub(crate) const PROBATION_PACKETS: u8 = 5;
/// Time within which they must come, in milliseconds.
pub(crate) const PROBATION_MS: u64 = 500;

/// Decides from which address one leg takes packets.
#[derive(Debug, Clone, Default)]
pub(crate) struct SourceLock {
    signalled: Option<SocketAddr>,
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
    /// The peer's description came or changed: whatever was learned is forgotten.
    pub(crate) fn signal(&mut self, address: Option<SocketAddr>) {
        *self = Self { signalled: address, locked: None, candidate: None };
    }

    /// Where to send: to the address that is heard, else to the signalled one.
    #[must_use]
    pub(crate) fn target(&self) -> Option<SocketAddr> {
        self.locked.or(self.signalled)
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
        if self.locked.is_some() {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    fn lock() -> SourceLock {
        let mut lock = SourceLock::default();
        lock.signal(Some(address("192.0.2.1:4000")));
        lock
    }

    #[test]
    fn the_signalled_address_is_taken_at_once_and_strangers_never() {
        let mut lock = lock();
        assert!(lock.admit(0, address("192.0.2.1:4000"), 1, 7));
        for n in 0..100 {
            assert!(!lock.admit(n * 20, address("198.51.100.9:4000"), n as u16, 9));
        }
        assert_eq!(lock.target(), Some(address("192.0.2.1:4000")));
    }

    #[test]
    fn another_address_is_learned_after_five_in_sequence_and_then_locked() {
        let mut lock = lock();
        let real = address("203.0.113.5:61000");
        let taken: Vec<bool> = (0..6).map(|n| lock.admit(n * 20, real, n as u16, 7)).collect();
        assert_eq!(taken, [false, false, false, false, true, true]);
        assert_eq!(lock.target(), Some(real));
        assert!((0..50).all(|n| !lock.admit(n, address("198.51.100.9:1"), n as u16, 9)));
        assert!(lock.admit(900, address("192.0.2.1:4000"), 1, 7), "the signalled address wins");
        assert!(!lock.admit(920, real, 7, 7));
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
    fn a_new_description_forgets() {
        let mut lock = lock();
        assert!(lock.admit(0, address("192.0.2.1:4000"), 1, 7));
        lock.signal(Some(address("192.0.2.2:5000")));
        assert!(!lock.admit(20, address("192.0.2.1:4000"), 2, 7));
        assert!(lock.admit(20, address("192.0.2.2:5000"), 9, 8));
    }
}
