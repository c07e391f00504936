//! One SIP call as a pure state machine: transactions, retransmission and dialog of RFC 3261.
//!
//! `receive`, `tick` or an order from the owner, then `poll` until empty. It keeps what a caller
//! or callee of one call needs and no more: UDP only, everything goes to the peer's address.

mod receive;
mod send;

use std::collections::VecDeque;
use std::net::SocketAddr;

use serde::Serialize;

use crate::message::{Message, Start, tag, uri, user};

/// RFC 3261 timer T1, microseconds.
const T1_US: i64 = 500_000;
/// RFC 3261 timer T2, microseconds.
const T2_US: i64 = 4_000_000;
/// 64 x T1: when a transaction gives up.
const GIVE_UP_US: i64 = 64 * T1_US;
/// Answered requests that are kept to answer them again.
const ANSWERED_MAX: usize = 8;

/// How a call ended, seen from this telephone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// The far side sent BYE.
    FarHangup,
    /// We sent BYE.
    HungUp,
    /// We sent CANCEL, or the caller did.
    Cancelled,
    /// A final status from 300 on, theirs or ours.
    Refused(u16),
    /// Nobody answered a request.
    Timeout,
    /// Our 200 was never acknowledged.
    NoAck,
}

/// What a call tells its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send this datagram to the peer.
    Send {
        /// For the diary: `INVITE`, `200 INVITE`.
        title: String,
        /// The bytes.
        datagram: String,
        /// Sent before, sent again.
        again: bool,
    },
    /// The far side rings (180, 183).
    Ringing,
    /// The call is up. The far side's description, if this message had one.
    Up(Option<String>),
    /// Our 200 was an offer and this is the answer to it.
    Answer(String),
    /// A re-INVITE or UPDATE; answer with [`Dialog::reanswer`]. `None` asks us to offer.
    Reoffer(Option<String>),
    /// The far side took our re-INVITE; its answer.
    Reanswered(Option<String>),
    /// The call is over. The last output but for datagrams.
    Over(Ended),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// INVITE sent, nothing final yet.
    Calling,
    /// INVITE received, not answered.
    Called,
    /// Answered.
    Up,
    /// We sent BYE or a refusal and wait for its end.
    Leaving,
    /// Over; answers retransmissions only.
    Over,
}

/// Something that is sent again until something comes.
#[derive(Debug, Clone)]
struct Pending {
    method: String,
    branch: String,
    cseq: u32,
    title: String,
    datagram: String,
    next_us: i64,
    step_us: i64,
    give_up_us: i64,
    /// A provisional response ends the repetition, not the wait (17.1.1.2).
    quiet: bool,
}

/// Who and where, fixed when the call begins.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Our own address as others reach it.
    pub local: SocketAddr,
    /// Where everything is sent.
    pub peer: SocketAddr,
    /// Distinguishes this call's ids from all others.
    pub unique: String,
}

/// A call.
#[derive(Debug)]
pub struct Dialog {
    identity: Identity,
    state: State,
    call_id: String,
    local: String,
    remote: String,
    local_tag: String,
    target: String,
    routes: Vec<String>,
    cseq: u32,
    branches: u32,
    session_version: u64,
    /// The INVITE that waits for its final response, theirs or ours.
    invite: Option<Message>,
    /// The newest request that waits for `reanswer`.
    reoffer: Option<Message>,
    cancel: bool,
    provisional: bool,
    pending: Vec<Pending>,
    /// What is offered when the offer under way is answered.
    next_offer: Option<String>,
    answered: VecDeque<(String, String, Message)>,
    ack: Option<(u32, Message)>,
    outputs: VecDeque<Output>,
}

impl Dialog {
    fn new(identity: Identity, caller: bool) -> Self {
        let local_tag = format!("t{}", identity.unique);
        Self {
            identity,
            state: if caller { State::Calling } else { State::Called },
            call_id: String::new(),
            local: String::new(),
            remote: String::new(),
            local_tag,
            target: String::new(),
            routes: Vec::new(),
            cseq: 1,
            branches: 0,
            session_version: 0,
            invite: None,
            reoffer: None,
            cancel: false,
            provisional: false,
            pending: Vec::new(),
            next_offer: None,
            answered: VecDeque::new(),
            ack: None,
            outputs: VecDeque::new(),
        }
    }

    /// Calls `whom` (`number@host`) as `from`. It is sent to the peer, whatever the host. Without
    /// `sdp` the far side must offer.
    #[must_use]
    pub fn call(
        now_us: i64,
        identity: Identity,
        whom: &str,
        from: (&str, Option<&str>),
        sdp: Option<String>,
    ) -> Self {
        let mut dialog = Self::new(identity, true);
        let Identity { local, unique, .. } = &dialog.identity;
        let (number, name) = from;
        let shown = name.map(|name| format!("\"{}\" ", name.replace(['"', '\\'], "")));
        dialog.call_id = format!("{unique}@{}", local.ip());
        dialog.target = format!("sip:{whom}");
        dialog.remote = format!("<sip:{whom}>");
        dialog.local =
            format!("{}<sip:{number}@{local}>;tag={}", shown.unwrap_or_default(), dialog.local_tag);
        let mut invite = dialog.request("INVITE");
        if let Some(sdp) = sdp {
            invite = invite.with_sdp(sdp);
        }
        dialog.invite = Some(invite.clone());
        dialog.transact(now_us, &invite);
        dialog
    }

    /// Takes a call: `None` when the message is no INVITE that begins one.
    #[must_use]
    pub fn called(identity: Identity, invite: &Message) -> Option<Self> {
        let (_, "INVITE") = invite.cseq()? else { return None };
        let fits = invite.method() == Some("INVITE") && tag(invite.header("To")?).is_none();
        let mut dialog = Self::new(identity, false);
        invite.branch().filter(|_| fits)?;
        dialog.call_id = invite.header("Call-ID")?.to_owned();
        dialog.remote = invite.header("From")?.to_owned();
        dialog.local = format!("{};tag={}", invite.header("To")?, dialog.local_tag);
        dialog.target = uri(invite.header("Contact")?).to_owned();
        dialog.routes = invite.all("Record-Route").map(str::to_owned).collect();
        dialog.invite = Some(invite.clone());
        dialog.respond(100, None);
        Some(dialog)
    }

    /// The Call-ID.
    #[must_use]
    pub fn call_id(&self) -> &str {
        &self.call_id
    }

    /// The user part of the far side's address.
    #[must_use]
    pub fn remote_user(&self) -> &str {
        user(uri(&self.remote))
    }

    /// Where everything is sent.
    #[must_use]
    pub fn peer(&self) -> SocketAddr {
        self.identity.peer
    }

    /// The next output.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When `tick` must be called at the latest, microseconds.
    #[must_use]
    pub fn deadline(&self) -> Option<i64> {
        let due = |p: &Pending| if p.quiet { p.give_up_us } else { p.next_us.min(p.give_up_us) };
        self.pending.iter().map(due).min()
    }

    /// Whether the call is over and every transaction with it.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.state == State::Over && self.pending.is_empty()
    }

    /// Sends 180 for a call that came.
    pub fn ring(&mut self) {
        if self.state == State::Called {
            self.respond(180, None);
        }
    }

    /// Answers a call that came.
    pub fn answer(&mut self, now_us: i64, sdp: String) {
        if self.state == State::Called {
            self.state = State::Up;
            self.respond_finally(now_us, 200, Some(sdp));
        }
    }

    /// Refuses a call that came.
    pub fn refuse(&mut self, now_us: i64, status: u16) {
        if self.state == State::Called {
            self.respond_finally(now_us, status, None);
            self.over(Ended::Refused(status));
        }
    }

    /// Ends the call in whatever state it is: BYE, CANCEL or 486.
    pub fn hang_up(&mut self, now_us: i64) {
        match self.state {
            State::Up => {
                let bye = self.next_request("BYE");
                self.transact(now_us, &bye);
                self.state = State::Leaving;
            }
            State::Calling => {
                self.cancel = true;
                self.cancel_if_possible(now_us);
            }
            State::Called => self.refuse(now_us, 486),
            State::Leaving | State::Over => {}
        }
    }

    /// Offers a new session (re-INVITE), after the one that is under way (RFC 3261 section 14.1).
    pub fn reinvite(&mut self, now_us: i64, sdp: String) {
        if self.state != State::Up {
            return;
        }
        if self.invite.is_some() {
            self.next_offer = Some(sdp);
        } else {
            let invite = self.next_request("INVITE").with_sdp(sdp);
            self.invite = Some(invite.clone());
            self.transact(now_us, &invite);
        }
    }

    fn offer_next(&mut self, now_us: i64) {
        if let Some(sdp) = self.next_offer.take() {
            self.reinvite(now_us, sdp);
        }
    }

    /// Answers [`Output::Reoffer`].
    pub fn reanswer(&mut self, now_us: i64, sdp: String) {
        let Some(request) = self.reoffer.take() else { return };
        let response = self.with_contact(Message::response(&request, 200, &self.local_tag));
        let response = response.with_sdp(sdp);
        if request.method() == Some("INVITE") {
            self.repeat_until_ack(now_us, &request, &response);
        }
        self.send_response(&request, response);
    }

    /// Takes a message of this call.
    pub fn receive(&mut self, now_us: i64, message: &Message) {
        match message.start {
            Start::Request { .. } => self.receive_request(now_us, message),
            Start::Response { status, .. } => self.receive_response(now_us, message, status),
        }
    }

    /// Sends again what is due and gives up what waited too long.
    pub fn tick(&mut self, now_us: i64) {
        let mut over = None;
        for pending in &mut self.pending {
            if now_us >= pending.give_up_us {
                let final_response = pending.method == "ACK";
                over = Some(if final_response { Ended::NoAck } else { Ended::Timeout });
            } else if !pending.quiet && now_us >= pending.next_us {
                // Timer A doubles without end, timers E and G up to T2.
                pending.step_us *= 2;
                if pending.method != "INVITE" {
                    pending.step_us = pending.step_us.min(T2_US);
                }
                pending.next_us = now_us + pending.step_us;
                let (title, datagram) = (pending.title.clone(), pending.datagram.clone());
                self.outputs.push_back(Output::Send { title, datagram, again: true });
            }
        }
        self.pending.retain(|pending| now_us < pending.give_up_us);
        if let Some(ended) = over {
            self.over(ended);
        }
    }

    fn over(&mut self, ended: Ended) {
        if self.state != State::Over {
            self.state = State::Over;
            self.outputs.push_back(Output::Over(ended));
        }
    }

    /// The version of the next session description (RFC 3264 section 8).
    pub fn next_version(&mut self) -> u64 {
        self.session_version += 1;
        self.session_version
    }
}

#[cfg(test)]
mod tests;
