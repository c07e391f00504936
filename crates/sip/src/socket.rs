//! The UDP socket under `rsipstack`: every datagram passes the filter before it gets there.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use async_trait::async_trait;
use rsipstack::platform::net::UdpSocket;
use socket2::{Domain, Protocol, Socket, Type};

use crate::filter::{Filter, Verdict};
use crate::shared::Shared;

/// What we ask of the kernel for each direction, in bytes: some thousand messages.
const BUFFER_BYTES: usize = 4 * 1_024 * 1_024;
/// Places in the memory of recent datagrams, per direction.
const RECENT: usize = 8_192;

/// Binds a UDP socket with large buffers.
pub(crate) fn bind(address: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    // Less than wished is no fault: the kernel caps it at its own limit.
    let _ = socket.set_recv_buffer_size(BUFFER_BYTES);
    let _ = socket.set_send_buffer_size(BUFFER_BYTES);
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// Remembers which datagrams passed shortly before, by their keyed hash, to count copies.
struct Recent {
    key: RandomState,
    places: Vec<AtomicU64>,
}

impl Recent {
    fn new() -> Self {
        Self { key: RandomState::new(), places: (0..RECENT).map(|_| AtomicU64::new(0)).collect() }
    }

    fn is_copy(&self, datagram: &[u8], peer: SocketAddr) -> bool {
        let hash = self.key.hash_one((datagram, peer));
        let place = usize::try_from(hash % RECENT as u64).unwrap_or(0);
        self.places[place].swap(hash, Relaxed) == hash
    }
}

/// The socket, its filter and its counters.
pub(crate) struct Port {
    socket: tokio::net::UdpSocket,
    filter: Filter,
    shared: Arc<Shared>,
    seen: Recent,
    sent: Recent,
    /// Whether somebody waits for a datagram.
    reading: AtomicBool,
    /// Datagrams handed to `rsipstack`.
    reads: AtomicU64,
}

impl Port {
    pub(crate) fn new(socket: tokio::net::UdpSocket, shared: Arc<Shared>) -> Self {
        let filter = Filter::new(Arc::clone(&shared));
        Self {
            socket,
            filter,
            shared,
            seen: Recent::new(),
            sent: Recent::new(),
            reading: AtomicBool::new(true),
            reads: AtomicU64::new(0),
        }
    }

    /// How many datagrams were read when nobody waits for the next one. Handling a datagram takes
    /// microseconds: the same number twice, seconds apart, means that its reader is gone.
    pub(crate) fn stuck_after(&self) -> Option<u64> {
        (!self.reading.load(Relaxed)).then(|| self.reads.load(Relaxed))
    }

    /// Sends without waiting. A full socket buffer loses the datagram, as the network may.
    pub(crate) fn send(&self, datagram: &[u8], peer: SocketAddr) {
        let tally = &self.shared.tally;
        match self.socket.try_send_to(datagram, peer) {
            Ok(_) => {
                tally.messages_out.fetch_add(1, Relaxed);
                if self.sent.is_copy(datagram, peer) {
                    tally.retransmissions_out.fetch_add(1, Relaxed);
                }
            }
            Err(error) => {
                tally.send_failures.fetch_add(1, Relaxed);
                tracing::debug!(%peer, %error, "datagram not sent");
            }
        }
    }
}

#[async_trait]
impl UdpSocket for Port {
    async fn recv_from(&self, buf: &mut [u8]) -> rsipstack::Result<(usize, SocketAddr)> {
        self.reading.store(true, Relaxed);
        loop {
            let (length, peer) = match self.socket.recv_from(buf).await {
                Ok(read) => read,
                Err(error) => {
                    tracing::debug!(%error, "reading a datagram failed");
                    tokio::task::yield_now().await;
                    continue;
                }
            };
            self.shared.tally.messages_in.fetch_add(1, Relaxed);
            match self.filter.judge(buf, length, peer) {
                Verdict::Pass(length) => {
                    if self.seen.is_copy(&buf[..length], peer) {
                        self.shared.tally.retransmissions_in.fetch_add(1, Relaxed);
                    }
                    self.reads.fetch_add(1, Relaxed);
                    self.reading.store(false, Relaxed);
                    return Ok((length, peer));
                }
                Verdict::Reply(reply) => self.send(&reply, peer),
                Verdict::Drop => {}
            }
        }
    }

    async fn send_to(&self, buf: &[u8], peer: SocketAddr) -> rsipstack::Result<usize> {
        self.send(buf, peer);
        Ok(buf.len())
    }

    fn local_addr(&self) -> rsipstack::Result<SocketAddr> {
        Ok(self.shared.local)
    }
}
