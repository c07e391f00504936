//! Outgoing calls, from `Dial` to the ACK of the far side's 2xx.

use model::LegId;
use model::media::MediaDesc;
use model::sip::{Caller, LegCause, SipEvent, SipTarget};
use rsipstack::sip::{HasHeaders, Response};
use tokio::time::Instant;

use super::leg::{Calling, Dialog, Leg, State};
use super::{Core, Success, message};
use crate::addr;
use crate::counters::Why;
use crate::sdp;
use crate::tags;

impl Core {
    pub(super) fn dial(
        &mut self,
        leg: LegId,
        target: &SipTarget,
        caller: &Caller,
        local: &MediaDesc,
    ) {
        if self.legs.contains_key(&leg) {
            return;
        }
        let shared = &self.env.shared;
        let uri = format!("sip:{}@{}", escape(target.user.as_str()), target.address);
        let tag = shared.tags.mint();
        let dialog = Dialog {
            call_id: tags::call_id(),
            local_tag: tag.clone(),
            remote_tag: String::new(),
            local: identity(caller, &shared.advertise.to_string()),
            remote: format!("<{uri}>"),
            local_cseq: 1,
            remote_cseq: None,
            target: uri,
            routes: Vec::new(),
            peer: target.address,
        };
        let via = message::via(shared);
        let calling = Calling { via: via.clone(), provisional: false };
        let mut state = Leg::new(dialog, State::Calling(calling));
        state.local_body = sdp::offer(local, &mut state.origin);
        let request = message::invite(shared, &state.dialog, &via, state.local_body.clone());
        let full = self.legs.len() >= shared.config.legs_max;
        let ring_timeout = shared.config.ring_timeout;
        let wanted = (!full).then_some(request);
        state.call = wanted.and_then(|request| self.env.call(request, target.address, leg));
        let sent = state.call.is_some();
        self.legs.insert(leg, state);
        if !sent {
            if full {
                self.env.shared.tally.refuse(Why::Full);
            }
            let cause = if full { LegCause::Refused } else { LegCause::Unreachable };
            self.end(leg, cause, None);
            self.forget(leg);
            return;
        }
        self.by_tag.insert(tag, leg);
        self.set_deadline(leg, Some(Instant::now() + ring_timeout));
    }

    /// A provisional response or a refusal of our INVITE.
    pub(super) fn response(&mut self, leg: LegId, response: &Response) {
        let status = response.status_code.code();
        let Some(state) = self.legs.get_mut(&leg) else { return };
        if !matches!(state.state, State::Calling(_) | State::Leaving) {
            return;
        }
        if status >= 300 {
            // A final response without To tag is the transaction's own timeout.
            let lost = message::to_tag(response).is_none();
            let cause = if lost { LegCause::Unreachable } else { message::cause(status) };
            self.end(leg, cause, (!lost).then_some(status));
            self.forget(leg);
            return;
        }
        if let State::Calling(calling) = &mut state.state {
            calling.provisional = true;
            if state.ended {
                self.cancel(leg, LegCause::Hangup);
            } else if status > 100 && !std::mem::replace(&mut state.rang, true) {
                self.tell(leg, SipEvent::Ringing { leg });
            }
        }
    }

    /// The transaction of our INVITE ended without a final response.
    pub(super) fn call_gone(&mut self, leg: LegId) {
        let waits = |leg: &Leg| matches!(leg.state, State::Calling(_) | State::Leaving);
        if self.legs.get(&leg).is_some_and(waits) {
            self.end(leg, LegCause::Unreachable, None);
            self.forget(leg);
        }
    }

    /// Hangs up a call that was not answered yet. CANCEL must not be sent before something
    /// provisional came (RFC 3261 section 9.1): until then it is held back.
    pub(super) fn give_up(&mut self, leg: LegId, cause: LegCause) {
        self.end(leg, cause, None);
        self.set_deadline(leg, None);
        if let Some(Leg { state: State::Calling(calling), .. }) = self.legs.get(&leg)
            && calling.provisional
        {
            self.cancel(leg, cause);
        }
    }

    fn cancel(&mut self, leg: LegId, cause: LegCause) {
        let Some(state) = self.legs.get_mut(&leg) else { return };
        let State::Calling(calling) = &state.state else { return };
        let reason = Some(message::reason(cause));
        let request = message::cancel(&self.env.shared, &state.dialog, &calling.via, reason);
        let peer = state.dialog.peer;
        state.state = State::Leaving;
        self.env.request(request, peer);
        // A far side that never ends the INVITE does not hold the leg for ever.
        self.set_deadline(leg, Some(Instant::now() + self.transaction_time()));
    }

    /// A 2xx to an INVITE of ours: the answer, a copy of it, or another branch of a fork.
    pub(super) fn success(&mut self, success: Success) {
        let Success { response, source } = success;
        let Some(leg) = message::from_tag(&response).and_then(|tag| self.by_tag.get(tag).copied())
        else {
            return;
        };
        let Some(state) = self.legs.get_mut(&leg) else { return };
        let Some(tag) = message::to_tag(&response).map(str::to_owned) else { return };
        let cseq = message::cseq(&response).unwrap_or(0);
        if message::call_id(&response) != state.dialog.call_id || cseq != 1 {
            return;
        }
        match &state.state {
            State::Calling(_) if !state.ended => {}
            State::Calling(_) | State::Leaving => {
                adopt(&mut state.dialog, &response, tag, source);
                self.acknowledge(leg);
                self.leave(leg, LegCause::Hangup, None);
                return;
            }
            State::Up if state.dialog.remote_tag == tag => {
                self.acknowledge(leg);
                return;
            }
            State::Up => {
                self.refuse_fork(leg, &response, tag, source);
                return;
            }
            State::Offered(_) | State::Answered(_) => return,
        }
        adopt(&mut state.dialog, &response, tag, source);
        state.state = State::Up;
        self.set_deadline(leg, None);
        self.acknowledge(leg);
        match message::session(&response, &response.body) {
            Some(session) => {
                let remote = session.media.clone();
                if let Some(state) = self.legs.get_mut(&leg) {
                    state.remote = Some(session);
                    state.remote_body = response.body;
                }
                self.tell(leg, SipEvent::Answered { leg, remote, source });
            }
            None => {
                self.env.shared.tally.refuse(Why::BadSdp);
                self.leave(leg, LegCause::Refused, Some(response.status_code.code()));
            }
        }
    }

    fn acknowledge(&self, leg: LegId) {
        if let Some(state) = self.legs.get(&leg) {
            let ack = message::ack(&self.env.shared, &state.dialog, 1);
            self.env.port.send(&ack, state.dialog.next_hop());
        }
    }

    /// Somebody else answered as well: ACK and BYE (RFC 3261 section 13.2.2.4).
    fn refuse_fork(
        &self,
        leg: LegId,
        response: &Response,
        tag: String,
        source: std::net::SocketAddr,
    ) {
        let Some(state) = self.legs.get(&leg) else { return };
        let mut fork = Dialog {
            call_id: state.dialog.call_id.clone(),
            local_tag: state.dialog.local_tag.clone(),
            remote_tag: String::new(),
            local: state.dialog.local.clone(),
            remote: state.dialog.remote.clone(),
            local_cseq: 1,
            remote_cseq: None,
            target: format!("sip:{source}"),
            routes: Vec::new(),
            peer: source,
        };
        adopt(&mut fork, response, tag, source);
        let hop = fork.next_hop();
        self.env.port.send(&message::ack(&self.env.shared, &fork, 1), hop);
        let bye = message::bye(&self.env.shared, &mut fork, LegCause::Hangup);
        self.env.request(bye, hop);
    }
}

/// Completes our dialog with what the 2xx says (RFC 3261 section 12.1.2).
fn adopt(
    dialog: &mut Dialog,
    response: &impl HasHeaders,
    tag: String,
    source: std::net::SocketAddr,
) {
    dialog.remote_tag = tag;
    if let Some(contact) = message::contact(response) {
        dialog.target = contact;
    }
    dialog.routes = message::record_routes(response);
    dialog.routes.reverse();
    dialog.peer = source;
}

/// The From of a call we make.
fn identity(caller: &Caller, host: &str) -> String {
    let uri = caller.number.as_ref().map_or_else(
        || "sip:anonymous@anonymous.invalid".to_owned(),
        |number| format!("sip:{}@{host}", escape(number.as_str())),
    );
    match &caller.name {
        Some(name) => format!("{} <{uri}>", addr::quote(name)),
        None => format!("<{uri}>"),
    }
}

/// The one character that can be dialled and must be escaped in a URI.
fn escape(user: &str) -> String {
    user.replace('#', "%23")
}
