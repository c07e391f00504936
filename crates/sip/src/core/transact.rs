//! Where messages and transactions meet: what arrived goes to the leg it is about, once; what a leg
//! says goes out, as often as its transaction asks for.

use model::LegId;
use model::sip::LegCause;
use tokio::time::Instant;

use super::compose::{self, Reply, Request};
use super::leg::{Leg, State};
use super::{Core, Env};
use crate::counters::Why;
use crate::message::{Message, Method};
use crate::reply::{self, Refusal};
use crate::shared::Shared;
use crate::transaction::{self, Heard, Key, Owner, Task};
use crate::way::Way;

/// Seconds after which a call that found no room may be tried again.
const RETRY_AFTER_S: &str = "5";

/// A request that waits for our final response.
pub(crate) struct Asked {
    pub(crate) key: Key,
    pub(crate) request: Box<Message>,
}

impl Env {
    /// Answers a request. A second final response is not sent.
    pub(super) fn respond(&mut self, asked: &Asked, reply: Reply) {
        #[cfg(test)]
        super::guard::fault_on_demand(&asked.request);
        let (status, message) = (reply.status, reply.finish());
        if self.transactions.respond(Instant::now(), &asked.key, status, &message) {
            self.port.send(&message, asked.request.peer);
        }
    }

    /// A response without more to it.
    pub(super) fn respond_plainly(&mut self, asked: &Asked, status: u16, tag: &str) {
        let reply = Reply::new(&self.shared, &asked.request, status, tag);
        self.respond(asked, reply);
    }

    /// Refuses a request of which nothing is kept.
    pub(super) fn refuse_at_once(&mut self, request: &Message, refusal: &Refusal) {
        let (head, peer) = (&request.head, request.peer);
        let Shared { tags, config, .. } = &*self.shared;
        if let Some(reply) = reply::write(head, refusal, peer.address, tags, &config.server_name) {
            self.port.send(&reply.into(), peer);
        }
    }

    /// Whether a request may end what another began: it came from the same host, or from one that
    /// we trust. A branch alone can be guessed.
    fn is_of(&self, request: &Message, key: &Key) -> bool {
        let ip = request.peer.ip();
        self.shared.is_trusted(ip)
            || self.transactions.peer(key).is_some_and(|peer| peer.ip() == ip)
    }

    /// Sends a request of ours and sees to its copies.
    pub(super) fn request(&mut self, request: Request, peer: Way, owner: Option<Owner>) -> Key {
        let Request { method, branch, message } = request;
        let now = Instant::now();
        self.port.send(&message, peer);
        let key = self.transactions.send(now, (method, &branch), message, peer, owner);
        if !self.port.leads(peer) {
            self.transactions.in_vain(now, &key);
        }
        key
    }
}

impl Core {
    pub(super) fn message(&mut self, message: Box<Message>) {
        match message.method() {
            None => self.heard(&message),
            Some(Method::Ack) => self.ack(&message),
            Some(Method::Cancel) => self.cancel_asked(message),
            Some(method) => self.asked(message, method),
        }
    }

    /// A request that wants a response.
    fn asked(&mut self, request: Box<Message>, method: Method) {
        let key = transaction::asked(&request, method);
        if self.is_copy(&key) {
            return;
        }
        if method == Method::Register {
            return self.register(key, request);
        }
        let inside = request.tag_to().is_some();
        let mut telephone = None;
        if method == Method::Invite && !inside {
            // Nothing is kept of whoever proves nothing.
            match self.telephone(&request) {
                Ok(known) => telephone = known,
                Err((why, refusal)) => {
                    self.env.shared.tally.refuse(why);
                    self.env.refuse_at_once(&request, &refusal);
                    return;
                }
            }
        }
        // Without room to repeat its answer no call is taken; all else is answered once.
        if !self.env.transactions.begin(&key, &request) && method == Method::Invite {
            self.env.shared.tally.refuse(Why::Full);
            let full = Refusal::new(503, "Service Unavailable").with("Retry-After", RETRY_AFTER_S);
            self.env.refuse_at_once(&request, &full);
            return;
        }
        self.works_for(&key);
        let asked = Asked { key, request };
        match method {
            Method::Invite if !inside => self.invite(asked, telephone),
            _ => self.in_dialog(asked, method),
        }
    }

    /// Whether a request came before. What was said to it is said again.
    fn is_copy(&mut self, key: &Key) -> bool {
        let Some(said) = self.env.transactions.copied(key) else { return false };
        if let Some((said, peer)) = said {
            self.env.port.send(&said, peer);
        }
        true
    }

    /// An ACK: of a refusal, or of a 2xx.
    fn ack(&mut self, ack: &Message) {
        let key = transaction::asked(ack, Method::Invite);
        let known = self.env.is_of(ack, &key);
        if !known || !self.env.transactions.refusal_acked(Instant::now(), &key) {
            self.acked(ack);
        }
    }

    /// A CANCEL. It is answered whatever becomes of its INVITE (RFC 3261 section 9.2); without one
    /// nothing is kept of it.
    fn cancel_asked(&mut self, request: Box<Message>) {
        let key = transaction::asked(&request, Method::Cancel);
        if self.is_copy(&key) {
            return;
        }
        let invite = transaction::asked(&request, Method::Invite);
        let open =
            self.env.transactions.open(&invite).filter(|_| self.env.is_of(&request, &invite));
        let Some(owner) = open else {
            self.env.shared.tally.refuse(Why::NoDialog);
            let unknown = Refusal::new(481, "Call/Transaction Does Not Exist");
            self.env.refuse_at_once(&request, &unknown);
            return;
        };
        self.env.transactions.begin(&key, &request);
        self.works_for(&key);
        if let Some(owner) = owner {
            self.works_on(owner.leg);
        }
        // Its To tag is that of the responses to the INVITE.
        let leg = owner.and_then(|owner| self.legs.get(&owner.leg));
        let tag = leg.map(|leg| leg.dialog.local_tag.clone());
        let tags = &self.env.shared.tags;
        let tag = tag.unwrap_or_else(|| tags.stateless(request.call_id(), request.via()));
        self.env.respond_plainly(&Asked { key, request }, 200, &tag);
        if let Some(owner) = owner {
            self.cancelled(owner.leg);
        }
    }

    /// A response to a request of ours. Every 2xx to an INVITE is the dialog's: its transaction is
    /// over with the first, and copies and forks want an ACK too.
    fn heard(&mut self, response: &Message) {
        let status = response.status();
        let is_invite = response.cseq_method() == Some(Method::Invite);
        if is_invite && (200..300).contains(&status) {
            self.success(response);
            return;
        }
        let heard = self.env.transactions.heard(Instant::now(), response);
        let Some((key, heard)) = heard else { return };
        if !is_invite {
            return;
        }
        let Some((last, peer, owner)) = self.env.transactions.last(&key) else { return };
        match heard {
            Heard::Copy if status >= 300 => self.env.port.send(&last, peer),
            Heard::Copy => {}
            Heard::New => {
                if status >= 300
                    && let Some(ack) = compose::ack_refusal(&last, response)
                {
                    self.env.port.send(&ack, peer);
                    self.env.transactions.acknowledge(&key, ack);
                }
                if let Some(owner) = owner {
                    self.response(owner.leg, status);
                }
            }
        }
    }

    /// Does what the transactions' deadlines ask for.
    pub(super) fn repeat(&mut self) {
        let now = Instant::now();
        while let Some(task) = self.env.transactions.fire(now) {
            self.works_on_nothing();
            match task {
                Task::Send(message, peer) => self.env.port.send(&message, peer),
                Task::NotAcked(owner) => self.not_acked(owner.leg, owner.cseq),
                Task::NotAnswered(owner) => self.not_answered(owner.leg),
            }
        }
    }

    /// A connection is over: nobody is reached by it any more, and who was asked over it answers
    /// nothing.
    pub(super) fn lost(&mut self, way: Way) {
        self.registrations_lost(way);
        for Owner { leg, .. } in self.env.transactions.lost(way) {
            match self.legs.get(&leg).map(|leg| &leg.state) {
                // A caller whom no answer reaches.
                Some(State::Offered(_)) => {
                    self.works_on(leg);
                    self.end(leg, LegCause::Cancelled, None);
                    self.forget(leg);
                }
                _ => self.not_answered(leg),
            }
        }
    }

    /// Our INVITE was never answered.
    fn not_answered(&mut self, leg: LegId) {
        self.works_on(leg);
        let waits = |leg: &Leg| matches!(leg.state, State::Calling(_) | State::Leaving);
        if self.legs.get(&leg).is_some_and(waits) {
            self.end(leg, LegCause::Unreachable, None);
            self.forget(leg);
        }
    }
}
