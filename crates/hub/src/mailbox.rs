//! The way into a cell. Work that can be refused is refused when too much waits; what already
//! belongs to a call or a lease is always taken, for losing it would strand somebody.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

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

/// How much waits, and whether it waits too long.
#[derive(Debug, Default)]
struct Queue {
    waiting: AtomicUsize,
    /// What was taken last had waited for more than [`LATE`].
    late: AtomicBool,
}

/// A cell that answers later than this takes no new calls.
const LATE: Duration = Duration::from_millis(limits::CELL_LATE_MS);

/// The sending end.
#[derive(Debug, Clone)]
pub(crate) struct Mailbox {
    sender: mpsc::UnboundedSender<(Instant, Message)>,
    queue: Arc<Queue>,
}

/// The receiving end.
#[derive(Debug)]
pub(crate) struct Inbox {
    receiver: mpsc::UnboundedReceiver<(Instant, Message)>,
    queue: Arc<Queue>,
}

/// A mailbox and its inbox.
pub(crate) fn mailbox() -> (Mailbox, Inbox) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let queue = Arc::new(Queue::default());
    (Mailbox { sender, queue: queue.clone() }, Inbox { receiver, queue })
}

impl Mailbox {
    /// Hands in work that may be refused. False when too much waits or the cell is gone.
    pub(crate) fn offer(&self, message: Message) -> bool {
        self.waiting() < limits::CELL_MAILBOX_INPUTS_MAX && self.post(message)
    }

    /// Whether the cell is behind: what it took last had waited for long, and more waits.
    pub(crate) fn is_late(&self) -> bool {
        self.waiting() > 0 && self.queue.late.load(Ordering::Relaxed)
    }

    /// Hands in what must arrive. False only when the cell is gone.
    pub(crate) fn post(&self, message: Message) -> bool {
        self.queue.waiting.fetch_add(1, Ordering::Relaxed);
        self.sender.send((Instant::now(), message)).is_ok()
    }

    /// Hands in an input that must arrive.
    pub(crate) fn input(&self, input: Input) -> bool {
        self.post(Message::Input { input, rows: Vec::new(), reply: None })
    }

    /// Messages that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.waiting.load(Ordering::Relaxed)
    }
}

impl Inbox {
    pub(crate) async fn receive(&mut self) -> Option<Message> {
        let message = self.receiver.recv().await;
        self.taken(message)
    }

    pub(crate) fn try_receive(&mut self) -> Option<Message> {
        let message = self.receiver.try_recv().ok();
        self.taken(message)
    }

    fn taken(&self, message: Option<(Instant, Message)>) -> Option<Message> {
        let (posted, message) = message?;
        self.queue.waiting.fetch_sub(1, Ordering::Relaxed);
        self.queue.late.store(posted.elapsed() > LATE, Ordering::Relaxed);
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_cell_is_late_while_what_it_takes_has_waited_and_more_waits() {
        let (mailbox, mut inbox) = mailbox();
        let work = || Message::ClipsGone(Vec::new());
        assert!(mailbox.offer(work()) && mailbox.offer(work()));
        std::thread::sleep(LATE + Duration::from_millis(1));
        assert!(!mailbox.is_late(), "nothing was taken");
        assert!(inbox.receive().await.is_some());
        assert!(mailbox.is_late(), "what was taken had waited");
        assert!(mailbox.offer(work()), "commands are still taken");
        while inbox.try_receive().is_some() {}
        assert!(!mailbox.is_late(), "nothing waits any more");
        assert_eq!(mailbox.waiting(), 0);
    }
}
