//! Requests inside a dialog: BYE, INFO, OPTIONS, re-INVITE, UPDATE.

use model::LegId;
use model::limits;
use model::media::MediaDesc;
use model::sip::{LegCause, SipEvent};
use std::time::Duration;
use tokio::time::Instant;

use super::Core;
use super::compose::{self, Reply};
use super::leg::{Leg, Pending, Reinvited, State};
use super::transact::Asked;
use crate::counters::Why;
use crate::message::{Message, Method};
use crate::reply::ALLOW;
use crate::transaction::Owner;

/// Seconds after which an overlapping session change may be tried again (RFC 3261 section 14.2).
const RETRY_AFTER_S: &str = "2";

impl Core {
    pub(super) fn in_dialog(&mut self, asked: Asked, method: Method) {
        let found = self.find(&asked.request, method);
        let refusal = match found {
            None => Some((481, Why::NoDialog)),
            Some(leg) => self.out_of_order(leg, &asked.request),
        };
        if let Some((status, why)) = refusal {
            self.env.shared.tally.refuse(why);
            self.env.respond_plainly(&asked, status, "");
            return;
        }
        let Some(leg) = found else { return };
        self.works_on(leg);
        match method {
            Method::Bye => self.far_hangup(leg, &asked),
            Method::Info => self.info(leg, &asked),
            Method::Invite | Method::Update => self.change(leg, asked, method),
            // A far side that asks whether its dialog still stands.
            Method::Options => {
                let reply = self.reply(&asked, 200).with("Allow", ALLOW);
                self.env.respond(&asked, reply.with("Accept", "application/sdp"));
            }
            Method::Refer => self.referred(leg, &asked),
            Method::Ack | Method::Cancel | Method::Register | Method::Notify => {}
        }
    }

    pub(super) fn reply(&self, asked: &Asked, status: u16) -> Reply {
        Reply::new(&self.env.shared, &asked.request, status, "")
    }

    /// The leg of a request by our tag, if Call-ID and the far side's tag agree.
    pub(super) fn find(&self, request: &Message, method: Method) -> Option<LegId> {
        let leg = *self.by_tag.get(request.tag_to()?)?;
        let state = self.legs.get(&leg)?;
        let dialog = &state.dialog;
        let known = request.call_id() == dialog.call_id
            && (request.tag_from() == Some(&dialog.remote_tag)
                || dialog.remote_tag.is_empty() && matches!(state.state, State::Calling(_)));
        let alive = !state.ended || matches!(method, Method::Bye | Method::Ack);
        (known && alive && !matches!(state.state, State::Leaving)).then_some(leg)
    }

    /// CSeq must grow (RFC 3261 section 12.2.2).
    fn out_of_order(&mut self, leg: LegId, request: &Message) -> Option<(u16, Why)> {
        let cseq = request.cseq()?;
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

    fn far_hangup(&mut self, leg: LegId, asked: &Asked) {
        self.env.respond_plainly(asked, 200, "");
        let Some(state) = self.legs.get(&leg) else { return };
        let cause = match &state.state {
            State::Offered(invite) => {
                self.env.respond_plainly(invite, 487, &state.dialog.local_tag);
                LegCause::Cancelled
            }
            _ => LegCause::FarHangup,
        };
        self.end(leg, cause, None);
        self.forget(leg);
    }

    /// A key, or an empty INFO as a sign of life.
    fn info(&mut self, leg: LegId, asked: &Asked) {
        let request = &asked.request;
        let kind = request.content_type().to_ascii_lowercase();
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
        let mut reply = self.reply(asked, status);
        if status == 415 {
            self.env.shared.tally.refuse(Why::ContentType);
            reply = reply.with("Accept", "application/dtmf-relay, application/dtmf");
        }
        self.env.respond(asked, reply);
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
    fn change(&mut self, leg: LegId, asked: Asked, method: Method) {
        let Some(state) = self.legs.get_mut(&leg) else { return };
        let request = &asked.request;
        let invite = method == Method::Invite;
        if let Some((status, why)) = collision(state, request, invite) {
            self.env.shared.tally.refuse(why);
            let mut reply = self.reply(&asked, status);
            if status == 500 {
                reply = reply.with("Retry-After", RETRY_AFTER_S);
            }
            self.env.respond(&asked, reply);
            return;
        }
        let offer = request.session();
        let empty_update = !invite && offer.is_none();
        // Our offer is no answer, even to what answered it.
        let same = state.answers && request.body == state.remote_body;
        // Media learns from the hub where a far side that moved is now.
        let source = request.peer.address;
        let moved = source.ip() != state.dialog.peer.ip();
        let is_refresh = if empty_update { !moved || !state.stands() } else { same && !moved };
        if is_refresh {
            let shared = &self.env.shared;
            let mut reply = Reply::new(shared, request, 200, "").with_target(shared);
            if !empty_update {
                reply = reply.with_sdp(&state.local_body);
            }
            self.refresh(leg, asked, invite, reply);
            return;
        }
        let described = if empty_update { &state.remote } else { &offer };
        let media = described.as_ref().map(|session| session.media.clone());
        let cseq = request.cseq().unwrap_or(0);
        if invite {
            self.env.respond_plainly(&asked, 100, "");
            self.env.transactions.belongs(&asked.key, Owner { leg, cseq });
        }
        if let Some(state) = self.legs.get_mut(&leg) {
            state.pending = Some(Pending { asked, cseq, offer });
        }
        self.set_deadline(leg, Some(Instant::now() + self.env.shared.config.reanswer_timeout));
        self.tell(leg, SipEvent::Reoffered { leg, change: cseq, offer: media, source });
    }

    /// Nothing changes: the description that stands is repeated (RFC 3261 section 14.2).
    fn refresh(&mut self, leg: LegId, asked: Asked, invite: bool, reply: Reply) {
        let cseq = asked.request.cseq().unwrap_or(0);
        if invite {
            self.env.transactions.belongs(&asked.key, Owner { leg, cseq });
        }
        self.env.respond(&asked, reply);
        let Some(state) = self.legs.get_mut(&leg) else { return };
        // CANCEL goes where its INVITE went (RFC 3261 section 9.1), and the answer to that tells
        // anew where the far side is.
        if !matches!(state.state, State::Calling(_)) {
            state.dialog.refresh(&asked.request);
            self.env.port.keep(asked.request.peer);
        }
        if invite {
            state.reinvited = Some(Reinvited { key: asked.key, cseq, offered: false });
        }
    }

    /// The hub's answer to `Reoffered`. One that comes too late, when another change may wait, has
    /// nothing to answer.
    pub(super) fn reanswer(&mut self, leg: LegId, change: u32, local: &MediaDesc) {
        let Some(state) = self.legs.get_mut(&leg) else { return };
        // It stays where a fault of ours finds it until its answer is out.
        let Some(Pending { asked, offer, .. }) = state.pending.as_ref().filter(is(change)) else {
            return;
        };
        #[cfg(test)]
        super::guard::fault_in_answer(local);
        let shared = &self.env.shared;
        let invite = asked.request.method() == Some(Method::Invite);
        let mut reply = Reply::new(shared, &asked.request, 200, "").with_target(shared);
        if invite || offer.is_some() {
            // Also an offer of ours has the media lines of the session (RFC 3264 section 8).
            let shape = offer.as_ref().or(state.remote.as_ref());
            state.local_body = compose::describe(shape, local, &mut state.origin);
            state.answers = offer.is_some();
            reply = reply.with_sdp(&state.local_body);
        }
        self.env.respond(asked, reply);
        let Some(Pending { asked, cseq, offer }) = state.pending.take() else { return };
        if invite {
            let (key, offered) = (asked.key, offer.is_none());
            state.reinvited = Some(Reinvited { key, cseq, offered });
        }
        // Not before: what is refused changes nothing (RFC 6141 section 4).
        state.dialog.refresh(&asked.request);
        self.env.port.keep(asked.request.peer);
        if offer.is_some() {
            state.remote = offer;
            state.remote_body = asked.request.body;
        }
        self.set_deadline(leg, None);
        self.tell(leg, SipEvent::ChangeEnded { leg, change, taken: true });
    }

    /// The hub does not take a change: the session stays as it was.
    pub(super) fn refuse_change(&mut self, leg: LegId, change: u32, status: u16) {
        let pending = self.legs.get(&leg).and_then(|state| state.pending.as_ref());
        let Some(Pending { asked, .. }) = pending.filter(is(change)) else { return };
        let mut reply = self.reply(asked, status);
        if status == 500 {
            reply = reply.with("Retry-After", RETRY_AFTER_S);
        }
        self.env.respond(asked, reply);
        if let Some(state) = self.legs.get_mut(&leg) {
            state.pending = None;
        }
        self.set_deadline(leg, None);
        self.tell(leg, SipEvent::ChangeEnded { leg, change, taken: false });
    }

    /// The hub did not answer in time.
    pub(super) fn reoffer_expired(&mut self, leg: LegId) {
        let pending = self.legs.get(&leg).and_then(|state| state.pending.as_ref());
        let Some(change) = pending.map(|pending| pending.cseq) else { return };
        self.env.shared.tally.refuse(Why::Pending);
        self.refuse_change(leg, change, 500);
    }
}

/// Tells the change of this number from one that came after it.
fn is(change: u32) -> impl Fn(&&Pending) -> bool {
    move |pending| pending.cseq == change
}

/// Whether a session change meets another one: 491 when the open offer is ours, 500 when it is
/// theirs (RFC 3261 section 14.2, RFC 3311 section 5.2).
fn collision(state: &Leg, request: &Message, invite: bool) -> Option<(u16, Why)> {
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
        _ if state.reinvited.as_ref().is_some_and(|of| of.offered) => ours,
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
