//! A fault while one event or request is handled ends what it was about, and nothing else.
//!
//! Invariant: what is given up is told to both sides, to the planes below and to the cell. Where
//! even that fails the switchboard ends, and the house hears of it.

use std::panic::resume_unwind;

use model::Input;
use model::effect::Effect;
use model::id::{CallId, LegId};
use model::media::{MediaCommand, MediaEvent};
use model::sip::{LegCause, SipCommand};

use super::{Request, Switchboard};

/// What a piece of work is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    Leg(LegId),
    Call(CallId),
    /// Many, or none: those who asked are told when what they wait at is dropped.
    Nobody,
}

impl From<&MediaEvent> for About {
    fn from(event: &MediaEvent) -> Self {
        match event {
            MediaEvent::Prepared { leg, .. }
            | MediaEvent::PrepareFailed { leg, .. }
            | MediaEvent::BrowserAnswer { leg, .. }
            | MediaEvent::BrowserRefused { leg, .. }
            | MediaEvent::BrowserUp { leg }
            | MediaEvent::BrowserDown { leg }
            | MediaEvent::Digit { leg, .. }
            | MediaEvent::Silent { leg, .. }
            | MediaEvent::Closed { leg, .. } => Self::Leg(*leg),
            MediaEvent::Applied { call, .. }
            | MediaEvent::PlayEnded { call, .. }
            | MediaEvent::RecordingEnded { call, .. } => Self::Call(*call),
        }
    }
}

impl From<&Request> for About {
    fn from(request: &Request) -> Self {
        let Request::Effect { effect, .. } = request else { return Self::Nobody };
        match effect {
            Effect::Answer { leg }
            | Effect::Refuse { leg, .. }
            | Effect::Hangup { leg, .. }
            | Effect::Dial { leg, .. }
            | Effect::Keys { leg, .. } => Self::Leg(*leg),
            Effect::Media { call, .. } | Effect::MediaEnd { call } => Self::Call(*call),
            _ => Self::Nobody,
        }
    }
}

impl Switchboard {
    pub(super) fn guarded(&mut self, about: About, work: impl FnOnce(&mut Self)) {
        let caught = self.caught.clone();
        let Err(fault) = caught.catch(|| work(self)) else { return };
        tracing::error!(?about, "a fault of the switchboard; what it was about ends alone");
        if caught.catch(|| self.give_up(about)).is_err() {
            resume_unwind(fault);
        }
    }

    fn give_up(&mut self, about: About) {
        match about {
            About::Leg(leg) => self.give_up_leg(leg),
            About::Call(call) => self.about(call, Input::CallFailed { call }),
            About::Nobody => {}
        }
    }

    fn give_up_leg(&mut self, leg: LegId) {
        let cause = LegCause::InternalError;
        self.callers.remove(&leg);
        self.keyboards.forget(leg);
        if let Some((tenant, _)) = self.legs.remove(&leg) {
            self.signal(SipCommand::Hangup { leg, cause });
            self.tell(tenant, Input::LegEnded { leg, cause });
        } else if let Some((tenant, agent)) = self.phones.down(leg) {
            self.tell(tenant, Input::DeviceDown { agent, leg });
        } else {
            // Nobody but the far side knows of it yet.
            self.signal(SipCommand::Reject { leg, status: 500, retry_after_s: None });
        }
        self.direct(MediaCommand::Close { leg });
    }
}
