//! The graph of a call, and how it becomes what each leg hears.
//!
//! Invariant: legs hear only legs of their own call, and only those the graph names. Applying the
//! same graph twice changes nothing.

use std::path::PathBuf;
use std::sync::Arc;

use model::media::{ClipId, Graph, Hears, MediaEvent};
use model::{CallId, LegId, PlayId, RecordingId, TenantId};

use super::leg::Now;
use super::plan::Plan;
use super::sound::{Playing, Sound};
use super::worker::Worker;
use crate::metrics::Count;

/// One call with its newest graph.
#[derive(Debug, Default)]
pub(crate) struct Call {
    rev: u64,
    graph: Graph,
    /// The slots of the legs that belong to it.
    legs: Vec<u32>,
    /// The newest recording, in progress or over.
    pub(super) recording: Option<RecordingId>,
}

impl Worker {
    /// Puts a graph into force, unless a newer one is.
    pub(super) fn apply(
        &mut self,
        call: CallId,
        tenant: TenantId,
        rev: u64,
        graph: Graph,
        recording_file: Option<PathBuf>,
    ) {
        let known = self.calls.entry(call).or_default();
        if rev < known.rev {
            return;
        }
        let wish = graph.record.clone();
        known.rev = rev;
        let before = std::mem::replace(&mut known.graph, graph);
        self.await_no_more(call, &before);
        self.counters.set(Count::Calls, self.calls.len() as u64);
        self.compile(call);
        self.record((call, tenant), wish.as_ref(), recording_file);
        self.outbox.tell(MediaEvent::Applied { call, rev });
    }

    /// The call is over: its legs fall idle and stay until they are closed.
    pub(super) fn end_call(&mut self, call: CallId) {
        let Some(ended) = self.calls.remove(&call) else { return };
        self.await_no_more(call, &ended.graph);
        self.counters.set(Count::Calls, self.calls.len() as u64);
        for slot in ended.legs {
            self.finish_recording(slot);
            if let Some(leg) = self.leg_mut(slot) {
                leg.call = None;
                leg.plan = Plan::Idle;
                leg.listeners.clear();
                leg.jitter = None;
            }
        }
    }

    /// A leg was made: a graph may have named it before.
    pub(super) fn adopt(&mut self, leg: LegId) {
        if let Some(call) = self.awaited.remove(&leg) {
            self.compile(call);
        }
    }

    /// The legs that a graph named and that never came may come for somebody else.
    fn await_no_more(&mut self, call: CallId, graph: &Graph) {
        for leg in graph.hears.keys() {
            if self.awaited.get(leg) == Some(&call) {
                self.awaited.remove(leg);
            }
        }
    }

    /// The slots of the legs that belong to `call`.
    pub(super) fn legs_of(&self, call: CallId) -> Vec<u32> {
        self.calls.get(&call).map(|call| call.legs.clone()).unwrap_or_default()
    }

    /// The leg in `slot` is no longer part of `call`.
    pub(super) fn leave(&mut self, call: CallId, slot: u32) {
        if let Some(call) = self.calls.get_mut(&call) {
            call.legs.retain(|other| *other != slot);
        }
    }

    /// Resolves the graph of `call` to slots and sounds.
    pub(super) fn compile(&mut self, call: CallId) {
        let Some(known) = self.calls.get_mut(&call) else { return };
        // Borrowed for the time of the work: nothing below asks for it.
        let graph = std::mem::take(&mut known.graph);
        let robbed = self.attach(call, &graph);
        let legs = self.legs_of(call);
        for slot in &legs {
            if let Some(leg) = self.leg_mut(*slot) {
                leg.listeners.clear();
            }
        }
        let mut mixed = Vec::new();
        for slot in &legs {
            self.resolve(call, *slot, &graph, &mut mixed);
        }
        for slot in legs {
            if let Some(leg) = self.leg_mut(slot) {
                if !mixed.contains(&slot) {
                    leg.jitter = None;
                } else if leg.jitter.is_none() {
                    leg.jitter = Some(Box::default());
                }
            }
        }
        if let Some(known) = self.calls.get_mut(&call) {
            known.graph = graph;
        }
        for other in robbed {
            self.compile(other);
        }
    }

    /// Makes the named legs part of the call. Gives the calls that lost a leg by it.
    fn attach(&mut self, call: CallId, graph: &Graph) -> Vec<CallId> {
        let now = Now::read(self.start);
        let mut robbed = Vec::new();
        for id in graph.hears.keys() {
            let Some(slot) = self.slot(*id) else {
                self.awaited.insert(*id, call);
                continue;
            };
            if self.leg(slot).is_none_or(|leg| leg.call == Some(call)) {
                continue;
            }
            self.finish_recording(slot);
            let Some(leg) = self.leg_mut(slot) else { continue };
            let before = leg.call.replace(call);
            leg.plan = Plan::Idle;
            leg.hear_from(now);
            if let Some(before) = before {
                self.leave(before, slot);
                robbed.push(before);
            }
            if let Some(call) = self.calls.get_mut(&call) {
                call.legs.push(slot);
            }
        }
        for other in &robbed {
            // The newest wish for a leg wins; the older call must not take it back.
            if let Some(other) = self.calls.get_mut(other) {
                other.graph.hears.retain(|leg, _| !graph.hears.contains_key(leg));
            }
        }
        robbed
    }

    /// Decides what the leg in `slot` hears, and who has to feed it.
    fn resolve(&mut self, call: CallId, slot: u32, graph: &Graph, mixed: &mut Vec<u32>) {
        let now = Now::read(self.start);
        let Some(leg) = self.leg_mut(slot) else { return };
        let (id, conversed) = (leg.id, leg.plan.is_conversation());
        let before = std::mem::replace(&mut leg.plan, Plan::Silence);
        let plan = match graph.hears.get(&id) {
            None | Some(Hears::Silence) => Plan::Silence,
            Some(Hears::Legs(legs)) => self.hear_legs(call, slot, legs, graph, mixed),
            Some(Hears::Play { play, clips }) => match before {
                Plan::Play(playing) if playing.play == *play => Plan::Play(playing),
                _ => self.play(*play, id, clips),
            },
            Some(Hears::Music(clip)) => self.music(before, *clip),
        };
        if let Some(leg) = self.leg_mut(slot) {
            // Whoever only listened may have been silent for long, and begins to speak now.
            if plan.is_conversation() != conversed {
                leg.hear_from(now);
            }
            leg.plan = plan;
        }
    }

    fn hear_legs(
        &mut self,
        call: CallId,
        slot: u32,
        legs: &[LegId],
        graph: &Graph,
        mixed: &mut Vec<u32>,
    ) -> Plan {
        let mut sources: Vec<u32> = legs
            .iter()
            .filter(|id| graph.hears.contains_key(id))
            .filter_map(|id| self.slot(*id))
            .filter(|source| self.leg(*source).is_some_and(|leg| leg.call == Some(call)))
            .collect();
        sources.sort_unstable();
        sources.dedup();
        match sources[..] {
            [] => Plan::Silence,
            [one] => {
                if let Some(source) = self.leg_mut(one) {
                    source.listeners.push(slot);
                }
                Plan::Relay
            }
            _ => {
                mixed.extend_from_slice(&sources);
                Plan::Mix(sources)
            }
        }
    }

    /// What is heard goes on, known or not.
    fn music(&self, before: Plan, clip: ClipId) -> Plan {
        match before {
            Plan::Music { clip: heard, sound } if heard == clip => Plan::Music { clip, sound },
            _ => self.sound(clip).map_or(Plan::Silence, |sound| Plan::Music { clip, sound }),
        }
    }

    fn play(&mut self, play: PlayId, leg: LegId, clips: &[ClipId]) -> Plan {
        let sounds = clips.iter().take(model::limits::PLAY_ITEMS_MAX);
        let sounds = sounds.filter_map(|clip| self.sound(*clip)).collect();
        Plan::Play(Box::new(Playing::new(play, leg, sounds)))
    }

    fn sound(&self, clip: ClipId) -> Option<Arc<Sound>> {
        let sound = self.sounds.get(clip);
        if sound.is_none() {
            self.counters.count(Count::ClipsUnknown);
        }
        sound
    }
}
