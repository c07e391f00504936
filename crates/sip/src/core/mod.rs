//! The one task that owns the port, all transactions and all legs: it reads messages and commands,
//! one at a time.
//!
//! Nothing here waits for the network: every send is an attempt. So the order
//! in which this task reads is the order in which things happened, and a race has one outcome.

mod compose;
mod events;
mod guard;
mod inbound;
mod indialog;
mod leg;
mod outbound;
mod refer;
mod registering;
mod transact;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use model::LegId;
use model::sip::{LegCause, SipCommand, SipEvent};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

pub(crate) use events::Events;
use guard::AtWork;
use leg::{Leg, Pending, State};

use crate::registrar::Registrar;
use crate::shared::Shared;
use crate::socket::{Port, Read};
use crate::transaction::Transactions;

/// A second wake-up while nothing is due; the timer is moved when something is.
const IDLE: Duration = Duration::from_secs(3_600);
/// Messages that are taken before others get their turn.
const TURN_MAX: usize = 64;

/// What the core works with; the same for its whole life.
pub(crate) struct Env {
    pub(crate) shared: Arc<Shared>,
    pub(crate) port: Port,
    pub(crate) transactions: Transactions,
}

/// Where the core hears from, besides the socket.
pub(crate) struct Inlets {
    pub(crate) commands: mpsc::Receiver<SipCommand>,
    pub(crate) stop: oneshot::Receiver<()>,
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
    registrar: Registrar,
    started: Instant,
    at_work: AtWork,
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
            registrar: Registrar::new(),
            started: Instant::now(),
            at_work: AtWork::default(),
        }
    }

    /// Runs until it is told to stop or the handle is gone, then hangs up whatever is left.
    pub(crate) async fn run(mut self, mut inlets: Inlets) {
        let timer = tokio::time::sleep(IDLE);
        tokio::pin!(timer);
        loop {
            let due = self.due().unwrap_or_else(|| Instant::now() + IDLE);
            if timer.deadline() != due && (timer.deadline() > due || timer.is_elapsed()) {
                timer.as_mut().reset(due);
            }
            // In no order, so that a flood of messages keeps nothing else waiting.
            tokio::select! {
                () = self.env.port.readable() => {
                    if self.read() {
                        // Nor the others of this thread.
                        tokio::task::yield_now().await;
                    }
                }
                _ = &mut inlets.stop => break,
                command = inlets.commands.recv() => match command {
                    Some(command) => self.leg_guarded(|core| core.command(command)),
                    None => break,
                },
                () = self.events.flush(), if self.events.is_waiting() => {}
                () = &mut timer => self.leg_guarded(Self::timeouts),
            }
            self.count();
        }
        self.stop().await;
    }

    /// When something is due.
    fn due(&self) -> Option<Instant> {
        let leg = self.deadlines.first().map(|(at, _)| *at);
        leg.into_iter().chain(self.env.transactions.due()).chain(self.registration_due()).min()
    }

    /// Takes what arrived, but not all of a flood. True when there may be more.
    fn read(&mut self) -> bool {
        for _ in 0..TURN_MAX {
            match self.read_one() {
                Read::Message(message) => self.message_guarded(message),
                Read::Lost(way) => self.leg_guarded(|core| core.lost(way)),
                Read::Done => {}
                Read::Empty => return false,
                Read::Failed => return true,
            }
        }
        true
    }

    fn count(&self) {
        let tally = &self.env.shared.tally;
        tally.legs.store(self.legs.len(), Relaxed);
        tally.transactions.store(self.env.transactions.len(), Relaxed);
        tally.unanswered.store(self.env.transactions.waiting(), Relaxed);
        tally.events_waiting.store(self.events.waiting(), Relaxed);
        tally.connections.store(self.env.port.connections(), Relaxed);
        tally.phones.store(self.registrar.len(), Relaxed);
    }

    /// Ends every leg and sees the transactions through, for a bounded time.
    async fn stop(&mut self) {
        self.env.shared.draining.store(true, Relaxed);
        // Callers first, and with the reason: it is not they who left, and the legs that we dialled
        // for them are of no more use once they are gone.
        let mut legs: Vec<(bool, LegId)> =
            self.legs.iter().map(|(leg, state)| (state.call.is_some(), *leg)).collect();
        legs.sort_unstable();
        for (is_dialled, leg) in legs {
            let cause = if is_dialled { LegCause::Hangup } else { LegCause::NodeFailure };
            self.leg_guarded(|core| {
                core.works_on(leg);
                core.hangup(leg, cause);
            });
        }
        let deadline = Instant::now() + self.env.shared.config.shutdown_timeout;
        while Instant::now() < deadline {
            self.count();
            if self.legs.is_empty() && self.env.transactions.waiting() == 0 {
                break;
            }
            tokio::select! {
                () = self.env.port.readable() => {
                    if self.read() {
                        tokio::task::yield_now().await;
                    }
                }
                () = self.events.flush(), if self.events.is_waiting() => {}
                () = tokio::time::sleep(Duration::from_millis(20)) => {}
            }
            self.leg_guarded(Self::timeouts);
        }
        self.legs.clear();
        self.count();
    }

    fn command(&mut self, command: SipCommand) {
        match &command {
            SipCommand::Answer { leg, .. }
            | SipCommand::Ring { leg }
            | SipCommand::Reject { leg, .. }
            | SipCommand::Dial { leg, .. }
            | SipCommand::Reanswer { leg, .. }
            | SipCommand::RefuseChange { leg, .. }
            | SipCommand::Refer { leg, .. }
            | SipCommand::Hangup { leg, .. } => self.works_on(*leg),
            SipCommand::Phones { .. } | SipCommand::PhonesNamed => {}
        }
        match command {
            SipCommand::Answer { leg, local } => self.answer(leg, &local),
            SipCommand::Ring { leg } => self.ring(leg),
            SipCommand::Reject { leg, status, retry_after_s } => {
                self.reject(leg, status, retry_after_s);
            }
            SipCommand::Dial { leg, callee, caller, local } => {
                self.dial(leg, &callee, &caller, &local);
            }
            SipCommand::Reanswer { leg, change, local } => self.reanswer(leg, change, &local),
            SipCommand::RefuseChange { leg, change, status } => {
                self.refuse_change(leg, change, status);
            }
            SipCommand::Refer { leg, refer, status } => self.refer_ended(leg, refer, status),
            SipCommand::Hangup { leg, cause } => self.hangup(leg, cause),
            SipCommand::PhonesNamed => self.registrar.open(),
            SipCommand::Phones { tenant, accounts, contacts } => {
                self.phones(tenant, accounts, contacts);
            }
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
            // What waits for an answer gets one (RFC 3261 section 15.1.2).
            if let Some(Pending { asked, .. }) = &gone.pending {
                self.env.respond_plainly(asked, 487, "");
            }
            // After a final response this finds nothing to end.
            if let Some(call) = gone.call {
                self.env.transactions.give_up(&call);
            }
            // What was said is not repeated: whoever would acknowledge it is gone.
            let answered = match &gone.state {
                State::Answered(answered) => Some(&answered.asked.key),
                _ => None,
            };
            let reinvited = gone.reinvited.as_ref().map(|of| &of.key);
            for key in answered.into_iter().chain(reinvited) {
                self.env.transactions.settled(Instant::now(), key);
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
        self.registrations_end();
        self.repeat();
        let now = Instant::now();
        while let Some((at, leg)) = self.deadlines.first().copied()
            && at <= now
        {
            self.deadlines.pop_first();
            self.works_on(leg);
            let Some(state) = self.legs.get_mut(&leg) else { continue };
            state.deadline = None;
            match &state.state {
                // CANCEL was held back, and nothing provisional ever came.
                State::Calling(_) if state.ended => self.forget(leg),
                State::Offered(_) | State::Calling(_) => self.hangup(leg, LegCause::NoAnswer),
                State::Answered(_) | State::Up => self.reoffer_expired(leg),
                State::Leaving => self.forget(leg),
            }
        }
    }
}
