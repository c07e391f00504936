//! Seeded hostile and shuffled flow documents.
//!
//! Invariant: no bytes make the checker panic, and a document that it lets pass never ends a call
//! as a fault of the house.

use std::sync::Arc;

use floor::Cell;
use floor::flow::{Names, check};
use model::config::PublishedFlow;
use model::event::{CallOutcome, Event};
use model::id::IdMint;
use model::random::Random;
use model::{Effect, Input, LegId, Output, Span, Timestamp};
use serde_json::Value;

use crate::ladders::world;
use crate::world::START;

const GOOD: &str = include_str!("../../testdata/front_desk.json");

#[test]
fn no_bytes_make_the_checker_panic() {
    let names = Names::of(&world().config);
    let mut random = Random::new(1);
    for _ in 0..10_000 {
        let mut bytes = GOOD.as_bytes().to_vec();
        for _ in 0..=random.below(4) {
            let from = random.below(bytes.len() as u64) as usize;
            match random.below(4) {
                0 => bytes.truncate(from + 1),
                1 => bytes[from] = (random.next_u64() & 0x7f) as u8,
                2 => drop(bytes.remove(from)),
                _ => bytes.insert(from, b"{}[]\",:0e-\\u"[random.below(12) as usize]),
            }
            bytes.push(b'}');
        }
        let document = String::from_utf8_lossy(&bytes);
        match check(&document, &names) {
            Ok(flow) => {
                let written = serde_json::to_string(&flow).unwrap();
                assert_eq!(check(&written, &names).as_ref(), Ok(&flow));
            }
            Err(faults) => assert!(!faults.is_empty()),
        }
    }
}

#[test]
fn what_passes_never_fails_a_call() {
    let mut random = Random::new(2);
    let (mut passed, mut ended) = (0, 0);
    for seed in 0..600 {
        let mut document: Value = serde_json::from_str(GOOD).unwrap();
        for _ in 0..=random.below(3) {
            shuffle(&mut document, &mut random);
        }
        let mut world = world();
        let Ok(flow) = check(&document.to_string(), &Names::of(&world.config)) else { continue };
        passed += 1;
        let number = "100".parse().unwrap();
        let published = world.config.flows.get_mut(&world.config.numbers[&number]).unwrap();
        *published = PublishedFlow { flow: Arc::new(flow), ..published.clone() };
        // A full queue is the quickest way through.
        world.config.queues.values_mut().for_each(|queue| queue.length_max = (seed % 2) as u32);
        let mut cell = Cell::new(world.config.tenant, seed, 1, Arc::new(world.config));
        ended += u32::from(walk(&mut cell, &mut random));
    }
    assert!(passed > 50 && ended > 20, "{passed} passed, {ended} ended");
}

/// Sends one of the ways of the document somewhere else.
fn shuffle(document: &mut Value, random: &mut Random) {
    let nodes = document["nodes"].as_object_mut().unwrap();
    let names: Vec<String> = nodes.keys().cloned().collect();
    let mut pick = || names[random.below(names.len() as u64) as usize].clone();
    let (from, to) = (pick(), pick());
    let node = &mut nodes[&from];
    for field in ["next", "otherwise"] {
        if node.get(field).is_some() {
            node[field] = Value::from(to.clone());
        }
    }
}

/// Walks a caller who presses keys at random; true when the flow came to its end.
fn walk(cell: &mut Cell, random: &mut Random) -> bool {
    let mut mint = IdMint::new(3);
    let mut now = Timestamp::from_micros(START);
    let leg: LegId = mint.mint(now);
    let dialled = "100".parse().unwrap();
    let mut inputs = vec![
        Input::LegUp { leg },
        Input::CallOffered { leg, caller: None, party: mint.mint(now), dialled },
    ];
    for _ in 0..400 {
        let input = inputs.pop().unwrap_or_else(|| {
            let key = "0123456789*#".chars().nth(random.below(12) as usize).unwrap();
            if random.below(2) == 0 { Input::Wake } else { Input::Digit { leg, digit: key } }
        });
        cell.handle(now, input);
        while let Some(output) = cell.poll() {
            match output {
                Output::Event(recorded) => {
                    if let Event::CallEnded { outcome, .. } = recorded.event {
                        assert_ne!(outcome, CallOutcome::Failed);
                    }
                }
                Output::Effect(Effect::Hangup { .. }) => return true,
                Output::Effect(_) | Output::Touched(_) => {}
            }
        }
        if random.below(2) == 0
            && let Some((due, _)) = cell.deadline()
        {
            now = due;
        }
        now += Span::from_millis(100);
    }
    false
}
