//! A house on a temporary folder whose planes are two channels.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hub::{HouseKey, Hub, Parts, Ports};
use model::config::{Agent, Device, Queue, Strategy};
use model::effect::Fact;
use model::event::{AgentState, Event};
use model::id::{AgentId, CallId, IdMint, LegId, TenantId};
use model::input::Command;
use model::media::{Codec, Direction, MediaCommand, MediaDesc, MediaEvent};
use model::refusal::Refusal;
use model::sip::{Caller, SipCommand, SipEvent};
use model::time::Timestamp;
use model::view::AgentView;
use store::{
    Actor, CallRow, ConfigDraft, Ctx, FlowDraft, NewTenant, Role, Store, StoreError, User,
};
use tokio::sync::mpsc;

const PATIENCE: Duration = Duration::from_secs(10);

const STRAIGHT: &str = r#"{"schema":1,"start":"wait","nodes":{
  "wait":{"type":"queue","queue":"Support","wait_s_max":600,"otherwise":"bye"},
  "bye":{"type":"hang_up"}}}"#;
const MENU: &str = r#"{"schema":1,"start":"menu","nodes":{
  "menu":{"type":"menu","prompts":[],"choices":{"2":{"label":"Support","next":"wait"}},
          "timeout_s":60,"tries":3,"otherwise":"bye"},
  "wait":{"type":"queue","queue":"Support","wait_s_max":600,"otherwise":"bye"},
  "bye":{"type":"hang_up"}}}"#;

pub(crate) struct House {
    dir: tempfile::TempDir,
    store: Store,
    hub: Hub,
    tenant: TenantId,
    agents: Vec<AgentId>,
    mint: IdMint,
    pub(crate) agent_leg: LegId,
    sip_commands: mpsc::UnboundedReceiver<SipCommand>,
    media_commands: mpsc::UnboundedReceiver<MediaCommand>,
    sip_events: mpsc::Sender<SipEvent>,
    media_events: mpsc::Sender<MediaEvent>,
}

impl House {
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir().expect("temporary folder");
        let store = Store::open(dir.path()).await.expect("a record");
        let at = Timestamp::from_micros(1_800_000_000_000_000);
        let new = NewTenant {
            name: "Test".to_owned(),
            zone: "UTC".to_owned(),
            language: "en".to_owned(),
            first_only: true,
        };
        let made = store
            .create_tenant(new, Actor::System, at, |draft| furnish(draft, at))
            .await
            .expect("a tenant");
        Self::run(dir, store, made.config.tenant).await
    }

    async fn run(dir: tempfile::TempDir, store: Store, tenant: TenantId) -> Self {
        let (to_sip, sip_commands) = mpsc::unbounded_channel();
        let (to_media, media_commands) = mpsc::unbounded_channel();
        let (sip_events, from_sip) = mpsc::channel(1_000);
        let (media_events, from_media) = mpsc::channel(1_000);
        let ports = Ports {
            sip: Arc::new(move |command| to_sip.send(command).is_ok()),
            media: Arc::new(move |command| to_media.send(command).is_ok()),
        };
        let key = HouseKey::load_or_create(&dir.path().join("house.key")).expect("a key");
        let hub = Hub::start(Parts {
            store: store.clone(),
            data_dir: dir.path().to_owned(),
            key,
            ports,
            sip_events: from_sip,
            media_events: from_media,
        })
        .await
        .expect("the house starts");
        let config = store.tenant(Ctx::system(tenant)).config().await.expect("a configuration");
        let agents = config.agents.keys().copied().collect();
        let mut mint = IdMint::new(99);
        let agent_leg = mint.mint(Timestamp::from_micros(1));
        Self {
            dir,
            store,
            hub,
            tenant,
            agents,
            mint,
            agent_leg,
            sip_commands,
            media_commands,
            sip_events,
            media_events,
        }
    }

    pub(crate) fn db(&self) -> store::TenantDb {
        self.store.tenant(Ctx::system(self.tenant))
    }

    /// Starts another house from what the disk holds at this moment, as after a crash: nothing of
    /// the first is closed, nothing is said.
    pub(crate) async fn crash_and_start(self) -> Self {
        let dir = tempfile::tempdir().expect("temporary folder");
        for name in ["antiphon.db", "antiphon.db-wal", "house.key"] {
            let copied = std::fs::copy(self.dir.path().join(name), dir.path().join(name));
            copied.expect("a file of the record");
        }
        let store = Store::open(dir.path()).await.expect("the record opens again");
        Self::run(dir, store, self.tenant).await
    }

    pub(crate) async fn stop(self) {
        self.hub.stop().await;
        self.store.close().await;
    }

    pub(crate) async fn stop_and_read_flight(self) -> (Vec<PathBuf>, HouseKey, tempfile::TempDir) {
        let folder = self.dir.path().join("flight").join(self.tenant.to_string());
        let Self { dir, store, hub, .. } = self;
        hub.stop().await;
        drop(hub);
        store.close().await;
        let key = HouseKey::load_or_create(&dir.path().join("house.key")).expect("the key");
        let read = || {
            let files = std::fs::read_dir(&folder).into_iter().flatten().flatten();
            let mut files: Vec<PathBuf> = files.map(|file| file.path()).collect();
            files.sort();
            files
        };
        until("a segment with steps", || {
            let files = read();
            let steps = |path: &PathBuf| hub::replay(path, &key, |_| {}).ok().map(|r| r.inputs);
            files.first().and_then(steps).filter(|inputs| 5 < *inputs)
        })
        .await;
        (read(), key, dir)
    }

    async fn sign_in(&mut self, agent: AgentId) {
        for command in [Command::SignIn, Command::Ready] {
            self.hub.command(self.tenant, agent, command).await.expect("taken");
        }
    }

    pub(crate) async fn agent_ready(&mut self) {
        self.sign_in(self.agents[0]).await;
        self.browser_up().await;
        self.agent_until(|view| view.state == AgentState::Ready).await;
    }

    /// Both agents become ready, the one with the higher id first.
    pub(crate) async fn agents_ready_in_order(&mut self) {
        for agent in [self.agents[1], self.agents[0]] {
            self.sign_in(agent).await;
            self.browser_of(agent).await;
            self.view_until(agent, |view| view.state == AgentState::Ready).await;
        }
    }

    pub(crate) async fn browser_up(&mut self) {
        self.agent_leg = self.browser_of(self.agents[0]).await;
    }

    async fn browser_of(&mut self, agent: AgentId) -> LegId {
        let (hub, tenant) = (self.hub.clone(), self.tenant);
        let offer = tokio::spawn(async move {
            let claim = hub::Claim { tab: "tab".to_owned(), epoch: 1, take: false };
            hub.browser_offer(tenant, agent, claim, "v=0".to_owned()).await
        });
        let command =
            self.media_until(|command| matches!(command, MediaCommand::BrowserOffer { .. })).await;
        let MediaCommand::BrowserOffer { leg, .. } = command else { panic!("asked for") };
        self.media_event(MediaEvent::BrowserAnswer { leg, sdp: "answer".to_owned() }).await;
        assert_eq!(offer.await.expect("no panic"), Ok("answer".to_owned()));
        self.media_event(MediaEvent::BrowserUp { leg }).await;
        leg
    }

    pub(crate) async fn command(&self, command: Command) -> Result<(), Refusal> {
        self.hub.command(self.tenant, self.agents[0], command).await
    }

    pub(crate) async fn sip_event(&self, event: SipEvent) {
        self.sip_events.send(event).await.expect("the switchboard listens");
    }

    pub(crate) async fn media_event(&self, event: MediaEvent) {
        self.media_events.send(event).await.expect("the switchboard listens");
    }

    /// A call arrives.
    pub(crate) async fn incoming(&mut self, dialled: &str) -> LegId {
        let leg = self.mint.mint(Timestamp::from_micros(2));
        let caller = Caller { number: "+302105550142".parse().ok(), name: None };
        let event = SipEvent::Incoming {
            leg,
            caller,
            dialled: dialled.parse().expect("dialable"),
            source: "127.0.0.1:5".parse().expect("address"),
            offer: Some(desc()),
            sip_call_id: "test".to_owned(),
        };
        self.sip_event(event).await;
        leg
    }

    /// A call arrives and is answered.
    pub(crate) async fn ring(&mut self, dialled: &str) -> LegId {
        let leg = self.incoming(dialled).await;
        self.media_until(|command| matches!(command, MediaCommand::Prepare { .. })).await;
        self.media_event(MediaEvent::Prepared { leg, local: desc() }).await;
        self.sip_until(|command| matches!(command, SipCommand::Answer { .. })).await;
        self.sip_event(SipEvent::Confirmed { leg, remote: None }).await;
        leg
    }

    pub(crate) async fn sip_until(&mut self, fits: impl Fn(&SipCommand) -> bool) -> SipCommand {
        let wanted = async {
            loop {
                let command = self.sip_commands.recv().await.expect("the hub runs");
                if fits(&command) {
                    return command;
                }
            }
        };
        tokio::time::timeout(PATIENCE, wanted).await.expect("a SIP command in time")
    }

    pub(crate) async fn media_until(
        &mut self,
        fits: impl Fn(&MediaCommand) -> bool,
    ) -> MediaCommand {
        let wanted = async {
            loop {
                let command = self.media_commands.recv().await.expect("the hub runs");
                if fits(&command) {
                    return command;
                }
            }
        };
        tokio::time::timeout(PATIENCE, wanted).await.expect("a media command in time")
    }

    pub(crate) async fn agent_until(&self, fits: impl Fn(&AgentView) -> bool) -> AgentView {
        self.view_until(self.agents[0], fits).await
    }

    pub(crate) async fn view_until(
        &self,
        agent: AgentId,
        fits: impl Fn(&AgentView) -> bool,
    ) -> AgentView {
        let seen = || self.hub.agent_view(self.tenant, agent).filter(|view| fits(view));
        until("the agent's state", seen).await.as_ref().clone()
    }

    pub(crate) async fn anyone_offered(&self) -> AgentId {
        let offered = |agent: &&AgentId| {
            self.hub.agent_view(self.tenant, **agent).is_some_and(|view| view.offer.is_some())
        };
        until("an offer", || self.agents.iter().find(offered).copied()).await
    }

    pub(crate) async fn row_until(&self, call: CallId, fits: impl Fn(&CallRow) -> bool) -> CallRow {
        for _ in 0..1_000 {
            if let Ok(listed) = self.db().call(call).await
                && fits(&listed.row)
            {
                return listed.row;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the call's row did not come to be as expected");
    }

    /// The call of the only leg that waits, once its wait is durable.
    pub(crate) async fn waiting_call(&self, _leg: LegId) -> CallId {
        for _ in 0..1_000 {
            let rows = self.db().open_calls().await.expect("readable");
            if let Some(row) = rows.iter().find(|row| row.waiting_since.is_some()) {
                return row.call;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("nobody waits");
    }

    pub(crate) async fn facts_until(&self, call: CallId, count: usize) -> Vec<Fact> {
        for _ in 0..1_000 {
            let facts = self.db().facts(call).await.expect("readable");
            if facts.len() == count {
                return facts;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the facts did not come");
    }

    /// Until an event is durable.
    pub(crate) async fn kept(&self, fits: impl Fn(&Event) -> bool) {
        for _ in 0..1_000 {
            let events = self.db().events(1, 1_000).await.expect("readable");
            if events.iter().any(|recorded| fits(&recorded.event)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the event was not kept");
    }
}

/// Polls until something is there.
async fn until<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    for _ in 0..1_000 {
        if let Some(found) = probe() {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited in vain for {what}");
}

fn desc() -> MediaDesc {
    MediaDesc {
        address: "127.0.0.1".parse().expect("address"),
        port: 4_000,
        codecs: vec![Codec::Pcmu],
        dtmf: Some(101),
        direction: Direction::SendRecv,
        ptime_ms: 20,
    }
}

fn furnish(draft: &mut ConfigDraft, at: Timestamp) -> Result<(), StoreError> {
    let queue = store::fresh_id(at);
    draft.config.queues.insert(
        queue,
        Queue {
            name: "Support".to_owned(),
            strategy: Strategy::LongestReady,
            skills: std::collections::BTreeMap::new(),
            ring_ms: 20_000,
            wrap_up_ms: 60_000,
            music: "calm".to_owned(),
            service_level_ms: 20_000,
            short_abandon_ms: 5_000,
            length_max: 100,
        },
    );
    draft.config.dispositions.insert("answered".to_owned(), "Answered".to_owned());
    for n in 1..=2 {
        let id = store::fresh_id(at);
        let user = User {
            id,
            mail: format!("agent{n}@test.example"),
            name: format!("Agent {n}"),
            role: Role::Agent,
            language: "en".to_owned(),
        };
        draft.users.insert(id, user);
        let agent = Agent {
            name: format!("Agent {n}"),
            queues: [queue].into(),
            skills: std::collections::BTreeMap::new(),
            device: Device::Browser,
        };
        draft.config.agents.insert(AgentId::of_user(id), agent);
    }
    for (number, document) in [("100", STRAIGHT), ("200", MENU)] {
        let flow = store::fresh_id(at);
        let parsed = serde_json::from_str(document).expect("a flow");
        let name = format!("flow {number}");
        let entry = FlowDraft { name, draft: Arc::new(parsed), published: None };
        draft.flows.insert(flow, entry);
        draft.publish(flow);
        draft.config.numbers.insert(number.parse().expect("dialable"), flow);
    }
    Ok(())
}
