//! The invariants are awake: every seeded fault of the floor is caught by one of them.

use std::collections::BTreeMap;

use floor::Mutation;
use sim::{Scenario, World};

#[test]
fn every_seeded_fault_is_caught() {
    let mut missed = Vec::new();
    for mutation in Mutation::ALL {
        let mut caught: BTreeMap<&str, u32> = BTreeMap::new();
        let mut first = None;
        for seed in 0..200 {
            let mut world = World::new(Scenario::swarm(seed), seed);
            world.mutate(mutation);
            if let Err(failure) = world.run() {
                first.get_or_insert(seed);
                *caught.entry(failure.invariant).or_default() += 1;
                if caught.values().sum::<u32>() >= 10 {
                    break;
                }
            }
        }
        println!("{mutation:?}: first at seed {first:?}, caught by {caught:?}");
        if first.is_none() {
            missed.push(mutation);
        }
    }
    assert!(missed.is_empty(), "not caught: {missed:?}");
}
