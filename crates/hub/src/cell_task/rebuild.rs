//! What becomes of a cell that panicked: it is rebuilt without the input that did it, and the call
//! that input was about ends alone.

use floor::Cell;
use model::Input;
use model::effect::{Effect, Output};
use model::id::CallId;
use model::refusal::Refusal;
use model::time::Timestamp;

use super::{CellTask, RETRY_AFTER, SEGMENT_PAUSE};
use crate::caught::Caught;
use crate::switchboard::Request;

impl CellTask {
    /// The cell panicked: go back to the checkpoint, repeat what was good, end that one call.
    pub(super) fn rebuild(&mut self, now: Timestamp, poison: &Input) {
        self.repeat_from_checkpoint();
        let call = call_of(&self.cell, poison);
        tracing::error!(tenant.id = %self.tenant, call.id = ?call, "a call's handling panicked");
        // The segment ends with what failed; a new one begins soon.
        self.segment = None;
        self.next_segment_at = now + SEGMENT_PAUSE;
        self.answer_poison(poison);
        let remedy = match (poison, call) {
            (Input::Wake, _) => Some(Input::WakeFailed),
            (_, Some(call)) => Some(Input::CallFailed { call }),
            (_, None) => None,
        };
        let is_timer = matches!(remedy, Some(Input::WakeFailed));
        let last_resort = is_timer.then_some(Input::TimerPutOff);
        for remedy in remedy.into_iter().chain(last_resort) {
            let outputs = guarded(&self.caught, &mut self.cell, now, remedy.clone());
            if let Some(outputs) = outputs {
                self.since_checkpoint.push((now, remedy));
                return self.carry_out(now, outputs);
            }
            // Even giving it up panics. A timer is put off; a call is left to its timers.
            self.repeat_from_checkpoint();
        }
        if is_timer {
            self.wake_not_before = now + RETRY_AFTER;
        }
    }

    /// Back to the checkpoint and through the good inputs since; their outputs were carried out.
    fn repeat_from_checkpoint(&mut self) {
        self.cell = self.checkpoint.clone();
        for (at, input) in std::mem::take(&mut self.since_checkpoint) {
            if guarded(&self.caught, &mut self.cell, at, input.clone()).is_some() {
                self.since_checkpoint.push((at, input));
            }
        }
    }

    /// Nobody may wait for ever for what could not be handled.
    fn answer_poison(&mut self, poison: &Input) {
        match poison {
            Input::Command { request: Some(request), .. } => {
                if let Some(reply) = self.replies.remove(request) {
                    let _ = reply.send(Err(Refusal::WrongState));
                }
            }
            Input::CallOffered { leg, .. } | Input::PhoneDialled { leg, .. } => {
                let effect = Effect::Refuse { leg: *leg, status: 500 };
                let request = Request::Effect { tenant: self.tenant, effect, recording_file: None };
                let _ = self.switchboard.send(request);
            }
            _ => {}
        }
    }
}

/// One input through a cell; `None` when it panicked and the cell must not be used any more.
pub(super) fn guarded(
    caught: &Caught,
    cell: &mut Cell,
    now: Timestamp,
    input: Input,
) -> Option<Vec<Output>> {
    let decide = || {
        cell.handle(now, input);
        std::iter::from_fn(|| cell.poll()).collect()
    };
    caught.catch(decide).ok()
}

/// The call an input is about.
fn call_of(cell: &Cell, input: &Input) -> Option<CallId> {
    use model::input::Command;
    match input {
        Input::LegUp { leg }
        | Input::LegEnded { leg, .. }
        | Input::LegHeld { leg, .. }
        | Input::Referred { leg, .. }
        | Input::Digit { leg, .. }
        | Input::SecretKey { leg, .. }
        | Input::KeysHeld { leg }
        | Input::DeviceUp { leg, .. }
        | Input::DeviceDown { leg, .. } => cell.call_of_leg(*leg),
        Input::PlayEnded { call, .. } | Input::CallFailed { call } => Some(*call),
        Input::Command { agent, command, .. } => match command {
            Command::Hold { call }
            | Command::Resume { call }
            | Command::Transfer { call, .. }
            | Command::Consult { call, .. }
            | Command::Conference { call }
            | Command::EndConference { call }
            | Command::HandOver { call }
            | Command::EndConsult { call }
            | Command::Hangup { call }
            | Command::ExtendWrapUp { call, .. }
            | Command::WrapUp { call, .. } => Some(*call),
            Command::Accept { .. } | Command::Decline { .. } => {
                Some(cell.agent_view(*agent)?.offer?.contact.call)
            }
            _ => None,
        },
        Input::Config(_)
        | Input::Wake
        | Input::WakeFailed
        | Input::TimerPutOff
        | Input::ClockJumped { .. }
        | Input::Phone { .. }
        | Input::PhoneDialled { .. }
        | Input::CallOffered { .. } => None,
    }
}
