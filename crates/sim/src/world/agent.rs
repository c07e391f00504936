//! Agents: they sign in, take calls after a moment or not at all, decline, click twice, close and
//! reload their page, hold, wrap up, take breaks.

use model::config::Device;
use model::event::AgentState;
use model::input::Command;
use model::sip::LegCause;
use model::{AgentId, CallId, DeviceId, DialString, Input, LegId, OfferId, Span};

use super::shell::DeskLeg;
use super::{Happening, World};
use crate::tenant;
use crate::trace::Failure;

/// What an agent or an agent's telephone does.
#[derive(Debug, Clone)]
pub(super) enum Act {
    /// Clicks.
    Command(Command),
    /// Clicks, while the customer perhaps leaves in the same instant.
    Take(OfferId, CallId),
    /// Asks somebody in who is ready, or anybody.
    Ask(CallId),
    /// Sends the customer on with a key of the telephone, or puts two lines together.
    Refer(LegId, Option<LegId>),
    /// Calls a colleague on the second line of the telephone, and thinks about the first.
    SecondLine(LegId),
    /// Opens the page, in place of one that may be open.
    OpenPage,
    /// Closes the page.
    ClosePage,
    /// Answers the telephone.
    Answer(LegId),
    /// The telephone does not take the call, or puts it down.
    PutDown(LegId, LegCause),
}

/// An agent as a person at a desk.
#[derive(Debug, Clone, Default)]
pub(super) struct Human {
    /// The media leg of the page that is open.
    page: Option<LegId>,
}

impl World {
    /// Everybody comes to work within the first half minute.
    pub(super) fn open_shifts(&mut self) {
        let agents: Vec<_> = self.config.agents.keys().copied().collect();
        for agent in agents {
            self.humans.insert(agent, Human::default());
            self.open_shift(agent);
        }
    }

    pub(super) fn open_shift(&mut self, agent: AgentId) {
        let most_ms = if self.scenario.plain_queue { 0 } else { 30_000 };
        let at = self.soon(most_ms);
        if self.is_browser(agent) {
            self.agenda.add(at, Happening::Does(agent, Act::OpenPage));
        }
        if let Some(Device::Phone { device }) =
            self.config.agents.get(&agent).map(|agent| &agent.device)
        {
            self.agenda.add(at, Happening::Registers(*device));
        }
        self.agenda.add(at, Happening::Does(agent, Act::Command(Command::SignIn)));
        // The break right after sign-in ends by the reaction to it.
    }

    fn is_browser(&self, agent: AgentId) -> bool {
        self.config.agents.get(&agent).is_some_and(|agent| agent.device == Device::Browser)
    }

    fn plan(&mut self, most_ms: i64, agent: AgentId, act: Act) {
        let at = self.soon(most_ms);
        self.agenda.add(at, Happening::Does(agent, act));
    }

    pub(super) fn act(&mut self, agent: AgentId, act: Act) -> Result<(), Failure> {
        match act {
            Act::Command(command) => self.command(agent, command),
            Act::Take(offer, call) => {
                if self.chance(self.scenario.people.leave_on_answer)
                    && let Some(leg) = self.calls.get(&call).copied()
                {
                    self.agenda.add(self.now, Happening::Leaves(leg));
                }
                let accept = Command::Accept { offer };
                if self.chance(self.scenario.people.double_click) {
                    let at = self.soon(300);
                    let again = Act::Command(accept.clone());
                    self.agenda.add(at, Happening::Does(agent, again));
                }
                self.command(agent, accept)
            }
            Act::Ask(call) => {
                let all = self.config.agents.keys().copied();
                let ready = all.filter(|id| self.ledger.derived(*id) == AgentState::Ready);
                let ready: Vec<_> = ready.collect();
                let nth = usize::try_from(self.random.below(ready.len() as u64)).unwrap_or(0);
                let Some(colleague) = ready.get(nth).copied().or_else(|| self.some_agent()) else {
                    return Ok(());
                };
                let hand_over = self.chance(250);
                self.command(agent, Command::Consult { call, colleague, hand_over })
            }
            Act::Refer(leg, replaces) => {
                let to = self.somewhere();
                self.refers += 1;
                let refer = self.refers;
                match self.desk_legs.contains_key(&leg) {
                    true => self.feed(Input::Referred { leg, refer, to, replaces }),
                    false => Ok(()),
                }
            }
            Act::SecondLine(first) => self.second_line(agent, first),
            Act::OpenPage => self.open_page(agent),
            Act::ClosePage => {
                if let Some(leg) = self.humans.get_mut(&agent).and_then(|human| human.page.take()) {
                    self.page_lost(agent, leg);
                }
                Ok(())
            }
            Act::Answer(leg) => {
                if let Some(desk) = self.desk_legs.get_mut(&leg) {
                    desk.up = true;
                    self.tell(0, Input::LegUp { leg }, None);
                }
                Ok(())
            }
            Act::PutDown(leg, cause) => {
                if self.desk_legs.remove(&leg).is_some() {
                    self.leg_over(leg, cause);
                }
                Ok(())
            }
        }
    }

    pub(super) fn command(&mut self, agent: AgentId, command: Command) -> Result<(), Failure> {
        if let Some((device, code)) = self.code_for(agent, &command)
            && self.chance(300)
        {
            return self.dial_house(agent, device, code);
        }
        // The house gives commands too, and reads no reply.
        let request =
            (self.scenario.plain_queue || !self.chance(50)).then(|| self.mint.mint(self.now));
        self.feed(Input::Command { request, agent, command })
    }

    /// The telephone of an agent who has one, and the code that asks for the same.
    fn code_for(&self, agent: AgentId, command: &Command) -> Option<(DeviceId, &'static str)> {
        let Device::Phone { device } = self.config.agents.get(&agent)?.device else { return None };
        let code = match command {
            Command::SignIn | Command::Ready | Command::WrapUp { .. } => "*61",
            Command::Break { .. } => "*62",
            Command::SignOut => "*63",
            // Somebody mistypes.
            Command::Resume { .. } => "*6",
            _ => return None,
        };
        Some((device, code))
    }

    /// A number of the company, an extension that somebody has, or what nobody has.
    fn somewhere(&mut self) -> DialString {
        let extensions = self.config.agents.values().filter_map(|agent| agent.extension.clone());
        let extensions: Vec<_> = extensions.collect();
        match self.random.below(6) {
            0 => tenant::number(),
            1 => "999".parse().expect("digits"),
            _ => {
                let nth = self.random.below(extensions.len() as u64);
                let nth = usize::try_from(nth).unwrap_or(0);
                extensions.get(nth).cloned().unwrap_or_else(tenant::number)
            }
        }
    }

    /// Holds the customer, calls a colleague, and puts the lines together, or one of them down.
    fn second_line(&mut self, agent: AgentId, first: LegId) -> Result<(), Failure> {
        let Some(Device::Phone { device }) = self.config.agents.get(&agent).map(|a| &a.device)
        else {
            return Ok(());
        };
        let (device, leg) = (*device, self.mint.mint(self.now));
        if !self.desk_legs.contains_key(&first) {
            return Ok(());
        }
        self.feed(Input::LegHeld { leg: first, is_held: true })?;
        self.desk_legs.insert(leg, DeskLeg { agent, up: true });
        let act = match self.random.below(4) {
            0 => Act::PutDown(leg, LegCause::FarHangup),
            1 => Act::Refer(leg, Some(first)),
            _ => Act::Refer(first, Some(leg)),
        };
        self.plan(25_000, agent, act);
        let at = self.soon(40_000);
        self.agenda.add(at, Happening::Tell(Input::LegHeld { leg: first, is_held: false }));
        let dialled = self.somewhere();
        self.feed(Input::PhoneDialled { leg, device, dialled })
    }

    /// A telephone dials the house, and is perhaps put down before it has heard everything.
    fn dial_house(&mut self, agent: AgentId, device: DeviceId, code: &str) -> Result<(), Failure> {
        let leg: LegId = self.mint.mint(self.now);
        self.desk_legs.insert(leg, DeskLeg { agent, up: true });
        if self.chance(200) {
            self.plan(4_000, agent, Act::PutDown(leg, LegCause::FarHangup));
        }
        let dialled = code.parse().expect("it can be dialled");
        self.feed(Input::PhoneDialled { leg, device, dialled })
    }

    /// A page replaces the one before it; the end of that one is told later.
    fn open_page(&mut self, agent: AgentId) -> Result<(), Failure> {
        let leg: LegId = self.mint.mint(self.now);
        let Some(human) = self.humans.get_mut(&agent) else { return Ok(()) };
        if let Some(old) = human.page.replace(leg) {
            self.page_lost(agent, old);
        }
        if self.chance(self.scenario.faults.duplicated) {
            self.agenda.add(self.now, Happening::TellTwice(Input::DeviceUp { agent, leg }));
            return Ok(());
        }
        self.feed(Input::DeviceUp { agent, leg })
    }

    fn page_lost(&mut self, agent: AgentId, leg: LegId) {
        let down = Input::DeviceDown { agent, leg };
        self.tell(1_500, down.clone(), Some((Span::from_secs(15), down)));
    }

    /// An offer rings at the agent.
    pub(super) fn offered(&mut self, call: CallId, offer: OfferId, agent: AgentId) {
        if self.chance(self.scenario.people.leave_on_offer)
            && let Some(leg) = self.calls.get(&call).copied()
        {
            let at = self.soon(8_000);
            self.agenda.add(at, Happening::Leaves(leg));
        }
        if !self.is_browser(agent) {
            return;
        }
        let people = &self.scenario.people;
        if people.instant_answer {
            let accept = Act::Command(Command::Accept { offer });
            self.agenda.add(self.now, Happening::Does(agent, accept));
            return;
        }
        let (ignore, decline) = (people.ignore, people.decline);
        let (close, reload) = (people.close_tab, people.reload);
        if self.chance(ignore) {
            return;
        }
        let act = if self.chance(decline) {
            let reasons = ["", "not_prepared", "cannot_help", "technical", "busy"];
            let nth = usize::try_from(self.random.below(reasons.len() as u64)).unwrap_or(0);
            let reason = reasons.get(nth).copied().unwrap_or_default().to_owned();
            Act::Command(Command::Decline { offer, reason })
        } else if self.chance(close) {
            Act::ClosePage
        } else if self.chance(reload) {
            Act::OpenPage
        } else {
            Act::Take(offer, call)
        };
        if matches!(act, Act::OpenPage) {
            self.plan(9_000, agent, Act::Take(offer, call));
        }
        self.plan(8_000, agent, act);
    }

    /// A SIP telephone rings.
    pub(super) fn rings_at_desk(&mut self, agent: AgentId, leg: LegId) {
        let people = &self.scenario.people;
        let (ignore, decline) = (people.ignore, people.decline);
        if self.chance(ignore) {
            return;
        }
        let act = if self.chance(decline) {
            let cause = match self.random.below(6) {
                0 => LegCause::Busy,
                1 => LegCause::Declined,
                2 => LegCause::Unreachable,
                3 => LegCause::Refused,
                4 => LegCause::InternalError,
                _ => LegCause::NoAnswer,
            };
            Act::PutDown(leg, cause)
        } else {
            Act::Answer(leg)
        };
        self.plan(8_000, agent, act);
    }

    /// Agent and customer talk: how long, and who ends it.
    pub(super) fn connected(&mut self, call: CallId, agent: AgentId, leg: LegId) {
        let length = self.exponential(self.scenario.people.talk_s);
        let end = self.now + length;
        let Some(customer) = self.calls.get(&call).copied() else { return };
        if self.scenario.plain_queue || self.chance(500) {
            self.agenda.add(end, Happening::Leaves(customer));
        } else if self.desk_legs.contains_key(&leg) && self.chance(500) {
            let fails = self.chance(self.scenario.faults.leg_failed);
            let cause = match (fails, self.chance(500)) {
                (false, _) => LegCause::FarHangup,
                (true, false) => LegCause::InternalError,
                (true, true) => LegCause::Refused,
            };
            let act = Act::PutDown(leg, cause);
            self.agenda.add(end, Happening::Does(agent, act));
        } else {
            let act = Act::Command(Command::Hangup { call });
            self.agenda.add(end, Happening::Does(agent, act));
            // A click on a page that is gone reaches nobody: the customer hangs up in the end.
            self.agenda.add(end + Span::from_secs(60), Happening::Leaves(customer));
        }
        if self.chance(self.scenario.people.transfer) {
            let queue = self.some_queue();
            let at = self.now + Span::from_micros(self.below(length.micros()));
            let act = Act::Command(Command::Transfer { call, queue });
            self.agenda.add(at, Happening::Does(agent, act));
        }
        if self.desk_legs.contains_key(&leg) && self.chance(self.scenario.people.transfer) {
            self.plan(length.millis(), agent, Act::Refer(leg, None));
        }
        if self.desk_legs.contains_key(&leg) && self.chance(self.scenario.people.consult) {
            self.plan(length.millis(), agent, Act::SecondLine(leg));
        }
        if self.chance(self.scenario.people.consult) {
            let at = self.now + Span::from_micros(self.below(length.micros()));
            self.agenda.add(at, Happening::Does(agent, Act::Ask(call)));
        }
        let length_ms = length.millis();
        let people = &self.scenario.people;
        let (hold, close, reload) = (people.hold, people.close_tab, people.reload);
        if self.chance(hold) {
            self.plan(length_ms, agent, Act::Command(Command::Hold { call }));
            self.plan(length_ms, agent, Act::Command(Command::Resume { call }));
            self.plan(2 * length_ms, agent, Act::Command(Command::Resume { call }));
        }
        if self.desk_legs.contains_key(&leg) && self.chance(hold) {
            for is_held in [true, false] {
                let at = self.soon(length_ms);
                self.agenda.add(at, Happening::Tell(Input::LegHeld { leg, is_held }));
            }
        }
        if self.is_browser(agent) && self.chance(close) {
            let at = self.soon(length_ms);
            self.agenda.add(at, Happening::Does(agent, Act::ClosePage));
            let away = Span::from_micros(self.below(60_000_000));
            self.agenda.add(at + away, Happening::Does(agent, Act::OpenPage));
        }
        if self.is_browser(agent) && self.chance(reload) {
            self.plan(length_ms, agent, Act::OpenPage);
        }
    }

    /// The agent lets the customer in and out, hands over, or goes back, in any order.
    pub(super) fn confers(&mut self, call: CallId, agent: AgentId) {
        for _ in 0..3 {
            let command = match self.random.below(6) {
                0 | 1 => Command::Conference { call },
                2 => Command::EndConference { call },
                3 | 4 => Command::HandOver { call },
                _ => Command::EndConsult { call },
            };
            self.plan(40_000, agent, Act::Command(command));
        }
    }

    /// A colleague talks with the agent, and perhaps leaves first, or loses the page.
    pub(super) fn joined(&mut self, call: CallId, colleague: AgentId, leg: LegId) {
        let length_ms = self.exponential(self.scenario.people.talk_s).millis();
        if self.desk_legs.contains_key(&leg) {
            let cause = match self.random.below(4) {
                0 => LegCause::InternalError,
                1 => LegCause::MediaTimeout,
                _ => LegCause::FarHangup,
            };
            self.plan(2 * length_ms, colleague, Act::PutDown(leg, cause));
            if self.chance(self.scenario.people.hold) {
                for is_held in [true, false] {
                    let at = self.soon(length_ms);
                    self.agenda.add(at, Happening::Tell(Input::LegHeld { leg, is_held }));
                }
            }
            return;
        }
        let (close, reload) = (self.scenario.people.close_tab, self.scenario.people.reload);
        if self.chance(close) {
            self.plan(length_ms, colleague, Act::ClosePage);
        } else if self.chance(reload) {
            self.plan(length_ms, colleague, Act::OpenPage);
        }
        let leave = match self.chance(500) {
            true => Command::EndConsult { call },
            false => Command::Hangup { call },
        };
        self.plan(2 * length_ms, colleague, Act::Command(leave));
    }

    pub(super) fn wraps_up(&mut self, call: CallId, agent: AgentId) {
        let done = self.now + self.exponential(self.scenario.people.wrap_up_s);
        let wrap_up = |disposition: &str, note: &str| Command::WrapUp {
            call,
            disposition: disposition.to_owned(),
            resolved: true,
            note: note.to_owned(),
        };
        let note = "called about the order";
        match self.random.below(10) {
            // Forgotten: it ends by itself.
            0 | 1 => return,
            2 => {
                let by_ms = 1 + self.below(30_000);
                let extend = Command::ExtendWrapUp { call, by_ms };
                self.plan(5_000, agent, Act::Command(extend));
            }
            3 => self.plan(3_000, agent, Act::Command(wrap_up("no such result", note))),
            4 => self.plan(3_000, agent, Act::Command(wrap_up("order", &"x".repeat(5_000)))),
            _ => {}
        }
        self.agenda.add(done, Happening::Does(agent, Act::Command(wrap_up("order", note))));
    }

    /// People react to their own state; after the doors closed they stay and finish.
    pub(super) fn state_changed(&mut self, agent: AgentId, state: AgentState) {
        let plain = self.scenario.plain_queue;
        match state {
            AgentState::Break | AgentState::DidNotAnswer => {
                let most_ms = if plain { 0 } else { 30_000 };
                self.plan(most_ms, agent, Act::Command(Command::Ready));
            }
            AgentState::SignedOut => {
                self.plan(60_000, agent, Act::Command(Command::SignIn));
            }
            AgentState::NoDevice => self.plan(15_000, agent, Act::OpenPage),
            AgentState::Ready => {
                if self.is_open() && self.chance(self.scenario.people.pause) {
                    let act = match self.random.below(4) {
                        0 => Act::Command(Command::SignOut),
                        1 => Act::ClosePage,
                        _ => Act::Command(Command::Break { reason: "lunch".to_owned() }),
                    };
                    self.plan(60_000, agent, act);
                }
            }
            AgentState::Offered | AgentState::Talking | AgentState::Hold | AgentState::WrapUp => {}
        }
    }
}
