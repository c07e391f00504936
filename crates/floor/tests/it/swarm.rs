//! A swarm of seeded random callers and agents, judged by a slow and simple second opinion.
//!
//! Invariant: the oracle knows only the journal and the configuration, never the cell's insides;
//! it scans everything each time, so it cannot share a mistake of the indexes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use floor::Cell;
use model::config::Queue;
use model::event::{AgentState, Event, OfferOutcome, QueueOutcome};
use model::id::IdMint;
use model::input::Command;
use model::media::{Graph, Hears};
use model::random::Random;
use model::sip::LegCause;
use model::{
    AgentId, CallId, Effect, Input, LegId, OfferId, Output, PartyId, PlayId, QueueEntryId, QueueId,
    Span, TenantConfig, Timestamp, limits,
};

use crate::ladders::world;
use crate::world::START;

#[derive(Debug, Clone)]
struct Waiting {
    call: CallId,
    queue: QueueId,
    /// Negated priority, time of the place, entry: the order of the line.
    place: (i32, Timestamp, QueueEntryId),
    offer: Option<OfferId>,
    excluded: BTreeMap<AgentId, Timestamp>,
}

/// The floor as the journal tells it.
#[derive(Default)]
struct Oracle {
    seq: u64,
    calls: BTreeSet<CallId>,
    queued_first: BTreeMap<CallId, Timestamp>,
    waiting: BTreeMap<QueueEntryId, Waiting>,
    offers: BTreeMap<OfferId, (AgentId, QueueEntryId)>,
    talks: BTreeMap<CallId, AgentId>,
    /// Who was asked into which call.
    consults: BTreeMap<OfferId, (AgentId, CallId)>,
    wrap_ups: BTreeMap<AgentId, CallId>,
    states: BTreeMap<AgentId, AgentState>,
    /// Since when an agent has been ready or offered without a break between.
    ready_since: BTreeMap<AgentId, Timestamp>,
    recordings: BTreeSet<CallId>,
    offered: BTreeMap<QueueId, u64>,
    left: BTreeMap<(QueueId, QueueOutcome), u64>,
}

impl Oracle {
    fn take(&mut self, at: Timestamp, event: &Event) {
        self.take_consult(event);
        match event.clone() {
            Event::CallStarted { call, .. } => assert!(self.calls.insert(call)),
            Event::CallEnded { call, .. } => {
                assert!(self.calls.remove(&call), "a second end of {call}");
                assert!(self.waiting.values().all(|waiting| waiting.call != call));
                assert!(!self.talks.contains_key(&call) && !self.recordings.contains(&call));
                self.queued_first.remove(&call);
            }
            Event::Queued { call, entry, queue, priority } => {
                let since = *self.queued_first.entry(call).or_insert(at);
                let place = (-priority, since, entry);
                let waiting =
                    Waiting { call, queue, place, offer: None, excluded: BTreeMap::new() };
                assert!(self.waiting.insert(entry, waiting).is_none());
                *self.offered.entry(queue).or_default() += 1;
            }
            Event::QueueLeft { entry, queue, outcome, call, .. } => {
                let waiting = self.waiting.remove(&entry).expect("a wait ends once");
                assert_eq!(waiting.offer, None, "an offer outlives its wait");
                *self.left.entry((queue, outcome)).or_default() += 1;
                if outcome == QueueOutcome::TimedOut {
                    self.queued_first.remove(&call);
                }
            }
            Event::Offered { entry, offer, agent, .. } => {
                assert!(self.offers.values().all(|(leased, _)| *leased != agent), "two offers");
                assert!(self.talks.values().all(|talking| *talking != agent));
                assert!(!self.wrap_ups.contains_key(&agent));
                assert!(self.consults.values().all(|(asked, _)| *asked != agent));
                self.offers.insert(offer, (agent, entry));
                let waiting = self.waiting.get_mut(&entry).expect("only who waits is offered");
                assert_eq!(waiting.offer.replace(offer), None, "offered twice");
            }
            Event::OfferEnded { offer, outcome, agent, .. } => {
                let (leased, entry) = self.offers.remove(&offer).expect("an offer ends once");
                assert_eq!(leased, agent);
                let waiting = self.waiting.get_mut(&entry).expect("the wait outlives the offer");
                waiting.offer = None;
                if outcome == OfferOutcome::Declined {
                    let until = at + Span::from_millis(limits::OFFER_EXCLUSION_MS);
                    waiting.excluded.insert(agent, until);
                }
            }
            Event::Connected { call, agent, .. } => {
                assert!(self.consults.values().all(|(asked, _)| *asked != agent));
                assert_eq!(self.talks.insert(call, agent), None);
            }
            Event::Disconnected { call, agent, .. } => {
                assert!(self.consults.values().all(|(_, asked_into)| *asked_into != call));
                assert_eq!(self.talks.remove(&call), Some(agent));
            }
            Event::WrapUpStarted { call, agent, .. } => {
                assert_eq!(self.wrap_ups.insert(agent, call), None);
            }
            Event::WrapUpEnded { call, agent, .. } => {
                assert_eq!(self.wrap_ups.remove(&agent), Some(call));
            }
            Event::RecordingStarted { call, .. } => assert!(self.recordings.insert(call)),
            Event::RecordingEnded { call, .. } => assert!(self.recordings.remove(&call)),
            Event::AgentState { agent, state, .. } => {
                self.states.insert(agent, state);
                if matches!(state, AgentState::Ready | AgentState::Offered) {
                    self.ready_since.entry(agent).or_insert(at);
                } else {
                    self.ready_since.remove(&agent);
                }
            }
            _ => {}
        }
    }

    fn take_consult(&mut self, event: &Event) {
        match event.clone() {
            Event::ConsultStarted { call, consult, agent, colleague } => {
                assert_eq!(self.talks.get(&call), Some(&agent));
                assert_eq!(self.states.get(&colleague), Some(&AgentState::Ready));
                assert!(self.consults.values().all(|(_, asked_into)| *asked_into != call));
                self.consults.insert(consult, (colleague, call));
            }
            Event::ConsultEnded { consult, colleague, call, .. } => {
                assert_eq!(self.consults.remove(&consult), Some((colleague, call)));
            }
            _ => {}
        }
    }

    fn could_take(&self, config: &TenantConfig, agent: AgentId, waiting: &Waiting) -> bool {
        let (Some(agent_config), Some(queue)) =
            (config.agents.get(&agent), config.queues.get(&waiting.queue))
        else {
            return false;
        };
        waiting.offer.is_none()
            && agent_config.queues.contains(&waiting.queue)
            && queue
                .skills
                .iter()
                .all(|(skill, least)| agent_config.skills.get(skill).is_some_and(|l| l >= least))
    }

    /// No ready agent and waiting contact that fit.
    fn check_no_idle_pair(&self, config: &TenantConfig, now: Timestamp) {
        let ready = self.states.iter().filter(|(_, state)| **state == AgentState::Ready);
        for (agent, _) in ready {
            for (entry, waiting) in &self.waiting {
                let is_excluded = waiting.excluded.get(agent).is_some_and(|until| *until > now);
                // At the very end of an exclusion its timer may still be due in this instant.
                let ends_now = waiting.excluded.get(agent).is_some_and(|until| *until <= now);
                assert!(
                    is_excluded || ends_now || !self.could_take(config, *agent, waiting),
                    "{agent} is ready while {entry} waits"
                );
            }
        }
    }

    /// The contact that was just offered is the first in line that this agent could take.
    /// No other agent who could take it has been ready for longer.
    fn check_order(&self, config: &TenantConfig, offer: OfferId, ready_since: Timestamp) {
        let (agent, entry) = self.offers[&offer];
        let Some(chosen) = self.waiting.get(&entry) else { return };
        for (other, waiting) in &self.waiting {
            assert!(
                waiting.place >= chosen.place
                    || waiting.excluded.contains_key(&agent)
                    || !self.could_take(config, agent, waiting),
                "{other} was passed over for {entry}"
            );
        }
        let ready = self.states.iter().filter(|(_, state)| **state == AgentState::Ready);
        let chosen = Waiting { offer: None, ..chosen.clone() };
        for (other, _) in ready {
            let is_earlier = (self.ready_since[other], *other) < (ready_since, agent);
            let is_free = self.offers.values().all(|(leased, _)| leased != other);
            assert!(
                !is_earlier
                    || !is_free
                    || chosen.excluded.contains_key(other)
                    || !self.could_take(config, *other, &chosen),
                "{other} has been ready for longer than {agent}"
            );
        }
    }
}

struct Swarm {
    cell: Cell,
    oracle: Oracle,
    config: Arc<TenantConfig>,
    all_queues: BTreeMap<QueueId, Queue>,
    random: Random,
    mint: IdMint,
    now: Timestamp,
    /// Customers' legs, and dialled legs, that are up or ring.
    customers: BTreeMap<LegId, bool>,
    dialled: BTreeSet<LegId>,
    pages: BTreeMap<AgentId, LegId>,
    graphs: BTreeMap<CallId, (u64, Graph)>,
    plays: BTreeMap<CallId, PlayId>,
    journal: Vec<Event>,
}

impl Swarm {
    fn new(seed: u64) -> Self {
        let mut world = world();
        for name in 0..5 {
            let skills: &[(&str, u8)] = if name % 2 == 0 { &[("greek", 4)] } else { &[] };
            world.agent(&format!("agent{name}"), skills, (name == 4).then_some("127.0.0.1:5071"));
        }
        let config = Arc::new(world.config);
        Self {
            cell: Cell::new(config.tenant, seed, 1, Arc::clone(&config)),
            oracle: Oracle::default(),
            all_queues: config.queues.clone(),
            config,
            random: Random::new(seed),
            mint: IdMint::new(seed ^ 0xabcd),
            now: Timestamp::from_micros(START),
            customers: BTreeMap::new(),
            dialled: BTreeSet::new(),
            pages: BTreeMap::new(),
            graphs: BTreeMap::new(),
            plays: BTreeMap::new(),
            journal: Vec::new(),
        }
    }

    fn give(&mut self, input: Input) {
        self.cell.handle(self.now, input);
        let mut outputs = Vec::new();
        while let Some(output) = self.cell.poll() {
            outputs.push(output);
        }
        for output in outputs {
            match output {
                Output::Event(recorded) => {
                    self.oracle.seq += 1;
                    assert_eq!(recorded.seq, self.oracle.seq);
                    assert_eq!(recorded.at, self.now);
                    self.oracle.take(self.now, &recorded.event);
                    // At once: a later timer of the same wake may bring somebody back to the line.
                    if let Event::Offered { offer, ready_since, .. } = &recorded.event {
                        self.oracle.check_order(&self.config, *offer, *ready_since);
                    }
                    self.journal.push(recorded.event);
                }
                Output::Effect(effect) => self.carry_out(effect),
                Output::Touched(_) => {}
            }
        }
        self.oracle.check_no_idle_pair(&self.config, self.now);
        self.check_live();
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Dial { leg, .. } => assert!(self.dialled.insert(leg)),
            Effect::Hangup { leg, .. } | Effect::Refuse { leg, .. } => {
                self.customers.remove(&leg);
                self.dialled.remove(&leg);
            }
            Effect::Media { call, rev, graph } => {
                let last = self.graphs.get(&call).map_or(0, |(rev, _)| *rev);
                assert_eq!(rev, last + 1);
                for hears in graph.hears.values() {
                    match hears {
                        Hears::Play { play, .. } => drop(self.plays.insert(call, *play)),
                        Hears::Legs(legs) => {
                            assert!(legs.iter().all(|leg| graph.hears.contains_key(leg)));
                        }
                        Hears::Silence | Hears::Music(_) => {}
                    }
                }
                self.graphs.insert(call, (rev, graph));
            }
            Effect::MediaEnd { call } => assert!(self.graphs.remove(&call).is_some()),
            _ => {}
        }
    }

    /// The counters are the fold of the journal, and views agree with the last events.
    fn check_live(&self) {
        let live = self.cell.live();
        for (queue, live) in &live.queues {
            let left = |outcome| self.oracle.left.get(&(*queue, outcome)).copied().unwrap_or(0);
            let waiting = self.oracle.waiting.values().filter(|w| w.queue == *queue).count() as u64;
            let folded = (
                self.oracle.offered.get(queue).copied().unwrap_or(0),
                left(QueueOutcome::Answered),
                left(QueueOutcome::Abandoned) + left(QueueOutcome::ShortAbandoned),
                left(QueueOutcome::TimedOut) + left(QueueOutcome::Lost),
                waiting,
            );
            let counted = (
                live.offered,
                live.answered,
                live.abandoned + live.short_abandoned,
                live.timed_out + live.lost,
                live.waiting,
            );
            assert_eq!(folded, counted);
        }
        assert_eq!(live.calls as usize, self.oracle.calls.len());
        assert_eq!(live.offers as usize, self.oracle.offers.len());
        let leased = self.oracle.offers.len()
            + self.oracle.talks.len()
            + self.oracle.consults.len()
            + self.oracle.wrap_ups.len();
        assert_eq!(live.leased as usize, leased);
        for (agent, state) in &self.oracle.states {
            if let Some(view) = self.cell.agent_view(*agent) {
                assert_eq!(view.state, *state);
                assert_eq!(view.offer.is_some(), *state == AgentState::Offered);
            }
        }
    }

    fn pick<T: Copy>(&mut self, items: impl IntoIterator<Item = T>) -> Option<T> {
        let items: Vec<T> = items.into_iter().collect();
        let n = self.random.below(items.len() as u64) as usize;
        items.get(n).copied()
    }

    /// Lets time pass, waking the cell as a shell would: sometimes late.
    fn pass(&mut self, span: Span) {
        let until = self.now + span;
        while let Some((due, _)) = self.cell.deadline().filter(|(due, _)| *due <= until) {
            let late = if due <= self.now { 0 } else { self.random.below(3) as i64 * 40_000 };
            let late = Span::from_micros(late);
            self.now = self.now.max(due) + late;
            self.give(Input::Wake);
        }
        self.now = self.now.max(until);
    }

    fn step(&mut self, arrivals: bool) {
        let agent = self.pick(self.config.agents.keys().copied().collect::<Vec<_>>()).unwrap();
        let customer = self.pick(self.customers.keys().copied().collect::<Vec<_>>());
        match self.random.below(24) {
            0..=2 if arrivals => {
                let leg = self.mint.mint(self.now);
                let numbers: Vec<_> = self.config.numbers.keys().cloned().collect();
                let n = self.random.below(numbers.len() as u64) as usize;
                self.customers.insert(leg, false);
                let party: PartyId = self.mint.mint(self.now);
                let dialled = numbers[n].clone();
                self.give(Input::CallOffered { leg, caller: None, party, dialled });
            }
            3..=6 => {
                let ringing = self.customers.iter().filter(|(_, up)| !**up).map(|(leg, _)| *leg);
                if let Some(leg) = self.pick(ringing.collect::<Vec<_>>()) {
                    self.customers.insert(leg, true);
                    self.give(Input::LegUp { leg });
                }
            }
            7 | 8 => {
                if let Some(leg) = customer {
                    self.customers.remove(&leg);
                    self.give(Input::LegEnded { leg, cause: LegCause::FarHangup });
                }
            }
            9..=11 => {
                let digit = self.pick("0123456789*#".chars().collect::<Vec<_>>());
                if let (Some(leg), Some(digit)) = (customer, digit) {
                    self.give(Input::Digit { leg, digit });
                }
            }
            12 | 13 => {
                let plays: Vec<_> = self.plays.iter().map(|(call, play)| (*call, *play)).collect();
                if let Some((call, play)) = self.pick(plays) {
                    self.give(Input::PlayEnded { call, play });
                }
            }
            14 => self.page(agent),
            15 | 16 => self.telephone(),
            17 if self.random.below(10) == 0 => {
                if let Some(call) = self.pick(self.oracle.calls.iter().copied().collect::<Vec<_>>())
                {
                    self.give(Input::CallFailed { call });
                }
            }
            18 if self.random.below(30) == 0 => self.reconfigure(agent),
            _ => self.command(agent),
        }
        let gap = Span::from_millis(self.random.below(3_000) as i64);
        self.pass(gap);
    }

    /// Gives an agent other queues, takes a queue away, or brings all of them back.
    fn reconfigure(&mut self, agent: AgentId) {
        let mut config = TenantConfig::clone(&self.config);
        config.n += 1;
        let queues: Vec<QueueId> = self.all_queues.keys().copied().collect();
        let queue = self.pick(queues.clone()).unwrap();
        match self.random.below(3) {
            0 => drop(config.queues.remove(&queue)),
            1 => config.queues.clone_from(&self.all_queues),
            _ => {
                let serves = &mut config.agents.get_mut(&agent).unwrap().queues;
                if !serves.remove(&queue) {
                    serves.extend(queues);
                }
            }
        }
        self.config = Arc::new(config);
        self.give(Input::Config(Arc::clone(&self.config)));
    }

    fn page(&mut self, agent: AgentId) {
        match self.pages.get(&agent).copied() {
            Some(leg) if self.random.below(4) == 0 => {
                self.pages.remove(&agent);
                self.give(Input::DeviceDown { agent, leg });
            }
            _ => {
                let leg = self.mint.mint(self.now);
                self.pages.insert(agent, leg);
                self.give(Input::DeviceUp { agent, leg });
            }
        }
    }

    fn telephone(&mut self) {
        let Some(leg) = self.pick(self.dialled.iter().copied().collect::<Vec<_>>()) else { return };
        let causes =
            [LegCause::Busy, LegCause::NoAnswer, LegCause::Unreachable, LegCause::FarHangup];
        if self.random.below(3) > 0 {
            self.give(Input::LegUp { leg });
        } else {
            self.dialled.remove(&leg);
            let cause = self.pick(causes).unwrap();
            self.give(Input::LegEnded { leg, cause });
        }
    }

    fn command(&mut self, agent: AgentId) {
        let offers = &self.oracle.offers;
        let mine = offers.iter().find(|(_, (leased, _))| *leased == agent).map(|(id, _)| *id);
        let asked = self.oracle.consults.iter().find(|(_, (asked, _))| *asked == agent);
        let asked = asked.map(|(id, (_, call))| (*id, *call));
        let mine = mine.or(asked.map(|(id, _)| id));
        let offer = mine.unwrap_or_else(|| self.mint.mint(self.now));
        let talk = self.oracle.talks.iter().find(|(_, a)| **a == agent).map(|(call, _)| *call);
        let call = talk
            .or(asked.map(|(_, call)| call))
            .or_else(|| self.oracle.wrap_ups.get(&agent).copied())
            .unwrap_or_else(|| self.mint.mint(self.now));
        let command = match self.random.below(12) {
            0 => Command::SignIn,
            1 if self.random.below(4) == 0 => Command::SignOut,
            2 if self.random.below(3) == 0 => Command::Break { reason: "lunch".into() },
            3 => Command::Decline { offer, reason: String::new() },
            4 if self.random.below(2) == 0 => Command::Hold { call },
            4 => {
                let ready = self.oracle.states.iter();
                let ready = ready.filter(|(_, state)| **state == AgentState::Ready);
                let ready = ready.map(|(agent, _)| *agent).collect::<Vec<_>>();
                let hand_over = self.random.below(4) == 0;
                Command::Consult { call, colleague: self.pick(ready).unwrap_or(agent), hand_over }
            }
            5 => match self.random.below(5) {
                0 => Command::Conference { call },
                1 => Command::EndConference { call },
                2 => Command::HandOver { call },
                3 => Command::EndConsult { call },
                _ => Command::Resume { call },
            },
            6 => Command::Hangup { call },
            7 => Command::WrapUp {
                call,
                disposition: "solved".into(),
                resolved: true,
                note: String::new(),
            },
            8 | 9 => Command::Accept { offer },
            _ => Command::Ready,
        };
        self.give(Input::Command { request: None, agent, command });
    }

    /// Nobody rings any more and all hang up: everything closes within the longest timers.
    fn close(&mut self) {
        for _ in 0..200 {
            self.step(false);
        }
        for leg in std::mem::take(&mut self.customers).into_keys() {
            self.give(Input::LegEnded { leg, cause: LegCause::FarHangup });
        }
        self.pass(Span::from_secs(120));
        assert!(self.oracle.calls.is_empty() && self.oracle.offers.is_empty());
        assert!(self.oracle.talks.is_empty() && self.oracle.wrap_ups.is_empty());
        assert_eq!(self.cell.deadline(), None, "a timer is left");
        assert_eq!(self.cell.open_calls().count(), 0);
        assert_eq!(self.cell.live().legs as usize, self.pages.len());
        assert!(self.dialled.is_empty(), "a telephone still rings");
    }
}

#[test]
fn many_seeds_hold_every_law() {
    let mut answered = 0;
    for seed in 0..60 {
        let mut swarm = Swarm::new(seed);
        for _ in 0..1_500 {
            swarm.step(true);
        }
        swarm.close();
        answered +=
            swarm.journal.iter().filter(|event| matches!(event, Event::Connected { .. })).count();
    }
    assert!(answered > 500, "the swarm hardly talks: {answered}");
}

#[test]
fn the_same_seed_writes_the_same_journal_also_through_a_snapshot() {
    let run = |snapshots: bool| {
        let mut swarm = Swarm::new(99);
        for n in 0..800 {
            swarm.step(true);
            if snapshots && n % 40 == 0 {
                let text = serde_json::to_string(&swarm.cell).unwrap();
                swarm.cell = serde_json::from_str(&text).unwrap();
            }
        }
        swarm.journal
    };
    assert_eq!(run(false), run(true));
}

/// Faults of what this oracle does not look at: what legs hear, consent, replies, strangers,
/// wishes and errands. The invariants of `sim` do.
#[cfg(feature = "mutations")]
const UNSEEN: [floor::Mutation; 6] = [
    floor::Mutation::RecordedRefusal,
    floor::Mutation::HeardOnHold,
    floor::Mutation::SilentRefusal,
    floor::Mutation::StrangersPage,
    floor::Mutation::UnsavedIntent,
    floor::Mutation::RungOnErrand,
];

/// The second opinion is awake: it catches each seeded fault of the cell that it could see.
#[cfg(feature = "mutations")]
#[test]
fn every_mutation_is_caught() {
    std::panic::set_hook(Box::new(|_| {}));
    let missed: Vec<_> = floor::Mutation::ALL
        .into_iter()
        .filter(|mutation| !UNSEEN.contains(mutation))
        .filter(|mutation| {
            (0..20).all(|seed| {
                let run = std::panic::AssertUnwindSafe(|| {
                    let mut swarm = Swarm::new(seed);
                    swarm.cell.mutate(*mutation);
                    (0..1_500).for_each(|_| swarm.step(true));
                    swarm.close();
                });
                std::panic::catch_unwind(run).is_ok()
            })
        })
        .collect();
    drop(std::panic::take_hook());
    assert!(missed.is_empty(), "not caught: {missed:?}");
}
