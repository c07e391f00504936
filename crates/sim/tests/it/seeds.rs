//! Every seed is a run of its own. `EFFORT=full` runs 5,000 of them, `SEED=n` one with its steps.

use std::collections::BTreeMap;

use model::{Effect, Event, Output, Refusal};
use sim::{Scenario, World, replay};

fn seeds() -> std::ops::Range<u64> {
    if let Some(seed) = std::env::var("SEED").ok().and_then(|text| text.parse().ok()) {
        return seed..seed + 1;
    }
    let full = std::env::var("EFFORT").is_ok_and(|effort| effort == "full");
    0..if full { 5_000 } else { 200 }
}

#[test]
fn every_invariant_holds_in_every_run() {
    let mut steps = 0;
    let mut failures = Vec::new();
    let mut seen = BTreeMap::new();
    let mut runs = 0;
    for seed in seeds() {
        let mut world = World::new(Scenario::swarm(seed), seed);
        if let Err(failure) = world.run() {
            println!("{failure}");
            failures.push((seed, failure.invariant));
        }
        steps += world.steps();
        runs += 1;
        for output in world.recording().1 {
            for word in words(output) {
                *seen.entry(word).or_insert(0_u64) += 1;
            }
        }
        if failures.len() >= 5 {
            break;
        }
    }
    println!("{runs} runs, {steps} steps");
    assert!(failures.is_empty(), "broken: {failures:?}");
    if runs >= 200 {
        let missing: Vec<_> = EXPECTED.iter().filter(|word| !seen.contains_key(**word)).collect();
        assert!(missing.is_empty(), "never happened: {missing:?} of {seen:?}");
    }
}

/// What has to happen in the runs, or they prove less than they say.
const EXPECTED: [&str; 60] = [
    // Events.
    "call_started",
    "call_answered",
    "node_entered",
    "chosen",
    "collected",
    "consent_taken",
    "queued",
    "queue_left",
    "offered",
    "offer_ended",
    "connected",
    "disconnected",
    "hold_started",
    "hold_ended",
    "agent_lost",
    "agent_regained",
    "recording_started",
    "recording_ended",
    "wrap_up_started",
    "wrap_up_extended",
    "wrap_up_ended",
    "call_ended",
    "callback_listed",
    "agent_state",
    "device_up",
    "device_down",
    // How waits, offers and calls end.
    "queue:answered",
    "queue:abandoned",
    "queue:short_abandoned",
    "queue:timed_out",
    "queue:lost",
    "offer:accepted",
    "offer:declined",
    "offer:no_answer",
    "offer:withdrawn",
    "offer:device_lost",
    "call:handled",
    "call:abandoned",
    "call:left_in_flow",
    "call:flow_ended",
    "call:failed",
    // States.
    "state:signed_out",
    "state:break",
    "state:did_not_answer",
    "state:no_device",
    "state:ready",
    "state:offered",
    "state:talking",
    "state:hold",
    "state:wrap_up",
    // Replies and refusals.
    "done",
    "not_found",
    "offer_gone",
    "wrong_state",
    "no_device",
    "unknown_choice",
    "refuse",
    "dial",
    "list_callback",
    "save_note",
];

/// The words of the contract that stand in an output.
fn words(output: &Output) -> Vec<String> {
    let word = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    match output {
        Output::Event(recorded) => {
            let event = serde_json::to_value(&recorded.event).expect("an event can be written");
            let mut words = vec![word(&event["type"])];
            let kind = match recorded.event {
                Event::QueueLeft { .. } => Some(("queue", "outcome")),
                Event::OfferEnded { .. } => Some(("offer", "outcome")),
                Event::CallEnded { .. } => Some(("call", "outcome")),
                Event::AgentState { .. } => Some(("state", "state")),
                _ => None,
            };
            words.extend(kind.map(|(kind, field)| format!("{kind}:{}", word(&event[field]))));
            words
        }
        Output::Effect(Effect::Reply { result, .. }) => {
            vec![result.err().map_or("done", Refusal::code).to_owned()]
        }
        Output::Effect(Effect::Refuse { .. }) => vec!["refuse".to_owned()],
        Output::Effect(Effect::Dial { .. }) => vec!["dial".to_owned()],
        Output::Effect(Effect::ListCallback { .. }) => vec!["list_callback".to_owned()],
        Output::Effect(Effect::SaveNote { .. }) => vec!["save_note".to_owned()],
        _ => Vec::new(),
    }
}

/// Also proves that a snapshot changes nothing: the runs were saved and restored underway, the
/// replays were not.
#[test]
fn a_replay_of_the_inputs_gives_the_same_outputs() {
    for seed in seeds().step_by(4) {
        let mut world = World::new(Scenario::swarm(seed), seed);
        // A broken invariant is the other test's finding.
        let _ = world.run();
        let (inputs, outputs) = world.recording();
        let difference = replay::differs(world.fresh_cell(), inputs, outputs);
        assert_eq!(difference, None, "seed {seed}");
    }
}

#[test]
fn twin_tenants_live_the_same_day_and_share_no_id() {
    for seed in seeds().take(10) {
        let mut one = World::with_tenant(Scenario::swarm(seed), seed, seed * 2 + 1_000_000);
        let mut two = World::with_tenant(Scenario::swarm(seed), seed, seed * 2 + 1_000_001);
        let _ = one.run();
        let _ = two.run();
        assert_ne!(one.tenant(), two.tenant());
        assert!(ids(&one).is_disjoint(&ids(&two)), "seed {seed}");
        assert!(ids(&one).len() > 10);
    }
}

fn ids(world: &World) -> std::collections::BTreeSet<String> {
    let text = serde_json::to_string(world.recording().1).expect("outputs can be written");
    text.split('"').filter(|part| part.len() == 36).map(str::to_owned).collect()
}
