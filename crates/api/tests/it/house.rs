//! A house for tests: a real record, a played floor, and people with sessions.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use api::{
    Change, Check, Floor, FlowFault, Network, Parts, Peaks, PhoneOwner, RecordingWav, Sound,
    SoundFault, Update,
};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use model::config::{Agent, Clip, Device, EVERY_LANGUAGE, Prompt, Queue, Strategy, TenantConfig};
use model::flow::{FLOW_SCHEMA, Flow, Node};
use model::input::Command;
use model::media::ClipId;
use model::{
    AgentId, DialString, FlowId, QueueId, Refusal, Span, TenantId, Timestamp, Topic, UserId,
};
use serde_json::Value;
use store::{
    Actor, ConfigDraft, FlowDraft, HouseKey, NewTenant, Role, SetupToken, Store, Token, User,
    fresh_id,
};
use tokio::sync::broadcast;
use tower::ServiceExt;

pub(crate) const NOW: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);
pub(crate) const PASSWORD: &str = "a long enough password";
pub(crate) const ORIGIN: &str = "http://desk.example";

/// A floor whose answers the test decides.
#[derive(Debug)]
pub(crate) struct PlayedFloor {
    now: Mutex<Timestamp>,
    pub(crate) commands: Mutex<Vec<(TenantId, AgentId, Command)>>,
    pub(crate) refusal: Mutex<Option<Refusal>>,
    /// Flows are checked for their prompts too; the shipped ones are not there.
    pub(crate) strict: Mutex<bool>,
    latest: Mutex<BTreeMap<(TenantId, Topic), Update>>,
    changes: broadcast::Sender<(TenantId, Change)>,
    pub(crate) told: Mutex<Vec<TenantId>>,
    pub(crate) phones: Mutex<Vec<String>>,
}

impl PlayedFloor {
    fn new() -> Self {
        Self {
            now: Mutex::new(NOW),
            commands: Mutex::default(),
            refusal: Mutex::default(),
            strict: Mutex::default(),
            latest: Mutex::default(),
            changes: broadcast::channel(16_384).0,
            told: Mutex::default(),
            phones: Mutex::default(),
        }
    }

    pub(crate) fn pass(&self, span: Span) {
        *self.now.lock().unwrap() += span;
    }

    /// Publishes a state as the hub would.
    pub(crate) fn publish(&self, tenant: TenantId, update: Update) {
        self.latest.lock().unwrap().insert((tenant, update.topic), update.clone());
        let _ = self.changes.send((tenant, Change::Topic(update)));
    }
}

impl Floor for PlayedFloor {
    fn now(&self) -> Timestamp {
        *self.now.lock().unwrap()
    }
    fn reached_at(&self) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 7], 5_060))
    }
    fn command(
        &self,
        tenant: TenantId,
        agent: AgentId,
        command: Command,
    ) -> BoxFuture<'_, Result<(), Refusal>> {
        self.commands.lock().unwrap().push((tenant, agent, command));
        let refusal = *self.refusal.lock().unwrap();
        async move { refusal.map_or(Ok(()), Err) }.boxed()
    }
    fn latest(&self, tenant: TenantId, topic: Topic) -> Option<Update> {
        self.latest.lock().unwrap().get(&(tenant, topic)).cloned()
    }
    fn watch(&self, tenant: TenantId) -> Option<BoxStream<'static, Change>> {
        let changes = futures::stream::unfold(self.changes.subscribe(), |mut changes| async {
            match changes.recv().await {
                Ok(change) => Some((change, changes)),
                Err(_) => None,
            }
        });
        let own =
            changes.filter_map(move |(of, change)| async move { (of == tenant).then_some(change) });
        Some(own.boxed())
    }
    fn browser_offer(
        &self,
        owner: PhoneOwner,
        take: bool,
        sdp: String,
    ) -> BoxFuture<'_, Result<String, Refusal>> {
        let how = if take { "take" } else { "offer" };
        self.phones.lock().unwrap().push(format!("{how} {} {}", owner.tab, owner.epoch));
        let answer = match sdp.as_str() {
            "bad" => Err(Refusal::NoDevice),
            "second" if !take => Err(Refusal::WrongState),
            _ => Ok("answer".into()),
        };
        async move { answer }.boxed()
    }
    fn browser_back(&self, owner: PhoneOwner) {
        self.phones.lock().unwrap().push(format!("back {}", owner.tab));
    }
    fn browser_gone(&self, owner: PhoneOwner) {
        self.phones.lock().unwrap().push(format!("gone {}", owner.tab));
    }
    fn config_changed(&self, tenant: TenantId) -> BoxFuture<'_, ()> {
        self.told.lock().unwrap().push(tenant);
        async {}.boxed()
    }
    fn check_flow(&self, document: &str, config: &TenantConfig) -> Result<Flow, Vec<FlowFault>> {
        let fault = |pointer: &str, code| {
            vec![FlowFault { pointer: pointer.into(), code, detail: "a fault".into() }]
        };
        let flow: Flow = serde_json::from_str(document).map_err(|_| fault("", "bad_json"))?;
        for (name, node) in &flow.nodes {
            if let Node::Queue { queue, .. } = node
                && !config.queues.values().any(|known| known.name == *queue)
            {
                return Err(fault(&format!("/nodes/{name}/queue"), "unknown_queue"));
            }
            if let Node::HangUp { prompts } = node
                && *self.strict.lock().unwrap()
                && !prompts.iter().all(|name| config.prompts.values().any(|one| one.name == *name))
            {
                return Err(fault(&format!("/nodes/{name}/prompts"), "unknown_prompt"));
            }
        }
        Ok(flow)
    }
    fn checks(&self) -> Vec<Check> {
        vec![Check { name: "floor", fault: None }]
    }
    fn metrics(&self) -> String {
        String::new()
    }
}

/// Recordings of 100 bytes that count upwards, uploads taken byte for byte.
#[derive(Debug)]
struct PlayedSound;

struct Counting;

impl RecordingWav for Counting {
    fn bytes(&self) -> u64 {
        100
    }
    fn pauses_ms(&self) -> Vec<(u64, u64)> {
        vec![(1_000, 2_000)]
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<usize> {
        let bytes: Vec<u8> = (0..100).collect();
        let rest = &bytes[usize::try_from(offset.min(100)).unwrap()..];
        // Short reads, as a file may give them.
        let read = rest.len().min(buffer.len()).min(7);
        buffer[..read].copy_from_slice(&rest[..read]);
        Ok(read)
    }
}

impl Sound for PlayedSound {
    fn recording(&self, _: &Path) -> Result<Box<dyn RecordingWav>, SoundFault> {
        Ok(Box::new(Counting))
    }
    fn peaks(&self, _: &Path, points: usize) -> Result<Peaks, SoundFault> {
        Ok(Peaks { step_ms: 20.0, left: vec![0.5; points.min(3)], right: vec![0.0; 3] })
    }
    fn normalise(&self, wav: &[u8]) -> Result<Vec<i16>, SoundFault> {
        if wav.starts_with(b"RIFF") {
            Ok(wav.iter().map(|byte| i16::from(*byte)).collect())
        } else {
            Err(SoundFault::NotWav { at: 12, why: "this is no WAV file".into() })
        }
    }
}

/// One tenant with three people, a queue, a published flow and a number.
#[derive(Debug, Clone)]
pub(crate) struct Company {
    pub(crate) tenant: TenantId,
    pub(crate) queue: QueueId,
    pub(crate) flow: FlowId,
    pub(crate) people: BTreeMap<&'static str, UserId>,
    pub(crate) sessions: BTreeMap<&'static str, String>,
}

pub(crate) const PEOPLE: [(&str, Role); 3] = [
    ("agent", Role::Agent),
    ("supervisor", Role::Supervisor),
    ("administrator", Role::Administrator),
];

pub(crate) struct House {
    _dir: tempfile::TempDir,
    pub(crate) store: Store,
    pub(crate) floor: Arc<PlayedFloor>,
    pub(crate) app: Router,
    pub(crate) setup: Token,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or(Value::Null)
    }
    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl House {
    pub(crate) async fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), &HouseKey::generate()).await.unwrap();
        let floor = Arc::new(PlayedFloor::new());
        let (setup, token) = SetupToken::make(NOW);
        let app = api::app(Parts {
            store: store.clone(),
            floor: floor.clone(),
            sound: Arc::new(PlayedSound),
            setup: Some(setup),
            starter: [("music", "*"), ("welcome", "en"), ("welcome", "fa")]
                .map(|(name, language)| api::StarterSound {
                    name: name.into(),
                    language: language.into(),
                    samples: vec![1; 16],
                })
                .into(),
            proxies: vec!["10.0.0.0/8".parse::<Network>().unwrap()],
        });
        Self { _dir: dir, store, floor, app, setup: token }
    }

    /// Makes a company whose names, mail addresses and number 100 are the same every time; it has
    /// the number `dialled` as well.
    pub(crate) async fn found(&self, dialled: &str) -> Company {
        let hash = self.store.hash_password(PASSWORD.into()).await.unwrap();
        let dialled: DialString = dialled.parse().unwrap();
        let new = NewTenant {
            name: "Example".into(),
            zone: "Europe/Athens".into(),
            language: "en".into(),
            domain: None,
            first_only: false,
        };
        let made = self
            .store
            .create_tenant(new, Actor::System, NOW, |draft| -> Result<_, store::StoreError> {
                Ok(furnish(draft, dialled, &hash))
            })
            .await
            .unwrap();
        let mut company = made.value;
        company.tenant = made.config.tenant;
        for (name, user) in &company.people {
            let db = self.store.system(company.tenant);
            let token = db.create_session(*user, NOW, Span::from_secs(3_600)).await.unwrap();
            company.sessions.insert(name, token.reveal().to_owned());
        }
        company
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.app.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap().to_vec();
        Reply { status: parts.status, headers: parts.headers, bytes }
    }

    /// A request with a session, from our own page.
    pub(crate) async fn ask(&self, session: &str, method: Method, path: &str) -> Reply {
        self.send(request(session, method, path).body(Body::empty()).unwrap()).await
    }

    /// The same with a JSON body.
    pub(crate) async fn tell(
        &self,
        session: &str,
        method: Method,
        path: &str,
        body: &Value,
    ) -> Reply {
        let request = request(session, method, path).header("content-type", "application/json");
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }
}

pub(crate) fn request(session: &str, method: Method, path: &str) -> axum::http::request::Builder {
    let builder = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "desk.example")
        .header("origin", ORIGIN);
    if session.is_empty() {
        builder
    } else {
        builder.header("cookie", format!("antiphon_session={session}"))
    }
}

/// What every company has.
pub(crate) const TWINS_NUMBER: &str = "100";

fn furnish(draft: &mut ConfigDraft, dialled: DialString, hash: &store::PasswordHash) -> Company {
    let (queue, flow): (QueueId, FlowId) = (fresh_id(NOW), fresh_id(NOW));
    let mut people = BTreeMap::new();
    draft.config.queues.insert(queue, support());
    for (name, role) in PEOPLE {
        let id: UserId = fresh_id(NOW);
        let mail = format!("{name}@example.com");
        draft.users.insert(id, User { id, mail, name: name.into(), role, language: "en".into() });
        draft.passwords.insert(id, hash.clone());
        people.insert(name, id);
    }
    draft.config.agents.insert(
        AgentId::of_user(people["agent"]),
        Agent {
            name: "agent".into(),
            queues: [queue].into(),
            skills: BTreeMap::new(),
            device: Device::Browser,
            extension: None,
        },
    );
    let document = Arc::new(waiting("Support"));
    draft.flows.insert(flow, FlowDraft { name: "Main".into(), draft: document, published: None });
    draft.publish(flow);
    for number in [TWINS_NUMBER.parse().unwrap(), dialled] {
        draft.config.numbers.insert(number, flow);
    }
    let clip = Clip { clip: ClipId::from_digest([7; 32]), length_ms: 1 };
    let variants = [(EVERY_LANGUAGE.to_owned(), clip)].into();
    draft.config.prompts.insert(fresh_id(NOW), Prompt { name: "music".into(), variants });
    draft.config.dispositions.insert("done".into(), "Done".into());
    draft.config.break_reasons.insert("lunch".into(), "Lunch".into());
    Company { tenant: draft.config.tenant, queue, flow, people, sessions: BTreeMap::new() }
}

pub(crate) fn support() -> Queue {
    Queue {
        name: "Support".into(),
        strategy: Strategy::LongestReady,
        skills: BTreeMap::new(),
        ring_ms: 15_000,
        wrap_up_ms: 30_000,
        music: "music".into(),
        service_level_ms: 20_000,
        short_abandon_ms: 5_000,
        length_max: 100,
    }
}

/// A flow that waits in a queue.
pub(crate) fn waiting(queue: &str) -> Flow {
    let wait = Node::Queue {
        queue: queue.into(),
        skills: BTreeMap::new(),
        priority: 0,
        prompts: vec![],
        wait_s_max: 600,
        otherwise: "end".into(),
    };
    let end = Node::HangUp { prompts: vec![] };
    Flow {
        schema: FLOW_SCHEMA,
        start: "wait".into(),
        nodes: [("wait".to_owned(), wait), ("end".to_owned(), end)].into(),
    }
}
