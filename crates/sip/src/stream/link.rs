//! One connection: what it brings goes to the core, what the core says goes out.
//!
//! Invariant: whatever the far side does, the core never waits for it. A connection that takes
//! nothing, brings nothing whole or proves nothing in time is closed.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use model::limits;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout, timeout_at};

use super::frame::{Frame, Framer};
use crate::way::Way;

const WRITE_TIME: Duration = Duration::from_secs(limits::SIP_STREAM_WRITE_S_MAX);
/// How long the far side may take to read our last word and to close: a connection that is closed
/// over bytes nobody read is reset, and the reset overtakes that word.
const FAREWELL: Duration = Duration::from_secs(2);
/// What is read at once.
const READ_BYTES: usize = 4 * 1_024;
/// How long a connection may be silent whose far end was recognised: longer than any registration
/// without a refresh.
const REST: Duration = Duration::from_secs(2 * limits::SIP_EXPIRES_S_MAX as u64);

/// Tells one connection from another one with the same far end, later.
pub(crate) type Serial = u64;

/// What a connection tells the core.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// It is there.
    Opened(Way, Link),
    /// It brought this.
    Message(Way, Serial, Vec<u8>),
    /// It brings nothing more, and takes nothing that is said later.
    Closed(Way, Serial),
}

/// What the core thinks of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing yet: it has to wait.
    Unseen,
    /// It may speak, for a while.
    Stranger,
    /// Somebody is reached by it: it may rest.
    Kept,
}

/// The core's end of a connection. Dropping it closes the connection, once all is written.
#[derive(Debug)]
pub(crate) struct Link {
    pub(super) serial: Serial,
    outgoing: mpsc::UnboundedSender<Bytes>,
    /// Bytes in `outgoing`.
    waiting: Arc<AtomicUsize>,
    standing: watch::Sender<Standing>,
}

/// Why a message was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unsent {
    /// The connection is over.
    Gone,
    /// The far side takes too little.
    Stuck,
}

impl Link {
    pub(super) fn standing(&self) -> Standing {
        *self.standing.borrow()
    }

    pub(super) fn stands(&self, standing: Standing) {
        self.standing.send_replace(standing);
    }

    /// Hands a message over without waiting.
    pub(super) fn send(&self, message: Bytes) -> Result<(), Unsent> {
        let most = match self.standing() {
            Standing::Kept => limits::SIP_STREAM_WAITING_BYTES_MAX,
            Standing::Unseen | Standing::Stranger => limits::SIP_STREAM_NEW_WAITING_BYTES_MAX,
        };
        let length = message.len();
        if self.waiting.load(Relaxed) + length > most {
            return Err(Unsent::Stuck);
        }
        self.waiting.fetch_add(length, Relaxed);
        self.outgoing.send(message).map_err(|_| Unsent::Gone)
    }
}

/// The other end of a [`Link`].
#[derive(Debug)]
pub(super) struct Wire {
    way: Way,
    serial: Serial,
    outgoing: mpsc::UnboundedReceiver<Bytes>,
    waiting: Arc<AtomicUsize>,
    standing: watch::Receiver<Standing>,
    arrivals: mpsc::Sender<Arrival>,
    /// How long a message may take, and the first ones of a stranger.
    patience: Duration,
}

/// Both ends of a connection.
pub(super) fn pair(
    way: Way,
    serial: Serial,
    arrivals: mpsc::Sender<Arrival>,
    patience: Duration,
) -> (Link, Wire) {
    let (sender, outgoing) = mpsc::unbounded_channel();
    let (stands, standing) = watch::channel(Standing::Unseen);
    let waiting = Arc::<AtomicUsize>::default();
    let link = Link { serial, outgoing: sender, waiting: Arc::clone(&waiting), standing: stands };
    (link, Wire { way, serial, outgoing, waiting, standing, arrivals, patience })
}

impl Wire {
    /// Serves the connection until it ends. `stream` is what there is after a handshake, which
    /// waits until the core lets the stranger in.
    pub(super) async fn serve<S>(mut self, stream: impl Future<Output = io::Result<S>>)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        if self.standing.wait_for(|standing| *standing != Standing::Unseen).await.is_err() {
            return;
        }
        let shaken = tokio::select! {
            shaken = timeout(self.patience, stream) => shaken,
            // The core wants its place for another.
            () = gone(&mut self.standing) => return,
        };
        let closed = Arrival::Closed(self.way, self.serial);
        let Ok(Ok(stream)) = shaken else {
            _ = self.arrivals.send(closed).await;
            return;
        };
        let (mut reader, mut writer) = tokio::io::split(stream);
        let ended = {
            let write = write(&mut writer, &mut self.outgoing, &self.waiting);
            tokio::pin!(write);
            let (own, told) = ((self.way, self.serial), self.standing.clone());
            tokio::select! {
                () = read(&mut reader, own, self.patience, told, &self.arrivals) => {
                    _ = self.arrivals.send(closed).await;
                    // The core lets go of it when it has said the last.
                    timeout(WRITE_TIME, write).await.is_ok()
                }
                written = &mut write => {
                    _ = self.arrivals.send(closed).await;
                    // A stranger who had to make room gets no more of our time.
                    written && *self.standing.borrow() == Standing::Kept
                }
            }
        };
        if ended {
            _ = timeout(FAREWELL, part(reader, writer)).await;
        }
    }
}

/// Resolves when the core has let go of a connection.
async fn gone(standing: &mut watch::Receiver<Standing>) {
    while standing.changed().await.is_ok() {}
}

/// Until there is nothing more to read, or nothing that can be. A message has its time from its
/// first byte on; as long as nobody is recognised, all of them together have it.
async fn read(
    reader: &mut (impl AsyncRead + Unpin),
    (way, serial): (Way, Serial),
    patience: Duration,
    mut standing: watch::Receiver<Standing>,
    arrivals: &mpsc::Sender<Arrival>,
) {
    let (mut framer, mut buffer) = (Framer::default(), vec![0; READ_BYTES]);
    let mut begun = Instant::now();
    loop {
        let rests = *standing.borrow_and_update() == Standing::Kept && !framer.is_amid();
        let most = if rests { REST } else { patience };
        let length = tokio::select! {
            read = timeout_at(begun + most, reader.read(&mut buffer)) => match read {
                Ok(Ok(length)) if length > 0 => length,
                Ok(_) | Err(_) => return,
            },
            changed = standing.changed() => {
                if changed.is_err() {
                    // The core has let go, and whoever writes sees to the end.
                    std::future::pending::<()>().await;
                }
                if !framer.is_amid() {
                    begun = Instant::now();
                }
                continue;
            }
        };
        if rests {
            begun = Instant::now();
        }
        framer.push(&buffer[..length]);
        while let Some(frame) = framer.next() {
            let (message, is_last) = match frame {
                Frame::Message(message) => (message, false),
                Frame::Broken(rest) => (rest, true),
            };
            if arrivals.send(Arrival::Message(way, serial, message)).await.is_err() || is_last {
                return;
            }
            if *standing.borrow() == Standing::Kept {
                begun = Instant::now();
            }
        }
    }
}

/// Until the core lets go of the connection (true), or the far side takes nothing.
async fn write(
    writer: &mut (impl AsyncWrite + Unpin),
    outgoing: &mut mpsc::UnboundedReceiver<Bytes>,
    waiting: &AtomicUsize,
) -> bool {
    while let Some(message) = outgoing.recv().await {
        let sent = async {
            writer.write_all(&message).await?;
            writer.flush().await
        };
        if !matches!(timeout(WRITE_TIME, sent).await, Ok(Ok(()))) {
            return false;
        }
        waiting.fetch_sub(message.len(), Relaxed);
    }
    true
}

/// Says that nothing more comes, and reads until the far side says so too.
async fn part(
    mut reader: impl AsyncRead + Unpin,
    mut writer: impl AsyncWrite + Unpin,
) -> io::Result<()> {
    writer.shutdown().await?;
    let mut away = vec![0; READ_BYTES];
    while reader.read(&mut away).await? > 0 {}
    Ok(())
}
