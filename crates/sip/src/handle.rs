//! Starting, commanding and stopping the SIP plane.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use model::limits;
use model::sip::{SipCommand, SipEvent};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_rustls::TlsAcceptor;

use crate::config::SipConfig;
use crate::core::{Core, Env, Events, Inlets};
use crate::counters::{Counters, Tally};
use crate::shared::Shared;
use crate::socket::{self, Port};
use crate::stream::{self, Doors};
use crate::tags::Tags;
use crate::transaction::Transactions;

/// Why the SIP plane did not start.
#[derive(Debug, thiserror::Error)]
pub enum SipError {
    /// The port is in use.
    #[error("SIP address {0} is in use: stop the other program, or choose another with --sip ADDR")]
    Taken(SocketAddr),
    /// Another fault of the socket.
    #[error("cannot listen for SIP on {0}: {1}")]
    Socket(SocketAddr, io::Error),
    /// A wildcard address cannot be put into Contact.
    #[error("SIP listens on all addresses ({0}): tell which one peers shall use (advertise)")]
    NoAdvertise(SocketAddr),
}

/// How often a free port is looked for.
const TRIES: usize = 16;

/// The command queue is full, or the plane has stopped: the command was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the SIP plane takes no commands now")]
pub struct Full;

/// The running SIP plane. Dropping it hangs up every leg.
#[derive(Debug)]
pub struct SipHandle {
    commands: mpsc::Sender<SipCommand>,
    shared: Arc<Shared>,
    failed: watch::Receiver<Option<&'static str>>,
    /// `None` once it was told to stop.
    running: Mutex<Option<Running>>,
}

/// What exists only until the plane is told to stop.
#[derive(Debug)]
struct Running {
    stop: oneshot::Sender<()>,
    ended: oneshot::Receiver<()>,
}

/// Binds the sockets and starts the plane's task on the runtime of the caller: one with a single
/// thread, shared with whoever takes the events, serves it best, because waking another core costs
/// more than a message does.
///
/// # Errors
/// When the address cannot be bound, or is a wildcard and nothing is advertised.
///
/// # Panics
/// Outside a runtime of tokio.
pub fn start(config: SipConfig) -> Result<(SipHandle, mpsc::Receiver<SipEvent>), SipError> {
    let bind = config.bind;
    if bind.ip().is_unspecified() && config.advertise.is_none() {
        return Err(SipError::NoAdvertise(bind));
    }
    let Sockets { datagrams, connections, local } = Sockets::bind(bind)?;
    let mut advertise = config.advertise.unwrap_or(local);
    if advertise.port() == 0 {
        advertise.set_port(local.port());
    }
    // As long as a transaction waits (RFC 3261 section 17.1.1.2, timer B).
    let (mut doors, arrivals) = Doors::new(config.t1 * 64);
    doors.open(connections, None);
    let local_tls = match &config.tls {
        None => None,
        Some(tls) => {
            let listener = listen(tls.bind)?;
            let local = listener.local_addr().map_err(|error| fault(tls.bind, error))?;
            doors.open(listener, Some(TlsAcceptor::from(Arc::clone(&tls.config))));
            Some(local)
        }
    };
    let shared = Arc::new(Shared {
        config,
        local,
        advertise,
        local_tls,
        tally: Tally::default(),
        tags: Tags::default(),
        draining: AtomicBool::new(false),
    });
    let port = Port::new(datagrams, arrivals, Arc::clone(&shared));
    let transactions = Transactions::new(shared.config.t1);
    let env = Env { shared: Arc::clone(&shared), port, transactions };
    let (commands, commanded) = mpsc::channel(limits::SIP_QUEUED_MAX);
    let (events, heard) = mpsc::channel(limits::SIP_QUEUED_MAX);
    let (stop, stopped) = oneshot::channel();
    let (gone, ended) = oneshot::channel();
    let (fault, failed) = watch::channel(None);
    let inlets = Inlets { commands: commanded, stop: stopped };
    let core = tokio::spawn(Core::new(env, Events::new(events)).run(inlets));
    tokio::spawn(async move {
        // A panic in the core leaves the house deaf.
        if core.await.is_err() {
            tracing::error!("the SIP plane failed; no call is heard any more");
            fault.send_replace(Some("SIP core"));
        }
        doors.closed().await;
        // Nobody waits for it when the handle was dropped.
        let _ = gone.send(());
    });
    let running = Mutex::new(Some(Running { stop, ended }));
    Ok((SipHandle { commands, shared, failed, running }, heard))
}

/// The sockets of one address, for datagrams and for connections.
struct Sockets {
    datagrams: tokio::net::UdpSocket,
    connections: TcpListener,
    local: SocketAddr,
}

impl Sockets {
    /// Where any port will do, one that is free for both.
    fn bind(address: SocketAddr) -> Result<Self, SipError> {
        let tries = if address.port() == 0 { TRIES } else { 1 };
        for _ in 0..tries {
            let socket = socket::bind(address).map_err(|error| fault(address, error))?;
            let local = socket.local_addr().map_err(|error| fault(address, error))?;
            match listen(local) {
                Ok(connections) => {
                    let datagrams = tokio::net::UdpSocket::from_std(socket);
                    let datagrams = datagrams.map_err(|error| fault(local, error))?;
                    return Ok(Self { datagrams, connections, local });
                }
                Err(SipError::Taken(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Err(SipError::Taken(address))
    }
}

fn listen(address: SocketAddr) -> Result<TcpListener, SipError> {
    let listener = stream::bind(address).and_then(TcpListener::from_std);
    listener.map_err(|error| fault(address, error))
}

fn fault(address: SocketAddr, error: io::Error) -> SipError {
    match error.kind() {
        io::ErrorKind::AddrInUse => SipError::Taken(address),
        _ => SipError::Socket(address, error),
    }
}

impl SipHandle {
    /// The address that was bound.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.shared.local
    }

    /// The address that was bound for connections over TLS, if any was.
    #[must_use]
    pub fn tls_addr(&self) -> Option<SocketAddr> {
        self.shared.local_tls
    }

    /// The address that peers are told.
    #[must_use]
    pub fn advertised(&self) -> SocketAddr {
        self.shared.advertise
    }

    /// Hands a command over; never waits.
    ///
    /// # Errors
    /// [`Full`] when the queue is full or the plane has stopped.
    pub fn send(&self, command: SipCommand) -> Result<(), Full> {
        self.commands.try_send(command).map_err(|_| Full)
    }

    /// What happened so far and what exists now.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.shared.tally.snapshot()
    }

    /// Waits until a part without which no call is heard has failed, and names it. Never resolves
    /// after an orderly stop.
    pub async fn failed(&self) -> &'static str {
        let mut failed = self.failed.clone();
        let told = failed.wait_for(Option::is_some).await.ok().and_then(|what| *what);
        match told {
            Some(what) => what,
            None => std::future::pending().await,
        }
    }

    /// The part that failed, if any did.
    #[must_use]
    pub fn fault(&self) -> Option<&'static str> {
        *self.failed.borrow()
    }

    /// Refuses new calls with 503, hangs up every leg, and waits for the answers at most
    /// `SipConfig::shutdown_timeout`. Whoever holds the handle may call it; only the first call
    /// does anything.
    pub async fn shutdown(&self) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Running { stop, ended }) = running else { return };
        if stop.send(()).is_ok() {
            let _ = ended.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stop_is_no_fault_and_gives_the_port_back() {
        let bind = "127.0.0.1:0".parse().expect("an address");
        let config = SipConfig { bind, ..SipConfig::default() };
        let (handle, _events) = start(config).expect("the plane starts");
        let address = handle.local_addr();
        handle.shutdown().await;
        assert_eq!(handle.fault(), None);
        std::net::UdpSocket::bind(address).expect("the port is free again");
        std::net::TcpListener::bind(address).expect("for connections too");
    }
}
