//! All transactions (RFC 3261 section 17), found by what their messages carry, and their deadlines.
//!
//! Nothing is sent here: what is to be sent is handed back. Invariant: each transaction has its
//! place in the list of deadlines, or waits for us to respond or for a far side that rings.

mod machine;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use model::LegId;
use model::limits;
use tokio::time::Instant;

use crate::addr;
use crate::message::{Message, Method};
use crate::via;
use crate::way::Way;

pub(crate) use machine::Heard;
use machine::{Client, Fired, Kind, Server, Timers};

/// Names a transaction: method, branch and sent-by of one that was received (RFC 3261 section
/// 17.2.3), method and branch of one of ours (section 17.1.3).
pub(crate) type Key = Arc<str>;

/// The key of the transaction that a request belongs to, as one of `method`: an ACK looks for its
/// INVITE, and so does a CANCEL for the one that it ends.
pub(crate) fn asked(request: &Message, method: Method) -> Key {
    let via = request.via();
    let method = method.name();
    match addr::param(via::params(via), "branch").filter(|branch| branch.starts_with(COOKIE)) {
        Some(branch) => {
            let (host, port) = via::sent_by(via).unwrap_or(("", None));
            format!("< {method} {branch} {host} {port:?}").into()
        }
        // From before RFC 3261.
        None => {
            let (call, cseq) = (request.call_id(), request.cseq().unwrap_or(0));
            let tag = request.tag_from().unwrap_or("");
            format!("< {method} {call} {tag} {cseq} {via}").into()
        }
    }
}

const COOKIE: &str = "z9hG4bK";

fn sent(method: Method, branch: &str) -> Key {
    format!("> {} {branch}", method.name()).into()
}

/// Whose INVITE it is, by its CSeq.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) leg: LegId,
    pub(crate) cseq: u32,
}

/// What a deadline asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Send this again.
    Send(Bytes, Way),
    /// A 2xx of ours was never acknowledged.
    NotAcked(Owner),
    /// An INVITE of ours was never answered.
    NotAnswered(Owner),
}

#[derive(Debug)]
enum Machine {
    Server(Server),
    Client(Client),
}

#[derive(Debug)]
struct Transaction {
    machine: Machine,
    peer: Way,
    owner: Option<Owner>,
    /// Its place in the list of deadlines.
    due: Option<Instant>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Transactions {
    timers: Timers,
    all: HashMap<Key, Transaction>,
    deadlines: BTreeSet<(Instant, Key)>,
    /// Those over streams.
    streamed: BTreeSet<(Way, Key)>,
    /// How many wait for an answer or an ACK of the far side.
    waiting: usize,
}

impl Transaction {
    fn waits(&self) -> bool {
        match &self.machine {
            Machine::Server(server) => server.waits(),
            Machine::Client(client) => client.waits(),
        }
    }

    /// Whether either side waits for the other's final response.
    fn is_pending(&self) -> bool {
        match &self.machine {
            Machine::Server(server) => server.is_open(),
            Machine::Client(client) => client.waits(),
        }
    }
}

impl Transactions {
    pub(crate) fn new(t1: Duration) -> Self {
        let (all, deadlines, streamed) = (HashMap::new(), BTreeSet::new(), BTreeSet::new());
        Self { timers: Timers::new(t1), all, deadlines, streamed, waiting: 0 }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// How many wait for an answer or an ACK of the far side.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    /// How long an answer is waited for.
    pub(crate) fn patience(&self) -> Duration {
        self.timers.patience()
    }

    /// When the next deadline is.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Changes one transaction, and keeps the lists in step.
    fn with<T>(
        &mut self,
        key: &Key,
        change: impl FnOnce(&mut Transaction, Timers) -> T,
    ) -> Option<T> {
        let transaction = self.all.get_mut(key)?;
        let waited = transaction.waits();
        let result = change(transaction, self.timers);
        self.waiting = self.waiting + usize::from(transaction.waits()) - usize::from(waited);
        let due = match &transaction.machine {
            Machine::Server(server) => server.due(),
            Machine::Client(client) => client.due(),
        };
        if due != transaction.due {
            if let Some(old) = std::mem::replace(&mut transaction.due, due) {
                self.deadlines.remove(&(old, Arc::clone(key)));
            }
            if let Some(at) = due {
                self.deadlines.insert((at, Arc::clone(key)));
            }
        }
        Some(result)
    }

    fn add(&mut self, key: &Key, machine: Machine, peer: Way, owner: Option<Owner>) {
        self.remove(key);
        if peer.is_stream() {
            self.streamed.insert((peer, Arc::clone(key)));
        }
        let new = Transaction { machine, peer, owner, due: None };
        self.waiting += usize::from(new.waits());
        self.all.insert(Arc::clone(key), new);
        self.with(key, |_, _| ());
    }

    fn remove(&mut self, key: &Key) {
        let Some(gone) = self.all.remove(key) else { return };
        self.waiting -= usize::from(gone.waits());
        if let Some(at) = gone.due {
            self.deadlines.remove(&(at, Arc::clone(key)));
        }
        if gone.peer.is_stream() {
            self.streamed.remove(&(gone.peer, Arc::clone(key)));
        }
    }

    /// Begins a transaction with a request that came. Over `limits::SIP_TRANSACTIONS_MAX` it is not
    /// kept, which gives false: its response goes out once, and a copy of it counts as new.
    pub(crate) fn begin(&mut self, key: &Key, request: &Message) -> bool {
        let room = self.all.len() < limits::SIP_TRANSACTIONS_MAX;
        if room {
            let is_invite = request.method() == Some(Method::Invite);
            let server = Server::new(Kind { is_invite, is_reliable: request.peer.is_stream() });
            self.add(key, Machine::Server(server), request.peer, None);
        }
        room
    }

    /// Where a transaction's messages go.
    pub(crate) fn peer(&self, key: &Key) -> Option<Way> {
        self.all.get(key).map(|transaction| transaction.peer)
    }

    /// Says whose INVITE it is.
    pub(crate) fn belongs(&mut self, key: &Key, owner: Owner) {
        if let Some(transaction) = self.all.get_mut(key) {
            transaction.owner = Some(owner);
        }
    }

    /// Whether a request is a copy of one that came before, and what was said to that last.
    pub(crate) fn copied(&self, key: &Key) -> Option<Option<(Bytes, Way)>> {
        let transaction = self.all.get(key)?;
        let Machine::Server(server) = &transaction.machine else { return None };
        Some(server.copied().map(|said| (said, transaction.peer)))
    }

    /// Takes a response of ours. True when it is to be sent.
    pub(crate) fn respond(
        &mut self,
        now: Instant,
        key: &Key,
        status: u16,
        message: &Bytes,
    ) -> bool {
        let taken = self.with(key, |transaction, timers| match &mut transaction.machine {
            Machine::Server(server) => server.respond(now, timers, status, message),
            Machine::Client(_) => false,
        });
        // One that found no room, or that is long over, has nothing to say twice.
        taken.unwrap_or(status >= 200)
    }

    /// Whose INVITE this is, as long as it has no final response; a CANCEL asks.
    pub(crate) fn open(&self, key: &Key) -> Option<Option<Owner>> {
        let transaction = self.all.get(key)?;
        let Machine::Server(server) = &transaction.machine else { return None };
        Some(transaction.owner.filter(|_| server.is_open()))
    }

    /// Whether somebody still waits for our final response.
    pub(crate) fn is_unanswered(&self, key: &Key) -> bool {
        self.all.get(key).is_some_and(|transaction| match &transaction.machine {
            Machine::Server(server) => server.is_open(),
            Machine::Client(_) => false,
        })
    }

    /// Forgets a transaction at once: its next message counts as its first.
    pub(crate) fn drop_at_once(&mut self, key: &Key) {
        self.remove(key);
    }

    /// The ACK of a refusal came. False when the ACK is the dialog's.
    pub(crate) fn refusal_acked(&mut self, now: Instant, key: &Key) -> bool {
        let taken = self.with(key, |transaction, timers| match &mut transaction.machine {
            Machine::Server(server) if server.was_refused() => {
                server.acked(now, timers);
                true
            }
            _ => false,
        });
        taken.unwrap_or(false)
    }

    /// The final response of an INVITE is of no more interest: its ACK came, or its dialog is over.
    pub(crate) fn settled(&mut self, now: Instant, key: &Key) {
        self.with(key, |transaction, timers| {
            if let Machine::Server(server) = &mut transaction.machine {
                server.acked(now, timers);
            }
        });
    }

    /// Begins a transaction of ours with a request that is sent now.
    pub(crate) fn send(
        &mut self,
        now: Instant,
        (method, branch): (Method, &str),
        message: Bytes,
        peer: Way,
        owner: Option<Owner>,
    ) -> Key {
        let key = sent(method, branch);
        let kind = Kind { is_invite: method == Method::Invite, is_reliable: peer.is_stream() };
        let client = Client::new(now, self.timers, kind, message);
        self.add(&key, Machine::Client(client), peer, owner);
        key
    }

    /// Ends a transaction of ours that waits for an answer, without a word: a 2xx came, or its leg
    /// is gone.
    pub(crate) fn give_up(&mut self, key: &Key) {
        if self.all.get(key).is_some_and(Transaction::waits) {
            self.remove(key);
        }
    }

    /// A response came, but for a 2xx to an INVITE, which is the dialog's: its transaction, and
    /// whether it is news to that.
    pub(crate) fn heard(&mut self, now: Instant, response: &Message) -> Option<(Key, Heard)> {
        let method = response.cseq_method()?;
        let branch = addr::param(via::params(response.via()), "branch")?;
        let (key, status) = (sent(method, branch), response.status());
        let heard = self.with(&key, |transaction, timers| match &mut transaction.machine {
            Machine::Client(client) => Some(client.response(now, timers, status)),
            Machine::Server(_) => None,
        });
        heard.flatten().map(|heard| (key, heard))
    }

    /// What was sent last in a transaction of ours, where to, and for whom.
    pub(crate) fn last(&self, key: &Key) -> Option<(Bytes, Way, Option<Owner>)> {
        let transaction = self.all.get(key)?;
        let Machine::Client(client) = &transaction.machine else { return None };
        Some((client.message().clone(), transaction.peer, transaction.owner))
    }

    /// Keeps the ACK of a refusal, for copies of that.
    pub(crate) fn acknowledge(&mut self, key: &Key, ack: Bytes) {
        if let Some(Transaction { machine: Machine::Client(client), .. }) = self.all.get_mut(key) {
            client.acknowledge(ack);
        }
    }

    /// What was sent in a transaction of ours went nowhere: nothing will come of it (RFC 3261,
    /// section 17.1.4).
    pub(crate) fn in_vain(&mut self, now: Instant, key: &Key) {
        self.with(key, |transaction, _| match &mut transaction.machine {
            Machine::Client(client) => client.in_vain(now),
            Machine::Server(_) => {}
        });
    }

    /// The way to a peer is gone: whose requests wait for an answer of it, or it for theirs.
    pub(crate) fn lost(&mut self, way: Way) -> Vec<Owner> {
        let first = (way, Key::from(""));
        let over_it = self.streamed.range(first..).take_while(|(of, _)| *of == way);
        let lost: Vec<Key> = over_it.map(|(_, key)| Arc::clone(key)).collect();
        let owner = |key: &Key| self.all.get(key).filter(|of| of.is_pending())?.owner;
        let owners = lost.iter().filter_map(owner).collect();
        lost.iter().for_each(|key| self.remove(key));
        owners
    }

    /// The next thing that is due, until `None`.
    pub(crate) fn fire(&mut self, now: Instant) -> Option<Task> {
        loop {
            let (at, key) = self.deadlines.first()?;
            if now < *at {
                return None;
            }
            let (at, key) = (*at, Arc::clone(key));
            let fired = self.with(&key, |transaction, timers| {
                let (peer, owner) = (transaction.peer, transaction.owner);
                let (fired, received) = match &mut transaction.machine {
                    Machine::Server(server) => (server.fire(now, timers), true),
                    Machine::Client(client) => (client.fire(now, timers), false),
                };
                (fired, received, peer, owner)
            });
            let Some((fired, received, peer, owner)) = fired else {
                self.deadlines.remove(&(at, key));
                continue;
            };
            match fired {
                Fired::Nothing => {}
                Fired::Again(message) => return Some(Task::Send(message, peer)),
                Fired::Ended => self.remove(&key),
                Fired::Unanswered => {
                    self.remove(&key);
                    if let Some(owner) = owner {
                        return Some(match received {
                            true => Task::NotAcked(owner),
                            false => Task::NotAnswered(owner),
                        });
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
