//! Topics by name, who may watch them, and their state as a page reads it.

use model::config::{Device, TenantConfig};
use model::view::{
    AgentView, CallView, ConsultMissed, ConsultView, ContactView, OfferView, QueueView, RecordView,
    WrapUpView,
};
use model::{AgentId, QueueId, Topic};
use serde::Serialize;
use store::Role;

use crate::at::{At, seconds};
use crate::ports::TopicData;
use crate::routes::named::{FactRow, Named, agent_named, fact_row, queue_named, word};

/// The name of the topic about oneself.
pub(crate) const ME: &str = "me";
/// The name of the topic about the record, which everybody may watch.
const RECORD: &str = "record";

/// The name of a topic on the wire.
pub(crate) fn name_of(topic: Topic) -> String {
    match topic {
        Topic::Agent(_) => ME.to_owned(),
        Topic::Queue(queue) => format!("queue:{queue}"),
        Topic::Record => RECORD.to_owned(),
    }
}

/// The topic behind a name for somebody, or `None` when they may not watch it or there is none:
/// the two are told in the same words.
pub(crate) fn allowed(
    name: &str,
    config: &TenantConfig,
    role: Role,
    own: Option<AgentId>,
) -> Option<Topic> {
    let seat = own.filter(|agent| config.agents.contains_key(agent));
    match name {
        ME => return seat.map(Topic::Agent),
        RECORD => return Some(Topic::Record),
        _ => {}
    }
    let queue: QueueId = name.strip_prefix("queue:")?.parse().ok()?;
    let serves = seat
        .and_then(|agent| config.agents.get(&agent))
        .is_some_and(|agent| agent.queues.contains(&queue));
    let may = config.queues.contains_key(&queue) && (role >= Role::Supervisor || serves);
    may.then_some(Topic::Queue(queue))
}

/// The state of a topic.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum TopicView {
    Agent(Box<AgentBody>),
    Queue(QueueBody),
    Record(RecordBody),
}

#[derive(Debug, Serialize)]
pub(crate) struct AgentBody {
    agent: String,
    state: String,
    reason: Option<String>,
    since: At,
    /// What kind of telephone they work with; its words are those of `DeviceBody`.
    device: Option<&'static str>,
    device_up: bool,
    offer: Option<OfferBody>,
    call: Option<CallBody>,
    wrap_up: Option<WrapUpBody>,
}

#[derive(Debug, Serialize)]
struct OfferBody {
    offer: String,
    contact: ContactBody,
    offered_at: At,
    until: At,
    ready_since: At,
    eligible: u32,
    /// The colleague who asks; nobody when it is a customer of a queue.
    asked_by: Option<Named>,
}

#[derive(Debug, Serialize)]
struct CallBody {
    contact: ContactBody,
    connected_at: At,
    hold_since: Option<At>,
    recording: bool,
    consult: Option<ConsultBody>,
    consult_missed: Option<ConsultMissedBody>,
}

#[derive(Debug, Serialize)]
struct ConsultBody {
    /// Whose customer it is.
    agent: Named,
    /// Who was asked in.
    colleague: Named,
    /// Nothing while it rings.
    joined_at: Option<At>,
    conference: bool,
    hand_over: bool,
    second_line: bool,
}

#[derive(Debug, Serialize)]
struct ConsultMissedBody {
    colleague: Named,
    outcome: String,
}

#[derive(Debug, Serialize)]
struct WrapUpBody {
    contact: ContactBody,
    since: At,
    until: At,
    talk_s: f64,
}

#[derive(Debug, Serialize)]
struct ContactBody {
    call: String,
    caller: Option<String>,
    dialled: String,
    queue: Named,
    language: String,
    facts: Vec<FactRow>,
    queued_at: At,
    consent: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct QueueBody {
    queue: Named,
    waiting: u32,
    longest_since: Option<At>,
    ready: u32,
    busy: u32,
}

#[derive(Debug, Serialize)]
pub(crate) struct RecordBody {
    late_since: Option<At>,
}

impl TopicView {
    /// Adds the names of a configuration to a state.
    pub(crate) fn of(data: &TopicData, config: &TenantConfig) -> Self {
        match data {
            TopicData::Agent(view) => Self::Agent(Box::new(agent(view, config))),
            TopicData::Queue(view) => Self::Queue(queue(view, config)),
            TopicData::Record(RecordView { late_since }) => {
                Self::Record(RecordBody { late_since: late_since.map(At) })
            }
        }
    }
}

fn agent(view: &AgentView, config: &TenantConfig) -> AgentBody {
    AgentBody {
        agent: view.agent.to_string(),
        state: word(&view.state),
        reason: view.reason.clone(),
        since: At(view.since),
        device: config.agents.get(&view.agent).map(|agent| kind_of(&agent.device)),
        device_up: view.device_up,
        offer: view.offer.as_ref().map(|view| offer(view, config)),
        call: view.call.as_ref().map(|view| call(view, config)),
        wrap_up: view.wrap_up.as_ref().map(|view| wrap_up(view, config)),
    }
}

const fn kind_of(device: &Device) -> &'static str {
    match device {
        Device::Browser => "browser",
        Device::Sip { .. } => "sip",
        Device::Phone { .. } => "phone",
    }
}

fn offer(view: &OfferView, config: &TenantConfig) -> OfferBody {
    OfferBody {
        offer: view.offer.to_string(),
        contact: contact(&view.contact, config),
        offered_at: At(view.offered_at),
        until: At(view.until),
        ready_since: At(view.ready_since),
        eligible: view.eligible,
        asked_by: view.asked_by.map(|agent| agent_named(config, agent)),
    }
}

fn call(view: &CallView, config: &TenantConfig) -> CallBody {
    CallBody {
        contact: contact(&view.contact, config),
        connected_at: At(view.connected_at),
        hold_since: view.hold_since.map(At),
        recording: view.recording,
        consult: view.consult.as_ref().map(|view| consult(view, config)),
        consult_missed: view.consult_missed.map(|ConsultMissed { colleague, outcome }| {
            ConsultMissedBody { colleague: agent_named(config, colleague), outcome: word(&outcome) }
        }),
    }
}

fn consult(view: &ConsultView, config: &TenantConfig) -> ConsultBody {
    ConsultBody {
        agent: agent_named(config, view.agent),
        colleague: agent_named(config, view.colleague),
        joined_at: view.joined_at.map(At),
        conference: view.conference,
        hand_over: view.hand_over,
        second_line: view.second_line,
    }
}

fn wrap_up(view: &WrapUpView, config: &TenantConfig) -> WrapUpBody {
    WrapUpBody {
        contact: contact(&view.contact, config),
        since: At(view.since),
        until: At(view.until),
        talk_s: seconds(view.talk_us),
    }
}

fn contact(view: &ContactView, config: &TenantConfig) -> ContactBody {
    ContactBody {
        call: view.call.to_string(),
        caller: view.caller.as_ref().map(ToString::to_string),
        dialled: view.dialled.to_string(),
        queue: queue_named(config, view.queue),
        language: view.language.clone(),
        facts: view.facts.iter().cloned().map(fact_row).collect(),
        queued_at: At(view.queued_at),
        consent: word(&view.consent),
    }
}

fn queue(view: &QueueView, config: &TenantConfig) -> QueueBody {
    QueueBody {
        queue: queue_named(config, view.queue),
        waiting: view.waiting,
        longest_since: view.longest_since.map(At),
        ready: view.ready,
        busy: view.busy,
    }
}
