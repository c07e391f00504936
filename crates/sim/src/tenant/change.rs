//! What an administrator does to the example tenant in the middle of the day.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use model::Timestamp;
use model::config::{Device, TenantConfig};
use model::flow::Node;
use model::id::IdMint;
use model::random::Random;
use model::sip::SipTarget;

use super::number;

/// The day of every run.
const TODAY: &str = "2026-01-05";

/// The next version of a configuration, with one or a few things changed as an administrator
/// would: times, room and skills of queues; queues, skills and telephone of an agent; a flow, the
/// opening hours, a number; a queue, an agent or a prompt taken away, or back as it was at `first`.
pub(crate) fn changed(
    config: &TenantConfig,
    first: &TenantConfig,
    random: &mut Random,
) -> TenantConfig {
    let mut next = config.clone();
    next.n += 1;
    match random.below(10) {
        0 => change_times(&mut next, random),
        1 | 2 => change_agent(&mut next, random),
        3 => publish(&mut next, random),
        4 => {
            let level = small(random, 1, 4);
            for queue in next.queues.values_mut().filter(|queue| queue.name == "repairs") {
                queue.skills.insert("technical".to_owned(), level);
            }
        }
        5 => {
            next.numbers.clear();
            if random.below(3) > 0 {
                next.numbers.extend(next.flows.keys().map(|flow| (number(), *flow)));
            }
        }
        6 => next.agents.extend(first.agents.clone()),
        7 => take_or_bring_back(&mut next.queues, &first.queues, 1, random),
        8 => take_or_bring_back(&mut next.prompts, &first.prompts, 0, random),
        _ => {
            for calendar in next.calendars.values_mut() {
                // A holiday, or none after all.
                if calendar.exceptions.remove(TODAY).is_none() {
                    calendar.exceptions.insert(TODAY.to_owned(), Vec::new());
                }
            }
        }
    }
    next
}

/// A number from `least` to `most`.
fn small(random: &mut Random, least: u8, most: u8) -> u8 {
    least + u8::try_from(random.below(u64::from(most - least) + 1)).unwrap_or(0)
}

fn change_times(config: &mut TenantConfig, random: &mut Random) {
    for queue in config.queues.values_mut() {
        queue.ring_ms = 4_000 + i64::try_from(random.below(12_000)).unwrap_or(0);
        queue.wrap_up_ms = i64::from(small(random, 0, 2)) * 10_000;
        queue.length_max =
            if random.below(3) == 0 { u32::from(small(random, 1, 5)) } else { 2_000 };
    }
}

fn publish(config: &mut TenantConfig, random: &mut Random) {
    for flow in config.flows.values_mut() {
        flow.version += 1;
        let mut document = (*flow.flow).clone();
        if let Some(Node::Queue { wait_s_max, .. }) = document.nodes.get_mut("orders") {
            *wait_s_max = 20 + u32::try_from(random.below(120)).unwrap_or(0);
        }
        flow.flow = Arc::new(document);
    }
}

fn change_agent(config: &mut TenantConfig, random: &mut Random) {
    // One agent stays as it is: an empty floor shows nothing.
    let others = config.agents.len().saturating_sub(1) as u64;
    let queues: Vec<_> = config.queues.keys().copied().collect();
    let nth = usize::try_from(1 + random.below(others)).unwrap_or(1);
    let Some((id, agent)) = config.agents.iter_mut().nth(nth) else { return };
    let id = *id;
    match random.below(5) {
        0 => {
            config.agents.remove(&id);
        }
        1 => {
            agent.skills.insert("technical".to_owned(), small(random, 1, 5));
        }
        2 => agent.device = other_device(&agent.device, random),
        _ => {
            let keep = random.below(1 << queues.len());
            agent.queues = (0..)
                .zip(queues)
                .filter(|(nth, _)| keep >> nth & 1 == 1)
                .map(|(_, id)| id)
                .collect();
        }
    }
}

/// A SIP telephone instead of the page, or the page instead of a telephone.
fn other_device(device: &Device, random: &mut Random) -> Device {
    let Device::Browser = device else { return Device::Browser };
    if random.below(2) == 0 {
        return Device::Phone { device: IdMint::new(random.next_u64()).mint(Timestamp::default()) };
    }
    let port = 30_000 + u16::try_from(random.below(10_000)).unwrap_or(0);
    Device::Sip {
        device: IdMint::new(random.next_u64()).mint(Timestamp::default()),
        target: SipTarget {
            user: "spare".parse().expect("letters"),
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        },
    }
}

/// Takes one thing away but leaves `kept` of them, or brings back what is missing.
fn take_or_bring_back<K: Ord + Copy, V: Clone>(
    things: &mut BTreeMap<K, V>,
    first: &BTreeMap<K, V>,
    kept: usize,
    random: &mut Random,
) {
    if things.len() < first.len() {
        things.extend(first.iter().map(|(id, thing)| (*id, thing.clone())));
        return;
    }
    let others = things.len().saturating_sub(kept) as u64;
    let nth = kept + usize::try_from(random.below(others)).unwrap_or(0);
    if let Some(id) = things.keys().nth(nth).copied() {
        things.remove(&id);
    }
}
