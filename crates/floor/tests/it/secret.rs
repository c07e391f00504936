//! Secrets: how the cell guards the keys of a call whose flow can ask for one.

use std::sync::Arc;

use floor::Cell;
use model::effect::KeyMode;
use model::id::IdMint;
use model::{Effect, Event, Input, LegId, Output, SecretId, Span, Timestamp, limits};

use crate::world::{START, World};

const PIN: &str = r##"{"schema":1,"start":"menu","nodes":{
  "menu":{"type":"menu","prompts":["menu"],"choices":{"1":{"label":"Account","next":"say"}},
          "timeout_s":5,"tries":1,"otherwise":"pin"},
  "say":{"type":"play","prompts":["hello"],"next":"pin"},
  "pin":{"type":"collect","prompts":["number"],"variable":"pin","label":"PIN","digits_min":4,
         "digits_max":6,"terminator":"#","timeout_s":5,"secret":true,"tries":2,
         "next":"wait","otherwise":"bye"},
  "wait":{"type":"queue","queue":"sales","wait_s_max":300,"otherwise":"bye"},
  "bye":{"type":"hang_up"}}}"##;

/// A caller in a flow that asks for a PIN.
struct Caller {
    cell: Cell,
    leg: LegId,
    now: Timestamp,
    outputs: Vec<Output>,
}

impl Caller {
    fn ring() -> Self {
        Self::ring_in(PIN)
    }

    fn ring_in(flow: &str) -> Self {
        let mut world = World::new();
        world.flow("500", flow);
        let now = Timestamp::from_micros(START);
        let mut mint = IdMint::new(3);
        let (leg, party) = (mint.mint(now), mint.mint(now));
        let cell = Cell::new(world.config.tenant, 7, 1, Arc::new(world.config));
        let mut caller = Self { cell, leg, now, outputs: Vec::new() };
        caller.give(Input::CallOffered {
            leg,
            caller: None,
            party,
            dialled: "500".parse().unwrap(),
        });
        caller
    }

    fn give(&mut self, input: Input) {
        self.cell.handle(self.now, input);
        self.outputs = std::iter::from_fn(|| self.cell.poll()).collect();
    }

    /// Lets the earliest timer fire.
    fn wake(&mut self) {
        self.now = self.cell.deadline().unwrap().0;
        self.give(Input::Wake);
    }

    /// What was said about keys in answer to the last input, in order.
    fn said(&self) -> Vec<(KeyMode, bool)> {
        let mode = |output: &Output| match output {
            Output::Effect(Effect::Keys { mode, confirm, .. }) => Some((*mode, *confirm)),
            _ => None,
        };
        self.outputs.iter().filter_map(mode).collect()
    }

    /// The secret that was asked for in answer to the last input.
    fn secret(&self) -> SecretId {
        match self.said()[..] {
            [(KeyMode::Secret { secret, digits_max: 6, terminator: '#' }, false)] => secret,
            ref other => panic!("{other:?}"),
        }
    }

    fn entered(&self) -> Option<&str> {
        self.outputs.iter().rev().find_map(|output| match output {
            Output::Event(recorded) => match &recorded.event {
                Event::NodeEntered { node, .. } => Some(node.as_str()),
                _ => None,
            },
            _ => None,
        })
    }

    fn position(&self, fits: impl Fn(&Effect) -> bool) -> Option<usize> {
        self.outputs.iter().position(|o| matches!(o, Output::Effect(effect) if fits(effect)))
    }

    fn type_secret(&mut self, secret: SecretId, digits: usize, is_end: bool) {
        let leg = self.leg;
        (0..digits).for_each(|_| self.give(Input::SecretKey { leg, secret, is_end: false }));
        if is_end {
            self.give(Input::SecretKey { leg, secret, is_end });
        }
    }

    /// At the secret, by the menu's choice.
    fn at_secret() -> (Self, SecretId) {
        let mut caller = Self::ring();
        let leg = caller.leg;
        caller.give(Input::LegUp { leg });
        caller.give(Input::Digit { leg, digit: '1' });
        assert_eq!(caller.said(), [(KeyMode::Hold, false)], "the secret may be typed ahead");
        caller.wake();
        let secret = caller.secret();
        (caller, secret)
    }
}

#[test]
fn keys_are_guarded_from_the_first_word_to_the_queue() {
    let mut caller = Caller::ring();
    let leg = caller.leg;
    assert_eq!(caller.said(), [(KeyMode::Hold, false)]);
    let keys = caller.position(|effect| matches!(effect, Effect::Keys { .. }));
    assert!(keys < caller.position(|effect| matches!(effect, Effect::Answer { .. })));
    caller.give(Input::LegUp { leg });
    assert_eq!(caller.said(), [(KeyMode::One, false)]);

    let (mut caller, secret) = Caller::at_secret();
    let keys = caller.position(|effect| matches!(effect, Effect::Keys { .. }));
    let prompt = caller.position(|effect| matches!(effect, Effect::Media { .. }));
    assert!(keys < prompt, "before the prompt is heard");
    caller.type_secret(secret, 5, true);
    assert_eq!(caller.entered(), Some("wait"));
    assert_eq!(caller.said(), [(KeyMode::Drop, false)]);
    let fact = caller.outputs.iter().find_map(|output| match output {
        Output::Effect(Effect::SaveFact { fact, .. }) => Some(fact.clone()),
        _ => None,
    });
    let fact = fact.unwrap();
    assert_eq!((fact.value.as_str(), fact.secret), ("•••••", Some(secret)));
}

#[test]
fn what_was_typed_in_one_breath_with_a_wrong_key_is_let_go() {
    let mut caller = Caller::ring_in(&PIN.replace("\"tries\":1", "\"tries\":2"));
    let leg = caller.leg;
    caller.give(Input::LegUp { leg });
    caller.give(Input::Digit { leg, digit: '5' });
    assert_eq!(caller.said(), [(KeyMode::Drop, false), (KeyMode::One, false)]);
    assert_eq!(caller.entered(), None, "one try of two");
    caller.give(Input::Digit { leg, digit: '4' });
    assert_eq!(caller.entered(), Some("pin"));
    let (drop, secret) = (caller.said()[0], caller.said()[1].0);
    assert_eq!(drop, (KeyMode::Drop, false), "the next node asks anew");
    assert!(matches!(secret, KeyMode::Secret { .. }));
}

#[test]
fn a_secret_has_its_lengths_its_end_and_its_tries() {
    let (mut caller, secret) = Caller::at_secret();
    caller.type_secret(secret, 6, false);
    assert_eq!(caller.entered(), Some("wait"), "the sixth digit ends it");

    let (mut caller, first) = Caller::at_secret();
    caller.type_secret(first, 3, true);
    let second = caller.secret();
    assert_ne!(first, second, "what was typed is let go");
    caller.type_secret(first, 6, true);
    assert_eq!(caller.entered(), None, "a key of the one before is no news");
    caller.type_secret(second, 3, true);
    assert_eq!(caller.entered(), Some("bye"), "two tries");
}

#[test]
fn nobody_leaves_a_node_while_a_key_may_be_on_its_way() {
    let late = || {
        let mut caller = Caller::ring();
        caller.give(Input::LegUp { leg: caller.leg });
        caller.wake();
        caller.wake();
        assert_eq!(caller.said(), [(KeyMode::Hold, true)]);
        assert_eq!(caller.entered(), None);
        caller
    };
    let mut caller = late();
    let leg = caller.leg;
    caller.give(Input::KeysHeld { leg });
    assert_eq!(caller.entered(), Some("pin"));
    caller.secret();

    let mut caller = late();
    caller.give(Input::Digit { leg, digit: '1' });
    assert_eq!(caller.entered(), Some("say"), "it came in time");
    caller.give(Input::KeysHeld { leg });
    assert_eq!((caller.entered(), caller.said()), (None, vec![]));

    let mut caller = late();
    let since = caller.now;
    caller.wake();
    assert_eq!(caller.now.since(since), Span::from_millis(limits::PLAY_LATE_MS));
    assert_eq!(caller.entered(), Some("pin"), "a shell that does not answer stops no call");
}

#[test]
fn a_flow_without_secrets_says_nothing_about_keys() {
    let mut world = World::new();
    world.flow("500", &PIN.replace(",\"secret\":true", ""));
    let now = Timestamp::from_micros(START);
    let mut mint = IdMint::new(3);
    let (leg, party) = (mint.mint(now), mint.mint(now));
    let mut cell = Cell::new(world.config.tenant, 7, 1, Arc::new(world.config));
    let dialled = "500".parse().unwrap();
    for input in [
        Input::CallOffered { leg, caller: None, party, dialled },
        Input::LegUp { leg },
        Input::Digit { leg, digit: '1' },
    ] {
        cell.handle(now, input);
        let keys = |output: &Output| matches!(output, Output::Effect(Effect::Keys { .. }));
        assert!(!std::iter::from_fn(|| cell.poll()).any(|output| keys(&output)));
    }
}
