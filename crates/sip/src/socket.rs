//! The UDP socket under `rsipstack`: every datagram passes the filter before it gets there.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use model::limits;
use rsipstack::platform::net::UdpSocket;
use socket2::{Domain, Protocol, Socket, Type};

use crate::filter::{Filter, Verdict};
use crate::shared::Shared;

/// Binds a UDP socket with large buffers.
pub(crate) fn bind(address: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    // Less than wished is no fault: the kernel caps it at its own limit.
    let _ = socket.set_recv_buffer_size(limits::SIP_SOCKET_BYTES);
    let _ = socket.set_send_buffer_size(limits::SIP_SOCKET_BYTES);
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// Remembers which datagrams passed shortly before, by their keyed hash.
struct Recent {
    key: RandomState,
    began: Instant,
    /// How long a datagram counts as recent, in milliseconds.
    age_ms_max: u64,
    places: Vec<Place>,
}

#[derive(Default)]
struct Place {
    hash: AtomicU64,
    at_ms: AtomicU64,
}

impl Recent {
    /// Copies are repeated for 64 * T1 at most (RFC 3261 section 17.1.1.2, timer B).
    fn new(t1: Duration) -> Self {
        Self {
            key: RandomState::new(),
            began: Instant::now(),
            age_ms_max: u64::try_from(t1.as_millis()).unwrap_or(u64::MAX).saturating_mul(64),
            places: std::iter::repeat_with(Place::default).take(limits::SIP_RECENT_MAX).collect(),
        }
    }

    /// Names a datagram; never 0, which marks an empty place.
    fn hash(&self, datagram: &[u8], peer: SocketAddr) -> u64 {
        self.key.hash_one((datagram, peer)).max(1)
    }

    fn place(&self, hash: u64) -> &Place {
        &self.places[usize::try_from(hash % limits::SIP_RECENT_MAX as u64).unwrap_or(0)]
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn knows(&self, hash: u64) -> bool {
        let place = self.place(hash);
        place.hash.load(Relaxed) == hash
            && self.now_ms().saturating_sub(place.at_ms.load(Relaxed)) <= self.age_ms_max
    }

    /// Remembers a datagram; copies do not make it younger.
    fn keep(&self, hash: u64) {
        let place = self.place(hash);
        place.hash.store(hash, Relaxed);
        place.at_ms.store(self.now_ms(), Relaxed);
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
        let recent = || Recent::new(shared.config.t1);
        Self {
            socket,
            filter,
            seen: recent(),
            sent: recent(),
            shared,
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
                let hash = self.sent.hash(datagram, peer);
                if self.sent.knows(hash) {
                    tally.retransmissions_out.fetch_add(1, Relaxed);
                } else {
                    self.sent.keep(hash);
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
            let hash = self.seen.hash(&buf[..length], peer);
            let is_copy = self.seen.knows(hash);
            match self.filter.judge(buf, length, peer, is_copy) {
                Verdict::Pass(length) => {
                    if is_copy {
                        self.shared.tally.retransmissions_in.fetch_add(1, Relaxed);
                    } else {
                        self.seen.keep(hash);
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
