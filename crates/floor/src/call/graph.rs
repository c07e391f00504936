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
                let circles = circles(call, talk);
                for leg in present(talk) {
                    graph.hears.insert(leg, others(leg, &circles));
                }
                match circles.iter().any(|circle| circle.contains(&call.leg)) {
                    true => others(call.leg, &circles),
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

/// Who hear each other in a conversation: all in one circle, or with a colleague on a second line
/// the two of each line. A customer who is in none hears music.
fn circles(call: &Call, talk: &Talk) -> Vec<Vec<LegId>> {
    let present = talk.consult.as_ref().and_then(|consult| consult.present());
    let colleague = present.filter(|joined| !joined.held).map(|joined| joined.leg);
    // A conference goes on without whoever holds at their telephone.
    let is_away = talk.lost || talk.is_conference() && talk.holds.at_telephone;
    let agent = (!is_away).then_some(talk.leg);
    // Nobody leaves the customer alone in silence.
    let is_heard = agent.is_some() || talk.is_conference() && colleague.is_some();
    let customer = (is_heard && talk.hold_since.is_none()).then_some(call.leg);
    match talk.consult.as_ref().and_then(|consult| consult.via) {
        None => vec![[customer, agent, colleague].into_iter().flatten().collect()],
        Some(line) => {
            let line = line.up.then_some(line.leg);
            let first = [customer, agent].into_iter().flatten().collect();
            vec![first, [line, colleague].into_iter().flatten().collect()]
        }
    }
}

/// The legs of agent and colleague that are there, also of one who holds.
fn present(talk: &Talk) -> impl Iterator<Item = LegId> {
    let consult = talk.consult.as_ref();
    let colleague = consult.and_then(|consult| consult.present()).map(|joined| joined.leg);
    let line = consult.and_then(|consult| consult.via).filter(|line| line.up);
    let agent = (!talk.lost).then_some(talk.leg);
    [agent, colleague, line.map(|line| line.leg)].into_iter().flatten()
}

/// The others in the circle of a leg; nobody for one that is in none.
fn others(leg: LegId, circles: &[Vec<LegId>]) -> Hears {
    let circle = circles.iter().find(|circle| circle.contains(&leg)).into_iter().flatten();
    let others: Vec<_> = circle.copied().filter(|other| *other != leg).collect();
    if others.is_empty() { Hears::Silence } else { Hears::Legs(others) }
}

fn hears(playing: Option<&Playing>) -> Option<Hears> {
    playing.map(|playing| Hears::Play { play: playing.play, clips: playing.clips.clone() })
}
