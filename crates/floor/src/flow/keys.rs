//! Keys: what a caller types into menus, collected values and the recording notice.
//!
//! Invariant: a key counts once, for the node that was asking or for the next that asks.

use model::effect::{Fact, FactKind};
use model::event::Consent;
use model::flow::Node;
use model::{CallId, Effect, Event, Span, limits};

use crate::call::{Ask, Stage};
use crate::cell::Cell;
use crate::flow::run::Next;
use crate::mutation::Mutation;
use crate::timer::Reason;

/// What stands for one digit of a secret.
const MASK: &str = "•";

impl Cell {
    /// A key was pressed on the customer's leg. Keys in a queue or a conversation mean nothing.
    pub(crate) fn key(&mut self, id: CallId, key: char) {
        // The shell of a guarded call passes one key and waits for a word.
        let is_guarded = self.calls.get(&id).is_some_and(|call| call.guard.is_some());
        if !is_guarded && !self.within_rate(id) {
            return;
        }
        let Some(flow) = self.flow_of(id) else { return };
        let Some(call) = self.calls.get_mut(&id) else { return };
        if !matches!(call.stage, Stage::Flow(_)) || !is_key(key) {
            return;
        }
        let Some(node) = flow.nodes.get(&call.node) else { return };
        if matches!(node, Node::Consent { refuse_key: Some(refuse), .. } if *refuse == key) {
            return self.take_consent(id, node, Consent::Refused);
        }
        if call.keys.len() < usize::from(limits::COLLECT_DIGITS_MAX) {
            call.keys.push_back(key);
        }
        let next = match node {
            Node::Menu { .. } => self.menu_keys(id, node),
            Node::Collect { .. } => self.collect_keys(id, node),
            _ => return,
        };
        self.follow(id, next);
    }

    /// Whether one key more of this second is taken. The planes have the same limit; the floor
    /// does not rely on it.
    fn within_rate(&mut self, id: CallId) -> bool {
        let now = self.now;
        let Some(call) = self.calls.get_mut(&id) else { return false };
        if now.since(call.keys_since) >= Span::from_secs(1) {
            (call.keys_since, call.keys_in_second) = (now, 0);
        }
        call.keys_in_second = call.keys_in_second.saturating_add(1);
        let within = call.keys_in_second <= limits::DIGITS_PER_SECOND_MAX;
        self.live.keys_refused += u64::from(!within);
        within
    }

    /// Asks a menu or for a value: typed-ahead keys first, then the prompt.
    pub(crate) fn ask(&mut self, id: CallId, node: &Node, tries: u32) -> Next {
        if let Some(ask) = self.ask_mut(id) {
            *ask = Ask { tries_left: tries, ..Ask::silent() };
        }
        if matches!(node, Node::Collect { secret: true, .. }) {
            self.begin_secret(id);
            return self.prompt(id, node, false);
        }
        let has_keys = self.calls.get(&id).is_some_and(|call| !call.keys.is_empty());
        match node {
            Node::Menu { .. } if has_keys => self.menu_keys(id, node),
            Node::Collect { .. } if has_keys => self.collect_keys(id, node),
            _ => self.prompt(id, node, false),
        }
    }

    /// Speaks the prompt of the asking node, after a wrong key with a word about it.
    fn prompt(&mut self, id: CallId, node: &Node, was_wrong: bool) -> Next {
        let (lists, timeout_s): ([&[String]; 2], u32) = match node {
            Node::Menu { prompts, invalid, timeout_s, .. } => {
                ([if was_wrong { invalid } else { &[] }, prompts], *timeout_s)
            }
            Node::Collect { prompts, timeout_s, .. } => ([&[], prompts], *timeout_s),
            _ => return Next::Wait,
        };
        if !self.speak(id, &lists) {
            self.await_key(id, timeout_s);
        }
        Next::Wait
    }

    /// Silence, and the timer for the next key.
    pub(crate) fn await_key(&mut self, id: CallId, timeout_s: u32) {
        if let Some(ask) = self.ask_mut(id) {
            ask.playing = None;
            let until = self.now + Span::from_secs(i64::from(timeout_s));
            self.timers.set(until, Reason::Flow(id));
            self.changed.calls.insert(id);
        }
    }

    fn menu_keys(&mut self, id: CallId, node: &Node) -> Next {
        let Node::Menu { choices, .. } = node else { return Next::Wait };
        let Some(call) = self.calls.get_mut(&id) else { return Next::Wait };
        let Some(key) = call.keys.pop_front() else { return Next::Wait };
        let name = call.node.clone();
        let Some(choice) = choices.get(&key) else { return self.try_again(id, node, true) };
        self.event(Event::Chosen { call: id, node: name.clone(), key });
        let (label, value) = (choice.label.clone(), key.to_string());
        self.keep_fact(id, Fact { kind: FactKind::Chosen, key: name, label, value, secret: None });
        Next::Go(choice.next.clone())
    }

    fn collect_keys(&mut self, id: CallId, node: &Node) -> Next {
        let Node::Collect { digits_min, digits_max, terminator, timeout_s, .. } = node else {
            return Next::Wait;
        };
        while let Some(key) = self.calls.get_mut(&id).and_then(|call| call.keys.pop_front()) {
            let Some(ask) = self.ask_mut(id) else { return Next::Wait };
            let is_end = key == *terminator;
            if !is_end && key.is_ascii_digit() {
                ask.typed.push(key);
            }
            let length = ask.typed.len();
            if is_end && length < usize::from(*digits_min) {
                return self.try_again(id, node, true);
            }
            if is_end || length >= usize::from(*digits_max) {
                return self.collected(id, node);
            }
        }
        self.await_key(id, *timeout_s);
        Next::Wait
    }

    pub(crate) fn collected(&mut self, id: CallId, node: &Node) -> Next {
        let Node::Collect { variable, label, next, .. } = node else { return Next::Wait };
        let Some(ask) = self.ask_mut(id) else { return Next::Wait };
        let secret = ask.secret.take();
        let value = match secret {
            Some(secret) => MASK.repeat(usize::from(secret.digits)),
            None => std::mem::take(&mut ask.typed),
        };
        let secret = secret.map(|secret| secret.id);
        self.set_variable(id, variable, &value);
        let name = self.calls.get(&id).map(|call| call.node.clone()).unwrap_or_default();
        self.event(Event::Collected { call: id, node: name, variable: variable.clone() });
        let (key, label) = (variable.clone(), label.clone());
        self.keep_fact(id, Fact { kind: FactKind::Typed, key, label, value, secret });
        Next::Go(next.clone())
    }

    /// One try is used: once more, or on to `otherwise`.
    pub(crate) fn try_again(&mut self, id: CallId, node: &Node, was_wrong: bool) -> Next {
        let (Node::Menu { otherwise, .. } | Node::Collect { otherwise, .. }) = node else {
            return Next::Wait;
        };
        if let Some(call) = self.calls.get_mut(&id) {
            // What was typed in one breath with a wrong key was meant for somewhere else.
            call.keys.clear();
        }
        if was_wrong {
            self.drop_keys(id);
        }
        let Some(ask) = self.ask_mut(id) else { return Next::Wait };
        ask.typed.clear();
        ask.tries_left = ask.tries_left.saturating_sub(1);
        if ask.tries_left == 0 {
            return Next::Go(otherwise.clone());
        }
        if ask.secret.is_some() {
            self.begin_secret(id);
        }
        self.prompt(id, node, was_wrong)
    }

    /// The key that was waited for did not come.
    pub(crate) fn key_late(&mut self, id: CallId) {
        let Some(flow) = self.flow_of(id) else { return };
        let Some(node) = self.calls.get(&id).and_then(|call| flow.nodes.get(&call.node)) else {
            return;
        };
        let next = match node {
            Node::Consent { .. } => return self.take_consent(id, node, Consent::Given),
            Node::Menu { .. } => self.try_again(id, node, false),
            Node::Collect { digits_min, .. } => {
                let typed = self.ask_mut(id).map_or(0, |ask| ask.length());
                if typed > 0 && typed >= usize::from(*digits_min) {
                    self.collected(id, node)
                } else {
                    self.try_again(id, node, false)
                }
            }
            _ => return,
        };
        self.follow(id, next);
    }

    /// The caller was told of recording: it begins at once, unless refused.
    fn take_consent(&mut self, id: CallId, node: &Node, consent: Consent) {
        let Node::Consent { next, .. } = node else { return };
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.consent = consent;
        let is_recording = call.recording.is_some();
        self.event(Event::ConsentTaken { call: id, consent });
        let is_given = consent == Consent::Given || self.mutated(Mutation::RecordedRefusal);
        match (is_given, is_recording) {
            (true, false) => {
                let recording = self.mint.mint(self.now);
                self.calls.entry(id).and_modify(|call| call.recording = Some(recording));
                self.event(Event::RecordingStarted { call: id, recording });
            }
            (false, true) => self.end_recording(id),
            _ => {}
        }
        self.follow(id, Next::Go(next.clone()));
    }

    /// Keeps what the caller said for the agent; of a caller who goes in circles the newest.
    fn keep_fact(&mut self, id: CallId, fact: Fact) {
        if let Some(call) = self.calls.get_mut(&id) {
            if call.facts.len() >= limits::CALL_VARIABLES_MAX {
                call.facts.remove(0);
            }
            call.facts.push(fact.clone());
        }
        self.effect(Effect::SaveFact { call: id, fact });
    }

    pub(crate) fn ask_mut(&mut self, id: CallId) -> Option<&mut Ask> {
        match &mut self.calls.get_mut(&id)?.stage {
            Stage::Flow(ask) => Some(ask),
            _ => None,
        }
    }
}

/// The sixteen keys of a telephone (RFC 4733 section 3.2).
pub(crate) fn is_key(key: char) -> bool {
    matches!(key, '0'..='9' | '*' | '#' | 'A'..='D')
}
