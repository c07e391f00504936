//! The messages of a call: made, sent, and kept to be sent again.

use super::{ANSWERED_MAX, Dialog, GIVE_UP_US, Identity, Output, Pending, T1_US};
use crate::message::{Message, Start};

impl Dialog {
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
    pub(super) fn ack_refusal(&mut self, invite: &Message, response: &Message) {
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

    pub(super) fn cancel_if_possible(&mut self, now_us: i64) {
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
    pub(super) fn respond(
        &mut self,
        status: u16,
        sdp: Option<String>,
    ) -> Option<(Message, Message)> {
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

    pub(super) fn respond_finally(&mut self, now_us: i64, status: u16, sdp: Option<String>) {
        if let Some((invite, response)) = self.respond(status, sdp) {
            self.repeat_until_ack(now_us, &invite, &response);
            self.invite = None;
            if status < 300 {
                self.outputs.push_back(Output::Up(None));
            }
        }
    }

    pub(super) fn repeat_until_ack(&mut self, now_us: i64, request: &Message, response: &Message) {
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

    pub(super) fn send_response(&mut self, request: &Message, response: Message) {
        self.send(&response);
        let (Some(branch), Some(method)) = (request.branch(), request.method()) else { return };
        let same = |(b, m, _): &(String, String, Message)| b == branch && m == method;
        self.answered.retain(|entry| !same(entry));
        self.answered.push_back((branch.to_owned(), method.to_owned(), response));
        if self.answered.len() > ANSWERED_MAX {
            self.answered.pop_front();
        }
    }

    pub(super) fn with_contact(&self, message: Message) -> Message {
        let local = self.identity.local;
        message
            .with("Contact", format!("<sip:phone@{local}>"))
            .with("Allow", "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE")
    }

    pub(super) fn next_request(&mut self, method: &str) -> Message {
        self.cseq += 1;
        self.request(method)
    }

    /// A request of this dialog with the current sequence number.
    pub(super) fn request(&mut self, method: &str) -> Message {
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
    pub(super) fn transact(&mut self, now_us: i64, request: &Message) {
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
}
