//! A house on a temporary folder whose planes are two channels.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hub::{Hub, Parts, Ports};
use model::Domain;
use model::config::{Agent, Clip, Device, Prompt, Queue, Strategy};
use model::effect::Fact;
use model::event::{AgentState, Event};
use model::id::{AgentId, CallId, DeviceId, IdMint, LegId, TenantId};
use model::input::Command;
use model::media::{ClipId, Codec, Direction, MediaCommand, MediaDesc, MediaEvent};
use model::refusal::Refusal;
use model::sip::{Caller, SipCommand, SipEvent};
use model::time::Timestamp;
use model::view::AgentView;
use store::{
    Actor, CallRow, ConfigDraft, Ctx, Edit, FloorBatch, FloorRow, FlowDraft, HouseKey, NewTenant,
    RecordingRow, Role, Store, StoreError, User,
};
use tokio::sync::mpsc;

const PATIENCE: Duration = Duration::from_secs(10);
/// The program that writes the flight log.
pub(crate) const BUILD: &str = "1.2.3+abc";

const STRAIGHT: &str = r#"{"schema":1,"start":"wait","nodes":{
  "wait":{"type":"queue","queue":"Support","wait_s_max":600,"otherwise":"bye"},
  "bye":{"type":"hang_up"}}}"#;
const MENU: &str = r#"{"schema":1,"start":"menu","nodes":{
  "menu":{"type":"menu","prompts":[],"choices":{"2":{"label":"Support","next":"wait"}},
          "timeout_s":60,"tries":3,"otherwise":"bye"},
  "wait":{"type":"queue","queue":"Support","wait_s_max":600,"otherwise":"bye"},
  "bye":{"type":"hang_up"}}}"#;

const SECRET: &str = r##"{"schema":1,"start":"menu","nodes":{
  "menu":{"type":"menu","prompts":[],"choices":{"1":{"label":"Account","next":"pin"}},
          "timeout_s":60,"tries":3,"otherwise":"bye"},
  "pin":{"type":"collect","prompts":[],"variable":"pin","label":"PIN","digits_min":4,
         "digits_max":16,"terminator":"#","timeout_s":60,"secret":true,"tries":3,
         "next":"wait","otherwise":"bye"},
  "wait":{"type":"queue","queue":"Support","wait_s_max":600,"otherwise":"bye"},
  "bye":{"type":"hang_up"}}}"##;

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
    /// So many of the next words to the SIP plane are a fault.
    faulty: Arc<AtomicUsize>,
}

/// The key of the house in a folder.
fn key(dir: &Path) -> HouseKey {
    HouseKey::load_or_create(&dir.join("house.key")).expect("a key")
}

async fn open(dir: &Path) -> Store {
    Store::open(dir, &key(dir)).await.expect("the record opens")
}

impl House {
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir().expect("temporary folder");
        let store = open(dir.path()).await;
        let tenant = found(&store, None).await;
        Self::run(dir, store, tenant).await
    }

    /// Two tenants with the same names, people, queues and numbers, told apart by their domains
    /// `one.example` and `two.example`. The first is the one that is looked at.
    pub(crate) async fn twins() -> (Self, [TenantId; 2]) {
        let dir = tempfile::tempdir().expect("temporary folder");
        let store = open(dir.path()).await;
        let one = found(&store, "one.example".parse().ok()).await;
        let two = found(&store, "two.example".parse().ok()).await;
        (Self::run(dir, store, one).await, [one, two])
    }

    /// Looks at another tenant from now on.
    pub(crate) async fn turn_to(&mut self, tenant: TenantId) {
        self.tenant = tenant;
        let config = self.db().config().await.expect("a configuration");
        self.agents = config.agents.keys().copied().collect();
    }

    /// An edit of the tenant that is looked at, made known to the house.
    pub(crate) async fn edit(&self, change: impl FnOnce(&mut ConfigDraft)) {
        let edit = Edit { expected: None, summary: "test".to_owned(), at: self.hub.now() };
        let change = |draft: &mut ConfigDraft| -> Result<(), StoreError> {
            change(draft);
            Ok(())
        };
        self.db().edit_config(edit, change).await.expect("edited");
        self.hub.config_changed(self.tenant).await.expect("known");
    }

    pub(crate) async fn set_domain(&self, domain: Option<&str>) {
        let domain = domain.map(|domain| domain.parse().expect("a domain"));
        self.store.set_domain(self.tenant, domain).await.expect("kept");
        self.hub.domains_changed().await.expect("known");
    }

    async fn run(dir: tempfile::TempDir, store: Store, tenant: TenantId) -> Self {
        let (to_sip, sip_commands) = mpsc::unbounded_channel();
        let (to_media, media_commands) = mpsc::unbounded_channel();
        let (sip_events, from_sip) = mpsc::channel(1_000);
        let (media_events, from_media) = mpsc::channel(1_000);
        let faulty = Arc::new(AtomicUsize::new(0));
        let fault = faulty.clone();
        let ports = Ports {
            sip: Arc::new(move |command| {
                let less = |left: usize| left.checked_sub(1);
                let was_faulty = fault.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
                assert!(was_faulty.is_err(), "a fault of ours");
                to_sip.send(command).is_ok()
            }),
            media: Arc::new(move |command| to_media.send(command).is_ok()),
        };
        let key = key(dir.path());
        let hub = Hub::start(Parts {
            store: store.clone(),
            data_dir: dir.path().to_owned(),
            key,
            build: BUILD.to_owned(),
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
            faulty,
        }
    }

    /// The next word to the SIP plane is a fault.
    pub(crate) fn fail_once(&self) {
        self.faulty.store(1, Ordering::Relaxed);
    }

    /// Faults that ended one call, and the task that one ended.
    pub(crate) fn caught(&self) -> (u64, Option<&'static str>) {
        let health = self.hub.health();
        (health.caught, health.failed)
    }

    /// The switchboard fails with the next call, and cannot even give that up.
    pub(crate) async fn fail_switchboard(&mut self) -> &'static str {
        assert_eq!(self.hub.health().failed, None);
        self.faulty.store(usize::MAX, Ordering::Relaxed);
        self.incoming("999").await;
        let failed = tokio::time::timeout(PATIENCE, self.hub.failed()).await.expect("noticed");
        assert_eq!(self.hub.health().failed, Some(failed));
        failed
    }

    pub(crate) fn db(&self) -> store::TenantDb {
        self.store.tenant(Ctx::system(self.tenant))
    }

    /// Starts another house from what the disk holds at this moment, as after a crash: nothing of
    /// the first is closed, nothing is said.
    pub(crate) async fn crash_and_start(self) -> Self {
        let dir = self.crashed();
        let store = open(dir.path()).await;
        Self::run(dir, store, self.tenant).await
    }

    /// The same, and this is in the file at `path`.
    pub(crate) async fn crash_and_start_with(self, path: &str, bytes: &[u8]) -> Self {
        let dir = self.crashed();
        let file = dir.path().join(path);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("made");
        std::fs::write(file, bytes).expect("written");
        let store = open(dir.path()).await;
        Self::run(dir, store, self.tenant).await
    }

    /// The row of a recording that was under way, the nth of its call. There is no file.
    pub(crate) async fn cut_off_recording(&self, n: u32) -> RecordingRow {
        self.recording_since(n, Timestamp::from_micros(i64::from(n))).await
    }

    pub(crate) async fn recording_since(&self, n: u32, started_at: Timestamp) -> RecordingRow {
        let call: CallId = IdMint::new(1).mint(Timestamp::default());
        let row = RecordingRow {
            recording: store::fresh_id(started_at),
            call,
            n,
            legs: Vec::new(),
            started_at,
            path: self.db().recording_place(call, n, "2026-09-21"),
            length_ms: 0,
            complete: false,
            sha256: None,
        };
        let rows = vec![FloorRow::Recording(row.clone())];
        let batch = FloorBatch { tenant: self.tenant, events: Vec::new(), rows };
        self.store.floor().commit(batch).await.expect("kept");
        row
    }

    pub(crate) async fn no_recording_open(&self) {
        for _ in 0..1_000 {
            if self.db().open_recordings().await.expect("readable").is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("a recording stays open");
    }

    fn crashed(&self) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("temporary folder");
        for name in ["antiphon.db", "antiphon.db-wal", "house.key"] {
            let copied = std::fs::copy(self.dir.path().join(name), dir.path().join(name));
            copied.expect("a file of the record");
        }
        dir
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
        let key = key(dir.path());
        let read = || {
            let files = std::fs::read_dir(&folder).into_iter().flatten().flatten();
            let mut files: Vec<PathBuf> = files.map(|file| file.path()).collect();
            files.sort();
            files
        };
        until("a segment with steps", || {
            let files = read();
            let steps =
                |path: &PathBuf| hub::replay(path, &key, BUILD, |_| {}).ok().map(|r| r.inputs);
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
        let MediaCommand::BrowserOffer { leg, offer: n, .. } = command else { panic!("asked for") };
        self.media_event(MediaEvent::BrowserAnswer { leg, offer: n, sdp: "answer".to_owned() })
            .await;
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

    /// Publishes a prompt with this sound, or without any when there is none.
    pub(crate) async fn name_prompt(&self, name: &str, sound: Option<&[u8]>) -> ClipId {
        let at = self.hub.now();
        let clip = match sound {
            Some(sound) => self.db().put_blob(sound.to_vec(), at).await.expect("kept"),
            None => ClipId::from_digest([0; 32]),
        };
        let variants = sound.map(|sound| {
            let length_ms = u32::try_from(sound.len() / 16).expect("short");
            ("*".to_owned(), Clip { clip, length_ms })
        });
        let prompt = Prompt { name: name.to_owned(), variants: variants.into_iter().collect() };
        let change = Edit { expected: None, summary: name.to_owned(), at };
        let edit = |draft: &mut ConfigDraft| {
            let known = draft.config.prompts.iter().find(|(_, known)| known.name == name);
            let id = known.map_or_else(|| store::fresh_id(at), |(id, _)| *id);
            draft.config.prompts.insert(id, prompt);
            Ok::<(), StoreError>(())
        };
        self.db().edit_config(change, edit).await.expect("edited");
        self.hub.config_changed(self.tenant).await.expect("published");
        clip
    }

    /// A call arrives, to `number` at the house's address or to `number@host`.
    pub(crate) async fn incoming(&mut self, uri: &str) -> LegId {
        self.incoming_with(uri, Some(desc())).await
    }

    /// The same with this offer, or none.
    pub(crate) async fn incoming_with(&mut self, uri: &str, offer: Option<MediaDesc>) -> LegId {
        self.incoming_from(None, uri, offer).await
    }

    /// A telephone that has proven who it is dials `number`.
    pub(crate) async fn dialled_by(&mut self, device: DeviceId, number: &str) -> LegId {
        self.incoming_from(Some((self.tenant, device)), number, Some(desc())).await
    }

    async fn incoming_from(
        &mut self,
        telephone: Option<(TenantId, DeviceId)>,
        uri: &str,
        offer: Option<MediaDesc>,
    ) -> LegId {
        let (dialled, host) = uri.split_once('@').unwrap_or((uri, "192.0.2.1"));
        let leg = self.mint.mint(Timestamp::from_micros(2));
        let caller = Caller { number: "+302105550142".parse().ok(), name: None };
        let event = SipEvent::Incoming {
            leg,
            caller,
            dialled: dialled.parse().expect("dialable"),
            domain: host.parse().ok(),
            source: "127.0.0.1:5".parse().expect("address"),
            offer,
            sip_call_id: "test".to_owned(),
            telephone,
        };
        self.sip_event(event).await;
        leg
    }

    /// A call arrives and is answered.
    pub(crate) async fn ring(&mut self, uri: &str) -> LegId {
        let leg = self.incoming(uri).await;
        self.answered(leg).await;
        leg
    }

    /// A call that has arrived is answered.
    pub(crate) async fn answered(&mut self, leg: LegId) {
        self.media_until(|command| matches!(command, MediaCommand::Prepare { .. })).await;
        self.media_event(MediaEvent::Prepared { leg, local: desc() }).await;
        self.sip_until(|command| matches!(command, SipCommand::Answer { .. })).await;
        self.sip_event(SipEvent::Confirmed { leg, remote: None }).await;
    }

    /// The status of a call that is refused.
    pub(crate) async fn refused(&mut self, uri: &str) -> u16 {
        let leg = self.incoming(uri).await;
        self.refusal_of(leg).await
    }

    pub(crate) async fn refusal_of(&mut self, leg: LegId) -> u16 {
        let status = |command: &SipCommand| match command {
            SipCommand::Reject { leg: of, status, .. } if *of == leg => Some(*status),
            _ => None,
        };
        let command = self.sip_until(|command| status(command).is_some()).await;
        status(&command).expect("looked for")
    }

    /// The open call of a leg, as the tenant that is looked at has it.
    pub(crate) async fn own_call(&self, leg: LegId) -> Option<CallRow> {
        let rows = self.db().unfinished_calls().await.expect("readable");
        rows.into_iter().find(|row| row.leg == leg)
    }

    pub(crate) async fn own_call_until(&self, leg: LegId) -> CallRow {
        for _ in 0..1_000 {
            if let Some(row) = self.own_call(leg).await {
                return row;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the call did not reach this tenant");
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
            let rows = self.db().unfinished_calls().await.expect("readable");
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

async fn found(store: &Store, domain: Option<Domain>) -> TenantId {
    let at = Timestamp::from_micros(1_800_000_000_000_000);
    let new = NewTenant {
        name: "Test".to_owned(),
        zone: "UTC".to_owned(),
        language: "en".to_owned(),
        domain,
        first_only: false,
    };
    let made = store.create_tenant(new, Actor::System, at, |draft| furnish(draft, at)).await;
    made.expect("a tenant").config.tenant
}

pub(crate) fn desc() -> MediaDesc {
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
            extension: None,
        };
        draft.config.agents.insert(AgentId::of_user(id), agent);
    }
    for (number, document) in [("100", STRAIGHT), ("200", MENU), ("300", SECRET)] {
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
