//! UDP ports of plain RTP legs: an even port for RTP, the odd one above it for RTCP.
//!
//! Invariant: a port of the range is lent to one leg at a time and comes back last in line, so
//! packets that are late for an old call do not meet a new one.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};

/// Tries for a free pair when the system chooses the ports.
const EPHEMERAL_TRIES: usize = 8;

/// The ports of the house.
#[derive(Debug)]
pub(crate) struct Ports {
    bind: IpAddr,
    /// `None` when the system chooses.
    free: Option<Mutex<VecDeque<u16>>>,
}

/// The sockets of one leg.
#[derive(Debug)]
pub(crate) struct PortPair {
    pub(crate) rtp: UdpSocket,
    /// Absent when the odd port was taken by somebody else.
    pub(crate) rtcp: Option<UdpSocket>,
    pub(crate) port: u16,
    ports: Arc<Ports>,
}

impl Ports {
    pub(crate) fn new(bind: IpAddr, range: &RangeInclusive<u16>) -> Self {
        let free = (*range.start() != 0).then(|| {
            let even = range.clone().filter(|port| port % 2 == 0 && port < range.end());
            Mutex::new(even.collect())
        });
        Self { bind, free }
    }

    /// Lends a pair; `None` when no port is free.
    pub(crate) fn take(self: &Arc<Self>) -> Option<PortPair> {
        let Some(free) = &self.free else { return self.take_ephemeral() };
        let mut free = free.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..free.len() {
            let port = free.pop_front()?;
            match self.pair(port) {
                Ok(pair) => return Some(pair),
                // Somebody else's: perhaps free later.
                Err(_) => free.push_back(port),
            }
        }
        None
    }

    fn take_ephemeral(self: &Arc<Self>) -> Option<PortPair> {
        let mut any = None;
        for _ in 0..EPHEMERAL_TRIES {
            let pair = self.pair(0).ok()?;
            if pair.rtcp.is_some() {
                return Some(pair);
            }
            any = Some(pair);
        }
        any
    }

    fn pair(self: &Arc<Self>, port: u16) -> io::Result<PortPair> {
        let open = |port| {
            let socket = UdpSocket::bind((self.bind, port))?;
            socket.set_nonblocking(true)?;
            io::Result::Ok(socket)
        };
        let rtp = open(port)?;
        let port = rtp.local_addr()?.port();
        let rtcp =
            if port % 2 == 0 { port.checked_add(1).and_then(|odd| open(odd).ok()) } else { None };
        Ok(PortPair { rtp, rtcp, port, ports: Arc::clone(self) })
    }
}

impl Drop for PortPair {
    fn drop(&mut self) {
        if let Some(free) = &self.ports.free {
            free.lock().unwrap_or_else(PoisonError::into_inner).push_back(self.port);
        }
    }
}
