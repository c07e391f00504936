//! The virtual clock's list of what happens next.
//!
//! Invariant: what is due at the same instant comes in an order drawn from the seed, so that races
//! are tried both ways.

use std::collections::BTreeMap;

use model::Timestamp;
use model::random::Random;

/// Things to come.
#[derive(Debug)]
pub(crate) struct Agenda<T> {
    due: BTreeMap<(Timestamp, u64, u64), T>,
    ties: Random,
    added: u64,
}

impl<T> Agenda<T> {
    pub(crate) fn new(seed: u64) -> Self {
        Self { due: BTreeMap::new(), ties: Random::new(seed), added: 0 }
    }

    pub(crate) fn add(&mut self, at: Timestamp, thing: T) {
        self.added += 1;
        self.due.insert((at, self.ties.next_u64(), self.added), thing);
    }

    pub(crate) fn next_at(&self) -> Option<Timestamp> {
        self.due.first_key_value().map(|((at, _, _), _)| *at)
    }

    pub(crate) fn pop(&mut self) -> Option<(Timestamp, T)> {
        self.due.pop_first().map(|((at, _, _), thing)| (at, thing))
    }
}
