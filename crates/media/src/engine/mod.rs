//! The engine: its configuration, its threads, and the handle the hub holds.
//!
//! Invariant: a command is either queued or refused at once; nothing here waits for a media thread
//! except [`MediaHandle::stop`].

mod call;
mod clock;
mod leg;
mod outbox;
mod page;
mod plan;
mod ports;
mod reception;
mod record;
mod report;
mod sound;
mod worker;

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use model::media::{MediaCommand, MediaEvent};

use crate::metrics::{Counters, Metrics};
use crate::recording::writer::Writer;
use crate::sys::{self, Waker};
use crate::webrtc::BrowserLeg;

use self::outbox::Outbox;
use self::page::Pages;
use self::ports::Ports;
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
    /// The system refused a socket, a timer or a thread.
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
    waker: Arc<Waker>,
    counters: Arc<Counters>,
    /// `None` once they were stopped.
    threads: Mutex<Option<(JoinHandle<()>, Writer)>>,
    browser: SocketAddr,
}

/// Starts the media plane. Events go to `events` and never wait for room there.
///
/// # Errors
/// [`MediaError`] when a socket, a timer or a thread cannot be made.
pub fn start(
    config: MediaConfig,
    events: tokio::sync::mpsc::Sender<MediaEvent>,
) -> Result<MediaHandle, MediaError> {
    if config.threads > 1 {
        return Err(MediaError::Threads(config.threads));
    }
    sys::raise_open_files();
    let (orders, inbox) = sync_channel(ORDERS_MAX);
    let waker = Arc::new(Waker::new()?);
    let counters = Arc::new(Counters::default());
    let ports = Arc::new(Ports::new(config.bind, &config.rtp_ports));
    let socket = UdpSocket::bind(config.browser)?;
    let bound = socket.local_addr()?;
    let advertised = match config.browser_advertise {
        Some(address) => address,
        None if bound.ip().is_unspecified() => config.advertise,
        None => bound.ip(),
    };
    let browser = SocketAddr::new(advertised, bound.port());
    let pages = Pages::new(socket, browser)?;
    let (writer, link) = Writer::start(events.clone())?;
    let ends = (Outbox::new(events, Arc::clone(&counters)), Tray::new(link));
    let worker = Worker::new(
        config,
        (ports, pages),
        inbox,
        Arc::clone(&waker),
        Arc::clone(&counters),
        ends,
    )?;
    let thread = std::thread::Builder::new().name("media-0".into()).spawn(move || worker.run())?;
    let threads = Mutex::new(Some((thread, writer)));
    Ok(MediaHandle { orders, waker, counters, threads, browser })
}

impl MediaHandle {
    /// Queues a command.
    ///
    /// # Errors
    /// [`Full`] when the media thread is behind or stopped; nothing was queued.
    pub fn send(&self, command: MediaCommand) -> Result<(), Full> {
        // A prompt is encoded here, on the caller's thread: it may take milliseconds.
        let order = match command {
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

    fn order(&self, order: Order) -> Result<(), Full> {
        self.orders.try_send(order).map_err(|_| Full)?;
        self.waker.wake();
        Ok(())
    }
}
