//! The tasks that carry `rsipstack` transactions, and the news they send to the core.
//!
//! `Transaction::receive` must not be cancelled, so each transaction that can surprise us has a
//! task of its own that does nothing but receive and report; it ends with its transaction.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use async_trait::async_trait;
use model::LegId;
use rsipstack::sip::{
    Header, HeadersExt as _, Method, Request, Response, SipMessage, StatusCodeKind,
};
use rsipstack::transaction::endpoint::TransportEventInspector;
use rsipstack::transaction::key::{TransactionKey, TransactionRole};
use rsipstack::transaction::transaction::{Transaction, TransactionEvent, TransactionEventSender};
use rsipstack::transport::{SipAddr, TransportEvent};
use tokio::sync::mpsc::UnboundedSender;

use super::Env;
use crate::shared::Shared;

/// News of a transaction.
pub(crate) enum Note {
    /// The caller gave up.
    Cancelled { leg: LegId },
    /// An ACK inside a dialog of ours came.
    Acked(Box<Request>),
    /// It never was.
    NotAcked { leg: LegId, cseq: u32 },
    /// A provisional or a refusal of our INVITE.
    Response { leg: LegId, response: Box<Response> },
    /// Our INVITE has no transaction any more.
    CallGone { leg: LegId },
    /// An INVITE of ours succeeded: every 2xx, copies and forks included.
    Success(Box<Success>),
}

/// A 2xx to an INVITE and where it came from.
pub(crate) struct Success {
    pub(crate) response: Response,
    pub(crate) source: SocketAddr,
}

/// The core's end of a transaction that a task drives.
pub(crate) struct Driven {
    key: TransactionKey,
    inlet: TransactionEventSender,
}

impl Driven {
    /// Ends the transaction without a word: its dialog is over by other means.
    pub(crate) fn abandon(&self) {
        let _ = self.inlet.send(TransactionEvent::Terminate(self.key.clone()));
    }
}

/// An INVITE that we received, and the way to answer it.
pub(crate) struct ServerTx {
    pub(crate) request: Request,
    driven: Driven,
}

impl ServerTx {
    pub(crate) fn respond(&self, response: Response) {
        // A transaction that is over has nobody to hear the response.
        let _ = self.driven.inlet.send(TransactionEvent::Respond(response));
    }

    pub(crate) fn abandon(&self) {
        self.driven.abandon();
    }
}

/// Counts a task for as long as it lives.
struct Counted(Arc<Shared>);

impl Counted {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.tally.tasks.fetch_add(1, Relaxed);
        Self(Arc::clone(shared))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.tally.tasks.fetch_sub(1, Relaxed);
    }
}

impl Env {
    /// Drives an INVITE that we received.
    pub(super) fn serve(&self, mut transaction: Transaction, leg: LegId, cseq: u32) -> ServerTx {
        let handle =
            ServerTx { request: transaction.original.clone(), driven: driven(&transaction) };
        let notes = self.notes.clone();
        self.drive(async move {
            while let Some(message) = transaction.receive().await {
                let SipMessage::Request(request) = message else { continue };
                if request.method == Method::Cancel {
                    let _ = notes.send(Note::Cancelled { leg });
                    continue;
                }
                // The ACK itself came from [`Watch`], before whatever the far side sent next.
                return;
            }
            let _ = notes.send(Note::NotAcked { leg, cseq });
        });
        handle
    }

    /// Sends an INVITE and reports what comes back, except 2xx: those come from [`Watch`].
    pub(super) fn call(&self, request: Request, peer: SocketAddr, leg: LegId) -> Option<Driven> {
        let notes = self.notes.clone();
        self.client(request, peer, move |mut transaction| async move {
            if transaction.send().await.is_ok() {
                while let Some(message) = transaction.receive().await {
                    forward(&notes, leg, message);
                }
            }
            let _ = notes.send(Note::CallGone { leg });
        })
    }

    /// Sends a BYE or CANCEL, repeats it as needed, and cares for nothing else.
    pub(super) fn request(&self, request: Request, peer: SocketAddr) -> Option<Driven> {
        self.client(request, peer, |mut transaction| async move {
            if transaction.send().await.is_ok() {
                while let Some(message) = transaction.receive().await {
                    let done = matches!(message, SipMessage::Response(r)
                        if r.status_code.kind() != StatusCodeKind::Provisional);
                    if done {
                        return;
                    }
                }
            }
        })
    }

    /// Sends the one response of a transaction that nobody drives.
    pub(super) fn respond(&self, mut transaction: Transaction, response: Response) {
        self.drive(async move {
            let _ = transaction.respond(response).await;
        });
    }

    /// Runs until it is finished or the plane has ended; what is dropped then lets the socket go.
    fn drive(&self, task: impl Future<Output = ()> + Send + 'static) {
        let (counted, cancel) = (Counted::new(&self.shared), self.cancel.clone());
        // A transaction is thousands of bytes; in a box no layer of the task copies it.
        let task = Box::pin(task);
        tokio::spawn(async move {
            let _counted = counted;
            tokio::select! {
                biased;
                () = task => {}
                () = cancel.cancelled() => {}
            }
        });
    }

    fn client<F, D>(&self, request: Request, peer: SocketAddr, drive: D) -> Option<Driven>
    where
        D: FnOnce(Transaction) -> F,
        F: Future<Output = ()> + Send + 'static,
    {
        let key = TransactionKey::from_request(&request, TransactionRole::Client).ok()?;
        let connection = Some(self.connection.clone());
        let mut transaction =
            Transaction::new_client(key, request, Arc::clone(&self.endpoint), connection);
        transaction.destination = Some(SipAddr::from(peer));
        let handle = driven(&transaction);
        self.drive(drive(transaction));
        Some(handle)
    }
}

fn driven(transaction: &Transaction) -> Driven {
    Driven { key: transaction.key.clone(), inlet: transaction.tu_sender.clone() }
}

fn forward(notes: &UnboundedSender<Note>, leg: LegId, message: SipMessage) {
    if let SipMessage::Response(response) = message
        && response.status_code.kind() != StatusCodeKind::Successful
    {
        let _ = notes.send(Note::Response { leg, response: Box::new(response) });
    }
}

/// `rsipstack` writes `received=[[::1]]` and cannot read it back: without this, responses over IPv6
/// would go to whatever host the Via claims.
fn bare_received(request: &mut Request) {
    let top = request.headers.0.iter_mut().find_map(|h| match h {
        Header::Via(via) => Some(via),
        _ => None,
    });
    if let Some(via) = top
        && let Some((before, rest)) = via.value().split_once(";received=[")
    {
        let (address, after) = rest.split_at(rest.find([';', ',']).unwrap_or(rest.len()));
        *via = format!("{before};received={}{after}", address.trim_matches(['[', ']'])).into();
    }
}

/// Looks at what comes off the wire. Every 2xx to an INVITE goes to the core as well, because its
/// transaction is over with the first one, and copies and forks want an ACK too; and so does every
/// ACK, so that it reaches the core before a request that came behind it.
pub(crate) struct Watch {
    pub(crate) notes: UnboundedSender<Note>,
}

#[async_trait]
impl TransportEventInspector for Watch {
    async fn handle(&self, mut event: TransportEvent) -> Option<TransportEvent> {
        if let TransportEvent::Incoming(SipMessage::Request(request), _, source) = &mut event
            && source.get_socketaddr().is_ok_and(|source| source.is_ipv6())
        {
            bare_received(request);
        }
        if let TransportEvent::Incoming(SipMessage::Request(request), _, _) = &event
            && request.method == Method::Ack
        {
            let _ = self.notes.send(Note::Acked(Box::new(request.clone())));
        }
        if let TransportEvent::Incoming(SipMessage::Response(response), _, source) = &event
            && response.status_code.kind() == StatusCodeKind::Successful
            && response.cseq_header().is_ok_and(|c| c.value().trim_end().ends_with("INVITE"))
            && let Ok(source) = source.get_socketaddr()
        {
            let response = response.clone();
            let _ = self.notes.send(Note::Success(Box::new(Success { response, source })));
        }
        Some(event)
    }
}
