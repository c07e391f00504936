//! The engine: its configuration, its threads, and the handle the hub holds.
//!
//! Invariant: a command is either queued or refused at once; nothing here waits for a media thread
//! except [`MediaHandle::stop`].

mod call;
mod clock;
mod leg;
mod maker;
mod outbox;
mod page;
mod plan;
mod ports;
mod reception;
mod record;
mod report;
#[cfg(test)]
mod rig;
mod sound;
mod worker;

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use model::LegId;
use model::media::{MediaCommand, MediaEvent, MediaFault, Peer};

use crate::metrics::{Counters, Metrics};
use crate::recording::writer::Writer;
use crate::sys::{self, Waker};
use crate::vital::Vitals;
use crate::webrtc::{self, BrowserLeg};

use self::maker::Maker;
use self::outbox::Outbox;
use self::page::Pages;
use self::record::Tray;
use self::sound::Sound;
use self::worker::{Order, Worker};

/// Commands that may wait for a media thread.
const ORDERS_MAX: usize = 8_192;

/// Where the media plane listens and how it runs.
#[derive(Debug, Clone)]
pub struct MediaConfig {
    /// Address the RTP sockets are bound to.
    pub bind: IpAddr,
    /// Address told to RTP peers.
    pub advertise: IpAddr,
    /// Ports of RTP and RTCP; `0..=0` lets the system choose.
    pub rtp_ports: RangeInclusive<u16>,
    /// The one UDP address of all pages; port 0 means a free one.
    pub browser: SocketAddr,
    /// Address told to pages where it differs from the bound one.
    pub browser_advertise: Option<IpAddr>,
    /// Media threads. Only one is used: calls move between no threads yet, and one thread carries
    /// some 2,000 relayed calls per core. Any other number than 0 or 1 is refused.
    pub threads: usize,
    /// Ask for real-time priority; where it is not permitted the plane runs without.
    pub realtime: bool,
}

/// Why the media plane could not start.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// A number of threads that is not supported.
    #[error("media runs on one thread, {0} were asked for")]
    Threads(usize),
    /// An address to which nobody can send would be told to peers.
    #[error("nobody can send to {address}: name an address of this machine ({setting})")]
    NoAdvertise {
        /// What would be told.
        address: IpAddr,
        /// The setting that names another.
        setting: &'static str,
    },
    /// The address of the browser legs cannot be bound.
    #[error("the address for browsers cannot be bound: {0}")]
    Browser(io::Error),
    /// No key could be made for the browser legs.
    #[error("no key could be made for the calls of browsers")]
    Identity,
    /// The system refused a timer or a thread.
    #[error("the media plane cannot start: {0}")]
    System(#[from] io::Error),
}

/// The media thread is behind with its commands; nothing was queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the media plane is behind with its commands")]
pub struct Full;

/// The running media plane. Dropped without [`MediaHandle::stop`] it ends within a second.
#[derive(Debug)]
pub struct MediaHandle {
    orders: SyncSender<Order>,
    events: tokio::sync::mpsc::Sender<MediaEvent>,
    maker: Arc<Maker>,
    waker: Arc<Waker>,
    counters: Arc<Counters>,
    vitals: Vitals,
    /// `None` once they were stopped.
    threads: Mutex<Option<(JoinHandle<()>, Writer)>>,
    browser: SocketAddr,
}

/// Fails where [`start`] would, as far as that shows without opening anything.
///
/// # Errors
/// [`MediaError`] when peers cannot be told where to send, or the threads are not supported.
pub fn check(config: &MediaConfig) -> Result<(), MediaError> {
    if config.threads > 1 {
        return Err(MediaError::Threads(config.threads));
    }
    told_to_pages(config).map(drop)
}

/// Starts the media plane. Events go to `events` and never wait for room there.
///
/// # Errors
/// [`MediaError`] when peers cannot be told where to send, or a socket, a timer or a thread cannot
/// be made.
pub fn start(
    config: MediaConfig,
    events: tokio::sync::mpsc::Sender<MediaEvent>,
) -> Result<MediaHandle, MediaError> {
    check(&config)?;
    let told = told_to_pages(&config)?;
    if !webrtc::has_identity() {
        return Err(MediaError::Identity);
    }
    sys::raise_open_files();
    let (orders, inbox) = sync_channel(ORDERS_MAX);
    let waker = Arc::new(Waker::new()?);
    let counters = Arc::new(Counters::default());
    let vitals = Vitals::new();
    let maker = Arc::new(Maker::new(&config, Arc::clone(&counters)));
    let socket = UdpSocket::bind(config.browser).map_err(MediaError::Browser)?;
    let browser = SocketAddr::new(told, socket.local_addr()?.port());
    let pages = Pages::new(socket, browser)?;
    let (writer, link) = Writer::start(events.clone(), &vitals)?;
    let ends = (Outbox::new(events.clone(), Arc::clone(&counters)), Tray::new(link));
    let worker = Worker::new(
        config,
        (Arc::clone(&maker), pages),
        inbox,
        Arc::clone(&waker),
        Arc::clone(&counters),
        ends,
    )?;
    let pulse = vitals.pulse("media thread");
    let thread = std::thread::Builder::new().name("media-0".into()).spawn(move || {
        let _pulse = pulse;
        worker.run();
    })?;
    let threads = Mutex::new(Some((thread, writer)));
    Ok(MediaHandle { orders, events, maker, waker, counters, vitals, threads, browser })
}

/// The address that pages are told, once peers can be told where to send at all. A wildcard in a
/// description puts the sender on hold (RFC 3264 section 8.4), and a page never connects to one.
fn told_to_pages(config: &MediaConfig) -> Result<IpAddr, MediaError> {
    let no_advertise = |address, setting| Err(MediaError::NoAdvertise { address, setting });
    if config.advertise.is_unspecified() {
        return no_advertise(config.advertise, "media.advertise");
    }
    let bound = config.browser.ip();
    let told = match config.browser_advertise {
        Some(address) => address,
        None if !bound.is_unspecified() => bound,
        // Whoever listens everywhere expects pages on other machines.
        None if config.advertise.is_loopback() => bound,
        None => config.advertise,
    };
    if told.is_unspecified() || told.is_ipv6() && bound.is_ipv4() {
        return no_advertise(told, "media.browser_advertise");
    }
    Ok(told)
}

impl MediaHandle {
    /// Queues a command.
    ///
    /// # Errors
    /// [`Full`] when the media thread is behind or stopped; nothing was queued.
    pub fn send(&self, command: MediaCommand) -> Result<(), Full> {
        // A prompt is encoded here, on the caller's thread: it may take milliseconds.
        let order = match command {
            MediaCommand::Prepare { leg, remote } if !self.maker.knows(leg) => {
                return self.prepare(leg, remote);
            }
            MediaCommand::Clip { clip, samples } => {
                Order::Sound(clip, Arc::new(Sound::encode(&samples)))
            }
            // So does a stack: its keys and its parser are not the packets' concern.
            MediaCommand::BrowserOffer { leg, offer, sdp } => {
                let stack = BrowserLeg::answer(&sdp, self.browser, Instant::now());
                Order::Page(leg, offer, stack.map(|(stack, answer)| (Box::new(stack), answer)))
            }
            command => Order::Command(command),
        };
        self.order(order)
    }

    /// The address that pages are told to send to.
    #[must_use]
    pub fn browser_addr(&self) -> SocketAddr {
        self.browser
    }

    /// The figures of the plane since its start.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        Metrics::sum(std::iter::once(&*self.counters))
    }

    /// Stops the threads and waits for them; recordings are finished first, and the last events
    /// were handed over when this returns. Whoever holds the handle may call it; a second caller
    /// waits for the first.
    pub fn stop(&self) {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((thread, writer)) = threads.take() else { return };
        self.vitals.stop();
        let mut order = Order::Stop;
        // The queue may be full of work that is done first.
        while let Err(TrySendError::Full(back)) = self.orders.try_send(order) {
            order = back;
            self.waker.wake();
            std::thread::yield_now();
        }
        self.waker.wake();
        // A panic of the media thread was counted and reported by its own hook.
        let _ = thread.join();
        writer.join();
    }

    /// Waits until a thread without which nothing is heard has failed, and names it. Never resolves
    /// after an orderly stop.
    pub async fn failed(&self) -> &'static str {
        self.vitals.wait().await
    }

    /// The thread that failed, if any did.
    #[must_use]
    pub fn fault(&self) -> Option<&'static str> {
        self.vitals.failed()
    }

    /// Makes the leg here and tells it at once. The media thread learns of it with its next turn.
    fn prepare(&self, leg: LegId, remote: Option<Peer>) -> Result<(), Full> {
        // The hub that does not fetch its events gets no more work done.
        let room = self.events.try_reserve().map_err(|_| Full)?;
        room.send(match self.maker.make(leg, remote.as_ref()) {
            Ok(made) => {
                let local = made.local().clone();
                if self.order(Order::Leg(Box::new(made))).is_err() {
                    self.maker.forget(leg);
                    return Err(Full);
                }
                MediaEvent::Prepared { leg, local }
            }
            // A port may be in the hands of a leg whose end waits for the media thread.
            Err(MediaFault::NoPort) => {
                return self.order(Order::Command(MediaCommand::Prepare { leg, remote }));
            }
            Err(why) => MediaEvent::PrepareFailed { leg, why },
        });
        Ok(())
    }

    fn order(&self, order: Order) -> Result<(), Full> {
        let urgent = is_urgent(&order);
        self.orders.try_send(order).map_err(|_| Full)?;
        if urgent {
            self.waker.wake();
        }
        Ok(())
    }
}

/// Whether somebody would hear the difference between now and the next tick, at most 20 ms later.
/// Waking the thread costs more than most orders.
fn is_urgent(order: &Order) -> bool {
    !matches!(
        order,
        Order::Leg(_)
            | Order::Command(
                // A graph follows when a leg comes up. After a re-INVITE a packet or two still go
                // where those did that were on their way when it came.
                MediaCommand::Remote { .. }
                    | MediaCommand::Close { .. }
                    | MediaCommand::CallEnded { .. }
                    | MediaCommand::ClipGone { .. }
            )
    )
}

impl Drop for MediaHandle {
    fn drop(&mut self) {
        self.vitals.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_address_that_nobody_can_send_to_is_told() {
        let told = |bind: &str, advertise: &str, browser: &str, browser_advertise: Option<&str>| {
            let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
            let config = MediaConfig {
                bind: ip(bind),
                advertise: ip(advertise),
                rtp_ports: 0..=0,
                browser: (ip(browser), 0).into(),
                browser_advertise: browser_advertise.map(ip),
                threads: 0,
                realtime: false,
            };
            match told_to_pages(&config) {
                Ok(told) => told.to_string(),
                Err(MediaError::NoAdvertise { address, setting }) => format!("{setting} {address}"),
                Err(other) => panic!("{other}"),
            }
        };
        let (all, all6, here, public) = ("0.0.0.0", "::", "127.0.0.1", "192.0.2.7");
        for (bind, advertise, browser, browser_advertise, expected) in [
            (here, here, here, None, here),
            (all, public, all, None, public),
            (all, public, here, None, here),
            (all, public, all6, Some("192.0.2.8"), "192.0.2.8"),
            (all, all, here, None, "media.advertise 0.0.0.0"),
            (all6, all6, here, Some(public), "media.advertise ::"),
            (here, here, all, None, "media.browser_advertise 0.0.0.0"),
            (public, public, here, Some(all), "media.browser_advertise 0.0.0.0"),
            (all6, "2001:db8::1", all, None, "media.browser_advertise 2001:db8::1"),
        ] {
            assert_eq!(told(bind, advertise, browser, browser_advertise), expected);
        }
    }
}
