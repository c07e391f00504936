//! The way into a cell. Work that can be refused is refused when too much waits; what already
//! belongs to a call or a lease is always taken, for losing it would strand somebody.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use model::Input;
use model::id::{CallId, RecordingId};
use model::limits;
use model::media::ClipId;
use model::refusal::Refusal;
use store::FloorRow;
use tokio::sync::{mpsc, oneshot};

/// Where the reply to a command goes.
pub(crate) type Answer = oneshot::Sender<Result<(), Refusal>>;

/// One message to a cell task.
#[derive(Debug)]
pub(crate) enum Message {
    /// An input, the rows that belong in its commit, and who waits for the reply.
    Input { input: Input, rows: Vec<FloorRow>, reply: Option<Answer> },
    /// The media plane finished a recording file.
    RecordingEnded {
        call: CallId,
        recording: RecordingId,
        length_ms: i64,
        sha256: String,
        complete: bool,
    },
    /// Nobody names these clips once the inputs before this message are carried out.
    ClipsGone(Vec<ClipId>),
    /// Save everything and stop.
    Stop(oneshot::Sender<()>),
}

/// The sending end.
#[derive(Debug, Clone)]
pub(crate) struct Mailbox {
    sender: mpsc::UnboundedSender<Message>,
    waiting: Arc<AtomicUsize>,
}

/// The receiving end.
#[derive(Debug)]
pub(crate) struct Inbox {
    receiver: mpsc::UnboundedReceiver<Message>,
    waiting: Arc<AtomicUsize>,
}

/// A mailbox and its inbox.
pub(crate) fn mailbox() -> (Mailbox, Inbox) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    (Mailbox { sender, waiting: waiting.clone() }, Inbox { receiver, waiting })
}

impl Mailbox {
    /// Hands in work that may be refused. False when too much waits or the cell is gone.
    pub(crate) fn offer(&self, message: Message) -> bool {
        self.waiting.load(Ordering::Relaxed) < limits::CELL_MAILBOX_INPUTS_MAX && self.post(message)
    }

    /// Hands in what must arrive. False only when the cell is gone.
    pub(crate) fn post(&self, message: Message) -> bool {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.sender.send(message).is_ok()
    }

    /// Hands in an input that must arrive.
    pub(crate) fn input(&self, input: Input) -> bool {
        self.post(Message::Input { input, rows: Vec::new(), reply: None })
    }

    /// Messages that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}

impl Inbox {
    pub(crate) async fn receive(&mut self) -> Option<Message> {
        let message = self.receiver.recv().await;
        self.waiting.fetch_sub(usize::from(message.is_some()), Ordering::Relaxed);
        message
    }

    pub(crate) fn try_receive(&mut self) -> Option<Message> {
        let message = self.receiver.try_recv().ok();
        self.waiting.fetch_sub(usize::from(message.is_some()), Ordering::Relaxed);
        message
    }
}
