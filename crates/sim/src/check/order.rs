//! Turns: the contact first in line goes to the agent who has been ready longest.
//!
//! First in line is the higher priority, then the longer wait, in one queue and across queues.

use model::Span;
use model::event::{AgentState, Event, Recorded};

use super::{Check, Verdict, ensure};
use crate::ledger::{Ledger, OpenWait};

/// How late the timer may be that ends an agent's rest.
const LATE: Span = Span::from_secs(60);

/// No contact is passed over by one that came later or counts less.
#[derive(Debug)]
pub(super) struct FirstInLine;

/// No agent is passed over by one who became ready later.
#[derive(Debug)]
pub(super) struct LongestReady;

impl Check for FirstInLine {
    fn name(&self) -> &'static str {
        "first in line"
    }

    fn event(&mut self, recorded: &Recorded, before: &Ledger) -> Verdict {
        let Event::Offered { entry, agent, .. } = &recorded.event else { return Ok(()) };
        let Some(chosen) = before.waits.get(entry) else { return Ok(()) };
        let excluded = before.excluded_until(*entry, *agent);
        ensure(excluded.is_none_or(|until| until <= recorded.at), || {
            format!("{agent:?} is offered {entry:?} again at once")
        })?;
        let rests = before.rests_until(*agent).is_some_and(|until| recorded.at < until);
        ensure(!rests, || format!("{agent:?} is offered {entry:?} while there is no room"))?;
        let rank = |wait: &OpenWait| (-wait.priority, wait.place);
        for (other, wait) in &before.waits {
            let passed = rank(wait) < rank(chosen)
                && wait.offer.is_none()
                && before.fits(*agent, wait)
                && before.excluded_until(*other, *agent).is_none();
            ensure(!passed, || format!("{entry:?} was offered before {other:?}"))?;
        }
        Ok(())
    }
}

impl Check for LongestReady {
    fn name(&self) -> &'static str {
        "longest ready"
    }

    fn event(&mut self, recorded: &Recorded, before: &Ledger) -> Verdict {
        let Event::Offered { entry, agent, ready_since, .. } = &recorded.event else {
            return Ok(());
        };
        let Some(wait) = before.waits.get(entry) else { return Ok(()) };
        let since = before.duties.get(agent).map(|duty| duty.since);
        ensure(since == Some(*ready_since), || {
            format!("{agent:?} is ready since {since:?}, not {ready_since:?}")
        })?;
        for (other, duty) in &before.duties {
            let passed = (duty.since, *other) < (*ready_since, *agent)
                && before.derived(*other) == AgentState::Ready
                && before.fits(*other, wait)
                && before.excluded_until(*entry, *other).is_none()
                && !before.is_on_errand(*other)
                // The end of a rest is a timer, and a timer may be late.
                && before.rests_until(*other).is_none_or(|until| until + LATE <= recorded.at);
            ensure(!passed, || format!("{agent:?} was offered before {other:?}"))?;
        }
        Ok(())
    }
}
