//! The one task that owns all legs: it reads commands, transactions and their news, one at a time.
//!
//! Nothing here waits for the network: every send is an attempt on a datagram socket. So the order
//! in which this task reads is the order in which things happened, and a race has one outcome.

mod drive;
mod events;
mod inbound;
mod indialog;
mod leg;
mod message;
mod outbound;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use model::LegId;
use model::sip::{LegCause, SipCommand, SipEvent};
use rsipstack::transaction::endpoint::EndpointInnerRef;
use rsipstack::transaction::transaction::Transaction;
use rsipstack::transport::SipConnection;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

pub(crate) use drive::{Note, Success, Watch};
pub(crate) use events::Events;
use leg::{Leg, Pending, State};

use crate::shared::Shared;
use crate::socket::Port;

/// A second wake-up while nothing is due; the timer is moved when something is.
const IDLE: Duration = Duration::from_secs(3_600);
/// How often the core looks whether the socket is still read.
const READER_LOOK_EVERY: Duration = Duration::from_secs(2);

/// What the core works with; the same for its whole life.
pub(crate) struct Env {
    pub(crate) shared: Arc<Shared>,
    pub(crate) port: Arc<Port>,
    pub(crate) endpoint: EndpointInnerRef,
    pub(crate) connection: SipConnection,
    pub(crate) notes: mpsc::UnboundedSender<Note>,
    /// Ends the tasks that drive transactions.
    pub(crate) cancel: CancellationToken,
}

/// Where the core hears from.
pub(crate) struct Inlets {
    pub(crate) commands: mpsc::Receiver<SipCommand>,
    pub(crate) transactions: mpsc::UnboundedReceiver<Transaction>,
    pub(crate) notes: mpsc::UnboundedReceiver<Note>,
    pub(crate) stop: oneshot::Receiver<()>,
    /// The transaction layer at work; it ends only with the plane.
    pub(crate) serving: JoinHandle<()>,
}

/// All legs, and the ways to find one.
pub(crate) struct Core {
    env: Env,
    events: Events,
    legs: HashMap<LegId, Leg>,
    /// Our tag to the leg: the To tag of requests that reach us, the From tag of responses.
    by_tag: HashMap<String, LegId>,
    /// Call-ID and From tag of incoming calls, to know a merged request (RFC 3261 section 8.2.2.2).
    by_call: HashMap<(String, String), LegId>,
    deadlines: BTreeSet<(Instant, LegId)>,
}

impl Core {
    pub(crate) fn new(env: Env, events: Events) -> Self {
        Self {
            env,
            events,
            legs: HashMap::new(),
            by_tag: HashMap::new(),
            by_call: HashMap::new(),
            deadlines: BTreeSet::new(),
        }
    }

    /// Runs until it is told to stop or the handle is gone, then hangs up whatever is left. Names
    /// the part that failed, if that is why it ended.
    pub(crate) async fn run(mut self, mut inlets: Inlets) -> Option<&'static str> {
        let timer = tokio::time::sleep(IDLE);
        tokio::pin!(timer);
        let mut look = interval(READER_LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut reads = None;
        loop {
            let due = self.deadlines.first().map_or_else(|| Instant::now() + IDLE, |(at, _)| *at);
            if timer.deadline() != due && (timer.deadline() > due || timer.is_elapsed()) {
                timer.as_mut().reset(due);
            }
            tokio::select! {
                // News of older messages come before newer transactions.
                biased;
                Some(note) = inlets.notes.recv() => self.note(note).await,
                _ = &mut inlets.stop => break,
                Some(transaction) = inlets.transactions.recv() => {
                    self.transaction(transaction).await;
                }
                command = inlets.commands.recv() => match command {
                    Some(command) => self.command(command),
                    None => break,
                },
                () = self.events.flush(), if self.events.is_waiting() => {}
                () = &mut timer => self.timeouts(),
                _ = &mut inlets.serving => return Some("SIP transaction layer"),
                _ = look.tick() => {
                    let stuck = self.env.port.stuck_after();
                    if stuck.is_some() && stuck == reads {
                        return Some("SIP reader");
                    }
                    reads = stuck;
                }
            }
            self.count();
        }
        self.stop(&mut inlets).await;
        None
    }

    fn count(&self) {
        let tally = &self.env.shared.tally;
        tally.legs.store(self.legs.len(), Relaxed);
        tally.events_waiting.store(self.events.waiting(), Relaxed);
    }

    /// Ends every leg and sees the transactions through, for a bounded time.
    async fn stop(&mut self, inlets: &mut Inlets) {
        self.env.shared.draining.store(true, Relaxed);
        // Callers first, and with the reason: it is not they who left, and the legs that we dialled
        // for them are of no more use once they are gone.
        let mut legs: Vec<(bool, LegId)> =
            self.legs.iter().map(|(leg, state)| (state.call.is_some(), *leg)).collect();
        legs.sort_unstable();
        for (is_dialled, leg) in legs {
            self.hangup(leg, if is_dialled { LegCause::Hangup } else { LegCause::NodeFailure });
        }
        let deadline = Instant::now() + self.env.shared.config.shutdown_timeout;
        while Instant::now() < deadline {
            self.count();
            if self.legs.is_empty() && self.env.shared.tally.tasks.load(Relaxed) == 0 {
                break;
            }
            tokio::select! {
                Some(note) = inlets.notes.recv() => self.note(note).await,
                Some(transaction) = inlets.transactions.recv() => {
                    self.transaction(transaction).await;
                }
                () = self.events.flush(), if self.events.is_waiting() => {}
                () = tokio::time::sleep(Duration::from_millis(20)) => self.timeouts(),
            }
        }
        self.legs.clear();
        self.count();
    }

    fn command(&mut self, command: SipCommand) {
        match command {
            SipCommand::Answer { leg, local } => self.answer(leg, &local),
            SipCommand::Reject { leg, status, retry_after_s } => {
                self.reject(leg, status, retry_after_s);
            }
            SipCommand::Dial { leg, target, caller, local } => {
                self.dial(leg, &target, &caller, &local);
            }
            SipCommand::Reanswer { leg, change, local } => self.reanswer(leg, change, &local),
            SipCommand::Hangup { leg, cause } => self.hangup(leg, cause),
        }
    }

    async fn note(&mut self, note: Note) {
        match note {
            Note::Cancelled { leg } => self.cancelled(leg),
            Note::Acked(request) => self.acked(&request),
            Note::NotAcked { leg, cseq } => self.not_acked(leg, cseq),
            Note::Response { leg, response } => self.response(leg, &response),
            Note::CallGone { leg } => self.call_gone(leg),
            Note::Success(success) => self.success(*success),
        }
    }

    async fn transaction(&mut self, transaction: Transaction) {
        use rsipstack::sip::Method;
        let inside = message::to_tag(&transaction.original).is_some();
        match transaction.original.method {
            Method::Invite if !inside => self.invite(transaction).await,
            _ => self.in_dialog(transaction).await,
        }
    }

    /// Sends one event; nothing follows `Ended`.
    fn tell(&mut self, leg: LegId, event: SipEvent) {
        if self.legs.get(&leg).is_some_and(|l| !l.ended) {
            self.events.push(event);
        }
    }

    /// Reports the end of a leg. The leg stays in the tables until [`Self::forget`].
    fn end(&mut self, leg: LegId, cause: LegCause, status: Option<u16>) {
        if let Some(state) = self.legs.get_mut(&leg)
            && !state.ended
        {
            state.ended = true;
            self.events.push(SipEvent::Ended { leg, cause, status });
        }
    }

    /// Removes a leg from all tables. Its transactions see to themselves.
    fn forget(&mut self, leg: LegId) {
        self.set_deadline(leg, None);
        if let Some(gone) = self.legs.remove(&leg) {
            self.by_tag.remove(&gone.dialog.local_tag);
            if let Some(key) = gone.call_key {
                self.by_call.remove(&key);
            }
            if let Some(Pending::Invite { tx, .. }) = &gone.pending {
                tx.respond(message::reply(&self.env.shared, &tx.request, 487, ""));
            }
            // After a final response this finds nothing to end.
            if let Some(call) = gone.call {
                call.abandon();
            }
        }
    }

    fn set_deadline(&mut self, leg: LegId, at: Option<Instant>) {
        let Some(state) = self.legs.get_mut(&leg) else { return };
        if let Some(old) = std::mem::replace(&mut state.deadline, at) {
            self.deadlines.remove(&(old, leg));
        }
        if let Some(at) = at {
            self.deadlines.insert((at, leg));
        }
    }

    fn timeouts(&mut self) {
        let now = Instant::now();
        while let Some((at, leg)) = self.deadlines.first().copied()
            && at <= now
        {
            self.deadlines.pop_first();
            let Some(state) = self.legs.get_mut(&leg) else { continue };
            state.deadline = None;
            match &state.state {
                State::Offered(_) | State::Calling(_) => self.hangup(leg, LegCause::NoAnswer),
                State::Answered(_) | State::Up => self.reoffer_expired(leg),
                State::Leaving => self.forget(leg),
            }
        }
    }

    /// How long a transaction may take at most: timers B, F, H (RFC 3261 section 17).
    fn transaction_time(&self) -> Duration {
        self.env.shared.config.t1 * 64
    }
}
