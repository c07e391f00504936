//! What each leg of a call hears, as a function of the call's stage.
//!
//! Invariant: the graph is computed from the call alone and sent when it differs from the last, so
//! no path through the cell can forget to change it.

use model::media::{Graph, Hears, RecordWish};
use model::{CallId, Effect, LegId, QueueId};

use crate::call::{Call, Playing, Stage, Talk};
use crate::cell::Cell;

impl Cell {
    /// Sends the graph of every call that may have changed.
    pub(crate) fn send_graphs(&mut self) {
        for id in std::mem::take(&mut self.changed.calls) {
            let Some(graph) = self.calls.get(&id).and_then(|call| self.graph_of(call)) else {
                continue;
            };
            let Some(call) = self.calls.get_mut(&id) else { continue };
            if call.graph == graph {
                continue;
            }
            call.rev += 1;
            call.graph = graph.clone();
            let rev = call.rev;
            self.effect(Effect::Media { call: id, rev, graph });
            self.touch_agents_of(id);
        }
    }

    /// The whole wish; `None` before the customer's leg is up.
    fn graph_of(&self, call: &Call) -> Option<Graph> {
        let mut graph = Graph::default();
        let customer = match &call.stage {
            Stage::Answering => return None,
            Stage::Flow(ask) => hears(ask.playing.as_ref()).unwrap_or(Hears::Silence),
            Stage::Waiting(wait) => {
                hears(wait.playing.as_ref()).unwrap_or_else(|| self.music(call, wait.queue))
            }
            Stage::Talking(talk) => {
                let together = together(call, talk);
                for leg in present(talk) {
                    graph.hears.insert(leg, others(leg, &together));
                }
                match together.contains(&call.leg) {
                    true => others(call.leg, &together),
                    false => self.music(call, talk.queue),
                }
            }
        };
        graph.hears.insert(call.leg, customer);
        let paused = Self::asks_secret(call);
        graph.record =
            call.recording.map(|recording| RecordWish { recording, leg: call.leg, paused });
        Some(graph)
    }

    /// The music of a queue, or silence where its clip is missing.
    fn music(&self, call: &Call, queue: QueueId) -> Hears {
        let name = self.config.queues.get(&queue).map(|queue| queue.music.as_str());
        let clip = name.and_then(|name| self.clip(name, &call.language));
        clip.map_or(Hears::Silence, |clip| Hears::Music(clip.clip))
    }

    /// The views of agent and colleague name the call's media state.
    fn touch_agents_of(&mut self, id: CallId) {
        let Some(talk) = self.talk(id) else { return };
        let colleague = talk.consult.as_ref().map(|consult| consult.colleague);
        let both = [Some(talk.agent), colleague];
        self.changed.agents.extend(both.into_iter().flatten());
    }
}

/// Who hear each other in a conversation. A customer who is not among them hears music.
fn together(call: &Call, talk: &Talk) -> Vec<LegId> {
    let present = talk.consult.as_ref().and_then(|consult| consult.present());
    let colleague = present.filter(|joined| !joined.held).map(|joined| joined.leg);
    // A conference goes on without whoever holds at their telephone.
    let is_away = talk.lost || talk.is_conference() && talk.holds.at_telephone;
    let agent = (!is_away).then_some(talk.leg);
    // Nobody leaves the customer alone in silence.
    let is_heard = agent.is_some() || talk.is_conference() && colleague.is_some();
    let customer = (is_heard && talk.hold_since.is_none()).then_some(call.leg);
    [customer, agent, colleague].into_iter().flatten().collect()
}

/// The legs of agent and colleague that are there, also of one who holds.
fn present(talk: &Talk) -> impl Iterator<Item = LegId> {
    let colleague = talk.consult.as_ref().and_then(|consult| consult.present());
    let agent = (!talk.lost).then_some(talk.leg);
    [agent, colleague.map(|joined| joined.leg)].into_iter().flatten()
}

/// The others who are together with a leg; nobody for one that is not among them.
fn others(leg: LegId, together: &[LegId]) -> Hears {
    let others: Vec<_> = together.iter().copied().filter(|other| *other != leg).collect();
    let is_in = others.len() < together.len();
    if is_in && !others.is_empty() { Hears::Legs(others) } else { Hears::Silence }
}

fn hears(playing: Option<&Playing>) -> Option<Hears> {
    playing.map(|playing| Hears::Play { play: playing.play, clips: playing.clips.clone() })
}
