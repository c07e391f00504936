//! A small company to test with: one tenant with an agent, a queue, a flow and a number.

use std::sync::Arc;

use model::config::{Agent, Device, Queue, Strategy};
use model::flow::{FLOW_SCHEMA, Flow, Node};
use model::{
    AgentId, CallId, DialString, Event, FlowId, LegId, PartyId, QueueId, Recorded, TenantId,
    Timestamp,
};
use store::{
    Actor, CallRow, ConfigDraft, Edited, FloorBatch, FloorRow, FlowDraft, NewTenant, Role, Store,
    StoreError, User, fresh_id,
};

pub(crate) const NOW: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);
pub(crate) const PASSWORD: &str = "a long enough password";

pub(crate) struct House {
    pub(crate) tenant: TenantId,
    pub(crate) agent: AgentId,
    pub(crate) queue: QueueId,
    pub(crate) flow: FlowId,
}

/// Makes a tenant whose names, mail address and queue are the same every time.
pub(crate) async fn found(store: &Store, dialled: &str) -> Result<House, StoreError> {
    let hash = store.hash_password(PASSWORD.into()).await?;
    let dialled: DialString = dialled.parse().unwrap();
    let new = NewTenant {
        name: "Example".into(),
        zone: "Europe/Athens".into(),
        language: "en".into(),
        domain: None,
        first_only: false,
    };
    let Edited { config, value } = store
        .create_tenant(new, Actor::System, NOW, |draft| -> Result<_, StoreError> {
            let (agent, queue, flow) = fill(draft, dialled);
            draft.passwords.insert(model::UserId::of_agent(agent), hash);
            Ok((agent, queue, flow))
        })
        .await?;
    let (agent, queue, flow) = value;
    Ok(House { tenant: config.tenant, agent, queue, flow })
}

fn fill(draft: &mut ConfigDraft, dialled: DialString) -> (AgentId, QueueId, FlowId) {
    let user = User {
        id: fresh_id(NOW),
        mail: "agent@example.com".into(),
        name: "Agent One".into(),
        role: Role::Agent,
        language: "en".into(),
    };
    let agent = AgentId::of_user(user.id);
    let queue: QueueId = fresh_id(NOW);
    let flow: FlowId = fresh_id(NOW);
    draft.users.insert(user.id, user);
    draft.config.queues.insert(queue, support());
    draft.config.agents.insert(
        agent,
        Agent {
            name: "Agent One".into(),
            queues: [queue].into(),
            skills: [("english".to_owned(), 5)].into(),
            device: Device::Browser,
            extension: None,
        },
    );
    let document = Arc::new(hang_up());
    draft.flows.insert(flow, FlowDraft { name: "Main".into(), draft: document, published: None });
    draft.publish(flow);
    draft.config.numbers.insert(dialled, flow);
    draft.config.dispositions.insert("done".into(), "Done".into());
    (agent, queue, flow)
}

pub(crate) fn support() -> Queue {
    Queue {
        name: "Support".into(),
        strategy: Strategy::LongestReady,
        skills: Default::default(),
        ring_ms: 15_000,
        wrap_up_ms: 30_000,
        music: "music".into(),
        service_level_ms: 20_000,
        short_abandon_ms: 5_000,
        length_max: 100,
    }
}

pub(crate) fn hang_up() -> Flow {
    let node = Node::HangUp { prompts: vec![] };
    Flow { schema: FLOW_SCHEMA, start: "end".into(), nodes: [("end".to_owned(), node)].into() }
}

/// One call that arrived, as the first batch of its life.
pub(crate) fn arrival(
    house: &House,
    seq: u64,
    at: Timestamp,
    number: &str,
) -> (CallId, FloorBatch) {
    let (call, leg, party): (CallId, LegId, PartyId) = (fresh_id(at), fresh_id(at), fresh_id(at));
    let dialled: DialString = "100".parse().unwrap();
    let event = Event::CallStarted {
        call,
        leg,
        party,
        dialled: dialled.clone(),
        flow: house.flow,
        flow_version: 1,
    };
    let row = CallRow {
        call,
        party,
        leg,
        dialled,
        flow: house.flow,
        flow_version: 1,
        language: "en".into(),
        consent: Default::default(),
        started_at: at,
        answered_at: None,
        ended_at: None,
        queue: None,
        waiting_since: None,
        agent: None,
        waited_us: 0,
        talk_us: 0,
        hold_us: 0,
        wrap_us: 0,
        outcome: None,
        cause: None,
        disposition: None,
        resolved: None,
        recorded: false,
        finished: false,
    };
    let rows = vec![
        FloorRow::Party { party, number: Some(number.to_owned()), name: None },
        FloorRow::Call(Box::new(row)),
    ];
    let events = vec![recorded(house.tenant, seq, at, event)];
    (call, FloorBatch { tenant: house.tenant, events, rows })
}

pub(crate) fn recorded(tenant: TenantId, seq: u64, at: Timestamp, event: Event) -> Recorded {
    Recorded { tenant, seq, at, config: 1, event }
}
