//! What an agent wants is kept for the next start: the wish that was saved last is the wish.

use std::collections::BTreeMap;

use model::effect::AgentIntent;
use model::{AgentId, Effect};

use super::{Check, Settled, Verdict, ensure};
use crate::ledger::Wish;

#[derive(Debug, Default)]
pub(super) struct WishSaved {
    saved: BTreeMap<AgentId, AgentIntent>,
}

impl Check for WishSaved {
    fn name(&self) -> &'static str {
        "wish saved"
    }

    fn effect(&mut self, effect: &Effect) -> Verdict {
        if let Effect::SaveIntent { agent, intent } = effect {
            self.saved.insert(*agent, intent.clone());
        }
        Ok(())
    }

    fn settled(&mut self, settled: &Settled<'_>) -> Verdict {
        for (agent, duty) in &settled.ledger.duties {
            let saved = self.saved.get(agent);
            let is_saved = match duty.wish {
                // Nothing is kept of somebody who never came.
                Wish::Away => matches!(saved, None | Some(AgentIntent::SignedOut)),
                Wish::Ready => saved == Some(&AgentIntent::Ready),
                Wish::Break => matches!(saved, Some(AgentIntent::Break { .. })),
                Wish::Missed => saved == Some(&AgentIntent::Break { reason: None }),
            };
            ensure(is_saved, || format!("{agent:?} wants {:?}, saved is {saved:?}", duty.wish))?;
        }
        Ok(())
    }
}
