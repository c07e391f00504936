//! The invariants are awake: each of them catches a seeded fault of the floor that it is meant for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use floor::Mutation;
use sim::check::all;
use sim::tenant::tenant;
use sim::{Ledger, Scenario, World};

/// Each fault with the invariant that has to catch it. What another invariant says first does not
/// count: every run ends with the first word.
const MEANT: [(Mutation, &str); Mutation::ALL.len()] = [
    (Mutation::SkippedNumber, "contiguous"),
    (Mutation::DoubleOutcome, "one outcome"),
    (Mutation::ForgottenCancel, "one outcome"),
    (Mutation::DoubleOffer, "one offer"),
    (Mutation::LifoQueue, "first in line"),
    (Mutation::LostQueuePlace, "first in line"),
    (Mutation::WrongTieBreak, "longest ready"),
    (Mutation::SkippedMatch, "no idle pair"),
    (Mutation::LostRingTimer, "nothing stuck"),
    (Mutation::LostWrapUpTimer, "nothing stuck"),
    (Mutation::StuckAgent, "state follows"),
    (Mutation::StuckColleague, "state follows"),
    (Mutation::RungOnErrand, "one offer"),
    (Mutation::UnsavedIntent, "wish saved"),
    (Mutation::RecordedRefusal, "only with consent"),
    (Mutation::HeardOnHold, "who hears whom"),
    (Mutation::SilentRefusal, "one reply"),
    (Mutation::UncountedTimeout, "books balance"),
    (Mutation::StrangersPage, "no foreign id"),
    (Mutation::ForgottenTimer, "all closes"),
    (Mutation::ForgottenLeg, "all closes"),
];
/// Seeds that each fault runs with, and as many more until it is caught.
const SEEDS: u64 = 12;
const SEEDS_MAX: u64 = 200;

#[test]
fn every_invariant_catches_the_faults_meant_for_it() {
    let table: Vec<_> =
        MEANT.iter().map(|(mutation, by)| (*mutation, caught(*mutation, by))).collect();
    let names = invariants();
    print_table(&names, &table);
    let listed: BTreeSet<_> = MEANT.iter().map(|(mutation, _)| *mutation).collect();
    assert_eq!(listed, BTreeSet::from(Mutation::ALL), "every fault is meant for somebody");
    let asleep: Vec<_> =
        names.iter().filter(|name| MEANT.iter().all(|(_, by)| by != *name)).collect();
    assert!(asleep.is_empty(), "no fault shows that these can fail: {asleep:?}");
    let missed: Vec<_> = MEANT
        .iter()
        .zip(&table)
        .filter(|((_, by), (_, caught))| !caught.contains_key(by))
        .collect();
    assert!(missed.is_empty(), "not caught by the invariant they are meant for: {missed:?}");
}

/// How often each invariant spoke first.
fn caught(mutation: Mutation, meant: &str) -> BTreeMap<&'static str, u32> {
    let mut caught = BTreeMap::new();
    for seed in 0..SEEDS_MAX {
        if SEEDS <= seed && caught.contains_key(meant) {
            break;
        }
        let mut world = World::new(Scenario::swarm(seed), seed);
        world.mutate(mutation);
        if let Err(failure) = world.run() {
            *caught.entry(failure.invariant).or_default() += 1;
        }
    }
    caught
}

/// The names of all invariants.
fn invariants() -> Vec<&'static str> {
    let config = Arc::new(tenant(&Scenario::swarm(0), 0));
    let checks = all(config.tenant, &Ledger::new(&config), Vec::new());
    checks.iter().map(|check| check.name()).collect()
}

#[expect(clippy::print_stdout, reason = "which invariant caught which fault, for whoever asks")]
fn print_table(names: &[&str], table: &[(Mutation, BTreeMap<&str, u32>)]) {
    for (mutation, caught) in table {
        let counts =
            names.iter().map(|name| caught.get(name).map_or(".".to_owned(), u32::to_string));
        let cells: Vec<_> = counts.map(|count| format!("{count:>4}")).collect();
        println!("{:<17}{}", format!("{mutation:?}"), cells.concat());
    }
    for (nth, name) in names.iter().enumerate() {
        println!("{}^ {name}", " ".repeat(20 + 4 * nth));
    }
}
