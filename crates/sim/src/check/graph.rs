//! Who hears whom: the graph in force of every call agrees with what the journal says of it.
//!
//! No leg hears itself or a leg of another call; who talks is heard by all who talk with them; who
//! is on hold or waits hears nobody; a revision is the one before plus one; nothing plays after
//! the end.

use std::collections::{BTreeMap, BTreeSet};

use model::media::{Graph, Hears};
use model::{CallId, Effect, LegId, limits};

use super::{Check, Settled, Verdict, ensure};
use crate::ledger::{Ledger, OpenConsult, OpenTalk};

#[derive(Debug, Default)]
pub(super) struct WhoHearsWhom {
    graphs: BTreeMap<CallId, (u64, Graph)>,
    ended: BTreeSet<CallId>,
    changed: BTreeSet<CallId>,
}

impl Check for WhoHearsWhom {
    fn name(&self) -> &'static str {
        "who hears whom"
    }

    fn effect(&mut self, effect: &Effect) -> Verdict {
        match effect {
            Effect::Media { call, rev, graph } => {
                ensure(!self.ended.contains(call), || format!("{call:?} has media after its end"))?;
                let last = self.graphs.get(call).map_or(0, |(rev, _)| *rev);
                ensure(*rev == last + 1, || format!("{call:?}: revision {rev} after {last}"))?;
                self.changed.insert(*call);
                self.graphs.insert(*call, (*rev, graph.clone()));
            }
            Effect::MediaEnd { call } => {
                ensure(self.ended.insert(*call), || format!("media of {call:?} ended twice"))?;
                self.graphs.remove(call);
            }
            _ => {}
        }
        Ok(())
    }

    fn settled(&mut self, settled: &Settled<'_>) -> Verdict {
        let ledger = settled.ledger;
        for call in std::mem::take(&mut self.changed) {
            let Some((_, graph)) = self.graphs.get(&call) else { continue };
            if errand_of(call, ledger).is_some() {
                continue;
            }
            self.legs_are_ours(call, graph, ledger)?;
        }
        for (call, (_, graph)) in &self.graphs {
            if let Some(leg) = errand_of(*call, ledger) {
                let alone = graph.hears.keys().eq([&leg]) && graph.record.is_none();
                let heard = matches!(graph.hears.get(&leg), Some(Hears::Play { .. }));
                ensure(alone && heard, || format!("an errand of {leg:?} is none: {graph:?}"))?;
                continue;
            }
            let Some(open) = ledger.calls.get(call) else {
                return Err(format!("{call:?} is over and has a graph"));
            };
            let talk = ledger.talks.iter().find(|(_, talk)| talk.call == *call);
            let consult = ledger.consult_in(*call);
            let held = &ledger.held;
            heard(*call, (open.leg, held), graph, talk.map(|(_, talk)| talk), consult)?;
        }
        for (agent, talk) in &ledger.talks {
            ensure(self.graphs.contains_key(&talk.call), || format!("{agent:?} talks unheard"))?;
        }
        Ok(())
    }

    fn finished(&mut self, _: &Settled<'_>) -> Verdict {
        ensure(self.graphs.is_empty(), || format!("{} graphs are left", self.graphs.len()))
    }
}

impl WhoHearsWhom {
    fn legs_are_ours(&self, call: CallId, graph: &Graph, ledger: &Ledger) -> Verdict {
        let mut ours: BTreeSet<LegId> = BTreeSet::new();
        ours.extend(ledger.calls.get(&call).map(|open| open.leg));
        ours.extend(ledger.talks.values().filter(|talk| talk.call == call).map(|talk| talk.leg));
        ours.extend(ledger.consult_in(call).and_then(|consult| consult.leg));
        ours.extend(ledger.consult_in(call).and_then(|consult| consult.via).map(|(leg, _)| leg));
        for (leg, hears) in &graph.hears {
            ensure(ours.contains(leg), || format!("{call:?} steers a leg that is not its own"))?;
            match hears {
                Hears::Legs(legs) => {
                    for heard in legs {
                        ensure(heard != leg, || format!("{leg:?} hears itself"))?;
                        let own = ours.contains(heard);
                        ensure(own, || format!("{leg:?} hears a leg of another call"))?;
                    }
                }
                Hears::Play { clips: played, .. } => {
                    let known = played.iter().all(|clip| ledger.clips.contains(clip));
                    ensure(known, || format!("{call:?} plays what is not configured"))?;
                    let few = !played.is_empty() && played.len() <= limits::PLAY_ITEMS_MAX;
                    ensure(few, || format!("{call:?} plays {} clips", played.len()))?;
                }
                Hears::Music(clip) => {
                    let known = ledger.clips.contains(clip);
                    ensure(known, || format!("{call:?} has music that is not configured"))?;
                }
                Hears::Silence => {}
            }
        }
        let others = self.graphs.iter().filter(|(other, _)| **other != call);
        for (other, (_, graph_of_other)) in others {
            let shared = graph.hears.keys().any(|leg| graph_of_other.hears.contains_key(leg));
            ensure(!shared, || format!("{call:?} and {other:?} share a leg"))?;
        }
        let record = graph.record.as_ref().map(|wish| wish.leg);
        let customer = ledger.calls.get(&call).map(|open| open.leg);
        ensure(record.is_none() || record == customer, || {
            format!("{call:?} records a leg that is not the customer's")
        })
    }
}

/// The telephone's leg, where a graph is that of a call to the house.
fn errand_of(call: CallId, ledger: &Ledger) -> Option<LegId> {
    let errand = ledger.errands.iter().find(|(_, errand)| errand.call == Some(call));
    errand.map(|(leg, _)| *leg)
}

/// Who talks is heard by all who talk with them, and by nobody else.
fn heard(
    call: CallId,
    (customer, held): (LegId, &BTreeSet<LegId>),
    graph: &Graph,
    talk: Option<&OpenTalk>,
    consult: Option<&OpenConsult>,
) -> Verdict {
    let three = consult.is_some_and(|consult| consult.conference);
    // In a conference a telephone that holds takes itself out, alone it takes the customer out.
    let agent = talk.filter(|talk| talk.lost.is_none() && !(three && held.contains(&talk.leg)));
    let agent = agent.map(|talk| talk.leg);
    let colleague = consult.filter(|consult| consult.lost.is_none()).and_then(|c| c.leg);
    let colleague = colleague.filter(|leg| !held.contains(leg));
    let is_company = agent.is_some() || three && colleague.is_some();
    let is_in = is_company && talk.is_some_and(|talk| !talk.hold);
    // With a colleague on a second line the two of each line hear each other.
    let customer = is_in.then_some(customer);
    let circles = match consult.and_then(|consult| consult.via) {
        None => vec![vec![customer, agent, colleague]],
        Some((leg, is_up)) => {
            vec![vec![customer, agent], vec![is_up.then_some(leg), colleague]]
        }
    };
    let circles: Vec<BTreeSet<LegId>> =
        circles.into_iter().map(|circle| circle.into_iter().flatten().collect()).collect();
    for (leg, hears) in &graph.hears {
        let heard: BTreeSet<LegId> = match hears {
            Hears::Legs(legs) => legs.iter().copied().collect(),
            _ => BTreeSet::new(),
        };
        let circle = circles.iter().find(|circle| circle.contains(leg));
        let mut wanted = circle.cloned().unwrap_or_default();
        wanted.remove(leg);
        ensure(heard == wanted, || format!("{call:?}: {leg:?} hears {heard:?}, not {wanted:?}"))?;
    }
    let all = circles.iter().flatten().all(|leg| graph.hears.contains_key(leg));
    ensure(all, || format!("{call:?}: somebody who talks hears nothing"))
}
