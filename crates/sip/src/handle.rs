//! Starting, commanding and stopping the SIP plane.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use model::limits;
use model::sip::{SipCommand, SipEvent};
use rsipstack::EndpointBuilder;
use rsipstack::sip::Transport;
use rsipstack::transaction::endpoint::{EndpointInnerRef, EndpointOption};
use rsipstack::transport::transport_layer::DomainResolver;
use rsipstack::transport::udp::{UdpConnection, UdpInner};
use rsipstack::transport::{SipAddr, SipConnection, TransportLayer};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::addr;
use crate::config::SipConfig;
use crate::core::{Core, Env, Events, Inlets, Watch};
use crate::counters::{Counters, Tally};
use crate::shared::Shared;
use crate::socket::{self, Port};
use crate::tags::Tags;

const SOCKET_CLOSES: Duration = Duration::from_millis(limits::SIP_SOCKET_CLOSE_MS_MAX);

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
    /// `rsipstack` refused its set-up.
    #[error("the SIP transaction layer did not start: {0}")]
    Stack(String),
}

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
struct Running {
    stop: oneshot::Sender<()>,
    ended: oneshot::Receiver<()>,
    endpoint: EndpointInnerRef,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Running")
    }
}

/// Binds the socket and starts the plane's tasks on the runtime of the caller: one with a single
/// thread serves it best, because a message passes through four tasks, and waking each on another
/// core costs more than its work.
///
/// # Errors
/// When the address cannot be bound, or is a wildcard and nothing is advertised.
pub async fn start(config: SipConfig) -> Result<(SipHandle, mpsc::Receiver<SipEvent>), SipError> {
    let bind = config.bind;
    if bind.ip().is_unspecified() && config.advertise.is_none() {
        return Err(SipError::NoAdvertise(bind));
    }
    let socket = socket::bind(bind).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => SipError::Taken(bind),
        _ => SipError::Socket(bind, error),
    })?;
    let local = socket.local_addr().map_err(|error| SipError::Socket(bind, error))?;
    let mut advertise = config.advertise.unwrap_or(local);
    if advertise.port() == 0 {
        advertise.set_port(local.port());
    }
    let shared = Arc::new(Shared {
        config,
        local,
        advertise,
        tally: Tally::default(),
        tags: Tags::default(),
        draining: AtomicBool::new(false),
    });
    let socket =
        tokio::net::UdpSocket::from_std(socket).map_err(|error| SipError::Socket(local, error))?;
    let port = Arc::new(Port::new(socket, Arc::clone(&shared)));
    let (commands, commanded) = mpsc::channel(limits::SIP_QUEUED_MAX);
    let (events, heard) = mpsc::channel(limits::SIP_QUEUED_MAX);
    let (stop, stopped) = oneshot::channel();
    let (gone, ended) = oneshot::channel();
    let (fault, failed) = watch::channel(None);
    let plane = Plane { shared: Arc::clone(&shared), port, commanded, events, stopped };
    let endpoint = plane.run(gone, fault).await?;
    let running = Mutex::new(Some(Running { stop, ended, endpoint }));
    Ok((SipHandle { commands, shared, failed, running }, heard))
}

/// What the tasks of the plane take with them.
struct Plane {
    shared: Arc<Shared>,
    port: Arc<Port>,
    commanded: mpsc::Receiver<SipCommand>,
    events: mpsc::Sender<SipEvent>,
    stopped: oneshot::Receiver<()>,
}

impl Plane {
    /// Sets up `rsipstack` on our socket and runs the core until it is stopped.
    async fn run(
        self,
        gone: oneshot::Sender<()>,
        fault: watch::Sender<Option<&'static str>>,
    ) -> Result<EndpointInnerRef, SipError> {
        let Self { shared, port, commanded, events, stopped } = self;
        let (notes, noted) = mpsc::unbounded_channel();
        let cancel = CancellationToken::new();
        let inner = UdpInner { conn: Arc::clone(&port) as _, addr: udp_addr(shared.advertise) };
        let connection: SipConnection =
            UdpConnection::attach(inner, None, Some(cancel.clone())).await.into();
        let layer = TransportLayer::new_with_domain_resolver(cancel.clone(), Box::new(NoNames));
        layer.add_transport(connection.clone());
        let endpoint = EndpointBuilder::new()
            .with_user_agent(&shared.config.server_name)
            .with_transport_layer(layer)
            .with_cancel_token(cancel.clone())
            .with_transport_inspector(Box::new(Watch { notes: notes.clone() }))
            .with_option(timers(&shared.config))
            .build();
        let transactions =
            endpoint.incoming_transactions().map_err(|error| SipError::Stack(error.to_string()))?;
        let stack = Arc::clone(&endpoint.inner);
        let serving = tokio::spawn(async move { endpoint.serve().await });
        let held = Arc::downgrade(&port);
        let env = Env {
            shared,
            port,
            endpoint: Arc::clone(&stack),
            connection,
            notes,
            cancel: cancel.clone(),
        };
        let inlets =
            Inlets { commands: commanded, transactions, notes: noted, stop: stopped, serving };
        let core = tokio::spawn(Core::new(env, Events::new(events)).run(inlets));
        tokio::spawn(async move {
            // A panic in the core, or a stack that no longer reads, leaves the house deaf.
            if let Some(what) = core.await.unwrap_or(Some("SIP core")) {
                tracing::error!(what, "the SIP plane failed; no call is heard any more");
                fault.send_replace(Some(what));
            }
            cancel.cancel();
            let patience = Instant::now() + SOCKET_CLOSES;
            while held.strong_count() > 0 && Instant::now() < patience {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            // Nobody waits for it when the handle was dropped.
            let _ = gone.send(());
        });
        Ok(stack)
    }
}

/// Where our requests go is an address, but one of them is read again behind us as if it were a
/// name: the URI of a refused INVITE, for its ACK. Nobody is asked for a name.
struct NoNames;

#[async_trait]
impl DomainResolver for NoNames {
    async fn resolve(&self, target: &SipAddr) -> rsipstack::Result<SipAddr> {
        let uri = target.addr.host.to_string();
        let address = addr::socket_addr(&uri).map(udp_addr);
        address.ok_or(rsipstack::Error::DnsResolutionError(uri))
    }
}

fn udp_addr(address: SocketAddr) -> SipAddr {
    SipAddr { r#type: Some(Transport::Udp), addr: address.into() }
}

fn timers(config: &SipConfig) -> EndpointOption {
    EndpointOption {
        t1: config.t1,
        t2: config.t1 * 8,
        t4: config.t1 * 10,
        t1x64: config.t1 * 64,
        // The ring timer of the core comes first.
        timerc: config.ring_timeout + Duration::from_secs(60),
        auto_ack_2xx: false,
        ..EndpointOption::default()
    }
}

impl SipHandle {
    /// The address that was bound.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.shared.local
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
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let transactions = running.as_ref().map(|r| r.endpoint.get_stats().running_transactions);
        self.shared.tally.snapshot(transactions.unwrap_or(0))
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
        let Some(Running { stop, ended, endpoint }) = running else { return };
        // The endpoint ends with its last owner.
        drop(endpoint);
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
        let (handle, _events) = start(config).await.expect("the plane starts");
        let address = handle.local_addr();
        handle.shutdown().await;
        assert_eq!(handle.fault(), None);
        std::net::UdpSocket::bind(address).expect("the port is free again");
    }
}
