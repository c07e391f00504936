//! What has happened in the runs: every word of the contract, every change of a configuration, and
//! every shape of a company.
//!
//! Invariant: the words are the variants of the enums themselves. A new one does not compile until
//! it stands here, and then it has to happen or to be named among those that cannot.

use std::collections::{BTreeMap, BTreeSet};

use model::config::{Queue, TenantConfig};
use model::effect::Effect;
use model::event::{
    AgentState, CallOutcome, Consent, ConsultOutcome, DeclineReason, Event, OfferOutcome,
    QueueOutcome,
};
use model::input::Command;
use model::media::Hears;
use model::sip::LegCause;
use model::{Input, Output, Refusal};
use sim::{Scenario, World};

/// Names every variant of an enum: `name` of a value, and `all` of them.
macro_rules! vocabulary {
    ($module:ident, $enum:ident: $($variant:ident)*) => {
        mod $module {
            pub(super) const ALL: &[&str] =
                &[$(concat!(stringify!($enum), "::", stringify!($variant))),*];

            pub(super) fn name(value: &super::$enum) -> &'static str {
                match value {
                    $(super::$enum::$variant { .. } => {
                        concat!(stringify!($enum), "::", stringify!($variant))
                    })*
                }
            }
        }
    };
}

vocabulary!(input, Input: Config Wake ClockJumped CallOffered LegUp LegEnded LegHeld Digit PlayEnded
    DeviceUp DeviceDown Phone PhoneDialled Referred WakeFailed TimerPutOff CallFailed Command
    SecretKey KeysHeld);
vocabulary!(command, Command: SignIn SignOut Ready Break Accept Decline Hold Resume Transfer Consult
    Conference EndConference HandOver EndConsult Hangup
    ExtendWrapUp WrapUp);
vocabulary!(leg_cause, LegCause: FarHangup Hangup Cancelled Busy NoAnswer Declined Unreachable NoAck
    MediaTimeout Refused InternalError NodeFailure);
vocabulary!(event, Event: CallStarted CallAnswered NodeEntered Chosen Collected ConsentTaken
    LanguageSet Queued QueueLeft Offered OfferEnded Connected Disconnected HoldStarted HoldEnded
    AgentLost AgentRegained RecordingStarted RecordingEnded WrapUpStarted WrapUpExtended WrapUpEnded
    CallEnded CallbackListed Transferred Redirected ConsultStarted ConsultJoined ConferenceStarted
    ConferenceEnded ConsultEnded AgentState DeviceUp DeviceDown RecordGap ClockJumped);
vocabulary!(queue_outcome, QueueOutcome: Answered Abandoned ShortAbandoned TimedOut Lost);
vocabulary!(offer_outcome, OfferOutcome: Accepted Declined NoAnswer Withdrawn DeviceLost NotRung);
vocabulary!(consult_outcome, ConsultOutcome: Declined NoAnswer Withdrawn DeviceLost NotRung Over
    HandedOver);
vocabulary!(decline_reason, DeclineReason: NotPrepared CannotHelp Technical Other);
vocabulary!(call_outcome, CallOutcome: Handled Abandoned LeftInFlow FlowEnded Refused Failed);
vocabulary!(agent_state, AgentState: SignedOut Break DidNotAnswer NoDevice Ready Offered Talking
    Hold WrapUp);
vocabulary!(consent, Consent: Unasked Given Refused);
vocabulary!(effect, Effect: Answer Refuse Dial Hangup Media MediaEnd SaveFact SaveIntent SaveNote
    ListCallback Reply Keys Ring Refer);
vocabulary!(hears, Hears: Silence Legs Play Music);
vocabulary!(refusal, Refusal: NotFound OfferGone WrongState NoDevice NotFree UnknownChoice
    Overloaded NotSaved);

/// What a floor of these companies never hears or says.
const ELSEWHERE: [&str; 7] = [
    // Their flows ask for no secrets; `hub` drives one that does.
    "Input::SecretKey",
    "Input::KeysHeld",
    "Effect::Keys",
    // A fault within a fault: `hub` injects it.
    "Input::TimerPutOff",
    // The shell writes it, who knows what the disk did not take.
    "Event::RecordGap",
    // It replies so when the commit is late.
    "Refusal::NotSaved",
    // Nobody takes consent by not asking.
    "Consent::Unasked",
];

/// What an administrator does in the middle of a day.
const CHANGES: [&str; 13] = [
    "queue taken away",
    "queue back",
    "queue's times",
    "queue's room",
    "queue's skills",
    "agent taken away",
    "agent back",
    "agent's telephone",
    "agent's queues and skills",
    "flow published",
    "numbers",
    "prompts",
    "opening hours",
];

/// Counts of words and of the shapes of companies.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    words: BTreeMap<&'static str, u64>,
    queues: BTreeSet<u32>,
    agents: BTreeSet<(u32, u32)>,
    technical: BTreeSet<u8>,
    without_wrap_up: BTreeSet<bool>,
    short_of_room: BTreeSet<bool>,
    versions: u64,
}

impl Seen {
    /// Takes in a run that is over.
    pub(crate) fn run(&mut self, scenario: &Scenario, world: &World) {
        let company = scenario.company;
        self.queues.insert(company.queues);
        self.agents.insert((scenario.browser_agents, scenario.sip_agents));
        self.technical.insert(company.technical);
        self.without_wrap_up.insert(company.wrap_up_ms == 0);
        self.short_of_room.insert(company.length_max < 10);
        let (inputs, outputs) = world.recording();
        let mut config = world.first_config();
        for (_, input) in inputs {
            self.input(input);
            if let Input::Config(next) = input
                && next.tenant == config.tenant
                && next.n > config.n
            {
                self.changes(config, next);
                config = next;
            }
        }
        for output in outputs {
            match output {
                Output::Event(recorded) => {
                    self.versions = self.versions.max(recorded.config);
                    self.event(&recorded.event);
                }
                Output::Effect(effect) => self.effect(effect),
                Output::Touched(_) => {}
            }
        }
    }

    fn word(&mut self, word: &'static str) {
        *self.words.entry(word).or_default() += 1;
    }

    fn input(&mut self, given: &Input) {
        self.word(input::name(given));
        match given {
            Input::Command { command, .. } => self.word(command::name(command)),
            Input::LegEnded { cause, .. } => self.word(leg_cause::name(cause)),
            _ => {}
        }
    }

    /// Says what differs between a configuration and the next.
    fn changes(&mut self, before: &TenantConfig, now: &TenantConfig) {
        let queues = before.queues.iter().filter_map(|(id, was)| Some((was, now.queues.get(id)?)));
        let queues: Vec<_> = queues.collect();
        let agents = before.agents.iter().filter_map(|(id, was)| Some((was, now.agents.get(id)?)));
        let agents: Vec<_> = agents.collect();
        let times = |queue: &Queue| (queue.ring_ms, queue.wrap_up_ms);
        let gone = |here: usize, both: usize| both < here;
        let differs = [
            gone(before.queues.len(), queues.len()),
            gone(now.queues.len(), queues.len()),
            queues.iter().any(|(was, is)| times(was) != times(is)),
            queues.iter().any(|(was, is)| was.length_max != is.length_max),
            queues.iter().any(|(was, is)| was.skills != is.skills),
            gone(before.agents.len(), agents.len()),
            gone(now.agents.len(), agents.len()),
            agents.iter().any(|(was, is)| was.device != is.device),
            agents.iter().any(|(was, is)| (&was.queues, &was.skills) != (&is.queues, &is.skills)),
            before.flows != now.flows,
            before.numbers != now.numbers,
            before.prompts != now.prompts,
            before.calendars != now.calendars,
        ];
        for (change, _) in CHANGES.iter().zip(differs).filter(|(_, differs)| *differs) {
            self.word(change);
        }
    }

    fn event(&mut self, happened: &Event) {
        self.word(event::name(happened));
        match happened {
            Event::QueueLeft { outcome, .. } => self.word(queue_outcome::name(outcome)),
            Event::OfferEnded { outcome, reason, .. } => {
                self.word(offer_outcome::name(outcome));
                if let Some(reason) = reason {
                    self.word(decline_reason::name(reason));
                }
            }
            Event::ConsultEnded { outcome, .. } => self.word(consult_outcome::name(outcome)),
            Event::CallEnded { outcome, .. } => self.word(call_outcome::name(outcome)),
            Event::AgentState { state, .. } => self.word(agent_state::name(state)),
            Event::ConsentTaken { consent, .. } => self.word(consent::name(consent)),
            _ => {}
        }
    }

    fn effect(&mut self, wanted: &Effect) {
        self.word(effect::name(wanted));
        match wanted {
            Effect::Media { graph, .. } => {
                graph.hears.values().for_each(|hears| self.word(hears::name(hears)));
            }
            Effect::Reply { result: Err(refusal), .. } => self.word(refusal::name(refusal)),
            _ => {}
        }
    }

    /// Words that have to happen and did not.
    fn missing(&self) -> Vec<&'static str> {
        let lists = [
            input::ALL,
            command::ALL,
            leg_cause::ALL,
            event::ALL,
            queue_outcome::ALL,
            offer_outcome::ALL,
            consult_outcome::ALL,
            decline_reason::ALL,
            call_outcome::ALL,
            agent_state::ALL,
            consent::ALL,
            effect::ALL,
            hears::ALL,
            refusal::ALL,
            &CHANGES,
        ];
        let words = lists.into_iter().flatten().copied();
        words.filter(|word| !ELSEWHERE.contains(word) && !self.words.contains_key(word)).collect()
    }

    /// The runs prove what they say only if everything happened in them.
    pub(crate) fn check(&self) {
        let missing = self.missing();
        assert!(missing.is_empty(), "never happened: {missing:?}; {self:?}");
        let said: Vec<_> =
            ELSEWHERE.iter().filter(|word| self.words.contains_key(**word)).collect();
        assert!(said.is_empty(), "a floor says so after all: {said:?}");
        assert!(self.queues.iter().copied().eq(1..=sim::tenant::QUEUES_MAX), "{:?}", self.queues);
        assert_eq!(self.agents.len(), 5 * 3, "numbers of agents with a page and a telephone");
        assert!(self.technical.iter().copied().eq(0..=4), "{:?}", self.technical);
        assert_eq!(self.without_wrap_up.len(), 2, "with and without wrap-up");
        assert_eq!(self.short_of_room.len(), 2, "with long and short queues");
        assert!(10 < self.versions, "configurations in one day: {}", self.versions);
    }
}
