//! A queue under steady load for measurements: so many agents who all talk, so many callers who
//! wait, and a caller who hangs up, an agent who takes the next and a new caller, again and again.
//!
//! Invariant: after every turn as many wait and as many talk as before it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use floor::Cell;
use model::id::IdMint;
use model::input::Command;
use model::sip::LegCause;
use model::{AgentId, CallId, Event, Input, LegId, OfferId, Output, Span, Timestamp};

use crate::scenario::Scenario;
use crate::tenant;

/// A cell under load.
#[derive(Debug)]
pub struct Load {
    cell: Cell,
    mint: IdMint,
    now: Timestamp,
    customers: BTreeMap<CallId, LegId>,
    /// Customers who talk, in the order of their connection.
    talking: VecDeque<LegId>,
    offers: Vec<(OfferId, AgentId)>,
    inputs: u64,
    connected: u64,
}

impl Load {
    /// Fills the floor: `agents` who talk and `waiting` callers who wait.
    #[must_use]
    pub fn new(agents: u32, waiting: u32) -> Self {
        let scenario = Scenario::mmn(agents, 1.0, 180.0, 0);
        let config = Arc::new(tenant::tenant(&scenario, 7));
        let mut load = Self {
            cell: Cell::new(config.tenant, 8, 1, Arc::clone(&config)),
            mint: IdMint::new(9),
            now: Timestamp::from_micros(1_767_600_000_000_000),
            customers: BTreeMap::new(),
            talking: VecDeque::new(),
            offers: Vec::new(),
            inputs: 0,
            connected: 0,
        };
        for agent in config.agents.keys().copied() {
            let leg = load.mint.mint(load.now);
            load.give(Input::DeviceUp { agent, leg });
            for command in [Command::SignIn, Command::Ready] {
                load.give(Input::Command { request: None, agent, command });
            }
        }
        for _ in 0..agents + waiting {
            load.arrive();
            load.accept();
        }
        load
    }

    /// One caller hangs up, the agent takes the next, and another caller arrives.
    pub fn turn(&mut self) {
        if let Some(leg) = self.talking.pop_front() {
            self.give(Input::LegEnded { leg, cause: LegCause::FarHangup });
        }
        self.accept();
        self.arrive();
        self.accept();
    }

    fn arrive(&mut self) {
        let leg = self.mint.mint(self.now);
        let party = self.mint.mint(self.now);
        let dialled = tenant::number();
        self.give(Input::CallOffered { leg, caller: None, party, dialled });
        self.give(Input::LegUp { leg });
    }

    fn accept(&mut self) {
        while let Some((offer, agent)) = self.offers.pop() {
            let command = Command::Accept { offer };
            self.give(Input::Command { request: None, agent, command });
        }
    }

    fn give(&mut self, input: Input) {
        self.now += Span::from_millis(10);
        self.inputs += 1;
        self.cell.handle(self.now, input);
        while let Some(output) = self.cell.poll() {
            let Output::Event(recorded) = output else { continue };
            match recorded.event {
                Event::CallStarted { call, leg, .. } => {
                    self.customers.insert(call, leg);
                }
                Event::CallEnded { call, .. } => {
                    self.customers.remove(&call);
                }
                Event::Offered { offer, agent, .. } => self.offers.push((offer, agent)),
                Event::Connected { call, .. } => {
                    self.connected += 1;
                    self.talking.extend(self.customers.get(&call));
                }
                _ => {}
            }
        }
    }

    /// Inputs given so far.
    #[must_use]
    pub fn inputs(&self) -> u64 {
        self.inputs
    }

    /// Calls given to an agent so far.
    #[must_use]
    pub fn connected(&self) -> u64 {
        self.connected
    }

    /// Who waits and who talks now.
    #[must_use]
    pub fn standing(&self) -> (u64, u64) {
        let waiting = self.cell.live().queues.values().map(|queue| queue.waiting).sum();
        (waiting, self.talking.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_keeps_the_balance() {
        let mut load = Load::new(20, 30);
        assert_eq!(load.standing(), (30, 20));
        let connected = load.connected();
        for _ in 0..50 {
            load.turn();
        }
        assert_eq!(load.standing(), (30, 20));
        assert_eq!(load.connected(), connected + 50);
    }
}
