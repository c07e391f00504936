//! Everything that begins ends exactly once, and nothing ends that did not begin: calls, waits,
//! offers, conversations, hold, wrap-ups, recordings.

use std::collections::BTreeSet;

use model::event::{CallOutcome, Event, QueueOutcome, Recorded};
use model::{CallId, OfferId, QueueEntryId, RecordingId};

use super::{Check, Settled, Verdict, ensure};
use crate::ledger::Ledger;

#[derive(Debug, Default)]
pub(super) struct OneOutcome {
    calls: BTreeSet<CallId>,
    entries: BTreeSet<QueueEntryId>,
    offers: BTreeSet<OfferId>,
    consults: BTreeSet<OfferId>,
    recordings: BTreeSet<RecordingId>,
    handled: BTreeSet<CallId>,
}

impl Check for OneOutcome {
    fn name(&self) -> &'static str {
        "one outcome"
    }

    fn event(&mut self, recorded: &Recorded, before: &Ledger) -> Verdict {
        self.beginning(&recorded.event, before)?;
        self.ending(recorded, before)
    }

    fn settled(&mut self, settled: &Settled<'_>) -> Verdict {
        let ledger = settled.ledger;
        for (entry, wait) in &ledger.waits {
            let here = ledger.calls.contains_key(&wait.call);
            ensure(here, || format!("{entry:?} waits without its call"))?;
        }
        for (agent, talk) in &ledger.talks {
            let here = ledger.calls.contains_key(&talk.call);
            ensure(here, || format!("{agent:?} talks to a call that is over"))?;
        }
        for (id, consult) in &ledger.consults {
            let talk = ledger.talks.get(&consult.agent);
            let here = talk.is_some_and(|talk| talk.call == consult.call);
            ensure(here, || format!("{id:?} goes on without the agent who asked"))?;
        }
        Ok(())
    }
}

impl OneOutcome {
    fn beginning(&mut self, event: &Event, before: &Ledger) -> Verdict {
        match event {
            Event::CallStarted { call, .. } => {
                ensure(self.calls.insert(*call), || format!("{call:?} started twice"))
            }
            Event::Queued { call, entry, .. } => {
                ensure(before.calls.contains_key(call), || format!("{call:?} waits and is over"))?;
                let waits = before.waits.values().any(|wait| wait.call == *call);
                ensure(!waits, || format!("{call:?} waits twice at once"))?;
                ensure(self.entries.insert(*entry), || format!("{entry:?} began twice"))
            }
            Event::Offered { offer, .. } => {
                ensure(self.offers.insert(*offer), || format!("{offer:?} began twice"))
            }
            Event::Connected { call, agent, .. } => {
                self.handled.insert(*call);
                let busy = before.talks.contains_key(agent)
                    || before.wraps.contains_key(agent)
                    || before.asked_into(*agent).is_some();
                ensure(!busy, || format!("{agent:?} is connected and was not free"))?;
                let shared = before.talks.values().any(|talk| talk.call == *call);
                ensure(!shared, || format!("{call:?} has two agents"))
            }
            Event::ConsultStarted { consult, .. } => {
                ensure(self.consults.insert(*consult), || format!("{consult:?} began twice"))
            }
            Event::ConsultJoined { consult, .. } => {
                let rings = before.consults.get(consult).is_some_and(|c| c.leg.is_none());
                ensure(rings, || format!("{consult:?} is taken and does not ring"))
            }
            Event::ConferenceStarted { consult, .. } => {
                let alone = before.consults.get(consult);
                let alone = alone.is_some_and(|c| c.leg.is_some() && !c.conference);
                ensure(alone, || format!("{consult:?} lets the customer in out of place"))
            }
            Event::HoldStarted { agent, .. } => {
                let talk = before.talks.get(agent);
                ensure(talk.is_some_and(|t| !t.hold), || format!("{agent:?} holds out of place"))
            }
            Event::RecordingStarted { call, recording } => {
                let runs = before.calls.get(call).is_some_and(|open| open.recording.is_some());
                ensure(!runs, || format!("{call:?} is recorded twice at once"))?;
                let new = self.recordings.insert(*recording);
                ensure(new, || format!("{recording:?} began twice"))
            }
            Event::WrapUpStarted { agent, .. } => {
                let free = !before.wraps.contains_key(agent) && !before.talks.contains_key(agent);
                ensure(free, || format!("{agent:?} wraps up and was not free"))
            }
            _ => Ok(()),
        }
    }

    fn ending(&self, recorded: &Recorded, before: &Ledger) -> Verdict {
        match &recorded.event {
            Event::CallEnded { call, outcome, .. } => {
                ensure(before.calls.contains_key(call), || format!("{call:?} ended twice"))?;
                let handled = self.handled.contains(call);
                // A fault of the house is told as one, whoever had talked before.
                let told = (*outcome == CallOutcome::Handled) == handled
                    || *outcome == CallOutcome::Failed;
                ensure(told, || format!("{call:?} ended as {outcome:?}, handled: {handled}"))
            }
            Event::QueueLeft { entry, outcome, waited_us, .. } => {
                let Some(wait) = before.waits.get(entry) else {
                    return Err(format!("{entry:?} ended twice"));
                };
                let length_us = recorded.at.since(wait.since).micros();
                let exact = *waited_us == length_us;
                ensure(exact, || format!("{entry:?} waited {length_us} us, not {waited_us}"))?;
                ensure(*outcome == QueueOutcome::Answered || wait.offer.is_none(), || {
                    format!("{entry:?} left as {outcome:?} and its offer rings on")
                })
            }
            Event::OfferEnded { offer, .. } => {
                ensure(before.offers.contains_key(offer), || format!("{offer:?} ended twice"))
            }
            Event::ConferenceEnded { consult, .. } => {
                let runs = before.consults.get(consult).is_some_and(|c| c.conference);
                ensure(runs, || format!("{consult:?} parts three who are not"))
            }
            Event::ConsultEnded { consult, .. } => {
                let runs = before.consults.get(consult).is_some_and(|c| !c.conference);
                ensure(runs, || format!("{consult:?} ended and did not run"))
            }
            Event::Disconnected { call, agent, .. } => {
                let asked = before.consult_in(*call).is_some();
                ensure(!asked, || format!("{agent:?} left {call:?} with a colleague on it"))?;
                let talk = before.talks.get(agent);
                ensure(talk.is_some_and(|t| t.call == *call && !t.hold), || {
                    format!("{agent:?} left {call:?} out of place")
                })
            }
            Event::HoldEnded { agent, .. } => {
                let talk = before.talks.get(agent);
                ensure(talk.is_some_and(|t| t.hold), || format!("{agent:?} resumed out of place"))
            }
            Event::WrapUpEnded { call, agent, .. } => {
                let wrap = before.wraps.get(agent);
                ensure(wrap.is_some_and(|(of, _)| of == call), || {
                    format!("{agent:?} ended a wrap-up that did not run")
                })
            }
            Event::RecordingEnded { call, recording } => {
                let runs = before.calls.get(call).and_then(|open| open.recording);
                ensure(runs == Some(*recording), || format!("{recording:?} ended and did not run"))
            }
            _ => Ok(()),
        }
    }
}
