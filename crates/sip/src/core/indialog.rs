//! Requests inside a dialog: BYE, INFO, OPTIONS, re-INVITE, UPDATE.

use model::LegId;
use model::limits;
use model::media::MediaDesc;
use model::sip::{LegCause, SipEvent};
use rsipstack::sip::{Method, Request, Response};
use rsipstack::transaction::transaction::Transaction;
use std::time::Duration;
use tokio::time::Instant;

use super::leg::{Leg, Pending, State};
use super::message::{self, Extend as _};
use super::{Core, inbound};
use crate::counters::Why;
use crate::reply::ALLOW;

/// Seconds after which an overlapping session change may be tried again (RFC 3261 section 14.2).
const RETRY_AFTER_S: &str = "2";

impl Core {
    pub(super) async fn in_dialog(&mut self, mut transaction: Transaction) {
        let request = &transaction.original;
        let found = self.find(request);
        let refusal = match found {
            None => Some((481, Why::NoDialog)),
            Some(leg) => self.out_of_order(leg, request),
        };
        if let Some((status, why)) = refusal {
            self.env.shared.tally.refuse(why);
            let reply = self.plain_reply(request, status);
            let _ = transaction.respond(reply).await;
            return;
        }
        let Some(leg) = found else { return };
        match request.method {
            Method::Bye => self.far_hangup(leg, transaction).await,
            Method::Info => self.info(leg, transaction).await,
            Method::Invite | Method::Update => self.change(leg, transaction).await,
            // A far side that asks whether its dialog still stands.
            Method::Options => {
                let reply = self.plain_reply(request, 200).with("Allow", ALLOW);
                let _ = transaction.respond(reply.with("Accept", "application/sdp")).await;
            }
            _ => {
                let reply = self.plain_reply(request, 501);
                let _ = transaction.respond(reply).await;
            }
        }
    }

    fn plain_reply(&self, request: &Request, status: u16) -> Response {
        message::reply(&self.env.shared, request, status, "")
    }

    /// The leg of a request by our tag, if Call-ID and the far side's tag agree.
    pub(super) fn find(&self, request: &Request) -> Option<LegId> {
        let leg = *self.by_tag.get(message::to_tag(request)?)?;
        let state = self.legs.get(&leg)?;
        let dialog = &state.dialog;
        let known = message::call_id(request) == dialog.call_id
            && (message::from_tag(request) == Some(&dialog.remote_tag)
                || dialog.remote_tag.is_empty() && matches!(state.state, State::Calling(_)));
        let alive = !state.ended || matches!(request.method, Method::Bye | Method::Ack);
        (known && alive && !matches!(state.state, State::Leaving)).then_some(leg)
    }

    /// CSeq must grow (RFC 3261 section 12.2.2).
    fn out_of_order(&mut self, leg: LegId, request: &Request) -> Option<(u16, Why)> {
        let cseq = message::cseq(request)?;
        let state = self.legs.get_mut(&leg)?;
        match state.dialog.remote_cseq {
            Some(last) if cseq < last => Some((500, Why::Sequence)),
            Some(last) if cseq == last => Some((482, Why::Merged)),
            _ => {
                state.dialog.remote_cseq = Some(cseq);
                None
            }
        }
    }

    async fn far_hangup(&mut self, leg: LegId, mut transaction: Transaction) {
        let reply = self.plain_reply(&transaction.original, 200);
        let _ = transaction.respond(reply).await;
        let Some(state) = self.legs.get(&leg) else { return };
        let cause = match &state.state {
            State::Offered(tx) => {
                let tag = &state.dialog.local_tag;
                tx.respond(message::reply(&self.env.shared, &tx.request, 487, tag));
                LegCause::Cancelled
            }
            State::Answered(answered) => {
                answered.tx.abandon();
                LegCause::FarHangup
            }
            _ => LegCause::FarHangup,
        };
        self.end(leg, cause, None);
        self.forget(leg);
    }

    /// A key, or an empty INFO as a sign of life.
    async fn info(&mut self, leg: LegId, mut transaction: Transaction) {
        let request = &transaction.original;
        let kind = message::content_type(request).to_ascii_lowercase();
        let digit = match kind.as_str() {
            "application/dtmf-relay" => Some(relay_digit(&request.body)),
            "application/dtmf" => Some(plain_digit(&request.body)),
            _ => None,
        };
        let status = match digit {
            Some(Some(_)) => 200,
            Some(None) => 400,
            None if request.body.is_empty() => 200,
            None => 415,
        };
        let mut reply = self.plain_reply(request, status);
        if status == 415 {
            self.env.shared.tally.refuse(Why::ContentType);
            reply = reply.with("Accept", "application/dtmf-relay, application/dtmf");
        }
        let _ = transaction.respond(reply).await;
        if let Some(Some(digit)) = digit
            && self.digit_is_welcome(leg)
        {
            self.tell(leg, SipEvent::Digit { leg, digit });
        }
    }

    /// Keys over the limit per second, or while the hub is behind, are dropped and counted.
    fn digit_is_welcome(&mut self, leg: LegId) -> bool {
        let behind = self.events.is_waiting();
        let Some(state) = self.legs.get_mut(&leg) else { return false };
        let now = Instant::now();
        if now - state.digits.0 >= Duration::from_secs(1) {
            state.digits = (now, 0);
        }
        state.digits.1 += 1;
        let welcome = !behind && state.digits.1 <= limits::DIGITS_PER_SECOND_MAX;
        if !welcome {
            self.env.shared.tally.refuse(Why::Digits);
        }
        welcome
    }

    /// A re-INVITE or UPDATE: refresh, offer, or a wish for our offer.
    async fn change(&mut self, leg: LegId, mut transaction: Transaction) {
        let Some(state) = self.legs.get_mut(&leg) else { return };
        let request = &transaction.original;
        let invite = request.method == Method::Invite;
        if let Some((status, why)) = collision(state, request) {
            self.env.shared.tally.refuse(why);
            let mut reply = self.plain_reply(request, status);
            if status == 500 {
                reply = reply.with("Retry-After", RETRY_AFTER_S);
            }
            let _ = transaction.respond(reply).await;
            return;
        }
        if let Some(contact) = message::contact(request) {
            state.dialog.target = contact;
        }
        if let Some(source) = inbound::source(&transaction) {
            state.dialog.peer = source;
        }
        let source = state.dialog.peer;
        let same = state.remote.is_some() && request.body == state.remote_body;
        let offer = message::session(request, &request.body);
        let empty_update = !invite && offer.is_none();
        if empty_update || (same && !state.local_body.is_empty()) {
            let mut reply =
                message::reply(&self.env.shared, request, 200, "").with_target(&self.env.shared);
            if !empty_update {
                reply = reply.with_sdp(&state.local_body);
            }
            self.refresh(leg, transaction, reply).await;
            return;
        }
        let body = request.body.clone();
        let media = offer.as_ref().map(|session| session.media.clone());
        let cseq = message::cseq(request).unwrap_or(0);
        let pending = match offer {
            Some(offer) if !invite => {
                Pending::Update { tx: Box::new(transaction), cseq, body, offer }
            }
            offer => {
                let _ = transaction.send_trying().await;
                let tx = Box::new(self.env.serve(transaction, leg, cseq));
                Pending::Invite { tx, cseq, body, offer }
            }
        };
        if let Some(state) = self.legs.get_mut(&leg) {
            state.pending = Some(pending);
        }
        self.set_deadline(leg, Some(Instant::now() + self.env.shared.config.reanswer_timeout));
        self.tell(leg, SipEvent::Reoffered { leg, change: cseq, offer: media, source });
    }

    /// Nothing changes: the description that stands is repeated (RFC 3261 section 14.2).
    async fn refresh(&mut self, leg: LegId, mut transaction: Transaction, reply: Response) {
        if transaction.original.method != Method::Invite {
            let _ = transaction.respond(reply).await;
            return;
        }
        let cseq = message::cseq(&transaction.original).unwrap_or(0);
        let tx = self.env.serve(transaction, leg, cseq);
        tx.respond(reply);
        if let Some(state) = self.legs.get_mut(&leg) {
            state.reinvited = Some((cseq, false));
        }
    }

    /// The hub's answer to `Reoffered`. One that comes too late, when another change may wait, has
    /// nothing to answer.
    pub(super) fn reanswer(&mut self, leg: LegId, change: u32, local: &MediaDesc) {
        let Some(state) = self.legs.get_mut(&leg) else { return };
        let Some(pending) = state.pending.take_if(|pending| pending.cseq() == change) else {
            return;
        };
        let shared = &self.env.shared;
        match pending {
            Pending::Invite { tx, cseq, body, offer } => {
                // Also an offer of ours has the media lines of the session (RFC 3264 section 8).
                let shape = offer.as_ref().or(state.remote.as_ref());
                state.local_body = message::describe(shape, local, &mut state.origin);
                let reply = message::reply(shared, &tx.request, 200, "").with_target(shared);
                tx.respond(reply.with_sdp(&state.local_body));
                state.reinvited = Some((cseq, offer.is_none()));
                if offer.is_some() {
                    state.remote = offer;
                    state.remote_body = body;
                }
            }
            Pending::Update { tx, body, offer, .. } => {
                state.local_body = message::describe(Some(&offer), local, &mut state.origin);
                let reply = message::reply(shared, &tx.original, 200, "").with_target(shared);
                self.env.respond(*tx, reply.with_sdp(&state.local_body));
                state.remote = Some(offer);
                state.remote_body = body;
            }
        }
        self.set_deadline(leg, None);
        self.tell(leg, SipEvent::ChangeEnded { leg, change, taken: true });
    }

    /// The hub did not answer in time: the session stays as it was.
    pub(super) fn reoffer_expired(&mut self, leg: LegId) {
        let Some(pending) = self.legs.get_mut(&leg).and_then(|state| state.pending.take()) else {
            return;
        };
        self.env.shared.tally.refuse(Why::Pending);
        let change = pending.cseq();
        let late = |request: &Request| {
            message::reply(&self.env.shared, request, 500, "").with("Retry-After", RETRY_AFTER_S)
        };
        match pending {
            Pending::Invite { tx, .. } => tx.respond(late(&tx.request)),
            Pending::Update { tx, .. } => {
                let reply = late(&tx.original);
                self.env.respond(*tx, reply);
            }
        }
        self.tell(leg, SipEvent::ChangeEnded { leg, change, taken: false });
    }
}

/// Whether a session change meets another one: 491 when the open offer is ours, 500 when it is
/// theirs (RFC 3261 section 14.2, RFC 3311 section 5.2).
fn collision(state: &Leg, request: &Request) -> Option<(u16, Why)> {
    let invite = request.method == Method::Invite;
    if !invite && request.body.is_empty() {
        return None;
    }
    let ours = Some((491, Why::Pending));
    let theirs = Some((500, Why::Pending));
    match &state.state {
        State::Calling(_) => ours,
        State::Answered(answered) if answered.late_offer => ours,
        State::Offered(_) => theirs,
        State::Answered(_) if invite => theirs,
        _ if state.pending.is_some() => theirs,
        _ if state.reinvited.is_some_and(|(_, offered)| offered) => ours,
        _ if state.reinvited.is_some() && invite => theirs,
        _ => None,
    }
}

/// `Signal=5`, with blanks allowed around the sign.
fn relay_digit(body: &[u8]) -> Option<char> {
    let text = std::str::from_utf8(body).ok()?;
    let signal = text.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        name.trim().eq_ignore_ascii_case("signal").then_some(value.trim())
    })?;
    key(signal)
}

fn plain_digit(body: &[u8]) -> Option<char> {
    key(std::str::from_utf8(body).ok()?.trim())
}

/// One key; 10 and 11 stand for * and # (RFC 4733 section 3.2).
fn key(text: &str) -> Option<char> {
    match text {
        "10" => return Some('*'),
        "11" => return Some('#'),
        _ => {}
    }
    let mut chars = text.chars();
    let (digit, None) = (chars.next()?.to_ascii_uppercase(), chars.next()) else { return None };
    matches!(digit, '0'..='9' | '*' | '#' | 'A'..='D').then_some(digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read() {
        assert_eq!(relay_digit(b"Signal= 5\r\nDuration=160\r\n"), Some('5'));
        assert_eq!(relay_digit(b"signal=#\n"), Some('#'));
        assert_eq!(relay_digit(b"Signal=11\n"), Some('#'));
        assert_eq!(plain_digit(b"d"), Some('D'));
        for bad in [&b"Signal="[..], b"Signal=55", b"Signal=E", b"", b"\xff", b"Duration=1"] {
            assert_eq!(relay_digit(bad), None);
        }
    }
}
