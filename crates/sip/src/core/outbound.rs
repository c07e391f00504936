//! Outgoing calls, from `Dial` to the ACK of the far side's 2xx.

use model::LegId;
use model::limits;
use model::media::MediaDesc;
use model::sip::{Callee, Caller, LegCause, SipEvent, SipTarget};
use tokio::time::Instant;

use super::leg::{Calling, Dialog, Leg, State};
use super::{Core, compose};
use crate::addr;
use crate::counters::Why;
use crate::message::Message;
use crate::sdp;
use crate::tags;
use crate::transaction::Owner;
use crate::way::Way;

impl Core {
    pub(super) fn dial(&mut self, leg: LegId, callee: &Callee, caller: &Caller, local: &MediaDesc) {
        if self.legs.contains_key(&leg) {
            return;
        }
        let way = match callee {
            Callee::At(SipTarget { user, address }) => {
                Some((format!("sip:{}@{address}", escape(user.as_str())), Way::udp(*address)))
            }
            Callee::Phone(device) => self.registrar.find(self.second(), *device),
        };
        let Some((uri, peer)) = way else {
            // Its registration has just ended.
            let cause = LegCause::Unreachable;
            self.events.push(SipEvent::Ended { leg, cause, status: None });
            return;
        };
        let shared = &self.env.shared;
        let tag = shared.tags.mint();
        let dialog = Dialog {
            call_id: tags::call_id(),
            local_tag: tag.clone(),
            remote_tag: String::new(),
            local: identity(caller, &shared.own(peer.transport).to_string()),
            remote: format!("<{uri}>"),
            local_cseq: 1,
            remote_cseq: None,
            target: uri,
            routes: Vec::new(),
            peer,
            is_translated: false,
        };
        let branch = tags::branch();
        let calling = Calling { branch: branch.clone(), provisional: false };
        let state = Leg::new(dialog, State::Calling(calling));
        if self.legs.len() >= shared.config.legs_max {
            shared.tally.refuse(Why::Full);
            self.legs.insert(leg, state);
            // Nothing is wrong with whom we would have called.
            self.end(leg, LegCause::InternalError, None);
            self.forget(leg);
            return;
        }
        // First, so that a fault in what follows finds it.
        self.by_tag.insert(tag, leg);
        let state = self.legs.entry(leg).or_insert(state);
        state.device = match callee {
            Callee::Phone(device) => Some(*device),
            Callee::At(_) => None,
        };
        #[cfg(test)]
        super::guard::fault_in_dial(caller);
        state.local_body = sdp::offer(local, &mut state.origin);
        let request = compose::invite(shared, &state.dialog, branch, &state.local_body);
        let ring_timeout = shared.config.ring_timeout;
        let owner = Some(Owner { leg, cseq: 1 });
        state.call = Some(self.env.request(request, peer, owner));
        self.set_deadline(leg, Some(Instant::now() + ring_timeout));
    }

    /// A provisional response or a refusal of our INVITE.
    pub(super) fn response(&mut self, leg: LegId, status: u16) {
        self.works_on(leg);
        let Some(state) = self.legs.get_mut(&leg) else { return };
        if !matches!(state.state, State::Calling(_) | State::Leaving) {
            return;
        }
        if status >= 300 {
            self.end(leg, compose::cause(status), Some(status));
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

    /// Hangs up a call that was not answered yet. CANCEL must not be sent before something
    /// provisional came (RFC 3261 section 9.1): until then it is held back.
    pub(super) fn give_up(&mut self, leg: LegId, cause: LegCause) {
        self.end(leg, cause, None);
        // A far side that never says anything does not hold the leg for ever.
        self.set_deadline(leg, Some(Instant::now() + self.env.transactions.patience()));
        if let Some(Leg { state: State::Calling(calling), .. }) = self.legs.get(&leg)
            && calling.provisional
        {
            self.cancel(leg, cause);
        }
    }

    fn cancel(&mut self, leg: LegId, cause: LegCause) {
        let Some(state) = self.legs.get_mut(&leg) else { return };
        let State::Calling(calling) = &state.state else { return };
        let (branch, reason) = (calling.branch.clone(), compose::reason(cause));
        let request = compose::cancel(&self.env.shared, &state.dialog, branch, reason);
        let peer = state.dialog.peer;
        state.state = State::Leaving;
        self.env.request(request, peer, None);
        // A far side that never ends the INVITE does not hold the leg for ever.
        self.set_deadline(leg, Some(Instant::now() + self.env.transactions.patience()));
    }

    /// A 2xx to an INVITE of ours: the answer, a copy of it, or another branch of a fork.
    pub(super) fn success(&mut self, response: &Message) {
        let source = response.peer.address;
        let Some(leg) = response.tag_from().and_then(|tag| self.by_tag.get(tag).copied()) else {
            return;
        };
        self.works_on(leg);
        let Some(state) = self.legs.get_mut(&leg) else { return };
        let Some(tag) = response.tag_to().map(str::to_owned) else { return };
        if response.call_id() != state.dialog.call_id || response.cseq() != Some(1) {
            return;
        }
        if let Some(call) = &state.call {
            self.env.transactions.give_up(call);
        }
        match &state.state {
            State::Calling(_) if !state.ended => {}
            State::Calling(_) | State::Leaving => {
                state.dialog.adopt(response, tag);
                self.acknowledge(leg);
                self.leave(leg, LegCause::Hangup, None);
                return;
            }
            State::Up if state.dialog.remote_tag == tag => {
                self.acknowledge(leg);
                return;
            }
            State::Up => {
                self.refuse_fork(leg, response, tag);
                return;
            }
            State::Offered(_) | State::Answered(_) => return,
        }
        state.dialog.adopt(response, tag);
        state.state = State::Up;
        self.set_deadline(leg, None);
        self.acknowledge(leg);
        match response.session() {
            Some(session) => {
                let remote = session.media.clone();
                if let Some(state) = self.legs.get_mut(&leg) {
                    state.remote = Some(session);
                    state.remote_body.clone_from(&response.body);
                }
                self.tell(leg, SipEvent::Answered { leg, remote, source });
            }
            None => {
                self.env.shared.tally.refuse(Why::BadSdp);
                self.leave(leg, LegCause::Refused, Some(response.status()));
            }
        }
    }

    fn acknowledge(&mut self, leg: LegId) {
        if let Some(state) = self.legs.get(&leg) {
            let ack = compose::ack(&self.env.shared, &state.dialog, 1);
            self.env.port.send(&ack, state.dialog.next_hop());
        }
    }

    /// Somebody else answered as well: ACK and BYE (RFC 3261 section 13.2.2.4).
    fn refuse_fork(&mut self, leg: LegId, response: &Message, tag: String) {
        let Some(state) = self.legs.get_mut(&leg) else { return };
        let is_copy = state.forks.contains(&tag);
        if !is_copy && state.forks.len() >= limits::SIP_FORKS_MAX {
            return;
        }
        let mut fork = Dialog {
            call_id: state.dialog.call_id.clone(),
            local_tag: state.dialog.local_tag.clone(),
            remote_tag: String::new(),
            local: state.dialog.local.clone(),
            remote: state.dialog.remote.clone(),
            local_cseq: 1,
            remote_cseq: None,
            target: response.peer.uri(),
            routes: Vec::new(),
            peer: response.peer,
            is_translated: false,
        };
        if !is_copy {
            state.forks.push(tag.clone());
        }
        fork.adopt(response, tag);
        let hop = fork.next_hop();
        self.env.port.send(&compose::ack(&self.env.shared, &fork, 1), hop);
        if is_copy {
            return;
        }
        let bye = compose::bye(&self.env.shared, &mut fork, LegCause::Hangup);
        self.env.request(bye, hop, None);
    }
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
