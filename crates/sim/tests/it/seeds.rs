//! Every seed is a run of its own. `EFFORT=full` runs 5,000 of them, `SEED=n` one with its steps.

use std::collections::BTreeSet;

use sim::{Scenario, World, replay};

use crate::seen::Seen;

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
    let mut seen = Seen::default();
    let mut runs = 0;
    for seed in seeds() {
        let scenario = Scenario::swarm(seed);
        let mut world = World::new(scenario.clone(), seed);
        if let Err(failure) = world.run() {
            println!("{failure}");
            failures.push((seed, failure.invariant));
        }
        steps += world.steps();
        runs += 1;
        seen.run(&scenario, &world);
        if failures.len() >= 5 {
            break;
        }
    }
    println!("{runs} runs, {steps} steps");
    assert!(failures.is_empty(), "broken: {failures:?}");
    if runs >= 200 {
        seen.check();
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

fn ids(world: &World) -> BTreeSet<String> {
    let text = serde_json::to_string(world.recording().1).expect("outputs can be written");
    text.split('"').filter(|part| part.len() == 36).map(str::to_owned).collect()
}
