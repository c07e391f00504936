//! Incoming calls, from INVITE to the ACK of our 200.

use std::sync::atomic::Ordering::Relaxed;

use model::domain::Domain;
use model::limits;
use model::media::MediaDesc;
use model::number::DialString;
use model::sip::{Caller, LegCause, SipEvent};
use model::{DeviceId, LegId, TenantId};
use tokio::time::Instant;

use super::Core;
use super::compose::{self, Reply};
use super::leg::{Answered, Dialog, Leg, State};
use super::transact::Asked;
use crate::addr;
use crate::counters::Why;
use crate::message::{Message, Method};
use crate::tags;
use crate::transaction::Owner;

impl Core {
    /// A new call: a leg, 100, and `Incoming`. `telephone` is the caller who has proven who it is.
    pub(super) fn invite(&mut self, asked: Asked, telephone: Option<(TenantId, DeviceId)>) {
        let tag = self.env.shared.tags.mint();
        let request = &asked.request;
        let Some(from_tag) = request.tag_from().map(str::to_owned) else { return };
        let key = (request.call_id().to_owned(), from_tag);
        let dialled = request.dialled().and_then(|user| user.parse::<DialString>().ok());
        let refusal = if self.by_call.contains_key(&key) {
            Err((482, Why::Merged))
        } else if self.env.shared.draining.load(Relaxed) {
            // It came past the filter just before the stop.
            Err((503, Why::ShuttingDown))
        } else if self.legs.len() >= self.env.shared.config.legs_max {
            Err((503, Why::Full))
        } else {
            dialled.ok_or((404, Why::NoSuchNumber))
        };
        let dialled = match refusal {
            Ok(dialled) => dialled,
            Err((status, why)) => {
                self.env.shared.tally.refuse(why);
                self.env.respond_plainly(&asked, status, &tag);
                return;
            }
        };
        let (remote, body) = (request.session(), request.body.clone());
        let dialog = answering_dialog(request, &tag);
        let leg = tags::leg_id();
        self.works_on(leg);
        let event = SipEvent::Incoming {
            leg,
            caller: caller(request),
            dialled,
            domain: domain(request),
            source: request.peer.address,
            offer: remote.as_ref().map(|session| session.media.clone()),
            sip_call_id: key.0.clone(),
            telephone,
        };
        self.env.respond_plainly(&asked, 100, "");
        let owner = Owner { leg, cseq: request.cseq().unwrap_or(0) };
        self.env.transactions.belongs(&asked.key, owner);
        let mut state = Leg::new(dialog, State::Offered(asked));
        state.remote = remote;
        state.remote_body = body;
        state.call_key = Some(key.clone());
        state.device = telephone.map(|(_, device)| device);
        self.by_call.insert(key, leg);
        self.by_tag.insert(tag, leg);
        self.legs.insert(leg, state);
        self.set_deadline(leg, Some(Instant::now() + self.env.shared.config.ring_timeout));
        self.tell(leg, event);
    }

    pub(super) fn answer(&mut self, leg: LegId, local: &MediaDesc) {
        let Some(state) = self.legs.get_mut(&leg) else { return };
        let State::Offered(asked) = &state.state else { return };
        let shared = &self.env.shared;
        state.local_body = compose::describe(state.remote.as_ref(), local, &mut state.origin);
        let reply = Reply::new(shared, &asked.request, 200, &state.dialog.local_tag)
            .with_target(shared)
            .with_sdp(&state.local_body);
        self.env.respond(asked, reply);
        let late_offer = state.remote.is_none();
        state.answers = !late_offer;
        let State::Offered(asked) = std::mem::replace(&mut state.state, State::Leaving) else {
            return;
        };
        state.state = State::Answered(Answered { asked, late_offer, leaving: false });
        self.set_deadline(leg, None);
    }

    /// 180: it makes an early dialog (RFC 3261 section 12.1).
    pub(super) fn ring(&mut self, leg: LegId) {
        let Some(state) = self.legs.get(&leg) else { return };
        let State::Offered(asked) = &state.state else { return };
        let shared = &self.env.shared;
        let tag = &state.dialog.local_tag;
        let reply = Reply::new(shared, &asked.request, 180, tag).with_target(shared);
        self.env.respond(asked, reply);
    }

    pub(super) fn reject(&mut self, leg: LegId, status: u16, retry_after_s: Option<u32>) {
        let status = if (300..700).contains(&status) { status } else { 500 };
        self.refuse(leg, status, retry_after_s, LegCause::Refused);
    }

    fn refuse(&mut self, leg: LegId, status: u16, retry_after_s: Option<u32>, cause: LegCause) {
        let Some(state) = self.legs.get(&leg) else { return };
        let State::Offered(asked) = &state.state else { return };
        let tag = &state.dialog.local_tag;
        let mut reply = Reply::new(&self.env.shared, &asked.request, status, tag)
            .with("Reason", compose::reason(cause));
        if let Some(seconds) = retry_after_s {
            reply = reply.with("Retry-After", &seconds.to_string());
        }
        self.env.respond(asked, reply);
        self.end(leg, cause, None);
        self.forget(leg);
    }

    /// CANCEL came while its INVITE had no final response. A CANCEL that lost the race against our
    /// 200 finds the leg answered and changes nothing (RFC 3261 section 9.2).
    pub(super) fn cancelled(&mut self, leg: LegId) {
        self.works_on(leg);
        let Some(state) = self.legs.get_mut(&leg) else { return };
        match &state.state {
            State::Offered(_) => self.refuse(leg, 487, None, LegCause::Cancelled),
            _ => {
                // Only a re-INVITE has an owner that a CANCEL finds.
                if let Some(pending) = state.pending.take() {
                    let change = pending.cseq;
                    self.env.respond_plainly(&pending.asked, 487, "");
                    self.set_deadline(leg, None);
                    self.tell(leg, SipEvent::ChangeEnded { leg, change, taken: false });
                }
            }
        }
    }

    /// ACK for a 2xx of ours: to the first INVITE or to one inside the dialog.
    pub(super) fn acked(&mut self, ack: &Message) {
        let Some(leg) = self.find(ack, Method::Ack) else { return };
        self.works_on(leg);
        let cseq = ack.cseq().unwrap_or(0);
        let Some(state) = self.legs.get_mut(&leg) else { return };
        let offered = match &state.state {
            State::Answered(answered) if answered.asked.request.cseq() == Some(cseq) => {
                self.env.transactions.settled(Instant::now(), &answered.asked.key);
                let (offered, leaving) = (answered.late_offer, answered.leaving);
                state.state = State::Up;
                if leaving {
                    self.bye(leg, LegCause::Hangup);
                    self.forget(leg);
                    return;
                }
                offered
            }
            State::Up => {
                let Some(of) = state.reinvited.take_if(|of| of.cseq == cseq) else { return };
                self.env.transactions.settled(Instant::now(), &of.key);
                if !of.offered {
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
        match ack.session() {
            Some(session) => {
                let remote = Some(session.media.clone());
                state.remote = Some(session);
                state.remote_body.clone_from(&ack.body);
                self.tell(leg, SipEvent::Confirmed { leg, remote });
            }
            None => {
                self.env.shared.tally.refuse(Why::BadSdp);
                self.leave(leg, LegCause::Refused, None);
            }
        }
    }

    /// The 200 was repeated for 64 * T1 and nobody acknowledged it.
    pub(super) fn not_acked(&mut self, leg: LegId, cseq: u32) {
        self.works_on(leg);
        let Some(state) = self.legs.get(&leg) else { return };
        let ours = match &state.state {
            State::Answered(answered) => answered.asked.request.cseq() == Some(cseq),
            State::Up => state.reinvited.as_ref().is_some_and(|of| of.cseq == cseq),
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
            State::Offered(_) => self.refuse(leg, compose::refusal(cause), None, cause),
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
        self.aim(leg);
        let Some(state) = self.legs.get_mut(&leg) else { return };
        let peer = state.dialog.next_hop();
        let request = compose::bye(&self.env.shared, &mut state.dialog, cause);
        self.env.request(request, peer, None);
    }

    /// A telephone whose connection has ended is where it registered since.
    pub(super) fn aim(&mut self, leg: LegId) {
        let second = self.second();
        let Some(state) = self.legs.get_mut(&leg) else { return };
        if !self.env.port.leads(state.dialog.peer)
            && let Some((target, way)) =
                state.device.and_then(|device| self.registrar.find(second, device))
        {
            (state.dialog.target, state.dialog.peer) = (target, way);
        }
    }
}

/// The host of the request URI, if it is a domain name; its port says nothing about whose it is.
fn domain(request: &Message) -> Option<Domain> {
    addr::sip_uri(request.uri())?.host.parse().ok()
}

/// What stands for a number that is withheld (RFC 3323 section 4.1.1.3, and what gateways write).
const WITHHELD: [&str; 6] =
    ["anonymous", "unavailable", "unknown", "restricted", "private", "withheld"];

/// Who calls, by From. All who withhold their number share one name: it is nobody's.
fn caller(request: &Message) -> Caller {
    let Some(from) = addr::name_addr(request.from()) else {
        return Caller::default();
    };
    let withholds = |user: String| WITHHELD.iter().any(|word| user.eq_ignore_ascii_case(word));
    if addr::user(from.uri).is_some_and(withholds) {
        return Caller::default();
    }
    let number = addr::user(from.uri).and_then(|user| user.parse().ok());
    Caller { number, name: addr::plain_name(from.display, limits::NAME_CHARS_MAX) }
}

/// Our side of the dialog that a 2xx to this INVITE makes (RFC 3261 section 12.1.1).
fn answering_dialog(request: &Message, tag: &str) -> Dialog {
    let without_tag = |value: &str| {
        addr::name_addr(value).map_or_else(String::new, |n| {
            let display =
                if n.display.is_empty() { String::new() } else { format!("{} ", n.display) };
            format!("{display}<{}>", n.uri)
        })
    };
    Dialog {
        call_id: request.call_id().to_owned(),
        local_tag: tag.to_owned(),
        remote_tag: request.tag_from().unwrap_or("").to_owned(),
        local: without_tag(request.to()),
        remote: without_tag(request.from()),
        local_cseq: 0,
        remote_cseq: request.cseq(),
        target: request.contact().unwrap_or_else(|| request.peer.uri()),
        routes: request.record_routes(),
        peer: request.peer,
        is_translated: request.is_translated(),
    }
}
