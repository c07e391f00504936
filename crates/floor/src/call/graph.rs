//! What each leg of a call hears, as a function of the call's stage.
//!
//! Invariant: the graph is computed from the call alone and sent when it differs from the last, so
//! no path through the cell can forget to change it.

use model::media::{Graph, Hears, RecordWish};
use model::{CallId, Effect, QueueId};

use crate::call::{Call, Playing, Stage};
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
            self.touch_agent_of(id);
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
            Stage::Talking(talk) if talk.lost => self.music(call, talk.queue),
            Stage::Talking(talk) if talk.hold_since.is_some() => {
                graph.hears.insert(talk.leg, Hears::Silence);
                self.music(call, talk.queue)
            }
            Stage::Talking(talk) => {
                graph.hears.insert(talk.leg, Hears::Legs(vec![call.leg]));
                Hears::Legs(vec![talk.leg])
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

    /// The agent's view names the call's media state.
    fn touch_agent_of(&mut self, id: CallId) {
        if let Some(agent) = self.talk(id).map(|talk| talk.agent) {
            self.changed.agents.insert(agent);
        }
    }
}

fn hears(playing: Option<&Playing>) -> Option<Hears> {
    playing.map(|playing| Hears::Play { play: playing.play, clips: playing.clips.clone() })
}
