//! The UDP socket of the plane: every datagram passes the filter before the core sees it.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use model::limits;
use socket2::{Domain, Protocol, Socket, Type};

use crate::filter::{Filter, Verdict};
use crate::homes::Homes;
use crate::message::{Message, Method};
use crate::shared::Shared;

/// The longest that a UDP datagram can be; what is longer than a message may be is told so.
const DATAGRAM_BYTES_MAX: usize = 65_535;

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

#[derive(Clone, Copy, Default)]
struct Place {
    hash: u64,
    at_ms: u64,
}

impl Recent {
    /// Copies are repeated for 64 * T1 at most (RFC 3261 section 17.1.1.2, timer B).
    fn new(t1: Duration) -> Self {
        Self {
            key: RandomState::new(),
            began: Instant::now(),
            age_ms_max: u64::try_from(t1.as_millis()).unwrap_or(u64::MAX).saturating_mul(64),
            places: vec![Place::default(); limits::SIP_RECENT_MAX],
        }
    }

    /// Names a datagram; never 0, which marks an empty place.
    fn hash(&self, datagram: &[u8], peer: SocketAddr) -> u64 {
        self.key.hash_one((datagram, peer)).max(1)
    }

    fn place(hash: u64) -> usize {
        usize::try_from(hash % limits::SIP_RECENT_MAX as u64).unwrap_or(0)
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn knows(&self, hash: u64) -> bool {
        let place = self.places[Self::place(hash)];
        place.hash == hash && self.now_ms().saturating_sub(place.at_ms) <= self.age_ms_max
    }

    /// Remembers a datagram; copies do not make it younger.
    fn keep(&mut self, hash: u64) {
        self.places[Self::place(hash)] = Place { hash, at_ms: self.now_ms() };
    }
}

/// The socket, its filter and its counters.
pub(crate) struct Port {
    socket: tokio::net::UdpSocket,
    filter: Filter,
    shared: Arc<Shared>,
    seen: Recent,
    sent: Recent,
    buffer: Box<[u8]>,
    /// The length of what was read last, and where it came from.
    last: Option<(usize, SocketAddr)>,
}

/// What a look at the socket found.
pub(crate) enum Read {
    /// A message for the core.
    Message(Box<Message>),
    /// Something that was dealt with.
    Done,
    /// Nothing.
    Empty,
    /// The socket could not be read.
    Failed,
}

impl Port {
    pub(crate) fn new(socket: tokio::net::UdpSocket, shared: Arc<Shared>) -> Self {
        let filter = Filter::new(Arc::clone(&shared));
        let recent = || Recent::new(shared.config.t1);
        let buffer = vec![0; DATAGRAM_BYTES_MAX].into();
        Self { socket, filter, seen: recent(), sent: recent(), shared, buffer, last: None }
    }

    /// Waits until there may be something to read. Cancelling it loses nothing.
    pub(crate) async fn readable(&self) {
        if let Err(error) = self.socket.readable().await {
            tracing::debug!(%error, "waiting for a datagram failed");
            tokio::task::yield_now().await;
        }
    }

    /// Reads one datagram, without waiting.
    pub(crate) fn read(&mut self) -> Read {
        let (length, peer) = match self.socket.try_recv_from(&mut self.buffer) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Read::Empty,
            Err(error) => {
                tracing::debug!(%error, "reading a datagram failed");
                return Read::Failed;
            }
        };
        self.last = Some((length, peer));
        self.shared.tally.messages_in.fetch_add(1, Relaxed);
        let datagram = &self.buffer[..length];
        let hash = self.seen.hash(datagram, peer);
        let is_copy = self.seen.knows(hash);
        match self.filter.judge(datagram, peer, is_copy) {
            Verdict::Pass(message) => {
                if is_copy {
                    self.shared.tally.retransmissions_in.fetch_add(1, Relaxed);
                } else if message.method() != Some(Method::Register) {
                    // One that proves nothing is answered anew each time, and must not come at the
                    // rate of copies.
                    self.seen.keep(hash);
                }
                Read::Message(message)
            }
            Verdict::Reply(reply, to) => {
                self.send(&reply, to);
                Read::Done
            }
            Verdict::Drop => Read::Done,
        }
    }

    /// Where telephones are registered.
    pub(crate) fn homes(&mut self) -> &mut Homes {
        &mut self.filter.homes
    }

    /// The message that was read last, once more.
    pub(crate) fn again(&mut self) -> Option<Box<Message>> {
        let (length, peer) = self.last?;
        match self.filter.judge(&self.buffer[..length], peer, true) {
            Verdict::Pass(message) => Some(message),
            Verdict::Reply(..) | Verdict::Drop => None,
        }
    }

    /// Sends without waiting. A full socket buffer loses the datagram, as the network may.
    pub(crate) fn send(&mut self, datagram: &[u8], peer: SocketAddr) {
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
