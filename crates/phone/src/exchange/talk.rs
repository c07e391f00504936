//! What the dialog of a call wants, carried out: datagrams, sessions, the diary.

use model::media::{Direction, MediaDesc};

use super::{Exchange, send};
use crate::dialog::Output;
use crate::diary::What;
use crate::line::Role;
use crate::sdp;

impl Exchange {
    pub(super) fn carry_out(&mut self, key: u64, output: Output) {
        let now = self.clock.now_us();
        let Some(line) = self.lines.get_mut(&key) else { return };
        match output {
            Output::Send { title, datagram, again } => {
                send(&self.sip, datagram.as_bytes(), line.peer());
                if self.trace {
                    self.write(key, What::Sent { message: title, again });
                }
            }
            Output::Ringing => {
                if line.ringing_us.is_none() {
                    line.ringing_us = Some(now);
                    self.write(key, What::Ringing);
                }
            }
            Output::Up(body) => {
                line.answered_us = Some(now);
                self.write(key, What::Answered);
                self.up(key, body.as_deref());
            }
            Output::Answer(answer) | Output::Reanswered(Some(answer)) => {
                if let (Some(desc), Some(line)) = (sdp::parse(&answer), self.lines.get_mut(&key)) {
                    line.agree(&desc);
                }
            }
            Output::Reanswered(None) => {}
            Output::Reoffer(offer) => self.reoffered(key, offer.as_deref()),
            Output::Over(ended) => self.over(key, ended),
        }
    }

    /// The call is up: agree on the far side's description, if this side has not yet.
    fn up(&mut self, key: u64, body: Option<&str>) {
        let now = self.clock.now_us();
        let Some(line) = self.lines.get_mut(&key) else { return };
        let Role::Caller(plan) = &line.role else { return };
        let late = plan.late_offer;
        match body.and_then(sdp::parse) {
            Some(desc) => {
                line.agree(&desc);
                if late && let Some(leg) = &line.leg {
                    let answer = leg.describe(&[leg.codec], Direction::SendRecv);
                    let answer = MediaDesc { dtmf: desc.dtmf, ..answer };
                    let version = line.dialog.next_version();
                    line.dialog.send_ack(Some(sdp::write(&answer, key, version)));
                }
            }
            // An answer without a stream that we understand is no call.
            None => {
                line.dialog.send_ack(None);
                line.dialog.hang_up(now);
            }
        }
    }

    fn reoffered(&mut self, key: u64, offer: Option<&str>) {
        let now = self.clock.now_us();
        let Some(line) = self.lines.get_mut(&key) else { return };
        let desc = offer.and_then(sdp::parse);
        if let Some(desc) = &desc {
            line.agree(desc);
        }
        let Some(leg) = &line.leg else { return };
        let direction = match desc.as_ref().map(|desc| desc.direction) {
            None | Some(Direction::SendRecv) => Direction::SendRecv,
            Some(Direction::SendOnly) => Direction::RecvOnly,
            Some(Direction::RecvOnly) => Direction::SendOnly,
            Some(Direction::Inactive) => Direction::Inactive,
        };
        let open = leg.mouth.open;
        let mut answer = leg.describe(&[leg.codec], direction);
        answer.dtmf = desc.map_or(answer.dtmf, |desc| desc.dtmf);
        let version = line.dialog.next_version();
        line.dialog.reanswer(now, sdp::write(&answer, key, version));
        self.write(key, What::Reoffered { open });
    }

    pub(super) fn hold(&mut self, key: u64, hold: bool) {
        let now = self.clock.now_us();
        let direction = if hold { Direction::SendOnly } else { Direction::SendRecv };
        let Some(line) = self.lines.get_mut(&key) else { return };
        let Some(leg) = &line.leg else { return };
        let offer = leg.describe(&[leg.codec], direction);
        let version = line.dialog.next_version();
        let offer = sdp::write(&offer, key, version);
        self.with_dialog(key, |dialog| dialog.reinvite(now, offer));
    }

    pub(super) fn press(&mut self, key: u64, digit: char) {
        let Some(line) = self.lines.get_mut(&key) else { return };
        if let Some(leg) = &mut line.leg
            && leg.mouth.press(digit)
        {
            line.pressed.push(digit);
            self.write(key, What::Pressed { key: digit });
        }
    }
}
