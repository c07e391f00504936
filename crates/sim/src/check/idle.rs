//! Nobody waits beside an agent who is ready and could help: every pair is looked at, O(n^2).

use model::event::AgentState;

use super::{Check, Settled, Verdict, ensure};

#[derive(Debug)]
pub(super) struct NoIdlePair;

impl Check for NoIdlePair {
    fn name(&self) -> &'static str {
        "no idle pair"
    }

    fn settled(&mut self, settled: &Settled<'_>) -> Verdict {
        let ledger = settled.ledger;
        let ready: Vec<_> = ledger
            .duties
            .keys()
            .filter(|agent| ledger.derived(**agent) == AgentState::Ready)
            .collect();
        for (entry, wait) in ledger.waits.iter().filter(|(_, wait)| wait.offer.is_none()) {
            for agent in &ready {
                // The end of an exclusion is a timer, and a timer may be late.
                let excluded = ledger
                    .excluded_until(*entry, **agent)
                    .is_some_and(|until| settled.now <= until + settled.slack);
                let rests = ledger
                    .rests_until(**agent)
                    .is_some_and(|until| settled.now <= until + settled.slack);
                let spared = excluded || rests || ledger.is_on_errand(**agent);
                ensure(spared || !ledger.fits(**agent, wait), || {
                    format!("{entry:?} waits while {agent:?} is ready")
                })?;
            }
        }
        Ok(())
    }
}
