//! One SIP call as a pure state machine: transactions, retransmission and dialog of RFC 3261.
//!
//! `receive`, `tick` or an order from the owner, then `poll` until empty. It keeps what a caller
//! or callee of one call needs and no more: UDP only, everything goes to the peer's address.

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

    fn receive_request(&mut self, now_us: i64, request: &Message) {
        let (Some(method), Some(branch)) = (request.method(), request.branch()) else { return };
        if method == "ACK" {
            return self.receive_ack(request);
        }
        let known = self.answered.iter().rev().find(|(b, m, _)| b == branch && m == method);
        if let Some((_, _, response)) = known {
            let (title, datagram) = (response.title(), response.to_string());
            self.outputs.push_back(Output::Send { title, datagram, again: true });
            return;
        }
        let ok = Message::response(request, 200, &self.local_tag);
        match method {
            "BYE" => {
                self.send_response(request, ok);
                self.pending.retain(|p| p.method == "BYE");
                self.over(Ended::FarHangup);
            }
            "CANCEL" => {
                self.send_response(request, ok);
                if self.state == State::Called {
                    self.respond_finally(now_us, 487, None);
                    self.over(Ended::Cancelled);
                }
            }
            "INVITE" | "UPDATE" if self.state == State::Up => {
                let offer = (!request.body.is_empty()).then(|| request.body.clone());
                self.reoffer = Some(request.clone());
                self.outputs.push_back(Output::Reoffer(offer));
            }
            "OPTIONS" | "INFO" | "UPDATE" | "NOTIFY" => self.send_response(request, ok),
            _ => {
                let status = if self.state == State::Over { 481 } else { 405 };
                let response = Message::response(request, status, &self.local_tag);
                self.send_response(request, response);
            }
        }
    }

    fn receive_ack(&mut self, ack: &Message) {
        let Some((number, _)) = ack.cseq() else { return };
        let before = self.pending.len();
        self.pending.retain(|p| p.method != "ACK" || p.cseq != number);
        if self.pending.len() < before && self.state == State::Up && !ack.body.is_empty() {
            self.outputs.push_back(Output::Answer(ack.body.clone()));
        }
    }

    fn receive_response(&mut self, now_us: i64, response: &Message, status: u16) {
        let (Some((number, method)), Some(branch)) = (response.cseq(), response.branch()) else {
            return;
        };
        if method == "INVITE" && status >= 200 {
            let known = self.ack.as_ref().filter(|(acked, _)| *acked == number);
            if let Some((_, ack)) = known {
                let (title, datagram) = (ack.title(), ack.to_string());
                return self.outputs.push_back(Output::Send { title, datagram, again: true });
            }
        }
        let mine = |p: &Pending| p.branch == branch && p.method == method;
        let Some(at) = self.pending.iter().position(mine) else { return };
        if status < 200 {
            if method == "INVITE" {
                self.pending[at].quiet = true;
                self.pending[at].give_up_us = i64::MAX;
                self.provisional = true;
                if status > 100 {
                    self.outputs.push_back(Output::Ringing);
                }
                self.cancel_if_possible(now_us);
            }
            return;
        }
        self.pending.remove(at);
        match method {
            "INVITE" => self.receive_final(now_us, response, status),
            "BYE" => self.over(Ended::HungUp),
            _ => {}
        }
    }

    /// The final response to our INVITE or re-INVITE.
    fn receive_final(&mut self, now_us: i64, response: &Message, status: u16) {
        let invite = self.invite.take();
        let first = self.state == State::Calling;
        if status >= 300 {
            if let Some(invite) = invite {
                self.ack_refusal(&invite, response);
            }
            if first {
                self.over(match status {
                    487 if self.cancel => Ended::Cancelled,
                    _ => Ended::Refused(status),
                });
            } else {
                self.offer_next(now_us);
            }
            return;
        }
        if let Some(to) = response.header("To").filter(|_| first) {
            self.remote = to.to_owned();
            self.routes = response.all("Record-Route").map(str::to_owned).collect();
            self.routes.reverse();
        }
        if let Some(contact) = response.header("Contact") {
            self.target = uri(contact).to_owned();
        }
        let body = (!response.body.is_empty()).then(|| response.body.clone());
        if !first {
            self.send_ack(None);
            self.outputs.push_back(Output::Reanswered(body));
            self.offer_next(now_us);
            return;
        }
        self.state = State::Up;
        let offered = invite.is_some_and(|invite| !invite.body.is_empty());
        self.outputs.push_back(Output::Up(body));
        if offered || self.cancel {
            self.send_ack(None);
        }
        if self.cancel {
            // The answer crossed our CANCEL (RFC 3261 section 9.1): hang up properly.
            self.hang_up(now_us);
        }
    }

    /// Acknowledges the 200. Where that 200 was an offer the owner calls this with the answer.
    pub fn send_ack(&mut self, answer: Option<String>) {
        if self.ack.as_ref().is_some_and(|(number, _)| *number == self.cseq) {
            return;
        }
        let mut ack = self.request("ACK");
        if let Some(sdp) = answer {
            ack = ack.with_sdp(sdp);
        }
        self.ack = Some((self.cseq, ack.clone()));
        self.send(&ack);
    }

    /// The ACK of a refusal belongs to the INVITE's transaction (section 17.1.1.3).
    fn ack_refusal(&mut self, invite: &Message, response: &Message) {
        let mut ack = invite.clone();
        let Start::Request { method, .. } = &mut ack.start else { return };
        "ACK".clone_into(method);
        ack.body.clear();
        ack.headers.retain(|(name, _)| !["Content-Type", "Contact"].contains(&name.as_str()));
        for (name, value) in &mut ack.headers {
            match name.as_str() {
                "To" => response.header("To").unwrap_or_default().clone_into(value),
                "CSeq" => *value = value.replace("INVITE", "ACK"),
                _ => {}
            }
        }
        self.ack = invite.cseq().map(|(number, _)| (number, ack.clone()));
        self.send(&ack);
    }

    fn cancel_if_possible(&mut self, now_us: i64) {
        let Some(invite) = self.invite.clone().filter(|_| self.cancel && self.provisional) else {
            return;
        };
        if self.pending.iter().any(|p| p.method == "CANCEL") {
            return;
        }
        let mut cancel = invite;
        let Start::Request { method, .. } = &mut cancel.start else { return };
        "CANCEL".clone_into(method);
        cancel.body.clear();
        cancel.headers.retain(|(name, _)| !["Content-Type", "Contact"].contains(&name.as_str()));
        for (name, value) in &mut cancel.headers {
            if name == "CSeq" {
                *value = value.replace("INVITE", "CANCEL");
            }
        }
        // Without a final response to the INVITE within 64 x T1 the call is over all the same.
        for pending in self.pending.iter_mut().filter(|p| p.method == "INVITE") {
            pending.give_up_us = now_us + GIVE_UP_US;
        }
        self.transact(now_us, &cancel);
    }

    /// A response to the INVITE that began the call.
    fn respond(&mut self, status: u16, sdp: Option<String>) -> Option<(Message, Message)> {
        let invite = self.invite.clone()?;
        let mut response = Message::response(&invite, status, &self.local_tag);
        if status > 100 && status < 300 {
            response = self.with_contact(response);
        }
        if let Some(sdp) = sdp {
            response = response.with_sdp(sdp);
        }
        self.send_response(&invite, response.clone());
        Some((invite, response))
    }

    fn respond_finally(&mut self, now_us: i64, status: u16, sdp: Option<String>) {
        if let Some((invite, response)) = self.respond(status, sdp) {
            self.repeat_until_ack(now_us, &invite, &response);
            self.invite = None;
            if status < 300 {
                self.outputs.push_back(Output::Up(None));
            }
        }
    }

    fn repeat_until_ack(&mut self, now_us: i64, request: &Message, response: &Message) {
        self.pending.push(Pending {
            method: "ACK".to_owned(),
            branch: request.branch().unwrap_or_default().to_owned(),
            cseq: request.cseq().map_or(0, |(number, _)| number),
            title: response.title(),
            datagram: response.to_string(),
            next_us: now_us + T1_US,
            step_us: T1_US,
            give_up_us: now_us + GIVE_UP_US,
            quiet: false,
        });
    }

    fn send_response(&mut self, request: &Message, response: Message) {
        self.send(&response);
        let (Some(branch), Some(method)) = (request.branch(), request.method()) else { return };
        let same = |(b, m, _): &(String, String, Message)| b == branch && m == method;
        self.answered.retain(|entry| !same(entry));
        self.answered.push_back((branch.to_owned(), method.to_owned(), response));
        if self.answered.len() > ANSWERED_MAX {
            self.answered.pop_front();
        }
    }

    fn with_contact(&self, message: Message) -> Message {
        let local = self.identity.local;
        message
            .with("Contact", format!("<sip:phone@{local}>"))
            .with("Allow", "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE")
    }

    fn next_request(&mut self, method: &str) -> Message {
        self.cseq += 1;
        self.request(method)
    }

    /// A request of this dialog with the current sequence number.
    fn request(&mut self, method: &str) -> Message {
        self.branches += 1;
        let Identity { local, unique, .. } = &self.identity;
        let branch = format!("z9hG4bK{unique}.{}", self.branches);
        let mut request = Message::request(method, &self.target)
            .with("Via", format!("SIP/2.0/UDP {local};branch={branch};rport"))
            .with("Max-Forwards", "70");
        for route in &self.routes {
            request = request.with("Route", route.clone());
        }
        let request = request
            .with("From", self.local.clone())
            .with("To", self.remote.clone())
            .with("Call-ID", self.call_id.clone())
            .with("CSeq", format!("{} {method}", self.cseq));
        if method == "INVITE" { self.with_contact(request) } else { request }
    }

    /// Sends a request and repeats it until it is answered.
    fn transact(&mut self, now_us: i64, request: &Message) {
        let Some((cseq, method)) = request.cseq() else { return };
        self.pending.push(Pending {
            method: method.to_owned(),
            branch: request.branch().unwrap_or_default().to_owned(),
            cseq,
            title: request.title(),
            datagram: request.to_string(),
            next_us: now_us + T1_US,
            step_us: T1_US,
            give_up_us: now_us + GIVE_UP_US,
            quiet: false,
        });
        self.send(request);
    }

    fn send(&mut self, message: &Message) {
        let (title, datagram) = (message.title(), message.to_string());
        self.outputs.push_back(Output::Send { title, datagram, again: false });
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
