//! Incoming calls, from INVITE to the ACK of our 200.

use std::net::SocketAddr;
use std::sync::atomic::Ordering::Relaxed;

use model::LegId;
use model::domain::Domain;
use model::limits;
use model::media::MediaDesc;
use model::number::DialString;
use model::sip::{Caller, LegCause, SipEvent};
use rsipstack::sip::Request;
use rsipstack::transaction::transaction::Transaction;
use tokio::time::Instant;

use super::leg::{Answered, Dialog, Leg, State};
use super::message::{self, Extend as _};
use super::{Core, Pending};
use crate::addr;
use crate::counters::Why;
use crate::sdp;
use crate::tags;

impl Core {
    /// A new call: a leg, 100, and `Incoming`.
    pub(super) async fn invite(&mut self, mut transaction: Transaction) {
        let tag = self.env.shared.tags.mint();
        let request = &transaction.original;
        let source = source(&transaction);
        let Some(from_tag) = message::from_tag(request).map(str::to_owned) else { return };
        let key = (message::call_id(request).to_owned(), from_tag);
        let refusal = if self.by_call.contains_key(&key) {
            Some((482, Why::Merged))
        } else if self.env.shared.draining.load(Relaxed) {
            // It came past the filter just before the stop.
            Some((503, Why::ShuttingDown))
        } else if dialled(request).is_none() {
            Some((404, Why::NoSuchNumber))
        } else if self.legs.len() >= self.env.shared.config.legs_max {
            Some((503, Why::Full))
        } else {
            None
        };
        if let Some((status, why)) = refusal {
            self.env.shared.tally.refuse(why);
            let reply = message::reply(&self.env.shared, request, status, &tag);
            let _ = transaction.respond(reply).await;
            return;
        }
        let (Some(dialled), Some(source)) = (dialled(request), source) else { return };
        // The filter has read the description already; what it refuses never gets here.
        let remote = (!request.body.is_empty()).then(|| sdp::session(&request.body).ok()).flatten();
        let body = request.body.clone();
        let (caller, domain) = (caller(request), domain(request));
        let dialog = answering_dialog(request, &tag, source);
        let cseq = message::cseq(request).unwrap_or(0);
        let _ = transaction.send_trying().await;
        let leg = tags::leg_id();
        let event = SipEvent::Incoming {
            leg,
            caller,
            dialled,
            domain,
            source,
            offer: remote.as_ref().map(|session| session.media.clone()),
            sip_call_id: key.0.clone(),
        };
        let tx = self.env.serve(transaction, leg, cseq);
        let mut state = Leg::new(dialog, State::Offered(tx));
        state.remote = remote;
        state.remote_body = body;
        state.call_key = Some(key.clone());
        self.by_call.insert(key, leg);
        self.by_tag.insert(tag, leg);
        self.legs.insert(leg, state);
        self.set_deadline(leg, Some(Instant::now() + self.env.shared.config.ring_timeout));
        self.tell(leg, event);
    }

    pub(super) fn answer(&mut self, leg: LegId, local: &MediaDesc) {
        let Some(state) = self.legs.get_mut(&leg) else { return };
        let State::Offered(tx) = std::mem::replace(&mut state.state, State::Leaving) else {
            return;
        };
        let shared = &self.env.shared;
        state.local_body = message::describe(state.remote.as_ref(), local, &mut state.origin);
        let reply = message::reply(shared, &tx.request, 200, &state.dialog.local_tag);
        tx.respond(reply.with_target(shared).with_sdp(&state.local_body));
        let late_offer = state.remote.is_none();
        state.state = State::Answered(Answered { tx, late_offer, leaving: false });
        self.set_deadline(leg, None);
    }

    pub(super) fn reject(&mut self, leg: LegId, status: u16, retry_after_s: Option<u32>) {
        let status = if (300..700).contains(&status) { status } else { 500 };
        self.refuse(leg, status, retry_after_s, LegCause::Refused);
    }

    fn refuse(&mut self, leg: LegId, status: u16, retry_after_s: Option<u32>, cause: LegCause) {
        let Some(state) = self.legs.get(&leg) else { return };
        let State::Offered(tx) = &state.state else { return };
        let tag = &state.dialog.local_tag;
        let mut reply = message::reply(&self.env.shared, &tx.request, status, tag)
            .with("Reason", message::reason(cause));
        if let Some(seconds) = retry_after_s {
            reply = reply.with("Retry-After", seconds.to_string());
        }
        tx.respond(reply);
        self.end(leg, cause, None);
        self.forget(leg);
    }

    /// CANCEL came while its INVITE had no final response. A CANCEL that lost the race against our
    /// 200 finds the leg answered and changes nothing (RFC 3261 section 9.2).
    pub(super) fn cancelled(&mut self, leg: LegId) {
        let Some(state) = self.legs.get_mut(&leg) else { return };
        match &state.state {
            State::Offered(_) => self.refuse(leg, 487, None, LegCause::Cancelled),
            _ => {
                if let Some(Pending::Invite { tx, cseq, .. }) = &state.pending {
                    let change = *cseq;
                    tx.respond(message::reply(&self.env.shared, &tx.request, 487, ""));
                    state.pending = None;
                    self.set_deadline(leg, None);
                    self.tell(leg, SipEvent::ChangeEnded { leg, change, taken: false });
                }
            }
        }
    }

    /// ACK for a 2xx of ours: to the first INVITE or to one inside the dialog.
    pub(super) fn acked(&mut self, ack: &Request) {
        let Some(leg) = self.find(ack) else { return };
        let cseq = message::cseq(ack).unwrap_or(0);
        let Some(state) = self.legs.get_mut(&leg) else { return };
        let offered = match &state.state {
            State::Answered(answered) if message::cseq(&answered.tx.request) != Some(cseq) => {
                return;
            }
            State::Answered(answered) if answered.leaving => {
                self.bye(leg, LegCause::Hangup);
                self.forget(leg);
                return;
            }
            State::Answered(answered) => {
                let offered = answered.late_offer;
                state.state = State::Up;
                offered
            }
            State::Up if state.reinvited.is_some_and(|(of, _)| of == cseq) => {
                let offered = state.reinvited.take().is_some_and(|(_, offered)| offered);
                if !offered {
                    return;
                }
                true
            }
            _ => return,
        };
        if !offered {
            self.tell(leg, SipEvent::Confirmed { leg, remote: None });
            return;
        }
        match sdp::session(&ack.body) {
            Ok(session) => {
                let remote = Some(session.media.clone());
                state.remote = Some(session);
                state.remote_body.clone_from(&ack.body);
                self.tell(leg, SipEvent::Confirmed { leg, remote });
            }
            Err(_) => {
                self.env.shared.tally.refuse(Why::BadSdp);
                self.leave(leg, LegCause::Refused, None);
            }
        }
    }

    /// The 200 was repeated for 64 * T1 and nobody acknowledged it.
    pub(super) fn not_acked(&mut self, leg: LegId, cseq: u32) {
        let Some(state) = self.legs.get(&leg) else { return };
        let ours = match &state.state {
            State::Answered(_) => true,
            State::Up => state.reinvited.is_some_and(|(of, _)| of == cseq),
            _ => false,
        };
        if ours {
            self.leave(leg, LegCause::NoAck, None);
        }
    }

    /// Ends a leg in whatever state it is.
    pub(super) fn hangup(&mut self, leg: LegId, cause: LegCause) {
        let Some(state) = self.legs.get_mut(&leg) else { return };
        match &mut state.state {
            State::Offered(_) => self.refuse(leg, message::refusal(cause), None, cause),
            State::Answered(answered) => {
                answered.leaving = true;
                self.end(leg, cause, None);
            }
            State::Calling(_) => self.give_up(leg, cause),
            State::Up => self.leave(leg, cause, None),
            State::Leaving => {}
        }
    }

    /// BYE, `Ended`, and the leg is gone.
    pub(super) fn leave(&mut self, leg: LegId, cause: LegCause, status: Option<u16>) {
        self.bye(leg, cause);
        self.end(leg, cause, status);
        self.forget(leg);
    }

    pub(super) fn bye(&mut self, leg: LegId, cause: LegCause) {
        let Some(state) = self.legs.get_mut(&leg) else { return };
        let peer = state.dialog.next_hop();
        if let Some(request) = message::bye(&self.env.shared, &mut state.dialog, cause) {
            self.env.request(request, peer);
        }
    }
}

/// Where the transaction's first message came from.
pub(super) fn source(transaction: &Transaction) -> Option<SocketAddr> {
    transaction.connection.as_ref()?.get_remote_addr()?.get_socketaddr().ok()
}

/// The user part of the request URI, unescaped once.
fn dialled(request: &Request) -> Option<DialString> {
    let uri = request.uri.to_string();
    addr::unescape(addr::sip_uri(&uri)?.user).parse().ok()
}

/// The host of the request URI, if it is a domain name; its port says nothing about whose it is.
fn domain(request: &Request) -> Option<Domain> {
    let uri = request.uri.to_string();
    addr::sip_uri(&uri)?.host.parse().ok()
}

/// Who calls, by From.
fn caller(request: &Request) -> Caller {
    let Some(from) = addr::name_addr(message::from_value(request)) else {
        return Caller::default();
    };
    let number = addr::sip_uri(from.uri).and_then(|uri| addr::unescape(uri.user).parse().ok());
    Caller { number, name: addr::plain_name(from.display, limits::NAME_CHARS_MAX) }
}

/// Our side of the dialog that a 2xx to this INVITE makes (RFC 3261 section 12.1.1).
fn answering_dialog(request: &Request, tag: &str, source: SocketAddr) -> Dialog {
    let without_tag = |value: &str| {
        addr::name_addr(value).map_or_else(String::new, |n| {
            let display =
                if n.display.is_empty() { String::new() } else { format!("{} ", n.display) };
            format!("{display}<{}>", n.uri)
        })
    };
    Dialog {
        call_id: message::call_id(request).to_owned(),
        local_tag: tag.to_owned(),
        remote_tag: message::from_tag(request).unwrap_or("").to_owned(),
        local: without_tag(message::to_value(request)),
        remote: without_tag(message::from_value(request)),
        local_cseq: 0,
        remote_cseq: message::cseq(request),
        target: message::contact(request).unwrap_or_else(|| format!("sip:{source}")),
        routes: message::record_routes(request),
        peer: source,
    }
}
