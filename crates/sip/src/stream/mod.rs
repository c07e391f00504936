//! Connections: TCP and TLS beside the datagrams (RFC 3261 section 18).
//!
//! Each has a task of its own ([`link`]); the core hears of all through one queue and sends without
//! waiting. Invariant: how many there are is bounded, and whoever was recognised keeps theirs
//! however many strangers come: those make room for each other.

mod frame;
mod link;
mod table;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use model::sip::Transport;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

pub(crate) use link::{Arrival, Unsent};
use link::{Serial, Wire};
pub(crate) use table::Table;

use crate::way::Way;

/// How long to wait when the system gives out no more connections.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// Connections that wait to be accepted.
const BACKLOG: i32 = 1_024;
/// Arrivals that wait for the core: then the connections wait, and so do those at their other ends.
const ARRIVALS_MAX: usize = 1_024;
/// How long a stop waits for connections to take what was said last.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// A far end that is silent is asked after this time, and again and again.
const KEEPALIVE: Duration = Duration::from_secs(60);
const KEEPALIVE_AGAIN: Duration = Duration::from_secs(15);
const KEEPALIVE_TRIES: u32 = 4;

/// Where connections are taken.
pub(crate) struct Doors {
    arrivals: mpsc::Sender<Arrival>,
    serials: Arc<AtomicU64>,
    open: JoinSet<()>,
    patience: Duration,
    /// Held by each connection until all is written.
    busy: mpsc::Sender<()>,
    idle: mpsc::Receiver<()>,
}

impl Doors {
    /// And where the core hears of them. `patience` is how long a message may take, and the first
    /// ones of a stranger.
    pub(crate) fn new(patience: Duration) -> (Self, mpsc::Receiver<Arrival>) {
        let (arrivals, heard) = mpsc::channel(ARRIVALS_MAX);
        let (busy, idle) = mpsc::channel(1);
        let (serials, open) = (Arc::default(), JoinSet::new());
        (Self { arrivals, serials, open, patience, busy, idle }, heard)
    }

    /// Takes the connections of one address until the core is gone; of TLS ones if it can.
    pub(crate) fn open(&mut self, listener: TcpListener, tls: Option<TlsAcceptor>) {
        let (arrivals, serials) = (self.arrivals.clone(), Arc::clone(&self.serials));
        let (patience, busy) = (self.patience, self.busy.clone());
        self.open.spawn(async move {
            loop {
                let accepted = tokio::select! {
                    accepted = listener.accept() => accepted,
                    () = arrivals.closed() => return,
                };
                let (stream, peer) = match accepted {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        tracing::warn!(%error, "a SIP connection could not be accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                        continue;
                    }
                };
                let transport = if tls.is_some() { Transport::Tls } else { Transport::Tcp };
                let (way, serial) = (Way { transport, address: peer }, next(&serials));
                let (link, wire) = link::pair(way, serial, arrivals.clone(), patience);
                // First, so that the core knows whom it hears.
                if arrivals.send(Arrival::Opened(way, link)).await.is_err() {
                    return;
                }
                tokio::spawn(serve(wire, stream, tls.clone(), busy.clone()));
            }
        });
    }

    /// Waits until no connection is taken any more, once the core is gone, and for a moment until
    /// what it said last is written.
    pub(crate) async fn closed(self) {
        let Self { mut open, busy, mut idle, .. } = self;
        while open.join_next().await.is_some() {}
        drop(busy);
        _ = tokio::time::timeout(LAST_WORDS, idle.recv()).await;
    }
}

fn next(serials: &AtomicU64) -> Serial {
    serials.fetch_add(1, Relaxed)
}

async fn serve(wire: Wire, stream: TcpStream, tls: Option<TlsAcceptor>, _busy: mpsc::Sender<()>) {
    // Messages are small and go out at once; whoever vanishes without a word is found out.
    _ = stream.set_nodelay(true);
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE_AGAIN);
    _ = SockRef::from(&stream).set_tcp_keepalive(&keepalive.with_retries(KEEPALIVE_TRIES));
    match tls {
        None => wire.serve(std::future::ready(Ok(stream))).await,
        Some(tls) => wire.serve(async move { tls.accept(stream).await }).await,
    }
}

/// Listens for connections.
pub(crate) fn bind(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Connections of before a restart linger for a while.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
