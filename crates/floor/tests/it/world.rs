//! The small company that the tests call.
//!
//! Invariant: everything is named, so that no test speaks in ids.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::config::{
    Agent, Calendar, Clip, Device, Interval, Prompt, PublishedFlow, Queue, Strategy,
};
use model::id::IdMint;
use model::media::ClipId;
use model::sip::SipTarget;
use model::{AgentId, FlowId, PromptId, QueueId, TenantConfig, TenantId, Timestamp};

/// The time at which every test begins: 2026-11-02T08:00:00Z, a Monday.
pub(crate) const START: i64 = 1_793_606_400_000_000;

/// Names to ids of one configuration.
pub(crate) struct World {
    pub(crate) config: TenantConfig,
    pub(crate) agents: BTreeMap<String, AgentId>,
    pub(crate) queues: BTreeMap<String, QueueId>,
    pub(crate) clips: BTreeMap<ClipId, String>,
    mint: IdMint,
}

impl World {
    /// Queues `sales` and `repair` (needs `greek` 3), agents `ana` and `bo` with pages and `cy`
    /// with a SIP telephone who serve both, of whom only `bo` and `cy` speak Greek well enough.
    pub(crate) fn new() -> Self {
        let mut mint = IdMint::new(0xface);
        let start = Timestamp::from_micros(START);
        let tenant: TenantId = mint.mint(start);
        let config = TenantConfig {
            tenant,
            name: "Aegean Repairs".into(),
            n: 1,
            zone: "Europe/Athens".into(),
            language: "en".into(),
            queues: BTreeMap::new(),
            agents: BTreeMap::new(),
            flows: BTreeMap::new(),
            numbers: BTreeMap::new(),
            prompts: BTreeMap::new(),
            calendars: BTreeMap::new(),
            dispositions: [("solved".to_owned(), "Solved".to_owned())].into(),
            break_reasons: [("lunch".to_owned(), "Lunch".to_owned())].into(),
        };
        let mut world = Self {
            config,
            agents: BTreeMap::new(),
            queues: BTreeMap::new(),
            clips: BTreeMap::new(),
            mint,
        };
        world.queue("sales", &[]);
        world.queue("repair", &[("greek", 3)]);
        world.agent("ana", &[("greek", 2)], None);
        world.agent("bo", &[("greek", 3)], None);
        world.agent("cy", &[("greek", 5)], Some("127.0.0.1:5070"));
        for prompt in ["hello", "menu", "wrong", "number", "notice", "soon", "sorry", "music"] {
            world.prompt(prompt, "*", 2_000);
        }
        // Nobody has spoken the one for signing out.
        world.prompt("phone_ready", "*", 1_000);
        world.prompt("phone_break", "*", 1_000);
        world.prompt("hello", "el", 3_000);
        let weekday = vec![Interval { from_min: 9 * 60, until_min: 17 * 60 }];
        let calendar = Calendar {
            name: "office".into(),
            zone: None,
            week: (1..=5).map(|day| (day, weekday.clone())).collect(),
            exceptions: BTreeMap::new(),
        };
        let id = world.mint.mint(start);
        world.config.calendars.insert(id, calendar);
        world
    }

    pub(crate) fn queue(&mut self, name: &str, skills: &[(&str, u8)]) {
        let id: QueueId = self.mint.mint(Timestamp::from_micros(START));
        let queue = Queue {
            name: name.into(),
            strategy: Strategy::LongestReady,
            skills: skills.iter().map(|&(skill, level)| (skill.into(), level)).collect(),
            ring_ms: 15_000,
            wrap_up_ms: 20_000,
            music: "music".into(),
            service_level_ms: 20_000,
            short_abandon_ms: 5_000,
            length_max: 3,
        };
        self.config.queues.insert(id, queue);
        self.queues.insert(name.into(), id);
    }

    pub(crate) fn agent(&mut self, name: &str, skills: &[(&str, u8)], sip: Option<&str>) {
        let id: AgentId = self.mint.mint(Timestamp::from_micros(START));
        let device = match sip {
            None => Device::Browser,
            Some(address) => Device::Sip {
                device: self.mint.mint(Timestamp::from_micros(START)),
                target: SipTarget {
                    user: name.parse().unwrap(),
                    address: address.parse().unwrap(),
                },
            },
        };
        let agent = Agent {
            name: name.into(),
            queues: self.config.queues.keys().copied().collect(),
            skills: skills.iter().map(|&(skill, level)| (skill.into(), level)).collect(),
            device,
            extension: None,
        };
        self.config.agents.insert(id, agent);
        self.agents.insert(name.into(), id);
    }

    fn prompt(&mut self, name: &str, language: &str, length_ms: u32) {
        let mut digest = [0_u8; 32];
        for (byte, from) in digest.iter_mut().zip(format!("{name}.{language}").bytes()) {
            *byte = from;
        }
        let clip = ClipId::from_digest(digest);
        let shown = if language == "*" { name.to_owned() } else { format!("{name}.{language}") };
        self.clips.insert(clip, shown);
        let known = self.config.prompts.values_mut().find(|prompt| prompt.name == name);
        let variant = (language.to_owned(), Clip { clip, length_ms });
        if let Some(prompt) = known {
            prompt.variants.extend([variant]);
        } else {
            let id = self.mint.mint(Timestamp::from_micros(START));
            let prompt = Prompt { name: name.into(), variants: [variant].into() };
            self.config.prompts.insert(id, prompt);
        }
    }

    /// A prompt that nobody has spoken yet.
    pub(crate) fn mint_prompt(&mut self, name: &str) -> (PromptId, Prompt) {
        let id = self.mint.mint(Timestamp::from_micros(START));
        (id, Prompt { name: name.into(), variants: BTreeMap::new() })
    }

    /// Publishes a flow document under a number.
    pub(crate) fn flow(&mut self, number: &str, document: &str) {
        let id: FlowId = self.mint.mint(Timestamp::from_micros(START));
        let flow = floor::flow::check(document, &floor::flow::Names::of(&self.config))
            .unwrap_or_else(|faults| panic!("{number}: {faults:?}"));
        let flow = PublishedFlow { name: number.into(), version: 1, flow: Arc::new(flow) };
        self.config.flows.insert(id, flow);
        self.config.numbers.insert(number.parse().unwrap(), id);
    }
}
