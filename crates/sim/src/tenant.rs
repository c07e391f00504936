//! The example tenant: queues with skills, a flow through every kind of node, agents.
//!
//! Two tenants built with different seeds have equal names and numbers and no id in common.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use model::config::{
    Agent, Calendar, Clip, Device, Interval, Prompt, PublishedFlow, Queue, Strategy, TenantConfig,
};
use model::flow::{Case, Choice, Condition, FLOW_SCHEMA, Flow, Node};
use model::id::IdMint;
use model::media::ClipId;
use model::random::Random;
use model::sip::SipTarget;
use model::{AgentId, DialString, Timestamp};

use crate::scenario::Scenario;

/// Prompts of the flow and their lengths in milliseconds.
const PROMPTS: [(&str, u32); 8] = [
    ("welcome", 2_000),
    ("menu", 4_000),
    ("invalid", 1_000),
    ("number", 2_000),
    ("notice", 2_500),
    ("hold_on", 1_500),
    ("bye", 1_200),
    ("music", 30_000),
];

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
    for (index, (name, length_ms)) in (0_u8..).zip(PROMPTS) {
        let clip = Clip { clip: ClipId::from_digest([index + 1; 32]), length_ms };
        let variants = BTreeMap::from([("*".to_owned(), clip)]);
        config.prompts.insert(mint.mint(zero), Prompt { name: name.to_owned(), variants });
    }
    let open = vec![Interval { from_min: 0, until_min: 1_440 }];
    let always = Calendar {
        name: "always".to_owned(),
        zone: None,
        week: (1..=7).map(|day| (day, open.clone())).collect(),
        exceptions: BTreeMap::new(),
    };
    config.calendars.insert(mint.mint(zero), always);
    let times = if scenario.plain_queue { (60_000, 0) } else { (12_000, 25_000) };
    for (name, skills) in [("orders", &[][..]), ("repairs", &[("technical", 2)][..])] {
        config.queues.insert(mint.mint(zero), queue(name, skills, times));
    }
    let flow = if scenario.plain_queue { plain_flow() } else { full_flow() };
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

fn queue(name: &str, skills: &[(&str, u8)], (ring_ms, wrap_up_ms): (i64, i64)) -> Queue {
    Queue {
        name: name.to_owned(),
        strategy: Strategy::LongestReady,
        skills: skills.iter().map(|(skill, level)| ((*skill).to_owned(), *level)).collect(),
        ring_ms,
        wrap_up_ms,
        music: "music".to_owned(),
        service_level_ms: 20_000,
        short_abandon_ms: 5_000,
        length_max: 2_000,
    }
}

fn add_agents(config: &mut TenantConfig, scenario: &Scenario, mint: &mut IdMint) {
    let queues: Vec<_> = config.queues.keys().copied().collect();
    let zero = Timestamp::default();
    for n in 0..scenario.browser_agents + scenario.sip_agents {
        // The first serves everything, so that no caller is without an agent who could help.
        let serves: BTreeSet<_> = match n % 3 {
            k if k > 0 && !scenario.plain_queue => {
                queues.iter().copied().skip(k as usize - 1).take(1).collect()
            }
            _ => queues.iter().copied().collect(),
        };
        let technical = [5, 1, 3][n as usize % 3];
        let device = if n < scenario.browser_agents {
            Device::Browser
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
        config
            .agents
            .insert(id, Agent { name: format!("Agent {n}"), queues: serves, skills, device });
    }
}

fn plain_flow() -> Flow {
    let nodes = [("wait", wait("orders", 0, &[], &[], 4_000_000)), ("bye", hang_up(&[]))];
    flow("wait", nodes)
}

fn full_flow() -> Flow {
    let choices =
        [('1', "Orders", "notice"), ('2', "Repairs", "number"), ('3', "Urgent", "urgent")].map(
            |(key, label, next)| (key, Choice { label: label.to_owned(), next: next.to_owned() }),
        );
    let menu = Node::Menu {
        prompts: texts(&["menu"]),
        choices: BTreeMap::from(choices),
        timeout_s: 4,
        tries: 2,
        invalid: texts(&["invalid"]),
        otherwise: "bye".to_owned(),
    };
    let number = Node::Collect {
        prompts: texts(&["number"]),
        variable: "order".to_owned(),
        label: "Order number".to_owned(),
        digits_min: 3,
        digits_max: 6,
        terminator: '#',
        timeout_s: 3,
        secret: false,
        tries: 2,
        next: "which".to_owned(),
        otherwise: "technical".to_owned(),
    };
    let nine = Condition::StartsWith { variable: "order".to_owned(), value: "9".to_owned() };
    let which = Node::Branch {
        cases: vec![Case { when: nine, next: "urgent".to_owned() }],
        otherwise: "technical".to_owned(),
    };
    let hours = Node::Hours {
        calendar: "always".to_owned(),
        open: "menu".to_owned(),
        closed: "bye".to_owned(),
    };
    let welcome = Node::Play { prompts: texts(&["welcome"]), next: "hours".to_owned() };
    let mut urgent = wait("orders", 10, &[], &["hold_on"], 90);
    if let Node::Queue { otherwise, .. } = &mut urgent {
        "technical".clone_into(otherwise);
    }
    flow(
        "welcome",
        [
            ("welcome", welcome),
            ("hours", hours),
            ("menu", menu),
            ("number", number),
            ("which", which),
            ("notice", consent("orders")),
            ("technical", consent("repairs")),
            ("urgent", urgent),
            ("orders", wait("orders", 0, &[("orders", 1)], &[], 150)),
            ("repairs", wait("repairs", 0, &[], &["hold_on"], 120)),
            ("bye", hang_up(&["bye"])),
        ],
    )
}

fn flow<const N: usize>(start: &str, nodes: [(&str, Node); N]) -> Flow {
    let nodes = nodes.into_iter().map(|(name, node)| (name.to_owned(), node)).collect();
    Flow { schema: FLOW_SCHEMA, start: start.to_owned(), nodes }
}

fn texts(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn consent(next: &str) -> Node {
    Node::Consent {
        prompts: texts(&["notice"]),
        refuse_key: Some('*'),
        timeout_s: 1,
        next: next.to_owned(),
    }
}

fn hang_up(prompts: &[&str]) -> Node {
    Node::HangUp { prompts: texts(prompts) }
}

fn wait(
    queue: &str,
    priority: i32,
    skills: &[(&str, u8)],
    prompts: &[&str],
    wait_s_max: u32,
) -> Node {
    Node::Queue {
        queue: queue.to_owned(),
        skills: skills.iter().map(|(skill, level)| ((*skill).to_owned(), *level)).collect(),
        priority,
        prompts: texts(prompts),
        wait_s_max,
        otherwise: "bye".to_owned(),
    }
}

/// The next version of a configuration, with one or a few things changed as an administrator
/// would: times, queues and skills of an agent, a flow, an agent or a number taken away.
#[must_use]
pub fn changed(config: &TenantConfig, random: &mut Random) -> TenantConfig {
    let mut next = config.clone();
    next.n += 1;
    match random.below(6) {
        0 => {
            for queue in next.queues.values_mut() {
                queue.ring_ms = 4_000 + i64::try_from(random.below(12_000)).unwrap_or(0);
                queue.wrap_up_ms = i64::try_from(random.below(3)).unwrap_or(0) * 10_000;
            }
        }
        1 | 2 => change_agent(&mut next, random),
        3 => {
            for flow in next.flows.values_mut() {
                flow.version += 1;
                let mut document = (*flow.flow).clone();
                if let Some(Node::Queue { wait_s_max, .. }) = document.nodes.get_mut("orders") {
                    *wait_s_max = 20 + u32::try_from(random.below(120)).unwrap_or(0);
                }
                flow.flow = Arc::new(document);
            }
        }
        4 => {
            let level = u8::try_from(1 + random.below(4)).unwrap_or(1);
            for queue in next.queues.values_mut().filter(|queue| queue.name == "repairs") {
                queue.skills.insert("technical".to_owned(), level);
            }
        }
        _ => {
            next.numbers.clear();
            if random.below(3) > 0 {
                next.numbers.extend(next.flows.keys().map(|flow| (number(), *flow)));
            }
        }
    }
    next
}

fn change_agent(config: &mut TenantConfig, random: &mut Random) {
    // The first agent stays as it is: somebody must be able to serve every caller.
    let others = config.agents.len().saturating_sub(1) as u64;
    let queues: Vec<_> = config.queues.keys().copied().collect();
    let nth = usize::try_from(1 + random.below(others)).unwrap_or(1);
    let Some((id, agent)) = config.agents.iter_mut().nth(nth) else { return };
    let id = *id;
    match random.below(4) {
        0 => {
            config.agents.remove(&id);
        }
        1 => {
            let level = u8::try_from(1 + random.below(5)).unwrap_or(1);
            agent.skills.insert("technical".to_owned(), level);
        }
        _ => {
            let keep = random.below(4);
            agent.queues = queues
                .iter()
                .copied()
                .zip(1..)
                .filter(|(_, n)| keep & n != 0)
                .map(|q| q.0)
                .collect();
        }
    }
}
