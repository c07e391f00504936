//! What the far side of a call sent, and what comes of it.

use super::{Dialog, Ended, Output, Pending, State};
use crate::message::{Message, uri};

impl Dialog {
    pub(super) fn receive_request(&mut self, now_us: i64, request: &Message) {
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

    pub(super) fn receive_response(&mut self, now_us: i64, response: &Message, status: u16) {
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
}
