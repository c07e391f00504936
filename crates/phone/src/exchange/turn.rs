//! The clock of all calls: who speaks now, and what each plan wants next.

use super::{Exchange, LINGER_US, PHASES};
use crate::dialog::Ended;
use crate::diary::What;
use crate::line::Step;
use crate::plan::Then;
use crate::sdp;
use model::media::Direction;

impl Exchange {
    /// One turn of the clock: a quarter of the calls speaks and looks at its plan.
    pub(super) fn turn(&mut self, phase: u64) {
        let now = self.clock.now_us();
        while let Some((due, key)) = self.deadlines.first().copied().filter(|(due, _)| *due <= now)
        {
            self.deadlines.remove(&(due, key));
            if let Some(line) = self.lines.get_mut(&key) {
                line.deadline = None;
            }
            self.with_dialog(key, |dialog| dialog.tick(now));
        }
        let keys: Vec<u64> =
            self.lines.keys().copied().filter(|key| key % PHASES == phase).collect();
        for key in keys {
            let Some(line) = self.lines.get_mut(&key) else { continue };
            line.speak(now);
            if let Some(step) = line.next_step(now) {
                self.take_step(key, now, step);
            }
            let Some(line) = self.lines.get(&key) else { continue };
            if line.ended.is_some_and(|at| now - at > LINGER_US) && line.dialog.is_finished() {
                self.by_call_id.remove(line.dialog.call_id());
                self.lines.remove(&key);
            }
        }
    }

    fn take_step(&mut self, key: u64, now: i64, step: Step) {
        match step {
            Step::Press(digit) => self.press(key, digit),
            Step::Speak => {
                if let Some(leg) = self.lines.get_mut(&key).and_then(|line| line.leg.as_mut()) {
                    leg.mouth.speaking = true;
                }
                self.write(key, What::Spoke);
            }
            Step::HangUp => self.with_dialog(key, |dialog| dialog.hang_up(now)),
            Step::Then(Then::Answer) => self.answer(key, now),
            Step::Then(Then::Refuse(status)) => {
                self.with_dialog(key, |dialog| dialog.refuse(now, status));
            }
            Step::Then(Then::Nothing) => {}
        }
    }

    fn answer(&mut self, key: u64, now: i64) {
        let Some(line) = self.lines.get_mut(&key) else { return };
        let offered = line.offer.take();
        let desc = offered.as_deref().map(sdp::parse);
        if let Some(None) = desc {
            return self.with_dialog(key, |dialog| dialog.refuse(now, 488));
        }
        if let Some(Some(desc)) = &desc {
            line.agree(desc);
        }
        let Some(leg) = &line.leg else { return };
        let mut local = leg.describe(&[leg.codec], Direction::SendRecv);
        if let Some(Some(desc)) = desc {
            local.dtmf = desc.dtmf;
        }
        let version = line.dialog.next_version();
        let local = sdp::write(&local, key, version);
        self.with_dialog(key, |dialog| dialog.answer(now, local));
    }

    pub(super) fn over(&mut self, key: u64, ended: Ended) {
        let now = self.clock.now_us();
        let Some(line) = self.lines.get_mut(&key) else { return };
        let (report, socket) = line.finish(key, now, ended);
        if let Some(socket) = socket {
            // What still arrives belongs to nobody; it is drained before the next call.
            let mut rest = [0; 2_048];
            while socket.try_recv_from(&mut rest).is_ok() {}
            self.idle.push(socket);
        }
        self.write(key, What::Over(Box::new(report)));
    }
}
