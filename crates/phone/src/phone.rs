//! The handle of a running telephone and of its calls, for tests, the demo and the command line.
//!
//! Dropping the last handle ends the task; [`Phone::close`] hangs up first.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::UdpSocket;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use crate::diary::{Entry, Report, What};
use crate::exchange::Exchange;
use crate::plan::{Agent, Plan};

/// How a telephone is set up.
#[derive(Debug, Clone)]
pub struct Config {
    /// Our SIP address; port 0 takes a free one. RTP uses free ports of the same address.
    pub bind: SocketAddr,
    /// What to do with calls that come; without it they are refused with 480.
    pub agent: Option<Agent>,
    /// Write every SIP message into the diary.
    pub trace: bool,
}

/// What a handle asks of the task.
#[derive(Debug)]
pub(crate) enum Order {
    Call(u64, Box<Plan>),
    Press(u64, char),
    Hold(u64, bool),
    HangUp(u64),
    Close(oneshot::Sender<()>),
}

type Listeners = Arc<Mutex<HashMap<u64, UnboundedSender<Entry>>>>;

/// A running telephone.
#[derive(Debug)]
pub struct Phone {
    local: SocketAddr,
    orders: UnboundedSender<Order>,
    listeners: Listeners,
    incoming: UnboundedReceiver<Call>,
    next: AtomicU64,
}

impl Phone {
    /// Starts a telephone on the current runtime. Every entry of its diary is also given to
    /// `diary`, if there is one.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn start(config: Config, diary: Option<UnboundedSender<Entry>>) -> io::Result<Self> {
        let sip = UdpSocket::bind(config.bind).await?;
        let local = sip.local_addr()?;
        let (orders, inbox) = unbounded_channel();
        let (entries, written) = unbounded_channel();
        let (calls, incoming) = unbounded_channel();
        let listeners = Listeners::default();
        let (exchange, notices) = Exchange::new(sip, config, entries)?;
        tokio::spawn(exchange.run(inbox, notices));
        let weak = orders.downgrade();
        tokio::spawn(distribute(written, diary, Arc::clone(&listeners), weak, calls));
        Ok(Self { local, orders, listeners, incoming, next: AtomicU64::new(1) })
    }

    /// Our SIP address.
    #[must_use]
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Makes a call.
    pub fn call(&self, plan: Plan) -> Call {
        let key = self.next.fetch_add(1, Ordering::Relaxed);
        let call = listen(&self.listeners, key, self.orders.clone());
        let _ = self.orders.send(Order::Call(key, Box::new(plan)));
        call
    }

    /// The next call that comes in. `None` when the telephone is closed.
    pub async fn incoming(&mut self) -> Option<Call> {
        self.incoming.recv().await
    }

    /// Hangs up every call and ends the telephone when all are over.
    pub async fn close(self) {
        let (done, closed) = oneshot::channel();
        if self.orders.send(Order::Close(done)).is_ok() {
            let _ = closed.await;
        }
    }
}

/// A call, outgoing or incoming.
#[derive(Debug)]
pub struct Call {
    key: u64,
    orders: UnboundedSender<Order>,
    entries: UnboundedReceiver<Entry>,
}

impl Call {
    /// Its number in the diary.
    #[must_use]
    pub fn key(&self) -> u64 {
        self.key
    }

    /// Presses a key.
    pub fn press(&self, key: char) {
        let _ = self.orders.send(Order::Press(self.key, key));
    }

    /// Puts the far side on hold, or takes it back, by re-INVITE.
    pub fn hold(&self, hold: bool) {
        let _ = self.orders.send(Order::Hold(self.key, hold));
    }

    /// Hangs up: CANCEL, BYE or 486, whatever fits.
    pub fn hang_up(&self) {
        let _ = self.orders.send(Order::HangUp(self.key));
    }

    /// The next entry of the diary about this call. `None` after the last.
    pub async fn next(&mut self) -> Option<Entry> {
        self.entries.recv().await
    }

    /// Waits for the first entry that fits; `None` when the call is over before.
    pub async fn until(&mut self, fits: impl Fn(&What) -> bool) -> Option<Entry> {
        loop {
            let entry = self.next().await?;
            if fits(&entry.what) {
                return Some(entry);
            }
        }
    }

    /// Waits for the end of the call. `None` when the telephone was closed before.
    pub async fn finished(&mut self) -> Option<Box<Report>> {
        match self.until(|what| matches!(what, What::Over(_))).await?.what {
            What::Over(report) => Some(report),
            _ => None,
        }
    }
}

fn listen(listeners: &Listeners, key: u64, orders: UnboundedSender<Order>) -> Call {
    let (sender, entries) = unbounded_channel();
    listeners.lock().unwrap_or_else(PoisonError::into_inner).insert(key, sender);
    Call { key, orders, entries }
}

/// Gives every entry to the diary and to the handle of its call.
async fn distribute(
    mut written: UnboundedReceiver<Entry>,
    diary: Option<UnboundedSender<Entry>>,
    listeners: Listeners,
    orders: tokio::sync::mpsc::WeakUnboundedSender<Order>,
    calls: UnboundedSender<Call>,
) {
    while let Some(entry) = written.recv().await {
        if let Some(diary) = &diary {
            let _ = diary.send(entry.clone());
        }
        if let (What::Incoming { .. }, Some(orders)) = (&entry.what, orders.upgrade()) {
            let _ = calls.send(listen(&listeners, entry.call, orders));
        }
        let mut listeners = listeners.lock().unwrap_or_else(PoisonError::into_inner);
        let over = matches!(entry.what, What::Over(_));
        let key = entry.call;
        // A dropped handle does not want to hear more.
        let gone = listeners.get(&key).is_some_and(|listener| listener.send(entry).is_err());
        if over || gone {
            listeners.remove(&key);
        }
    }
}
