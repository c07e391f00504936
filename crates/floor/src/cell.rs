//! The cell: the whole live floor of one tenant, and the order in which one input is worked off.
//!
//! Invariant: after every input no ready agent and waiting contact that fit are left unmatched,
//! and everything that changed has been said.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use model::event::Recorded;
use model::flow::Flow;
use model::id::IdMint;
use model::sip::LegCause;
use model::{
    AgentId, CallId, DeviceId, Effect, Event, FlowId, Input, LegId, OfferId, Output, QueueEntryId,
    QueueId, Refusal, RequestId, Span, TenantConfig, TenantId, Timestamp, Topic, limits,
};
use serde::{Deserialize, Serialize};

use crate::agent::{AgentSlot, Lease};
use crate::call::{By, Call};
use crate::errand::Errand;
use crate::fault::Fault;
use crate::live::Live;
use crate::mutation::Mutation;
use crate::offer::Offer;
use crate::outbox::{Changed, Outbox};
use crate::queue::Line;
use crate::timer::{Reason, Timers};

/// Whose leg it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum LegOwner {
    /// The customer of a call.
    Customer(CallId),
    /// An agent's telephone that rings for an offer.
    Offer(OfferId),
    /// An agent's telephone that talks.
    Talk(CallId),
    /// The telephone of a colleague who was asked in, ringing or talking.
    Consult(CallId),
    /// The second line of an agent's telephone, which talks with a colleague.
    Line(CallId),
    /// An agent's telephone that calls the house itself.
    Errand(CallId),
    /// The page of an agent.
    Page(AgentId),
}

/// The live floor of one tenant.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Cell {
    pub(crate) tenant: TenantId,
    pub(crate) config: Arc<TenantConfig>,
    /// Every flow version that a call may stand on.
    pub(crate) flows: BTreeMap<FlowId, BTreeMap<u64, Arc<Flow>>>,
    pub(crate) now: Timestamp,
    pub(crate) mint: IdMint,
    pub(crate) out: Outbox,
    pub(crate) timers: Timers,
    pub(crate) calls: BTreeMap<CallId, Call>,
    pub(crate) entries: BTreeMap<QueueEntryId, CallId>,
    pub(crate) offers: BTreeMap<OfferId, Offer>,
    /// The newest that ended, oldest first.
    #[serde(default)]
    pub(crate) offers_gone: VecDeque<OfferId>,
    pub(crate) agents: BTreeMap<AgentId, AgentSlot>,
    /// Telephones that are registered.
    #[serde(default)]
    pub(crate) phones: BTreeSet<DeviceId>,
    /// Calls of agents' telephones to the house itself, by what names their graphs.
    #[serde(default)]
    pub(crate) errands: BTreeMap<CallId, Errand>,
    /// Whose telephone the house could not ring a moment ago: ready, and offered nothing.
    #[serde(default)]
    pub(crate) resting: BTreeSet<AgentId>,
    pub(crate) lines: BTreeMap<QueueId, Line>,
    pub(crate) legs: BTreeMap<LegId, LegOwner>,
    pub(crate) live: Live,
    #[serde(skip)]
    pub(crate) changed: Changed,
    #[cfg(feature = "mutations")]
    pub(crate) mutations: BTreeSet<Mutation>,
    #[cfg(feature = "faults")]
    pub(crate) faults: BTreeSet<(Fault, model::DialString)>,
}

impl Cell {
    /// An empty floor: nobody is signed in and nobody calls. `seed` must differ from that of every
    /// other cell; `first_seq` is the sequence number of the first event.
    #[must_use]
    pub fn new(tenant: TenantId, seed: u64, first_seq: u64, config: Arc<TenantConfig>) -> Self {
        let mut cell = Self {
            tenant,
            config: Arc::clone(&config),
            flows: BTreeMap::new(),
            now: Timestamp::default(),
            mint: IdMint::new(seed),
            out: Outbox { next_seq: first_seq, ..Outbox::default() },
            timers: Timers::default(),
            calls: BTreeMap::new(),
            entries: BTreeMap::new(),
            offers: BTreeMap::new(),
            offers_gone: VecDeque::new(),
            agents: BTreeMap::new(),
            phones: BTreeSet::new(),
            errands: BTreeMap::new(),
            resting: BTreeSet::new(),
            lines: BTreeMap::new(),
            legs: BTreeMap::new(),
            live: Live::default(),
            changed: Changed::default(),
            #[cfg(feature = "mutations")]
            mutations: BTreeSet::new(),
            #[cfg(feature = "faults")]
            faults: BTreeSet::new(),
        };
        cell.configure(config);
        // Nothing has happened yet: there is nothing to tell.
        cell.changed = Changed::default();
        cell
    }

    /// Works off one input. A `now` before the last one counts as the last one. The outputs of the
    /// input before must have been taken with [`Cell::poll`].
    pub fn handle(&mut self, now: Timestamp, input: Input) {
        debug_assert!(self.out.queue.is_empty(), "the outputs of the last input were not drained");
        self.now = self.now.max(now);
        let reply = self.work_off(input);
        self.match_free();
        self.say_all_keys();
        self.send_graphs();
        self.announce();
        // The reply is a promise about everything above, so it comes last.
        if let Some((request, result)) = reply {
            self.effect(Effect::Reply { request, result });
        }
    }

    /// The next output, until `None`.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.queue.pop_front()
    }

    /// When the cell wants `Input::Wake`, and why.
    #[must_use]
    pub fn deadline(&self) -> Option<(Timestamp, Reason)> {
        self.timers.first()
    }

    /// Counters of this instant.
    #[must_use]
    pub fn live(&self) -> Live {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let mut live = self.live.clone();
        for (queue, line) in &self.lines {
            live.queues.entry(*queue).or_default().waiting = line.present.len() as u64;
        }
        live.calls = count(self.calls.len());
        live.legs = count(self.legs.len());
        live.offers = count(self.offers.len());
        live.leased = count(self.agents.values().filter(|slot| slot.lease.is_some()).count());
        live
    }

    /// Calls that are up, in the order of their ids.
    pub fn open_calls(&self) -> impl Iterator<Item = CallId> {
        self.calls.keys().copied()
    }

    /// The call that a leg belongs to now, as a customer's or as an agent's.
    #[must_use]
    pub fn call_of_leg(&self, leg: LegId) -> Option<CallId> {
        match *self.legs.get(&leg)? {
            LegOwner::Customer(call)
            | LegOwner::Talk(call)
            | LegOwner::Consult(call)
            | LegOwner::Line(call)
            | LegOwner::Errand(call) => Some(call),
            LegOwner::Offer(offer) => self.offers.get(&offer).map(|offer| offer.call),
            LegOwner::Page(agent) => match self.lease_of(agent) {
                Some(&(Lease::Talk(call) | Lease::Consult(call))) => Some(call),
                _ => None,
            },
        }
    }

    fn work_off(&mut self, input: Input) -> Option<(RequestId, Result<(), Refusal>)> {
        match input {
            Input::Config(config) => self.configure(config),
            Input::Wake => self.wake(),
            Input::CallOffered { leg, caller, party, dialled } => {
                self.call_offered(leg, caller, party, dialled);
            }
            Input::PhoneDialled { leg, device, dialled } => {
                self.phone_dialled(leg, device, &dialled);
            }
            Input::LegUp { leg } => self.leg_up(leg),
            Input::LegEnded { leg, cause } => self.leg_ended(leg, cause),
            Input::LegHeld { leg, is_held } => self.leg_held(leg, is_held),
            Input::Referred { leg, refer, to, replaces } => {
                self.referred(leg, refer, &to, replaces);
            }
            Input::Digit { leg, digit } => {
                if let Some(&LegOwner::Customer(call)) = self.legs.get(&leg) {
                    self.stumble(Fault::Key, call);
                    self.key_passed(call);
                    self.key(call, digit);
                }
            }
            Input::SecretKey { leg, secret, is_end } => self.secret_key(leg, secret, is_end),
            Input::KeysHeld { leg } => self.keys_held(leg),
            Input::PlayEnded { call, play } => self.play_ended(call, play),
            Input::DeviceUp { agent, leg } => self.device_up(agent, leg),
            Input::DeviceDown { agent, leg } => self.device_down(agent, leg),
            Input::Phone { device, is_up } => self.phone(device, is_up),
            Input::WakeFailed => self.wake_failed(),
            Input::TimerPutOff => self.put_timer_off(),
            Input::CallFailed { call } => {
                self.end_call(call, LegCause::InternalError, By::House);
            }
            Input::Command { request, agent, command } => {
                let result = self.command(agent, command);
                let is_silent = result.is_err() && self.mutated(Mutation::SilentRefusal);
                return request.filter(|_| !is_silent).map(|request| (request, result));
            }
            Input::ClockJumped { by_us } => self.event(Event::ClockJumped { by_us }),
        }
        None
    }

    /// Fires the earliest timer if it is due. One alone: a fault in it must be no other's end.
    fn wake(&mut self) {
        if let Some(reason) = self.timers.take_due(self.now) {
            self.stumble_over(Fault::Timer, reason);
            self.fire(reason);
        }
    }

    /// The timer whose firing failed is dropped, and the call it was about ends. A wrap-up has no
    /// call any more and must not last for ever: its timer is put off instead. A rest is over.
    fn wake_failed(&mut self) {
        if let Some((_, Reason::WrapUp(_))) = self.timers.first() {
            return self.put_timer_off();
        }
        let Some(reason) = self.timers.take_due(self.now) else { return };
        self.stumble_over(Fault::End, reason);
        if let Reason::Rest(agent) = reason {
            self.end_rest(agent);
        }
        if let Some(call) = self.call_of_timer(reason) {
            self.end_call(call, LegCause::InternalError, By::House);
        }
    }

    /// The earliest due timer comes again a while later, and nothing else changes.
    fn put_timer_off(&mut self) {
        let Some(reason) = self.timers.take_due(self.now) else { return };
        let at = self.now + Span::from_millis(limits::TIMER_PUT_OFF_MS);
        self.timers.set(at, reason);
        if let Reason::WrapUp(agent) = reason {
            self.put_wrap_up_off(agent, at);
        }
    }

    pub(crate) fn call_of_timer(&self, reason: Reason) -> Option<CallId> {
        match reason {
            Reason::Ring(offer) => self.offers.get(&offer).map(|offer| offer.call),
            Reason::Exclusion(entry, _) | Reason::LongestWait(entry) => {
                self.entries.get(&entry).copied()
            }
            Reason::Flow(call)
            | Reason::CallAge(call)
            | Reason::Consult(call)
            | Reason::Errand(call) => Some(call),
            Reason::DeviceGrace(agent) => match self.lease_of(agent) {
                Some(&(Lease::Talk(call) | Lease::Consult(call))) => Some(call),
                _ => None,
            },
            // The customer is gone; the agent can still finish the wrap-up by hand.
            Reason::WrapUp(_) | Reason::Rest(_) => None,
        }
    }

    fn fire(&mut self, reason: Reason) {
        match reason {
            Reason::Ring(offer) => self.end_offer(offer, model::event::OfferOutcome::NoAnswer),
            Reason::Exclusion(entry, agent) => self.end_exclusion(entry, agent),
            Reason::Rest(agent) => self.end_rest(agent),
            Reason::LongestWait(entry) => {
                if let Some(&call) = self.entries.get(&entry) {
                    self.longest_wait_over(call);
                }
            }
            Reason::Flow(call) => self.flow_timer(call),
            Reason::Consult(call) => self.consult_rang_out(call),
            Reason::Errand(call) => self.end_errand(call, LegCause::Hangup),
            Reason::DeviceGrace(agent) => self.device_grace_over(agent),
            Reason::WrapUp(agent) => self.end_wrap_up(agent, None, None),
            Reason::CallAge(call) => self.end_call(call, LegCause::InternalError, By::House),
        }
    }

    /// Says what changed: the states of agents as events, and which views to push again.
    fn announce(&mut self) {
        for agent in std::mem::take(&mut self.changed.agents) {
            let Some(slot) = self.agents.get(&agent) else { continue };
            let (state, reason) = self.state_of(agent, slot);
            if slot.announced != (state, reason.clone()) {
                let now = self.now;
                self.agents.entry(agent).and_modify(|slot| {
                    slot.announced = (state, reason.clone());
                    slot.since = now;
                });
                self.event(Event::AgentState { agent, state, reason });
            } else if self.mutated(Mutation::SkippedNumber) {
                self.out.next_seq += 1;
            }
            self.out.queue.push_back(Output::Touched(Topic::Agent(agent)));
            self.forget_if_removed(agent);
        }
        for queue in std::mem::take(&mut self.changed.queues) {
            self.out.queue.push_back(Output::Touched(Topic::Queue(queue)));
        }
    }

    pub(crate) fn event(&mut self, event: Event) {
        let seq = self.out.next_seq;
        self.out.next_seq += 1;
        let (tenant, at, config) = (self.tenant, self.now, self.config.n);
        self.out.queue.push_back(Output::Event(Recorded { tenant, seq, at, config, event }));
    }

    pub(crate) fn effect(&mut self, effect: Effect) {
        self.out.queue.push_back(Output::Effect(effect));
    }
}
