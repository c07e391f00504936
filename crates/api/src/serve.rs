//! The listening side: connections, and what a stranger may take of us before a request is whole.
//!
//! Invariant: every connection holds a place of its address until it ends, as a live connection
//! too; heads of requests come within a deadline, and so does the next request of an idle one.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tower::ServiceExt;

use crate::client::{Network, network_of};
use crate::linger::Lingering;

/// How long the head of a request may take, and how long an idle connection is kept.
const HEAD_TIME_MAX: Duration = Duration::from_secs(10);
/// Connections of one address at one of our addresses, of IPv6 of one /64: an office shares one,
/// and a desk needs few.
const PER_ADDRESS_MAX: usize = 1_000;
/// Connections at one of our addresses.
const CONNECTIONS_MAX: usize = 32_000;
/// How long to wait when the system gives out no more connections.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// Said to whoever finds no place; written if the system takes it at once.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\n\
    Connection: close\r\n\r\n";

/// Where the web server is reached.
pub struct Entry {
    /// Where it listens.
    pub listener: TcpListener,
    /// With what it speaks TLS, if it does.
    pub tls: Option<Arc<ServerConfig>>,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry").field("listener", &self.listener).finish_non_exhaustive()
    }
}

/// The connection is TLS, and we end it ourselves. A mark on each of its requests.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Encrypted;

/// Serves the web server until `shutdown`, then lets requests end that have begun. Live connections
/// are not waited for. Connections of `proxies` stand for many people and count only towards the
/// total.
///
/// # Errors
/// None at present: what fails while accepting is logged and tried again.
pub async fn serve(
    entry: Entry,
    app: Router,
    proxies: Vec<Network>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let tls = entry.tls.map(TlsAcceptor::from);
    let door = Door { proxies, per_address: PER_ADDRESS_MAX, total: CONNECTIONS_MAX, tls };
    door.serve(entry.listener, app, shutdown).await
}

struct Door {
    proxies: Vec<Network>,
    per_address: usize,
    total: usize,
    tls: Option<TlsAcceptor>,
}

/// Places taken: all of them, and by address.
type Taken = Arc<Mutex<(usize, HashMap<IpAddr, usize>)>>;

/// A place of an address; held by the connection and by what it was upgraded to.
#[derive(Debug)]
pub(crate) struct Place {
    taken: Taken,
    address: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let (all, by_address) = &mut *taken;
        *all -= 1;
        match by_address.get_mut(&self.address) {
            Some(count) if *count > 1 => *count -= 1,
            _ => _ = by_address.remove(&self.address),
        }
    }
}

impl Door {
    async fn serve(
        &self,
        listener: TcpListener,
        app: Router,
        shutdown: impl Future<Output = ()>,
    ) -> io::Result<()> {
        let taken = Taken::default();
        let (stop, stopped) = watch::channel(false);
        // Dropped with this future, so that no request outlives a server that is aborted.
        let mut open = JoinSet::new();
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                Some(_) = open.join_next() => {}
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => match self.admit(&taken, peer.ip()) {
                        Some(place) => {
                            let place = Arc::new(place);
                            let guest = Guest { peer, place, stopped: stopped.clone() };
                            open.spawn(greet(stream, guest, app.clone(), self.tls.clone()));
                        }
                        // Over TLS there is no word before the handshake.
                        None if self.tls.is_some() => {}
                        None => _ = stream.try_write(FULL),
                    },
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        drop(listener);
        stop.send_replace(true);
        while open.join_next().await.is_some() {}
        Ok(())
    }

    fn admit(&self, taken: &Taken, peer: IpAddr) -> Option<Place> {
        let address = network_of(peer);
        let proxy = self.proxies.iter().any(|network| network.contains(address));
        let mut counts = taken.lock().unwrap_or_else(PoisonError::into_inner);
        let (all, by_address) = &mut *counts;
        let count = by_address.entry(address).or_default();
        if *all >= self.total || (!proxy && *count >= self.per_address) {
            if *count == 0 {
                by_address.remove(&address);
            }
            return None;
        }
        (*all, *count) = (*all + 1, *count + 1);
        Some(Place { taken: Arc::clone(taken), address })
    }
}

/// Who is at the other end of a connection.
struct Guest {
    peer: SocketAddr,
    place: Arc<Place>,
    stopped: watch::Receiver<bool>,
}

/// One connection, behind its handshake where it is TLS.
async fn greet(stream: TcpStream, guest: Guest, app: Router, tls: Option<TlsAcceptor>) {
    // Answers are small: they go out at once.
    let _ = stream.set_nodelay(true);
    let stream = Lingering::new(stream, Arc::clone(&guest.place));
    let Some(tls) = tls else { return converse(stream, guest, app, false).await };
    let mut stopped = guest.stopped.clone();
    let shaken = tokio::select! {
        shaken = tokio::time::timeout(HEAD_TIME_MAX, tls.accept(stream)) => shaken,
        _ = stopped.wait_for(|stop| *stop) => return,
    };
    match shaken {
        Ok(Ok(stream)) => converse(stream, guest, app, true).await,
        // A stranger, or a browser that does not know our certificate yet.
        Ok(Err(error)) => tracing::debug!(peer = %guest.peer, %error, "no handshake"),
        Err(_) => tracing::debug!(peer = %guest.peer, "no handshake in time"),
    }
}

/// Request after request.
async fn converse<S>(stream: S, guest: Guest, app: Router, encrypted: bool)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let Guest { peer, place, mut stopped } = guest;
    let service = tower::service_fn(move |request: hyper::Request<Incoming>| {
        let mut request: Request = request.map(axum::body::Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        request.extensions_mut().insert(Arc::clone(&place));
        if encrypted {
            request.extensions_mut().insert(Encrypted);
        }
        let app = app.clone();
        async move {
            // In a task of its own: what a client that leaves has begun is brought to its end, or
            // what is saved and what the house knows would part.
            let answer = tokio::spawn(app.oneshot(request)).await;
            Ok::<_, Infallible>(answer.map_or_else(
                |_| StatusCode::INTERNAL_SERVER_ERROR.into_response(),
                |answer| answer.unwrap_or_else(|never| match never {}),
            ))
        }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ = stopped.wait_for(|stop| *stop) => connection.as_mut().graceful_shutdown(),
        // Whoever breaks off has no one to tell.
        _ = connection.as_mut() => return,
    }
    let _ = connection.await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::{get, post};
    use std::sync::atomic::{AtomicBool, Ordering};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::time::{Instant, timeout};

    const PATIENCE: Duration = Duration::from_secs(20);

    async fn open(per_address: usize) -> (SocketAddr, watch::Sender<bool>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, mut stopped) = watch::channel(false);
        let app =
            Router::new()
                .route(
                    "/",
                    get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move {
                        peer.ip().to_string()
                    }),
                )
                .route("/slow", get(slow))
                .route("/refused", post(|| async { StatusCode::PAYLOAD_TOO_LARGE }));
        tokio::spawn(async move {
            let door = Door { proxies: vec![], per_address, total: 100, tls: None };
            door.serve(listener, app, async move { _ = stopped.wait_for(|stop| *stop).await }).await
        });
        (address, stop)
    }

    static BEGUN: AtomicBool = AtomicBool::new(false);
    static ENDED: AtomicBool = AtomicBool::new(false);

    async fn slow() {
        BEGUN.store(true, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(300)).await;
        ENDED.store(true, Ordering::SeqCst);
    }

    async fn becomes(flag: &AtomicBool) {
        let wait = async {
            while !flag.load(Ordering::SeqCst) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, wait).await.unwrap();
    }

    #[tokio::test]
    async fn what_a_client_began_is_ended_when_it_leaves() {
        let (address, _stop) = open(2).await;
        let mut wire = TcpStream::connect(address).await.unwrap();
        wire.write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        becomes(&BEGUN).await;
        drop(wire);
        becomes(&ENDED).await;
    }

    async fn ask(wire: &mut TcpStream) -> String {
        wire.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        let mut buffer = vec![0; 4_096];
        let read = timeout(PATIENCE, wire.read(&mut buffer)).await.unwrap().unwrap();
        String::from_utf8(buffer[..read].to_vec()).unwrap()
    }

    #[tokio::test]
    async fn an_address_has_so_many_places_and_gets_them_back() {
        let (address, _stop) = open(2).await;
        let mut first = TcpStream::connect(address).await.unwrap();
        let mut second = TcpStream::connect(address).await.unwrap();
        assert!(ask(&mut first).await.ends_with("127.0.0.1"));
        assert!(ask(&mut second).await.starts_with("HTTP/1.1 200"));
        let mut third = TcpStream::connect(address).await.unwrap();
        let mut said = String::new();
        timeout(PATIENCE, third.read_to_string(&mut said)).await.unwrap().unwrap();
        assert!(said.starts_with("HTTP/1.1 503"), "{said}");
        drop(first);
        let again = async {
            loop {
                let mut wire = TcpStream::connect(address).await.unwrap();
                let mut said = [0; 12];
                let sent = wire.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
                if sent.is_ok()
                    && wire.read_exact(&mut said).await.is_ok()
                    && said == *b"HTTP/1.1 200"
                {
                    break;
                }
            }
        };
        timeout(PATIENCE, again).await.unwrap();
    }

    #[tokio::test]
    async fn half_a_head_is_not_waited_for() {
        let (address, _stop) = open(2).await;
        let began = Instant::now();
        let mut wire = TcpStream::connect(address).await.unwrap();
        wire.write_all(b"GET / HTTP/1.1\r\nHost:").await.unwrap();
        let mut rest = Vec::new();
        timeout(PATIENCE, wire.read_to_end(&mut rest)).await.unwrap().unwrap();
        assert!(began.elapsed() >= HEAD_TIME_MAX && !rest.starts_with(b"HTTP/1.1 200"));
    }

    #[tokio::test]
    async fn whoever_sends_too_much_still_reads_the_answer() {
        let (address, _stop) = open(2).await;
        let mut wire = TcpStream::connect(address).await.unwrap();
        let head = b"POST /refused HTTP/1.1\r\nHost: a\r\nContent-Length: 20000000\r\n\r\n";
        wire.write_all(head).await.unwrap();
        // Far more than both systems keep for a connection, so that it is refused with much unread.
        let body = vec![0; 20_000_000];
        timeout(PATIENCE, wire.write_all(&body)).await.unwrap().unwrap();
        let mut said = String::new();
        timeout(PATIENCE, wire.read_to_string(&mut said)).await.unwrap().unwrap();
        assert!(said.starts_with("HTTP/1.1 413"), "{said}");
    }

    #[tokio::test]
    async fn a_stop_closes_idle_connections() {
        let (address, stop) = open(2).await;
        let mut wire = TcpStream::connect(address).await.unwrap();
        assert!(ask(&mut wire).await.starts_with("HTTP/1.1 200"));
        let began = Instant::now();
        stop.send_replace(true);
        let mut rest = Vec::new();
        timeout(PATIENCE, wire.read_to_end(&mut rest)).await.unwrap().unwrap();
        assert!(began.elapsed() < HEAD_TIME_MAX);
    }
}
