//! The floor that our relay is measured against: the least a program must do to relay.
//!
//! One socket per leg, wait, receive, send to the other side; no RTP, no checks, no clock. Compiled
//! only with the feature `floor`. Invariant: it uses the same system calls as the plane.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::sys::Poller;

/// Readiness taken at once, as in the plane.
const BATCH: usize = 256;

/// One side of a relayed call.
#[derive(Debug)]
pub struct FloorLeg {
    /// What the peer sends to.
    pub socket: UdpSocket,
    /// Where the peer is.
    pub peer: SocketAddr,
}

/// Relays between legs `2n` and `2n + 1` until `stop` is set and one more packet came; counts what
/// was sent in `forwarded`.
///
/// # Errors
/// When the system refuses a poller or a non-blocking socket.
pub fn relay(
    legs: &[FloorLeg],
    stop: &Arc<AtomicBool>,
    forwarded: &Arc<AtomicU64>,
) -> io::Result<()> {
    let mut poller = Poller::new(BATCH)?;
    for (token, leg) in (0_u64..).zip(legs) {
        leg.socket.set_nonblocking(true)?;
        poller.add(&leg.socket, token)?;
    }
    let mut buffer = [0; 2_048];
    while !stop.load(Ordering::Relaxed) {
        for index in 0..poller.wait()? {
            let from = usize::try_from(poller.token(index)).unwrap_or(0);
            let to = &legs[from ^ 1];
            if let Ok((length, _)) = legs[from].socket.recv_from(&mut buffer)
                && to.socket.send_to(&buffer[..length], to.peer).is_ok()
            {
                let sent = forwarded.load(Ordering::Relaxed);
                forwarded.store(sent + 1, Ordering::Relaxed);
            }
        }
    }
    Ok(())
}
