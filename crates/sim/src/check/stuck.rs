//! Nothing and nobody is stuck: every state that is not idle has something that will end it, and
//! every state follows from what the agent wants and holds.

use floor::Reason;
use model::event::AgentState;
use model::{Input, Span, Timestamp, limits};

use super::{Check, Settled, Verdict, ensure};

/// More than the longest prompt of an errand.
const PROMPT: Span = Span::from_secs(10);

/// Offers, wrap-ups and lost pages end in time; a wake does what was due first.
#[derive(Debug, Default)]
pub(super) struct NothingStuck {
    due: Option<(Timestamp, Reason)>,
}

/// The announced state, the view and the derived state are one.
#[derive(Debug)]
pub(super) struct StateFollows;

impl Check for NothingStuck {
    fn name(&self) -> &'static str {
        "nothing stuck"
    }

    fn settled(&mut self, settled: &Settled<'_>) -> Verdict {
        let Settled { now, ledger, slack, .. } = *settled;
        let due = std::mem::replace(&mut self.due, settled.cell.deadline());
        if let (Input::Wake, Some((at, reason))) = (settled.input, due) {
            let done = now < at || self.due != due;
            ensure(done, || format!("{reason:?} was due at {at:?} and is not done"))?;
        }
        for (id, offer) in &ledger.offers {
            let in_time = now <= offer.since + offer.ring + slack;
            ensure(in_time, || format!("{id:?} rings on at {:?}", offer.agent))?;
            // Where it rings it rings on when the agent gets another telephone: at the one that was
            // dialled, and at a page that is there.
            ensure(offer.dialled || ledger.devices.contains_key(&offer.agent), || {
                format!("{id:?} rings at {:?}, whose telephone is gone", offer.agent)
            })?;
        }
        for (agent, (_, until)) in &ledger.wraps {
            ensure(now <= *until + slack, || format!("{agent:?} wraps up for ever"))?;
        }
        let longest = Span::from_millis(limits::ERRAND_MS_MAX + limits::PLAY_LATE_MS) + PROMPT;
        for errand in ledger.errands.values() {
            let in_time = now <= errand.since + longest + slack;
            ensure(in_time, || format!("{:?} is on an errand for ever", errand.agent))?;
        }
        let grace = Span::from_millis(limits::DEVICE_GRACE_MS) + slack;
        for (id, consult) in &ledger.consults {
            let colleague = consult.colleague;
            if consult.leg.is_none() {
                let in_time = now <= consult.since + consult.ring + slack;
                ensure(in_time, || format!("{id:?} rings on at {colleague:?}"))?;
                ensure(consult.dialled || ledger.devices.contains_key(&colleague), || {
                    format!("{id:?} rings at {colleague:?}, whose telephone is gone")
                })?;
            }
            let lost = consult.lost.is_some_and(|since| now > since + grace);
            ensure(!lost, || format!("{colleague:?} is lost and not given up"))?;
        }
        for (agent, talk) in &ledger.talks {
            let lost = talk.lost.is_some_and(|since| now > since + grace);
            ensure(!lost, || format!("{agent:?} is lost and not given up"))?;
        }
        Ok(())
    }
}

impl Check for StateFollows {
    fn name(&self) -> &'static str {
        "state follows"
    }

    fn settled(&mut self, settled: &Settled<'_>) -> Verdict {
        let ledger = settled.ledger;
        for agent in ledger.config.agents.keys() {
            let derived = ledger.derived(*agent);
            let announced =
                ledger.states.get(agent).map_or(AgentState::SignedOut, |(state, _)| *state);
            ensure(announced == derived, || {
                format!("{agent:?} is announced as {announced:?} and should be {derived:?}")
            })?;
            let Some(view) = settled.cell.agent_view(*agent) else {
                return Err(format!("{agent:?} has no view"));
            };
            ensure(view.state == derived, || {
                format!("{agent:?} is shown as {:?} and should be {derived:?}", view.state)
            })?;
            let shown = view.offer.as_ref().map(|offer| offer.offer);
            let asked = ledger.asked_into(*agent).filter(|(_, consult)| consult.leg.is_none());
            let offer = ledger.offers.iter().find(|(_, o)| o.agent == *agent).map(|(id, _)| *id);
            let rings = offer.or(asked.map(|(id, _)| id));
            ensure(shown == rings, || format!("{agent:?} is shown {shown:?}, rings {rings:?}"))?;
            ensure(view.device_up == ledger.reachable(*agent), || {
                format!("{agent:?}: the telephone is shown as {}", view.device_up)
            })?;
        }
        Ok(())
    }
}
