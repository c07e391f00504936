//! UDP ports of plain RTP legs: an even port for RTP, the odd one above it for RTCP.
//!
//! Opening and closing sockets is a tenth of what a short call costs, so a pair that comes back
//! stays open and is lent again.
//!
//! Invariant: a port is lent to one leg at a time and rests in between, so packets that are late
//! for an old call do not meet a new one. One on which somebody still speaks is closed instead and
//! comes last in line.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Tries for a free pair when the system chooses the ports.
const EPHEMERAL_TRIES: usize = 8;
/// How long a pair rests before it is lent again.
const REST: Duration = Duration::from_secs(1);
/// Pairs that rest open at once. What strangers send to them stays in the system's memory until
/// they are lent, up to 0.4 MB a pair.
const RESTING_MAX: usize = 256;

/// The ports of the house.
#[derive(Debug)]
pub(crate) struct Ports {
    bind: IpAddr,
    lot: Mutex<Lot>,
}

#[derive(Debug)]
struct Lot {
    /// Ports without sockets; `None` when the system chooses.
    free: Option<VecDeque<u16>>,
    /// Open pairs, the longest rested first, and since when they rest.
    resting: VecDeque<(Sockets, Instant)>,
}

#[derive(Debug)]
struct Sockets {
    rtp: UdpSocket,
    /// Absent when the odd port was taken by somebody else.
    rtcp: Option<UdpSocket>,
    port: u16,
}

/// The sockets of one leg.
#[derive(Debug)]
pub(crate) struct PortPair {
    /// There until the end of the pair.
    sockets: Option<Sockets>,
    ports: Arc<Ports>,
}

impl Ports {
    pub(crate) fn new(bind: IpAddr, range: &RangeInclusive<u16>) -> Self {
        let free = (*range.start() != 0)
            .then(|| range.clone().filter(|port| port % 2 == 0 && port < range.end()).collect());
        Self { bind, lot: Mutex::new(Lot { free, resting: VecDeque::new() }) }
    }

    fn lot(&self) -> MutexGuard<'_, Lot> {
        self.lot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lends a pair; `None` when no port is free.
    pub(crate) fn take(self: &Arc<Self>) -> Option<PortPair> {
        self.take_at(Instant::now())
    }

    fn take_at(self: &Arc<Self>, now: Instant) -> Option<PortPair> {
        let mut lot = self.lot();
        let sockets = lot.rested(now).or_else(|| self.open_any(&mut lot)).or_else(|| {
            // Better a port that has not rested than no call; nothing late stays in new sockets.
            let (sockets, _) = lot.resting.pop_front()?;
            lot.close(sockets);
            self.open_any(&mut lot)
        })?;
        Some(PortPair { sockets: Some(sockets), ports: Arc::clone(self) })
    }

    fn open_any(&self, lot: &mut Lot) -> Option<Sockets> {
        match &mut lot.free {
            Some(free) => self.open_one_of(free),
            None => self.open_ephemeral(),
        }
    }

    fn open_one_of(&self, free: &mut VecDeque<u16>) -> Option<Sockets> {
        for _ in 0..free.len() {
            let port = free.pop_front()?;
            match self.open(port) {
                Ok(sockets) => return Some(sockets),
                // Somebody else's: perhaps free later.
                Err(_) => free.push_back(port),
            }
        }
        None
    }

    fn open_ephemeral(&self) -> Option<Sockets> {
        let mut any = None;
        for _ in 0..EPHEMERAL_TRIES {
            let sockets = self.open(0).ok()?;
            if sockets.rtcp.is_some() {
                return Some(sockets);
            }
            any = Some(sockets);
        }
        any
    }

    fn open(&self, port: u16) -> io::Result<Sockets> {
        let open = |port| {
            let socket = UdpSocket::bind((self.bind, port))?;
            socket.set_nonblocking(true)?;
            io::Result::Ok(socket)
        };
        let rtp = open(port)?;
        let port = rtp.local_addr()?.port();
        let rtcp =
            if port % 2 == 0 { port.checked_add(1).and_then(|odd| open(odd).ok()) } else { None };
        Ok(Sockets { rtp, rtcp, port })
    }
}

impl Lot {
    /// The pair that rested longest, if that was long enough and nobody spoke.
    fn rested(&mut self, now: Instant) -> Option<Sockets> {
        while let Some((_, since)) = self.resting.front()
            && now.saturating_duration_since(*since) >= REST
        {
            let (sockets, _) = self.resting.pop_front()?;
            if sockets.are_silent() {
                return Some(sockets);
            }
            self.close(sockets);
        }
        None
    }

    fn close(&mut self, sockets: Sockets) {
        let port = sockets.port;
        drop(sockets);
        if let Some(free) = &mut self.free {
            free.push_back(port);
        }
    }
}

impl Sockets {
    /// Whether nothing came since the pair was given back, or before it was.
    fn are_silent(&self) -> bool {
        let silent = |socket: &UdpSocket| {
            let came = socket.recv_from(&mut [0]);
            came.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
        };
        silent(&self.rtp) && self.rtcp.as_ref().is_none_or(silent)
    }
}

impl PortPair {
    fn sockets(&self) -> &Sockets {
        self.sockets.as_ref().expect("only the end of the pair takes them")
    }

    pub(crate) fn rtp(&self) -> &UdpSocket {
        &self.sockets().rtp
    }

    pub(crate) fn rtcp(&self) -> Option<&UdpSocket> {
        self.sockets().rtcp.as_ref()
    }

    pub(crate) fn port(&self) -> u16 {
        self.sockets().port
    }

    /// Whether the sockets can send to an address (not an IPv4 one in IPv6 form). Bound to all of
    /// IPv6 they reach IPv4 as well.
    pub(crate) fn reaches(&self, peer: IpAddr) -> bool {
        match self.ports.bind.to_canonical() {
            IpAddr::V4(_) => peer.is_ipv4(),
            IpAddr::V6(bound) => bound.is_unspecified() || peer.is_ipv6(),
        }
    }

    /// Gives the pair back, for nobody watches it any more.
    pub(crate) fn rest(mut self) {
        let Some(sockets) = self.sockets.take() else { return };
        let mut lot = self.ports.lot();
        // Without its second socket it is better opened anew.
        if sockets.rtcp.is_some() && lot.resting.len() < RESTING_MAX {
            lot.resting.push_back((sockets, Instant::now()));
        } else {
            lot.close(sockets);
        }
    }
}

impl Drop for PortPair {
    /// Closes what was not given back.
    fn drop(&mut self) {
        let Some(sockets) = self.sockets.take() else { return };
        self.ports.lot().close(sockets);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    /// No other test has this address.
    const ALONE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 83, 0, 1));

    fn ports(range: RangeInclusive<u16>) -> Arc<Ports> {
        Arc::new(Ports::new(ALONE, &range))
    }

    fn rested() -> Instant {
        Instant::now() + REST
    }

    #[test]
    fn a_pair_rests_before_it_is_lent_again() {
        let ports = ports(20_000..=20_003);
        let early = Instant::now();
        let first = ports.take().expect("a pair");
        assert_eq!(first.port(), 20_000);
        first.rest();
        let second = ports.take_at(early).expect("another");
        assert_eq!(second.port(), 20_002);
        let again = ports.take_at(rested()).expect("the first again");
        assert_eq!(again.port(), 20_000);
        assert!(ports.take().is_none(), "both are lent");
    }

    #[test]
    fn a_port_that_has_not_rested_is_better_than_none() {
        let ports = ports(20_010..=20_011);
        let early = Instant::now();
        ports.take().expect("a pair").rest();
        let stranger = UdpSocket::bind((ALONE, 0)).expect("a socket");
        stranger.send_to(b"late", (ALONE, 20_010)).expect("sent");
        let same = ports.take_at(early).expect("the same");
        assert_eq!(same.port(), 20_010);
        assert!(same.rtp().recv_from(&mut [0; 8]).is_err(), "nothing late is heard");
    }

    #[test]
    fn a_port_that_somebody_speaks_to_goes_last_in_line() {
        for odd in [0, 1] {
            let ports = ports(20_020 + 4 * odd..=20_023 + 4 * odd);
            let first = ports.take().expect("a pair");
            let spoken = first.port();
            first.rest();
            let stranger = UdpSocket::bind((ALONE, 0)).expect("a socket");
            stranger.send_to(b"late", (ALONE, spoken + odd)).expect("sent");
            let next = ports.take_at(rested()).expect("another");
            assert_eq!(next.port(), spoken + 2);
            let last = ports.take().expect("the spoken to, opened anew");
            assert_eq!(last.port(), spoken);
            let heard = last.rtp().recv_from(&mut [0; 8]);
            assert!(heard.is_err(), "nothing late is heard");
        }
    }

    #[test]
    fn a_pair_that_is_dropped_is_closed() {
        let ports = ports(20_030..=20_031);
        drop(ports.take().expect("a pair"));
        UdpSocket::bind((ALONE, 20_030)).expect("free for others");
    }

    #[test]
    fn no_more_than_the_limit_rest() {
        let ports = ports(21_000..=21_000 + 2 * u16::try_from(RESTING_MAX).expect("small") + 1);
        let lent: Vec<_> = std::iter::from_fn(|| ports.take()).collect();
        assert_eq!(lent.len(), RESTING_MAX + 1);
        lent.into_iter().for_each(PortPair::rest);
        assert_eq!(ports.lot().resting.len(), RESTING_MAX);
        assert_eq!(ports.lot().free.as_ref().map(VecDeque::len), Some(1));
    }
}
