//! What nobody expects: commands without sense, ids of the twin tenant, new configurations in the
//! middle of calls, wakes that nobody asked for.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::input::Command;
use model::sip::LegCause;
use model::{AgentId, CallId, DeviceId, Input, LegId, OfferId, QueueId, Span, Timestamp};

use super::agent::Act;
use super::{Happening, World};
use crate::tenant;
use crate::trace::Failure;

impl World {
    pub(super) fn plan_noise(&mut self) {
        let faults = self.scenario.faults;
        let agents = u64::from(self.scenario.browser_agents + self.scenario.sip_agents);
        self.plan_often(faults.registered, &Happening::Phone);
        self.plan_often(faults.reconfigured, &Happening::Reconfigure);
        self.plan_often(faults.foreign, &Happening::Foreign);
        self.plan_often(self.scenario.people.nonsense * agents, &Happening::Nonsense);
        self.plan_often(faults.idle_wake * 20, &Happening::Tell(Input::Wake));
    }

    /// Plans something that happens so many times in a thousand minutes.
    fn plan_often(&mut self, per_1000_min: u64, happening: &Happening) {
        if per_1000_min == 0 {
            return;
        }
        let mut at = self.now;
        loop {
            let gap_s = self.random.exponential(60_000.0 / per_1000_min as f64);
            at += Span::from_micros((gap_s * 1e6) as i64);
            if at >= self.open_until {
                return;
            }
            self.agenda.add(at, happening.clone());
        }
    }

    pub(super) fn reconfigure(&mut self) -> Result<(), Failure> {
        let next = Arc::new(tenant::changed(&self.config, &self.first_config, &mut self.random));
        let known: BTreeSet<_> = self.config.agents.keys().copied().collect();
        self.config = Arc::clone(&next);
        self.feed(Input::Config(Arc::clone(&next)))?;
        // Who is here again comes to work like everybody in the morning.
        for agent in next.agents.keys().filter(|agent| !known.contains(*agent)) {
            self.open_shift(*agent);
        }
        // A new telephone is plugged in, or still in its box.
        for device in next.phones() {
            if !self.phones.contains(&device) && self.chance(500) {
                let at = self.soon(30_000);
                self.agenda.add(at, Happening::Registers(device));
            }
        }
        Ok(())
    }

    /// One of the telephones that register comes or goes.
    pub(super) fn phone_comes_or_goes(&mut self) -> Result<(), Failure> {
        let phones: Vec<_> = self.config.phones().collect();
        let nth = usize::try_from(self.random.below(phones.len() as u64)).unwrap_or(0);
        match phones.get(nth) {
            Some(device) => self.registered(*device, !self.phones.contains(device)),
            None => Ok(()),
        }
    }

    pub(super) fn registered(&mut self, device: DeviceId, is_up: bool) -> Result<(), Failure> {
        match is_up {
            true => self.phones.insert(device),
            false => self.phones.remove(&device),
        };
        let input = Input::Phone { device, is_up };
        if self.chance(self.scenario.faults.duplicated) {
            self.agenda.add(self.now, Happening::TellTwice(input));
            return Ok(());
        }
        self.feed(input)
    }

    /// An input of the twin tenant reaches the wrong cell, or somebody tries the twin's ids.
    pub(super) fn foreign(&mut self) -> Result<(), Failure> {
        let twin_agent = self.twin.agents.keys().next().copied();
        let own_agent = self.some_agent();
        let (Some(twin_agent), Some(own_agent)) = (twin_agent, own_agent) else { return Ok(()) };
        let leg: LegId = self.mint.mint(self.now);
        let input = match self.random.below(8) {
            0 => Input::Config(Arc::clone(&self.twin)),
            1 => Input::DeviceUp { agent: twin_agent, leg },
            2 => Input::LegEnded { leg, cause: LegCause::FarHangup },
            3 => Input::Digit { leg, digit: '1' },
            4 => return self.command(twin_agent, Command::SignIn),
            5 => return self.command(twin_agent, Command::Ready),
            6 => Input::Phone { device: self.mint.mint(self.now), is_up: self.chance(500) },
            _ => {
                let offer: OfferId = self.mint.mint(self.now);
                return self.command(own_agent, Command::Accept { offer });
            }
        };
        self.feed(input)
    }

    pub(super) fn some_agent(&mut self) -> Option<AgentId> {
        let count = self.config.agents.len() as u64;
        let nth = usize::try_from(self.random.below(count)).ok()?;
        self.config.agents.keys().nth(nth).copied()
    }

    fn some_call(&mut self) -> CallId {
        let nth = usize::try_from(self.random.below(self.recent_calls.len() as u64)).unwrap_or(0);
        let known = self.recent_calls.get(nth).copied();
        known.unwrap_or_else(|| self.mint.mint(self.now))
    }

    /// One that there is, or was, or never will be.
    pub(super) fn some_queue(&mut self) -> QueueId {
        let queues: Vec<_> = self.first_config.queues.keys().copied().collect();
        let nth = usize::try_from(self.random.below(queues.len() as u64 + 1)).unwrap_or(0);
        queues.get(nth).copied().unwrap_or_else(|| self.mint.mint(self.now))
    }

    fn some_offer(&mut self) -> OfferId {
        let nth = usize::try_from(self.random.below(self.recent_offers.len() as u64)).unwrap_or(0);
        let known = self.recent_offers.get(nth).copied();
        known.unwrap_or_else(|| self.mint.mint(self.now))
    }

    /// A command or a report that fits nothing in particular.
    pub(super) fn nonsense(&mut self) -> Result<(), Failure> {
        let Some(agent) = self.some_agent() else { return Ok(()) };
        let (call, offer) = (self.some_call(), self.some_offer());
        let command = match self.random.below(22) {
            0 => Command::SignIn,
            1 => Command::SignOut,
            2 | 3 => Command::Ready,
            4 => Command::Break { reason: "no such reason".to_owned() },
            5 => Command::Break { reason: "lunch".to_owned() },
            6 | 7 => Command::Accept { offer },
            8 => Command::Decline { offer, reason: String::new() },
            9 => Command::Hold { call },
            10 => Command::Resume { call },
            11 => Command::Hangup { call },
            12 => Command::ExtendWrapUp { call, by_ms: -5_000 },
            13 => Command::WrapUp {
                call,
                disposition: "other".to_owned(),
                resolved: false,
                note: "x".repeat(5_000),
            },
            14 => return self.nonsense_report(call),
            15 => Command::Transfer { call, queue: self.some_queue() },
            17 => Command::Consult {
                call,
                colleague: self.some_agent().unwrap_or(agent),
                hand_over: self.chance(500),
            },
            18 => Command::Conference { call },
            19 => Command::EndConference { call },
            20 => Command::HandOver { call },
            21 => Command::EndConsult { call },
            _ => return self.act(agent, Act::OpenPage),
        };
        self.command(agent, command)
    }

    fn nonsense_report(&mut self, call: CallId) -> Result<(), Failure> {
        let leg: LegId = self.mint.mint(self.now);
        let input = match self.random.below(6) {
            0 => Input::ClockJumped { by_us: -3_600_000_000 },
            // A configuration that was overtaken on its way.
            5 => Input::Config(Arc::clone(&self.first_config)),
            1 => Input::PlayEnded { call, play: self.mint.mint(self.now) },
            2 => Input::LegUp { leg },
            3 => Input::Digit { leg, digit: '1' },
            // Time does not go back for a wake with an old stamp: it counts as now.
            _ => {
                let now = std::mem::take(&mut self.now);
                self.now = Timestamp::from_micros(now.micros() - 1);
                let told = self.feed(Input::Wake);
                self.now = now;
                return told;
            }
        };
        self.feed(input)
    }
}
