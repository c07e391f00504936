//! The interpreter: walks a call through its flow until it has to wait.
//!
//! Invariant: a call never passes more than `limits::FLOW_STEPS_WITHOUT_WAIT_MAX` nodes in one go,
//! and a name that leads nowhere ends that call alone.

use std::sync::Arc;

use model::config::Clip;
use model::flow::{Flow, Node};
use model::sip::LegCause;
use model::{CallId, Event, PlayId, Span, limits};

use crate::call::{Ask, Playing, Stage};
use crate::cell::Cell;
use crate::timer::Reason;

use crate::call::By;

/// What follows from a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next {
    /// On to this node.
    Go(String),
    /// The call waits: for a prompt, for keys, for an agent.
    Wait,
    /// The flow is at its end.
    End,
}

impl Cell {
    /// Enters a node and goes on from there until the call waits or ends.
    pub(crate) fn enter_node(&mut self, id: CallId, name: String) {
        self.follow(id, Next::Go(name));
    }

    pub(crate) fn follow(&mut self, id: CallId, mut next: Next) {
        loop {
            match next {
                Next::Wait => {
                    if let Some(call) = self.calls.get_mut(&id) {
                        call.steps_without_wait = 0;
                    }
                    return;
                }
                Next::End => return self.end_call(id, LegCause::Hangup, By::House),
                Next::Go(name) => match self.step(id, name) {
                    Some(following) => next = following,
                    None => return self.end_call(id, LegCause::InternalError, By::House),
                },
            }
        }
    }

    /// One node; `None` when it does not exist or the call has gone in a circle.
    fn step(&mut self, id: CallId, name: String) -> Option<Next> {
        let flow = self.flow_of(id)?;
        let node = flow.nodes.get(&name)?;
        let call = self.calls.get_mut(&id)?;
        call.steps += 1;
        call.steps_without_wait += 1;
        // Whatever comes of it, the stage before is over: its outcome was told.
        call.stage = Stage::Flow(Ask::silent());
        if call.steps_without_wait > limits::FLOW_STEPS_WITHOUT_WAIT_MAX {
            return None;
        }
        if call.steps > limits::FLOW_STEPS_PER_CALL_MAX {
            return Some(Next::End);
        }
        call.node.clone_from(&name);
        self.timers.clear(Reason::Flow(id));
        self.changed.calls.insert(id);
        self.event(Event::NodeEntered { call: id, node: name });
        Some(self.run_node(id, node))
    }

    fn run_node(&mut self, id: CallId, node: &Node) -> Next {
        match node {
            Node::Play { prompts, next } => {
                if self.speak(id, &[prompts]) {
                    Next::Wait
                } else {
                    Next::Go(next.clone())
                }
            }
            Node::HangUp { prompts } => {
                if self.speak(id, &[prompts]) {
                    Next::Wait
                } else {
                    Next::End
                }
            }
            Node::Menu { tries, .. } | Node::Collect { tries, .. } => {
                self.ask(id, node, (*tries).max(1))
            }
            Node::Consent { prompts, next, .. } => {
                // Who was told nothing has agreed to nothing: without a clip nothing is recorded.
                if self.speak(id, &[prompts]) { Next::Wait } else { Next::Go(next.clone()) }
            }
            Node::Hours { calendar, open, closed } => {
                Next::Go(if self.is_open(calendar) { open } else { closed }.clone())
            }
            Node::Branch { cases, otherwise } => {
                let taken = cases.iter().find(|case| self.condition_holds(id, &case.when));
                Next::Go(taken.map_or(otherwise, |case| &case.next).clone())
            }
            Node::Set { variable, value, next } => {
                self.set_variable(id, variable, value);
                Next::Go(next.clone())
            }
            Node::Queue { prompts, otherwise, .. } => self.join_queue(id, prompts, otherwise),
        }
    }

    fn join_queue(&mut self, id: CallId, prompts: &[String], otherwise: &str) -> Next {
        if let Some(call) = self.calls.get_mut(&id) {
            call.sent_to = None;
        }
        let Some(demand) = self.demand_of(id).filter(|demand| self.has_room(demand)) else {
            return Next::Go(otherwise.to_owned());
        };
        self.enqueue(id, demand, self.now);
        self.speak(id, &[prompts]);
        Next::Wait
    }

    /// Whether the named calendar is open; one that is unknown or broken is closed.
    fn is_open(&self, name: &str) -> bool {
        let calendar = self.config.calendars.values().find(|calendar| calendar.name == name);
        calendar.is_some_and(|calendar| {
            civil::is_open(calendar, &self.config.zone, self.now).unwrap_or(false)
        })
    }

    /// Plays prompts to the customer. False when there is no clip for any of them: a missing clip
    /// never stops a call.
    pub(crate) fn speak(&mut self, id: CallId, prompts: &[&[String]]) -> bool {
        let Some(language) = self.calls.get(&id).map(|call| call.language.clone()) else {
            return false;
        };
        let names = prompts.iter().flat_map(|list| list.iter());
        let clips: Vec<Clip> = names
            .filter_map(|name| self.clip(name, &language))
            .take(limits::PLAY_ITEMS_MAX)
            .collect();
        if clips.is_empty() {
            return false;
        }
        let length_ms: i64 = clips.iter().map(|clip| i64::from(clip.length_ms)).sum();
        let play: PlayId = self.mint.mint(self.now);
        let playing = Playing { play, clips: clips.iter().map(|clip| clip.clip).collect() };
        match self.calls.get_mut(&id).map(|call| &mut call.stage) {
            Some(Stage::Flow(ask)) => ask.playing = Some(playing),
            Some(Stage::Waiting(wait)) => wait.playing = Some(playing),
            Some(Stage::Answering | Stage::Talking(_)) | None => return false,
        }
        // A report that never comes must not leave the caller in silence.
        let late = Span::from_millis(length_ms.saturating_add(limits::PLAY_LATE_MS));
        self.timers.set(self.now + late, Reason::Flow(id));
        self.changed.calls.insert(id);
        true
    }

    /// A play-out came to its end. An older one than the present is no news.
    pub(crate) fn play_ended(&mut self, id: CallId, play: PlayId) {
        let Some(call) = self.calls.get_mut(&id) else { return self.errand_said(id, play) };
        let playing = match &mut call.stage {
            Stage::Flow(ask) => &mut ask.playing,
            Stage::Waiting(wait) => &mut wait.playing,
            Stage::Answering | Stage::Talking(_) => return,
        };
        if playing.as_ref().is_none_or(|playing| playing.play != play) {
            return;
        }
        *playing = None;
        self.timers.clear(Reason::Flow(id));
        self.changed.calls.insert(id);
        self.after_prompt(id);
    }

    /// The timer of the flow: a play-out that nobody reported, or a key that did not come.
    pub(crate) fn flow_timer(&mut self, id: CallId) {
        let Some(call) = self.calls.get(&id) else { return };
        let playing = match &call.stage {
            Stage::Flow(ask) => ask.playing.as_ref(),
            Stage::Waiting(wait) => wait.playing.as_ref(),
            Stage::Answering | Stage::Talking(_) => return,
        };
        match playing.map(|playing| playing.play) {
            Some(play) => self.play_ended(id, play),
            None if self.hold_keys_first(id) => {}
            None => self.key_late(id),
        }
    }

    /// What follows when the prompt of the present node is over.
    fn after_prompt(&mut self, id: CallId) {
        if !matches!(self.calls.get(&id).map(|call| &call.stage), Some(Stage::Flow(_))) {
            return;
        }
        let Some(flow) = self.flow_of(id) else { return };
        let node = self.calls.get(&id).and_then(|call| flow.nodes.get(&call.node));
        match node {
            Some(Node::Play { next, .. }) => self.follow(id, Next::Go(next.clone())),
            Some(Node::HangUp { .. }) => self.follow(id, Next::End),
            Some(Node::Menu { timeout_s, .. } | Node::Collect { timeout_s, .. }) => {
                self.await_key(id, *timeout_s);
            }
            Some(Node::Consent { refuse_key, timeout_s, .. }) => {
                if refuse_key.is_some() {
                    self.await_key(id, *timeout_s);
                } else {
                    self.key_late(id);
                }
            }
            Some(
                Node::Hours { .. } | Node::Branch { .. } | Node::Set { .. } | Node::Queue { .. },
            )
            | None => {}
        }
    }

    /// The flow version that the call began on.
    pub(crate) fn flow_of(&self, id: CallId) -> Option<Arc<Flow>> {
        let call = self.calls.get(&id)?;
        self.flows.get(&call.flow)?.get(&call.flow_version).cloned()
    }

    /// The node that the call stands on.
    pub(crate) fn node_of(&self, id: CallId) -> Option<&Node> {
        let call = self.calls.get(&id)?;
        self.flows.get(&call.flow)?.get(&call.flow_version)?.nodes.get(&call.node)
    }
}
