//! The run: a virtual clock, a list of what happens next, and the real cell in the middle.
//!
//! Invariant: a world depends on its scenario and its seeds alone; two of the same are equal step
//! by step. Each step gives the cell one input, drains it, lets shell and people react, and asks
//! every check.

mod agent;
mod customer;
mod diary;
mod look;
mod luck;
mod noise;
mod react;
mod shell;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use floor::Cell;
use model::config::TenantConfig;
use model::id::IdMint;
use model::media::Graph;
use model::random::Random;
use model::{AgentId, CallId, DeviceId, Input, LegId, OfferId, Output, Span, Timestamp};

use crate::agenda::Agenda;
use crate::check::{self, Check, Settled};
use crate::ledger::Ledger;
use crate::scenario::Scenario;
use crate::tenant;
use crate::trace::{Failure, Trace};
use agent::{Act, Human};
use customer::Customer;
pub use diary::{Diary, Stay};
use shell::DeskLeg;

/// Monday, 2026-01-05, 08:00 UTC.
const START: Timestamp = Timestamp::from_micros(1_767_600_000_000_000);
/// Slack of a check against a timer beyond the lateness of the scenario.
const SLACK: Span = Span::from_millis(10);

/// Something that happens outside the cell.
#[derive(Debug, Clone)]
enum Happening {
    /// A customer rings.
    Arrival,
    /// The cell is told.
    Tell(Input),
    /// The cell is told twice at once.
    TellTwice(Input),
    /// The customer's leg has its media.
    Up(LegId),
    /// A play-out comes to its end.
    PlayEnds(CallId, LegId, model::PlayId),
    /// The customer presses a key.
    Press(LegId, char),
    /// The customer hangs up.
    Leaves(LegId),
    /// An agent does something.
    Does(AgentId, Act),
    /// A telephone registers.
    Registers(DeviceId),
    /// Some telephone registers, or its registration ends.
    Phone,
    /// The administrator publishes.
    Reconfigure,
    /// Somebody tries with ids of the twin tenant.
    Foreign,
    /// An agent's page sends what makes no sense.
    Nonsense,
    /// Handling of a call panics.
    CallFails(CallId),
    /// The planes below cannot keep a customer's leg.
    LegFails(LegId),
}

/// A contact centre under way.
#[derive(Debug)]
pub struct World {
    seed: u64,
    /// Seed of everything that has an id; the mints of tenant, shell and cell are next to it.
    ids: u64,
    scenario: Scenario,
    random: Random,
    mint: IdMint,
    now: Timestamp,
    open_until: Timestamp,
    close_at: Timestamp,
    cell: Cell,
    first_config: Arc<TenantConfig>,
    config: Arc<TenantConfig>,
    twin: Arc<TenantConfig>,
    agenda: Agenda<Happening>,
    /// The deadline that a wake is planned for, and when the wake comes.
    wake: Option<(Timestamp, Timestamp)>,
    customers: BTreeMap<LegId, Customer>,
    calls: BTreeMap<CallId, LegId>,
    graphs: BTreeMap<CallId, Graph>,
    humans: BTreeMap<AgentId, Human>,
    /// Telephones that are registered.
    phones: BTreeSet<DeviceId>,
    desk_legs: BTreeMap<LegId, DeskLeg>,
    refers: u32,
    recent_calls: Vec<CallId>,
    recent_offers: Vec<OfferId>,
    arrivals: u32,
    diary: Diary,
    ledger: Ledger,
    checks: Vec<Box<dyn Check>>,
    trace: Trace,
    inputs: Vec<(Timestamp, Input)>,
    outputs: Vec<Output>,
    steps: u64,
}

impl World {
    /// A world of its own: tenant, ids and chance all from one seed.
    #[must_use]
    pub fn new(scenario: Scenario, seed: u64) -> Self {
        Self::with_tenant(scenario, seed, seed)
    }

    /// The same people and faults as any world of `seed`, at the tenant of `tenant_seed`: two such
    /// worlds have equal names and numbers and no id in common.
    #[must_use]
    pub fn with_tenant(scenario: Scenario, seed: u64, tenant_seed: u64) -> Self {
        let ids = tenant_seed.wrapping_mul(8);
        let config = Arc::new(tenant::tenant(&scenario, ids));
        let twin = Arc::new(tenant::tenant(&scenario, ids ^ 0xffff_0000_0000));
        let ledger = Ledger::new(&config);
        let checks = if scenario.checked {
            check::all(config.tenant, &ledger, ids_of(&twin))
        } else {
            Vec::new()
        };
        let open_until = START + Span::from_secs(scenario.open_s);
        let mut world = Self {
            seed,
            ids,
            random: Random::new(seed),
            mint: IdMint::new(ids + 1),
            now: START,
            open_until,
            close_at: open_until + Span::from_secs(scenario.close_s),
            cell: first_cell(&config, ids),
            first_config: Arc::clone(&config),
            config,
            twin,
            agenda: Agenda::new(seed ^ 0xa6e0_da00),
            wake: None,
            customers: BTreeMap::new(),
            calls: BTreeMap::new(),
            graphs: BTreeMap::new(),
            humans: BTreeMap::new(),
            phones: BTreeSet::new(),
            desk_legs: BTreeMap::new(),
            refers: 0,
            recent_calls: Vec::new(),
            recent_offers: Vec::new(),
            arrivals: 0,
            diary: Diary::default(),
            ledger,
            checks,
            trace: Trace::default(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            steps: 0,
            scenario,
        };
        world.open();
        world
    }

    fn open(&mut self) {
        self.open_shifts();
        self.plan_arrival();
        self.plan_noise();
    }

    /// Switches one of the floor's seeded faults on.
    #[cfg(feature = "mutations")]
    pub fn mutate(&mut self, mutation: floor::Mutation) {
        self.cell.mutate(mutation);
    }

    /// Runs to the end.
    ///
    /// # Errors
    /// The first invariant that is broken.
    pub fn run(&mut self) -> Result<(), Failure> {
        while self.step()? {}
        if self.scenario.checked {
            let end = Input::Wake;
            let settled = Settled {
                now: self.now,
                input: &end,
                outputs: &[],
                cell: &self.cell,
                ledger: &self.ledger,
                slack: SLACK,
            };
            check::ask(&mut self.checks, |check| check.finished(&settled))
                .map_err(|(invariant, detail)| self.failure(invariant, detail))?;
        }
        Ok(())
    }

    /// Lets the next thing happen. False when nothing is left to happen or it is too late.
    ///
    /// # Errors
    /// An invariant that is broken by it.
    pub fn step(&mut self) -> Result<bool, Failure> {
        let wake_at = self.wake_at();
        let next_at = self.agenda.next_at();
        let woken = match (wake_at, next_at) {
            (None, None) => return Ok(false),
            (Some(wake), Some(next)) if wake == next => self.random.below(2) == 0,
            (Some(wake), Some(next)) => wake < next,
            (wake, None) => wake.is_some(),
            (None, _) => false,
        };
        if woken {
            self.now = self.now.max(wake_at.unwrap_or(self.now));
            if self.now > self.close_at {
                return Ok(false);
            }
            self.wake = None;
            if self.chance(self.scenario.faults.wake_failed) {
                self.feed(Input::WakeFailed)?;
            }
            self.feed(Input::Wake)?;
        } else if let Some((at, happening)) = self.agenda.pop() {
            self.now = self.now.max(at);
            if self.now > self.close_at {
                return Ok(false);
            }
            self.happen(happening)?;
        }
        Ok(true)
    }

    /// When the shell wakes the cell for its deadline, late if the scenario says so.
    fn wake_at(&mut self) -> Option<Timestamp> {
        let (deadline, _) = self.cell.deadline()?;
        match self.wake {
            Some((planned_for, at)) if planned_for == deadline => Some(at),
            _ => {
                // What came due during a wake that was late itself is fired in the same turn.
                let is_due = deadline <= self.now;
                let most_us = self.scenario.faults.late_wake_ms * 1_000;
                let late_us = if is_due { 0 } else { self.below(most_us) };
                let at = deadline.max(self.now) + Span::from_micros(late_us);
                self.wake = Some((deadline, at));
                Some(at)
            }
        }
    }

    fn happen(&mut self, happening: Happening) -> Result<(), Failure> {
        match happening {
            Happening::Arrival => self.arrive(),
            Happening::Tell(input) => self.feed(input),
            Happening::TellTwice(input) => {
                self.feed(input.clone())?;
                self.feed(input)
            }
            Happening::Up(leg) => self.customer_up(leg),
            Happening::PlayEnds(call, leg, play) => self.play_ends(call, leg, play),
            Happening::Press(leg, digit) => self.press(leg, digit),
            Happening::Leaves(leg) => self.leave(leg),
            Happening::LegFails(leg) => self.leg_fails(leg),
            Happening::Does(agent, act) => self.act(agent, act),
            Happening::Registers(device) => self.registered(device, true),
            Happening::Phone => self.phone_comes_or_goes(),
            Happening::Reconfigure => self.reconfigure(),
            Happening::Foreign => self.foreign(),
            Happening::Nonsense => self.nonsense(),
            Happening::CallFails(call) => {
                if self.calls.contains_key(&call) {
                    self.feed(Input::CallFailed { call })?;
                }
                Ok(())
            }
        }
    }

    /// Gives the cell one input, drains it, and lets everybody react.
    fn feed(&mut self, input: Input) -> Result<(), Failure> {
        self.steps += 1;
        if self.chance(self.scenario.faults.restored) {
            self.restore();
        }
        if !self.scenario.checked {
            self.cell.handle(self.now, input);
            while let Some(output) = self.cell.poll() {
                self.react(&output);
            }
            return Ok(());
        }
        self.inputs.push((self.now, input.clone()));
        self.ledger.told(self.now, &input);
        self.cell.handle(self.now, input.clone());
        let mut outputs = Vec::new();
        let mut verdict = Ok(());
        while let Some(output) = self.cell.poll() {
            if verdict.is_ok() {
                verdict = self.check_output(&output);
            }
            self.react(&output);
            outputs.push(output);
        }
        if verdict.is_ok() {
            verdict = self.check_settled(&input, &outputs);
        }
        self.outputs.extend(outputs.iter().cloned());
        self.trace.push(self.now, input, outputs);
        verdict.map_err(|(invariant, detail)| self.failure(invariant, detail))
    }

    fn check_output(&mut self, output: &Output) -> Result<(), (&'static str, String)> {
        match output {
            Output::Event(recorded) => {
                check::ask(&mut self.checks, |check| check.event(recorded, &self.ledger))?;
                self.ledger.apply(recorded);
                Ok(())
            }
            Output::Effect(effect) => {
                self.ledger.asked(effect);
                check::ask(&mut self.checks, |check| check.effect(effect))
            }
            Output::Touched(_) => Ok(()),
        }
    }

    fn check_settled(
        &mut self,
        input: &Input,
        outputs: &[Output],
    ) -> Result<(), (&'static str, String)> {
        let late = Span::from_millis(self.scenario.faults.late_wake_ms);
        let settled = Settled {
            now: self.now,
            input,
            outputs,
            cell: &self.cell,
            ledger: &self.ledger,
            slack: late + SLACK,
        };
        check::ask(&mut self.checks, |check| check.settled(&settled))
    }

    /// Writes the cell out and reads it back, as a snapshot does.
    fn restore(&mut self) {
        let text = serde_json::to_string(&self.cell).expect("a cell can be written");
        self.cell = serde_json::from_str(&text).expect("what was written can be read");
    }

    fn failure(&self, invariant: &'static str, detail: String) -> Failure {
        Failure { seed: self.seed, invariant, detail, steps: self.trace.print(START) }
    }

    fn is_open(&self) -> bool {
        self.now < self.open_until
    }
}

fn first_cell(config: &Arc<TenantConfig>, ids: u64) -> Cell {
    Cell::new(config.tenant, ids + 2, 1, Arc::clone(config))
}

/// Every id of a configuration.
fn ids_of(config: &TenantConfig) -> Vec<String> {
    let mut ids = vec![config.tenant.to_string()];
    ids.extend(config.queues.keys().map(ToString::to_string));
    ids.extend(config.agents.keys().map(ToString::to_string));
    ids.extend(config.flows.keys().map(ToString::to_string));
    ids.extend(config.prompts.keys().map(ToString::to_string));
    ids
}
