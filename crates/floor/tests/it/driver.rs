//! A driver that reads inputs as lines and writes outputs as lines.
//!
//! Invariant: between two inputs it wakes the cell at each deadline that lies between them, so a
//! script shows what a shell would see. After each input the laws of the floor are checked.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use floor::Cell;
use model::config::Device;
use model::event::Event;
use model::id::{Id, IdMint};
use model::input::Command;
use model::media::Hears;
use model::{
    AgentId, CallId, DeviceId, Effect, Input, LegId, OfferId, Output, PartyId, PlayId, QueueId,
    RequestId, TenantConfig, Timestamp, Topic,
};
use serde_json::Value;

use crate::world::{START, World};

pub(crate) struct Driver {
    pub(crate) world: World,
    pub(crate) cell: Cell,
    names: BTreeMap<String, String>,
    counts: BTreeMap<String, u32>,
    plays: BTreeMap<CallId, PlayId>,
    offers: BTreeMap<AgentId, OfferId>,
    calls: BTreeMap<AgentId, CallId>,
    mint: IdMint,
    refers: u32,
    now: Timestamp,
    seq: u64,
    waiting: BTreeMap<QueueId, i64>,
    /// Touches are shown only on request: they follow every change.
    pub(crate) show_touched: bool,
    pub(crate) text: String,
}

impl Driver {
    pub(crate) fn new(world: World) -> Self {
        let mut names = BTreeMap::new();
        names.extend(world.agents.iter().map(|(name, id)| (id.to_string(), name.clone())));
        names.extend(world.queues.iter().map(|(name, id)| (id.to_string(), name.clone())));
        let flows = world.config.flows.iter();
        names.extend(flows.map(|(id, flow)| (id.to_string(), format!("flow{}", flow.name))));
        let cell = Cell::new(world.config.tenant, 7, 1, Arc::new(world.config.clone()));
        Self {
            world,
            cell,
            names,
            counts: BTreeMap::new(),
            plays: BTreeMap::new(),
            offers: BTreeMap::new(),
            calls: BTreeMap::new(),
            mint: IdMint::new(0xbeef),
            refers: 0,
            now: Timestamp::from_micros(START),
            seq: 1,
            waiting: BTreeMap::new(),
            show_touched: false,
            text: String::new(),
        }
    }

    /// Runs one line: seconds, verb, words.
    pub(crate) fn line(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let seconds: f64 = words[0].parse().unwrap_or_else(|_| panic!("no time in `{line}`"));
        let at = Timestamp::from_micros(START + (seconds * 1e6).round() as i64);
        while let Some((deadline, reason)) = self.cell.deadline().filter(|(due, _)| *due < at) {
            let shown = format!("{reason:?}");
            let shown = shown.split('(').next().unwrap_or_default();
            writeln!(self.text, "- {} {shown}", seconds_of(deadline)).unwrap();
            self.give(deadline, Input::Wake);
        }
        writeln!(self.text, "> {line}").unwrap();
        let input = self.input(&words[1..]);
        self.give(at, input);
    }

    fn input(&mut self, words: &[&str]) -> Input {
        match *words {
            ["wake"] => Input::Wake,
            ["wake-failed"] => Input::WakeFailed,
            ["clock", by_us] => Input::ClockJumped { by_us: by_us.parse().unwrap() },
            ["ring", leg, caller, dialled] => Input::CallOffered {
                leg: self.leg(leg),
                caller: caller.parse().ok(),
                party: self.mint.mint::<PartyId>(self.now),
                dialled: dialled.parse().unwrap(),
            },
            ["up", leg] => Input::LegUp { leg: self.leg(leg) },
            ["end", leg, cause] => Input::LegEnded {
                leg: self.leg(leg),
                cause: serde_json::from_value(Value::from(cause)).unwrap(),
            },
            ["held", leg] => Input::LegHeld { leg: self.leg(leg), is_held: true },
            ["back", leg] => Input::LegHeld { leg: self.leg(leg), is_held: false },
            ["key", leg, key] => {
                Input::Digit { leg: self.leg(leg), digit: key.chars().next().unwrap() }
            }
            ["played", leg] => {
                let call = self.call(leg);
                Input::PlayEnded { call, play: self.plays[&call] }
            }
            ["page", agent, "up", leg] => {
                Input::DeviceUp { agent: self.world.agents[agent], leg: self.leg(leg) }
            }
            ["page", agent, "down", leg] => {
                Input::DeviceDown { agent: self.world.agents[agent], leg: self.leg(leg) }
            }
            ["phone", agent, way] => {
                Input::Phone { device: self.phone_of(agent), is_up: way == "up" }
            }
            ["dials", agent, leg, dialled] => {
                let device = self.phone_of(agent);
                Input::PhoneDialled {
                    leg: self.leg(leg),
                    device,
                    dialled: dialled.parse().unwrap(),
                }
            }
            ["refer", leg, to, ref rest @ ..] => {
                self.refers += 1;
                let replaces = rest.first().map(|leg| self.leg(leg));
                let (refer, to) = (self.refers, to.parse().unwrap());
                Input::Referred { leg: self.leg(leg), refer, to, replaces }
            }
            ["fail", leg] => Input::CallFailed { call: self.call(leg) },
            ["config"] => {
                self.world.config.n += 1;
                Input::Config(Arc::new(self.world.config.clone()))
            }
            ["config", change, ref rest @ ..] => {
                change_config(&mut self.world, change, rest);
                self.world.config.n += 1;
                Input::Config(Arc::new(self.world.config.clone()))
            }
            [agent, verb, ref rest @ ..] => self.command(agent, verb, rest),
            _ => panic!("what is `{words:?}`?"),
        }
    }

    fn phone_of(&self, agent: &str) -> DeviceId {
        let known = &self.world.config.agents[&self.world.agents[agent]];
        let Device::Phone { device } = known.device else {
            panic!("`{agent}` has no telephone that registers")
        };
        device
    }

    fn command(&mut self, agent: &str, verb: &str, rest: &[&str]) -> Input {
        let agent = self.world.agents[agent];
        let offer = rest
            .first()
            .and_then(|name| self.find(name))
            .and_then(|id| id.parse().ok())
            .or_else(|| self.offers.get(&agent).copied());
        let call = self.calls.get(&agent).copied();
        let call = call.unwrap_or_else(|| self.mint.mint(self.now));
        let offer = offer.unwrap_or_else(|| self.mint.mint(self.now));
        let command = match (verb, rest) {
            ("sign-in", _) => Command::SignIn,
            ("sign-out", _) => Command::SignOut,
            ("ready", _) => Command::Ready,
            ("break", [reason]) => Command::Break { reason: (*reason).into() },
            ("accept", _) => Command::Accept { offer },
            ("decline", _) => Command::Decline { offer, reason: "cannot_help".into() },
            ("hold", _) => Command::Hold { call },
            ("resume", _) => Command::Resume { call },
            ("hangup", _) => Command::Hangup { call },
            ("transfer", [queue]) => {
                let known = self.world.queues.get(*queue).copied();
                let queue = known.unwrap_or_else(|| self.mint.mint(self.now));
                Command::Transfer { call, queue }
            }
            ("consult" | "send", [colleague]) => {
                let known = self.world.agents.get(*colleague).copied();
                let colleague = known.unwrap_or_else(|| self.mint.mint(self.now));
                Command::Consult { call, colleague, hand_over: verb == "send" }
            }
            ("conference", _) => Command::Conference { call },
            ("alone", _) => Command::EndConference { call },
            ("hand-over", _) => Command::HandOver { call },
            ("end-consult", _) => Command::EndConsult { call },
            ("extend", [seconds]) => {
                Command::ExtendWrapUp { call, by_ms: seconds.parse::<i64>().unwrap() * 1_000 }
            }
            ("wrap-up", [disposition, note @ ..]) => Command::WrapUp {
                call,
                disposition: (*disposition).into(),
                resolved: true,
                note: note.join(" "),
            },
            _ => panic!("what is `{verb} {rest:?}`?"),
        };
        Input::Command { request: Some(self.mint.mint::<RequestId>(self.now)), agent, command }
    }

    /// Gives one input, writes what follows and checks the laws.
    pub(crate) fn give(&mut self, at: Timestamp, input: Input) {
        self.now = self.now.max(at);
        self.cell.handle(at, input);
        while let Some(output) = self.cell.poll() {
            self.note(&output);
            if let Some(line) = self.render(&output) {
                writeln!(self.text, "    {line}").unwrap();
            }
        }
        self.check_laws();
    }

    fn note(&mut self, output: &Output) {
        match output {
            Output::Event(recorded) => {
                assert_eq!(recorded.seq, self.seq, "sequence numbers are contiguous");
                assert_eq!(recorded.tenant, self.world.config.tenant);
                self.seq += 1;
                match &recorded.event {
                    Event::Offered { agent, offer, .. } => {
                        self.offers.insert(*agent, *offer);
                    }
                    Event::ConsultStarted { call, consult, colleague, .. } => {
                        self.offers.insert(*colleague, *consult);
                        self.calls.insert(*colleague, *call);
                    }
                    Event::Connected { agent, call, .. } => {
                        self.calls.insert(*agent, *call);
                    }
                    Event::Queued { queue, .. } => *self.waiting.entry(*queue).or_default() += 1,
                    Event::QueueLeft { queue, .. } => {
                        *self.waiting.entry(*queue).or_default() -= 1;
                    }
                    _ => {}
                }
            }
            Output::Effect(Effect::Media { call, graph, .. }) => {
                for hears in graph.hears.values() {
                    if let Hears::Play { play, .. } = hears {
                        self.plays.insert(*call, *play);
                    }
                }
            }
            Output::Effect(_) | Output::Touched(_) => {}
        }
    }

    /// Keys that came too fast.
    pub(crate) fn keys_refused(&self) -> u64 {
        self.cell.live().keys_refused
    }

    fn check_laws(&self) {
        let live = self.cell.live();
        for (queue, live) in &live.queues {
            let ended =
                live.answered + live.abandoned + live.short_abandoned + live.timed_out + live.lost;
            assert_eq!(live.offered, ended + live.waiting, "identity of queue {queue}");
            let waiting = self.waiting.get(queue).copied().unwrap_or(0);
            assert_eq!(live.waiting as i64, waiting, "waiting of queue {queue}");
        }
        let (due, reason) = self.cell.deadline().unzip();
        assert!(due.is_none_or(|due| due >= self.now) || self.text.is_empty(), "{reason:?}");
    }

    fn render(&mut self, output: &Output) -> Option<String> {
        match output {
            Output::Event(recorded) => {
                let value = serde_json::to_value(&recorded.event).unwrap();
                let Value::Object(mut fields) = value else { unreachable!() };
                let Some(Value::String(kind)) = fields.remove("type") else { unreachable!() };
                Some(format!("{kind}{}", self.fields(fields)))
            }
            Output::Effect(Effect::Media { call, rev, graph }) => {
                let mut line = format!("! media {} {rev}", self.name("call", &call.to_string()));
                for (leg, hears) in &graph.hears {
                    let hears = self.hears(hears);
                    let leg = self.name("leg", &leg.to_string());
                    write!(line, " {leg}<{hears}").unwrap();
                }
                if let Some(record) = &graph.record {
                    let record = self.name("recording", &record.recording.to_string());
                    write!(line, " {record}").unwrap();
                }
                Some(line)
            }
            Output::Effect(effect) => {
                let value = serde_json::to_value(effect).unwrap();
                let Value::Object(kinds) = value else { unreachable!() };
                let (kind, fields) = kinds.into_iter().next().unwrap();
                let Value::Object(fields) = fields else { unreachable!() };
                Some(format!("! {kind}{}", self.fields(fields)))
            }
            Output::Touched(topic) if self.show_touched => {
                let id = match topic {
                    Topic::Agent(agent) => agent.to_string(),
                    Topic::Queue(queue) => queue.to_string(),
                    Topic::Record => unreachable!("the cell knows no record"),
                };
                Some(format!("~ {}", self.name("topic", &id)))
            }
            Output::Touched(_) => None,
        }
    }

    fn fields(&mut self, fields: serde_json::Map<String, Value>) -> String {
        let mut line = String::new();
        for (key, value) in fields {
            let shown = match (key.as_str(), value) {
                // The reply follows its command, the party is minted by the driver.
                ("request" | "party" | "flow_version", _) | (_, Value::Null) => continue,
                ("until" | "ready_since" | "waiting_since", Value::Number(at)) => {
                    seconds_of(Timestamp::from_micros(at.as_i64().unwrap()))
                }
                ("waited_us", Value::Number(us)) => {
                    format!("{}s", us.as_i64().unwrap() / 1_000_000)
                }
                (_, Value::String(text)) => self.name(&key, &text),
                (_, Value::Object(inner)) => format!("({})", self.fields(inner).trim_start()),
                (_, value) => value.to_string(),
            };
            write!(line, " {key}={shown}").unwrap();
        }
        line
    }

    fn hears(&mut self, hears: &Hears) -> String {
        match hears {
            Hears::Silence => "silence".into(),
            Hears::Legs(legs) => {
                let legs: Vec<_> =
                    legs.iter().map(|leg| self.name("leg", &leg.to_string())).collect();
                legs.join("+")
            }
            Hears::Play { clips, .. } => {
                let clips: Vec<_> =
                    clips.iter().map(|clip| self.world.clips[clip].as_str()).collect();
                format!("play:{}", clips.join("+"))
            }
            Hears::Music(clip) => format!("loop:{}", self.world.clips[clip]),
        }
    }

    /// The short name of an id; a new id gets one by its kind.
    fn name(&mut self, kind: &str, text: &str) -> String {
        if text.len() != 36 || text.matches('-').count() != 4 {
            return text.to_owned();
        }
        let counts = &mut self.counts;
        let fresh = || {
            let count = counts.entry(kind.to_owned()).or_default();
            *count += 1;
            format!("{kind}{count}")
        };
        self.names.entry(text.to_owned()).or_insert_with(fresh).clone()
    }

    fn find(&self, name: &str) -> Option<String> {
        self.names.iter().find(|(_, known)| *known == name).map(|(id, _)| id.clone())
    }

    fn leg(&mut self, name: &str) -> LegId {
        if let Some(id) = self.find(name).and_then(|id| id.parse().ok()) {
            return id;
        }
        let leg: LegId = self.mint.mint(self.now);
        self.names.insert(leg.uuid().to_string(), name.to_owned());
        leg
    }

    fn call(&mut self, leg: &str) -> CallId {
        let leg = self.leg(leg);
        self.cell.call_of_leg(leg).unwrap_or_else(|| self.mint.mint(self.now))
    }
}

fn change_config(world: &mut World, change: &str, rest: &[&str]) {
    let config: &mut TenantConfig = &mut world.config;
    match (change, rest) {
        ("remove-queue", [name]) => {
            config.queues.remove(&world.queues[*name]);
        }
        ("remove-agent", [name]) => {
            config.agents.remove(&world.agents[*name]);
        }
        ("serve", [agent, queue]) => {
            let queue = world.queues[*queue];
            let agent = config.agents.get_mut(&world.agents[*agent]).unwrap();
            agent.queues = [queue].into();
        }
        ("registers", [agent]) => {
            let agent = config.agents.get_mut(&world.agents[*agent]).unwrap();
            if let Device::Sip { device, .. } = agent.device {
                agent.device = Device::Phone { device };
            }
        }
        ("extension", [agent, extension]) => {
            let agent = config.agents.get_mut(&world.agents[*agent]).unwrap();
            agent.extension = Some(extension.parse().unwrap());
        }
        // A new version that only says goodbye.
        ("republish", [number]) => {
            let flow = config.numbers[&number.parse().unwrap()];
            let published = config.flows.get_mut(&flow).unwrap();
            published.version += 1;
            let document = r#"{"schema":1,"start":"end","nodes":{
                "end":{"type":"hang_up","prompts":["sorry"]}}}"#;
            published.flow = Arc::new(serde_json::from_str(document).unwrap());
        }
        ("no-wrap-up", []) => {
            config.queues.values_mut().for_each(|queue| queue.wrap_up_ms = 0);
        }
        _ => panic!("what is `config {change} {rest:?}`?"),
    }
}

fn seconds_of(at: Timestamp) -> String {
    let micros = at.micros() - START;
    format!("{}.{:03}", micros / 1_000_000, micros % 1_000_000 / 1_000)
}
