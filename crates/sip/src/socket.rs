//! The port of the plane, datagrams and connections: every message passes the filter before the
//! core sees it.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use bytes::Bytes;
use model::limits;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::mpsc;

use crate::filter::{Filter, Verdict};
use crate::homes::Homes;
use crate::message::{Message, Method};
use crate::shared::Shared;
use crate::stream::{Arrival, Table, Unsent};
use crate::way::Way;

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

/// The socket, the connections, their filter and their counters.
pub(crate) struct Port {
    socket: tokio::net::UdpSocket,
    arrivals: mpsc::Receiver<Arrival>,
    /// What arrived while there was nothing to do.
    arrived: Option<Arrival>,
    /// Connections have their turn before datagrams.
    streams_first: bool,
    table: Table,
    filter: Filter,
    shared: Arc<Shared>,
    seen: Recent,
    sent: Recent,
    buffer: Box<[u8]>,
    /// The length of what was read last, and where it came from.
    last: Option<(usize, Way)>,
}

/// What a look at the port found.
pub(crate) enum Read {
    /// A message for the core.
    Message(Box<Message>),
    /// A connection is over.
    Lost(Way),
    /// Something that was dealt with.
    Done,
    /// Nothing.
    Empty,
    /// The socket could not be read.
    Failed,
}

impl Port {
    pub(crate) fn new(
        socket: tokio::net::UdpSocket,
        arrivals: mpsc::Receiver<Arrival>,
        shared: Arc<Shared>,
    ) -> Self {
        let filter = Filter::new(Arc::clone(&shared));
        let recent = || Recent::new(shared.config.t1);
        Self {
            socket,
            arrivals,
            arrived: None,
            streams_first: false,
            table: Table::default(),
            filter,
            seen: recent(),
            sent: recent(),
            shared,
            buffer: vec![0; DATAGRAM_BYTES_MAX].into(),
            last: None,
        }
    }

    /// Waits until there may be something to read. Cancelling it loses nothing.
    pub(crate) async fn readable(&mut self) {
        if self.arrived.is_some() || self.table.has_lost() {
            return;
        }
        tokio::select! {
            readable = self.socket.readable() => if let Err(error) = readable {
                tracing::debug!(%error, "waiting for a datagram failed");
                tokio::task::yield_now().await;
            },
            Some(arrival) = self.arrivals.recv() => self.arrived = Some(arrival),
        }
    }

    /// Reads one message, without waiting: by turns from the socket and from connections.
    pub(crate) fn read(&mut self) -> Read {
        if let Some(way) = self.table.lost() {
            return Read::Lost(way);
        }
        self.streams_first = !self.streams_first;
        if self.streams_first
            && let Some(arrival) = self.arrival()
        {
            return self.arrive(arrival);
        }
        match self.read_datagram() {
            Read::Empty => match self.arrival() {
                Some(arrival) => self.arrive(arrival),
                None => Read::Empty,
            },
            read => read,
        }
    }

    fn arrival(&mut self) -> Option<Arrival> {
        self.arrived.take().or_else(|| self.arrivals.try_recv().ok())
    }

    fn arrive(&mut self, arrival: Arrival) -> Read {
        match arrival {
            Arrival::Opened(way, link) => {
                if self.filter.admits(way) {
                    self.table.open(way, link);
                }
            }
            Arrival::Closed(way, serial) => self.table.close(way, serial),
            // One that was closed from here is not heard any more.
            Arrival::Message(way, serial, _) if !self.table.is(way, serial) => {}
            Arrival::Message(way, _, message) => {
                let length = message.len().min(self.buffer.len());
                self.buffer[..length].copy_from_slice(&message[..length]);
                return self.judge(length, way);
            }
        }
        Read::Done
    }

    fn read_datagram(&mut self) -> Read {
        match self.socket.try_recv_from(&mut self.buffer) {
            Ok((length, peer)) => self.judge(length, Way::udp(peer)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Read::Empty,
            Err(error) => {
                tracing::debug!(%error, "reading a datagram failed");
                Read::Failed
            }
        }
    }

    /// What becomes of the message in the buffer.
    fn judge(&mut self, length: usize, peer: Way) -> Read {
        self.last = Some((length, peer));
        self.shared.tally.messages_in.fetch_add(1, Relaxed);
        let message = &self.buffer[..length];
        // A stream brings nothing twice.
        let hash = (!peer.is_stream()).then(|| self.seen.hash(message, peer.address));
        let is_copy = hash.is_some_and(|hash| self.seen.knows(hash));
        match self.filter.judge(message, peer, is_copy) {
            Verdict::Pass(message) => {
                if is_copy {
                    self.shared.tally.retransmissions_in.fetch_add(1, Relaxed);
                } else if let Some(hash) = hash
                    && message.method() != Some(Method::Register)
                {
                    // One that proves nothing is answered anew each time, and must not come at the
                    // rate of copies.
                    self.seen.keep(hash);
                }
                if peer.is_stream() && self.shared.is_trusted(peer.ip()) {
                    self.keep(peer);
                }
                Read::Message(message)
            }
            Verdict::Reply(reply, to) => {
                self.send(&reply.into(), to);
                Read::Done
            }
            Verdict::Drop => {
                if peer.is_stream() && self.filter.is_banned(peer) {
                    self.table.shut(peer);
                }
                Read::Done
            }
        }
    }

    /// Where telephones are registered.
    pub(crate) fn homes(&mut self) -> &mut Homes {
        &mut self.filter.homes
    }

    /// Somebody is reached by a connection.
    pub(crate) fn keep(&mut self, way: Way) {
        self.table.keep(way);
    }

    /// Nobody is reached by it any more. One from a trusted network stays as it is.
    pub(crate) fn release(&mut self, way: Way) {
        if !self.shared.is_trusted(way.ip()) {
            self.table.release(way);
        }
    }

    /// Whether there is a way: to datagrams there always is.
    pub(crate) fn leads(&self, way: Way) -> bool {
        !way.is_stream() || self.table.has(way)
    }

    /// How many connections there are.
    pub(crate) fn connections(&self) -> usize {
        self.table.len()
    }

    /// The message that was read last, once more.
    pub(crate) fn again(&mut self) -> Option<Box<Message>> {
        let (length, peer) = self.last?;
        match self.filter.judge(&self.buffer[..length], peer, true) {
            Verdict::Pass(message) => Some(message),
            Verdict::Reply(..) | Verdict::Drop => None,
        }
    }

    /// Sends without waiting. A full socket buffer loses the datagram, as the network may; a
    /// connection that takes nothing is closed.
    pub(crate) fn send(&mut self, message: &Bytes, peer: Way) {
        let sent = match peer.is_stream() {
            true => self.table.send(peer, message.clone()).map_err(|unsent| match unsent {
                Unsent::Gone => io::ErrorKind::NotConnected.into(),
                Unsent::Stuck => io::ErrorKind::TimedOut.into(),
            }),
            false => self.socket.try_send_to(message, peer.address).map(|_| ()),
        };
        let tally = &self.shared.tally;
        match sent {
            Ok(()) => {
                tally.messages_out.fetch_add(1, Relaxed);
                if peer.is_stream() {
                    return;
                }
                let hash = self.sent.hash(message, peer.address);
                if self.sent.knows(hash) {
                    tally.retransmissions_out.fetch_add(1, Relaxed);
                } else {
                    self.sent.keep(hash);
                }
            }
            Err(error) => {
                tally.send_failures.fetch_add(1, Relaxed);
                tracing::debug!(%peer, %error, "message not sent");
            }
        }
    }
}
