//! Secrets that callers type, and what the shell is told about keys so that no digit is seen.
//!
//! Invariant: of a call whose flow can ask for a secret, a key comes in clear only while the node
//! that it is for asks. The shell passes one and holds the next until it is told how to go on; a
//! node that waited in vain is left only when the shell has confirmed that it holds. So whatever is
//! typed before a secret is asked for, and belongs to it, is held and comes as part of it.

use model::effect::KeyMode;
use model::flow::Node;
use model::{CallId, Effect, LegId, SecretId, Span, limits};

use crate::call::{Call, Guard, Secret, Stage};
use crate::cell::{Cell, LegOwner};
use crate::timer::Reason;

impl Cell {
    /// Guards the keys of a new call from its beginning, where its flow can ask for a secret.
    pub(crate) fn guard_keys(&mut self, id: CallId) {
        let is_secret = |node: &Node| matches!(node, Node::Collect { secret: true, .. });
        if self.flow_of(id).is_some_and(|flow| flow.nodes.values().any(is_secret)) {
            let guard = Guard { said: None, holding: false };
            self.calls.entry(id).and_modify(|call| call.guard = Some(guard));
            self.say_keys(id);
        }
    }

    /// Tells the shell how to pass the keys of every call where that changed. Comes before the
    /// graphs: no prompt is heard before the shell knows what may be typed at it.
    pub(crate) fn say_all_keys(&mut self) {
        let guarded = |id: &CallId| self.calls.get(id).is_some_and(|call| call.guard.is_some());
        let calls: Vec<CallId> = self.changed.calls.iter().copied().filter(guarded).collect();
        calls.into_iter().for_each(|id| self.say_keys(id));
    }

    fn say_keys(&mut self, id: CallId) {
        let Some(call) = self.calls.get(&id) else { return };
        let (leg, mode) = (call.leg, self.key_mode(call));
        let Some(guard) = self.guard_mut(id) else { return };
        if guard.said != Some(mode) {
            guard.said = Some(mode);
            self.effect(Effect::Keys { leg, mode, confirm: false });
        }
    }

    fn key_mode(&self, call: &Call) -> KeyMode {
        let ask = match &call.stage {
            Stage::Answering => return KeyMode::Hold,
            Stage::Waiting(_) | Stage::Talking(_) => return KeyMode::Drop,
            Stage::Flow(ask) => ask,
        };
        let flow = self.flows.get(&call.flow).and_then(|versions| versions.get(&call.flow_version));
        match (flow.and_then(|flow| flow.nodes.get(&call.node)), ask.secret) {
            _ if call.guard.is_some_and(|guard| guard.holding) => KeyMode::Hold,
            (Some(&Node::Collect { digits_max, terminator, .. }), Some(Secret { id, .. })) => {
                KeyMode::Secret { secret: id, digits_max, terminator }
            }
            (Some(Node::Menu { .. } | Node::Collect { secret: false, .. }), _) => KeyMode::One,
            (Some(&Node::Consent { refuse_key: Some(key), .. }), _) => KeyMode::Only(key),
            _ => KeyMode::Hold,
        }
    }

    /// What a guarded caller typed in one breath with a wrong key goes, but for what is typed for a
    /// secret: that may have been meant for the next try.
    pub(crate) fn drop_keys(&mut self, id: CallId) {
        let is_open = |call: &&Call| call.guard.is_some() && !Self::asks_secret(call);
        let Some(leg) = self.calls.get(&id).filter(is_open).map(|call| call.leg) else { return };
        self.effect(Effect::Keys { leg, mode: KeyMode::Drop, confirm: false });
        self.key_passed(id);
    }

    /// A guarded key came: the shell holds the next one until it is told how to go on.
    pub(crate) fn key_passed(&mut self, id: CallId) {
        if let Some(guard) = self.guard_mut(id) {
            *guard = Guard { said: None, holding: false };
            self.changed.calls.insert(id);
        }
    }

    /// The node would be left because no key came. True when a key may be on its way in clear: it
    /// came in time, and nothing that is typed after it may.
    pub(crate) fn hold_keys_first(&mut self, id: CallId) -> bool {
        let Some(leg) = self.calls.get(&id).map(|call| call.leg) else { return false };
        let Some(guard) = self.guard_mut(id) else { return false };
        let holds = matches!(guard.said, Some(KeyMode::Hold | KeyMode::Drop));
        if holds || guard.holding {
            // The second time: the shell did not confirm, and nobody may wait for ever.
            guard.holding = false;
            return false;
        }
        *guard = Guard { said: Some(KeyMode::Hold), holding: true };
        self.effect(Effect::Keys { leg, mode: KeyMode::Hold, confirm: true });
        let late = self.now + Span::from_millis(limits::PLAY_LATE_MS);
        self.timers.set(late, Reason::Flow(id));
        true
    }

    /// The shell holds the keys: the one that was waited for did not come.
    pub(crate) fn keys_held(&mut self, leg: LegId) {
        let Some(&LegOwner::Customer(id)) = self.legs.get(&leg) else { return };
        let Some(guard) = self.guard_mut(id).filter(|guard| guard.holding) else { return };
        guard.holding = false;
        self.timers.clear(Reason::Flow(id));
        self.changed.calls.insert(id);
        self.key_late(id);
    }

    /// A new secret begins, in place of what was typed before.
    pub(crate) fn begin_secret(&mut self, id: CallId) {
        let secret: SecretId = self.mint.mint(self.now);
        if let Some(ask) = self.ask_mut(id) {
            ask.secret = Some(Secret { id: secret, digits: 0 });
        }
        self.changed.calls.insert(id);
    }

    /// A key of a secret. One that belongs to an older secret is no news.
    pub(crate) fn secret_key(&mut self, leg: LegId, secret: SecretId, is_end: bool) {
        let Some(&LegOwner::Customer(id)) = self.legs.get(&leg) else { return };
        let Some(flow) = self.flow_of(id) else { return };
        let node = self.calls.get(&id).and_then(|call| flow.nodes.get(&call.node));
        let Some(node @ &Node::Collect { digits_min, digits_max, timeout_s, .. }) = node else {
            return;
        };
        let Some(ask) = self.ask_mut(id) else { return };
        let Some(typed) = ask.secret.as_mut().filter(|typed| typed.id == secret) else { return };
        typed.digits = typed.digits.saturating_add(u8::from(!is_end));
        let digits = typed.digits;
        if let Some(guard) = self.guard_mut(id) {
            guard.holding = false;
        }
        if !is_end && digits < digits_max {
            // Said anew where it was being held for being late.
            self.changed.calls.insert(id);
            return self.await_key(id, timeout_s);
        }
        self.key_passed(id);
        let next = if digits < digits_min {
            self.try_again(id, node, true)
        } else {
            self.collected(id, node)
        };
        self.follow(id, next);
    }

    fn guard_mut(&mut self, id: CallId) -> Option<&mut Guard> {
        self.calls.get_mut(&id)?.guard.as_mut()
    }

    /// Whether the caller types a secret now: its tones belong in no recording.
    pub(crate) fn asks_secret(call: &Call) -> bool {
        matches!(&call.stage, Stage::Flow(ask) if ask.secret.is_some())
    }
}
