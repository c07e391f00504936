//! The example tenant: one to four queues with skills, a flow through every kind of node, agents.
//!
//! Two tenants built with different seeds have equal names and numbers and no id in common.

mod change;
mod front_door;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use model::config::{
    Agent, Calendar, Clip, Device, Interval, Prompt, PublishedFlow, Queue, Strategy, TenantConfig,
};
use model::id::IdMint;
use model::media::ClipId;
use model::sip::SipTarget;
use model::{AgentId, DialString, Timestamp};

use crate::scenario::{Company, Scenario};
pub(crate) use change::changed;

/// Prompts of the flow and their lengths in milliseconds.
const PROMPTS: [(&str, u32); 10] = [
    ("welcome", 2_000),
    ("menu", 4_000),
    ("invalid", 1_000),
    ("number", 2_000),
    ("notice", 2_500),
    ("hold_on", 1_500),
    ("bye", 1_200),
    ("music", 30_000),
    // Whoever signs out by telephone hears nothing.
    ("phone_ready", 900),
    ("phone_break", 800),
];
/// The prompts that have a Greek variant beside the one for every language.
const GREEK: [&str; 2] = ["menu", "hold_on"];
/// The queues in the order in which a bigger company gets them.
const QUEUES: [&str; 4] = ["orders", "repairs", "sales", "returns"];
/// The most queues of a company.
pub const QUEUES_MAX: u32 = QUEUES.len() as u32;

/// What was dialled to reach the flow.
///
/// # Panics
/// Never: the number is dialable.
#[must_use]
pub fn number() -> DialString {
    "100".parse().expect("a number that can be dialled")
}

/// Builds the tenant of a scenario.
#[must_use]
pub fn tenant(scenario: &Scenario, seed: u64) -> TenantConfig {
    let mut mint = IdMint::new(seed);
    let zero = Timestamp::default();
    let mut config = TenantConfig {
        tenant: mint.mint(zero),
        name: "Example".to_owned(),
        n: 1,
        zone: "UTC".to_owned(),
        language: "en".to_owned(),
        queues: BTreeMap::new(),
        agents: BTreeMap::new(),
        flows: BTreeMap::new(),
        numbers: BTreeMap::new(),
        prompts: BTreeMap::new(),
        calendars: BTreeMap::new(),
        dispositions: named(&[("order", "Order"), ("repair", "Repair"), ("other", "Other")]),
        break_reasons: named(&[("lunch", "Lunch"), ("training", "Training")]),
    };
    for (index, (name, length_ms)) in (1_u8..).zip(PROMPTS) {
        config.prompts.insert(mint.mint(zero), prompt(name, index, length_ms));
    }
    let open = vec![Interval { from_min: 0, until_min: 1_440 }];
    let always = Calendar {
        name: "always".to_owned(),
        zone: None,
        week: (1..=7).map(|day| (day, open.clone())).collect(),
        exceptions: BTreeMap::new(),
    };
    config.calendars.insert(mint.mint(zero), always);
    let names = QUEUES.iter().take(scenario.company.queues as usize);
    for name in names.clone() {
        config.queues.insert(mint.mint(zero), queue(name, &scenario.company));
    }
    let names: Vec<_> = names.copied().collect();
    let wait_s_max = scenario.company.wait_s_max;
    let flow = if scenario.plain_queue {
        front_door::plain(wait_s_max)
    } else {
        front_door::full(&names, wait_s_max)
    };
    let flow = PublishedFlow { name: "Front door".to_owned(), version: 1, flow: Arc::new(flow) };
    let id = mint.mint(zero);
    config.flows.insert(id, flow);
    config.numbers.insert(number(), id);
    add_agents(&mut config, scenario, &mut mint);
    config
}

fn named(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(code, label)| ((*code).to_owned(), (*label).to_owned())).collect()
}

fn prompt(name: &str, index: u8, length_ms: u32) -> Prompt {
    let clip = |first, length_ms| Clip { clip: ClipId::from_digest([first; 32]), length_ms };
    let mut variants = BTreeMap::from([("*".to_owned(), clip(index, length_ms))]);
    if GREEK.contains(&name) {
        variants.insert("el".to_owned(), clip(100 + index, length_ms + 500));
    }
    Prompt { name: name.to_owned(), variants }
}

fn queue(name: &str, company: &Company) -> Queue {
    let asks = name == "repairs" && company.technical > 0;
    Queue {
        name: name.to_owned(),
        strategy: Strategy::LongestReady,
        skills: asks.then(|| ("technical".to_owned(), company.technical)).into_iter().collect(),
        ring_ms: company.ring_ms,
        wrap_up_ms: company.wrap_up_ms,
        music: "music".to_owned(),
        service_level_ms: 20_000,
        short_abandon_ms: 5_000,
        length_max: company.length_max,
    }
}

fn add_agents(config: &mut TenantConfig, scenario: &Scenario, mint: &mut IdMint) {
    let queues: Vec<_> = config.queues.keys().copied().collect();
    let zero = Timestamp::default();
    for n in 0..scenario.browser_agents + scenario.sip_agents {
        let nth = n as usize;
        // The first serves everything, so that no caller is without an agent who could help.
        let serves: BTreeSet<_> = if nth.is_multiple_of(3) || scenario.plain_queue {
            queues.iter().copied().collect()
        } else {
            queues.iter().copied().skip((nth - 1) % queues.len()).take(nth % 3).collect()
        };
        let technical = [5, 1, 3][nth % 3];
        let device = if n < scenario.browser_agents {
            Device::Browser
        } else if n % 2 == 1 {
            Device::Phone { device: mint.mint(zero) }
        } else {
            let port = 20_000 + u16::try_from(n % 10_000).unwrap_or(0);
            Device::Sip {
                device: mint.mint(zero),
                target: SipTarget {
                    user: format!("desk{n}").parse().expect("letters and digits"),
                    address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
                },
            }
        };
        let mut skills = BTreeMap::from([("technical".to_owned(), technical)]);
        if n % 2 == 0 {
            skills.insert("orders".to_owned(), 4);
        }
        let id: AgentId = mint.mint(zero);
        let extension = (n % 2 == 1).then(|| format!("7{n}").parse().expect("digits"));
        let name = format!("Agent {n}");
        config.agents.insert(id, Agent { name, queues: serves, skills, device, extension });
    }
}
