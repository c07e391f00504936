//! A fault of ours while one message, command or timer is handled ends the leg that it is about.
//!
//! Invariant: what is left of such a leg is in no table, its end was told, and nobody who asked
//! waits for an answer. Where a fault is about no leg and no message it cannot be kept from the
//! others: the plane ends, and the house hears of it.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::Ordering::Relaxed;

use model::LegId;
use model::sip::{LegCause, SipEvent};

use super::Core;
use super::leg::State;
use crate::message::Message;
use crate::reply::Refusal;
use crate::socket::Read;
use crate::transaction::Key;

/// What is being handled, as far as it is known yet.
#[derive(Debug, Default)]
pub(super) struct AtWork {
    leg: Option<LegId>,
    asked: Option<Key>,
}

impl Core {
    /// From here on it is this leg that suffers from a fault.
    pub(super) fn works_on(&mut self, leg: LegId) {
        self.at_work.leg = Some(leg);
    }

    /// The next piece of work begins.
    pub(super) fn works_on_nothing(&mut self) {
        self.at_work = AtWork::default();
    }

    /// From here on this request waits for an answer.
    pub(super) fn works_for(&mut self, asked: &Key) {
        self.at_work.asked = Some(Key::clone(asked));
    }

    /// Reads one message; one that the filter fails on is dropped.
    pub(super) fn read_one(&mut self) -> Read {
        let read = catch_unwind(AssertUnwindSafe(|| self.env.port.read()));
        read.unwrap_or_else(|_| {
            self.env.shared.tally.panics.fetch_add(1, Relaxed);
            tracing::error!("a message could not be filtered and was dropped");
            Read::Done
        })
    }

    pub(super) fn message_guarded(&mut self, message: Box<Message>) {
        self.guarded(|core| core.message(message), false);
    }

    /// One piece of work that is about a leg.
    pub(super) fn leg_guarded(&mut self, work: impl FnOnce(&mut Self)) {
        self.guarded(work, true);
    }

    fn guarded(&mut self, work: impl FnOnce(&mut Self), needs_leg: bool) {
        self.at_work = AtWork::default();
        let Err(fault) = catch_unwind(AssertUnwindSafe(|| work(self))) else { return };
        let AtWork { leg, asked } = std::mem::take(&mut self.at_work);
        self.env.shared.tally.panics.fetch_add(1, Relaxed);
        if needs_leg && leg.is_none() {
            resume_unwind(fault);
        }
        tracing::error!(leg.id = ?leg, "the handling of a SIP leg failed; it ends alone");
        if let Some(leg) = leg {
            self.give_up_leg(leg);
        }
        if let Some(asked) = asked {
            self.answer_in_vain(&asked);
        }
    }

    /// In order, so that the far side hears of it; where even that fails, out of every table.
    fn give_up_leg(&mut self, leg: LegId) {
        let hangup = || self.hangup(leg, LegCause::InternalError);
        let in_order = catch_unwind(AssertUnwindSafe(hangup)).is_ok();
        let sees_to_itself = self.legs.get(&leg).is_none_or(|state| {
            state.ended && (state.deadline.is_some() || matches!(state.state, State::Answered(_)))
        });
        if in_order && sees_to_itself {
            return;
        }
        if let Some(gone) = self.legs.remove(&leg) {
            if !gone.ended {
                let cause = LegCause::InternalError;
                self.events.push(SipEvent::Ended { leg, cause, status: None });
            }
            let offered = match gone.state {
                State::Offered(asked) => Some(asked),
                _ => None,
            };
            let pending = gone.pending.map(|pending| pending.asked);
            for asked in offered.into_iter().chain(pending) {
                self.refuse_in_vain(&asked.key, Some(asked.request));
            }
        }
        self.by_tag.retain(|_, of| *of != leg);
        self.by_call.retain(|_, of| *of != leg);
        self.deadlines.retain(|(_, of)| *of != leg);
    }

    /// 500 to the request that was at hand, unless it has its answer. A copy of it is tried anew.
    fn answer_in_vain(&mut self, asked: &Key) {
        if self.env.transactions.is_unanswered(asked) {
            self.refuse_in_vain(asked, None);
        }
    }

    /// 500 to a request: to this one, or to the one that was read last.
    fn refuse_in_vain(&mut self, asked: &Key, request: Option<Box<Message>>) {
        let refusal = Refusal::new(500, "Server Internal Error");
        let refuse = || {
            if let Some(request) = request.or_else(|| self.env.port.again()) {
                self.env.refuse_at_once(&request, &refusal);
            }
        };
        // Where not even that can be said, the far side finds out by its own timer.
        let _ = catch_unwind(AssertUnwindSafe(refuse));
        self.env.transactions.drop_at_once(asked);
    }
}

/// Fails for a request whose body asks for it.
#[cfg(test)]
pub(super) fn fault_on_demand(request: &Message) {
    assert!(!request.body.ends_with(b"poison\r\n"), "a fault that a test asked for");
}

/// Fails for a caller of this name.
#[cfg(test)]
pub(super) fn fault_in_dial(caller: &model::sip::Caller) {
    assert!(caller.name.as_deref() != Some("poison"), "a fault that a test asked for");
}

/// Fails for an answer with this port.
#[cfg(test)]
pub(super) fn fault_in_answer(local: &model::media::MediaDesc) {
    assert!(local.port != 666, "a fault that a test asked for");
}

#[cfg(test)]
mod tests;
