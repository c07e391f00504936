//! Nothing is recorded without consent: neither by the journal nor by any graph.

use std::collections::BTreeMap;

use model::event::{Consent, Event, Recorded};
use model::{CallId, Effect, RecordingId};

use super::{Check, Settled, Verdict, ensure};
use crate::ledger::Ledger;

#[derive(Debug, Default)]
pub(super) struct OnlyWithConsent {
    wishes: BTreeMap<CallId, RecordingId>,
}

impl Check for OnlyWithConsent {
    fn name(&self) -> &'static str {
        "only with consent"
    }

    fn event(&mut self, recorded: &Recorded, before: &Ledger) -> Verdict {
        let Event::RecordingStarted { call, .. } = &recorded.event else { return Ok(()) };
        let consent = before.calls.get(call).map(|open| open.consent);
        ensure(consent == Some(Consent::Given), || format!("{call:?} is recorded: {consent:?}"))
    }

    fn effect(&mut self, effect: &Effect) -> Verdict {
        match effect {
            Effect::Media { call, graph, .. } => {
                match &graph.record {
                    Some(wish) => self.wishes.insert(*call, wish.recording),
                    None => self.wishes.remove(call),
                };
            }
            Effect::MediaEnd { call } => {
                self.wishes.remove(call);
            }
            _ => {}
        }
        Ok(())
    }

    fn settled(&mut self, settled: &Settled<'_>) -> Verdict {
        for (call, recording) in &self.wishes {
            let open = settled.ledger.calls.get(call);
            let told = open.is_some_and(|open| {
                open.consent == Consent::Given && open.recording == Some(*recording)
            });
            ensure(told, || format!("a graph of {call:?} records what the journal does not say"))?;
        }
        Ok(())
    }
}
