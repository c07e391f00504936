//! Starting: the house, its tenants, and a tenant again when its configuration changes.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use floor::Cell;
use model::effect::AgentIntent;
use model::id::{AgentId, DeviceId, TenantId};
use model::input::Command;
use model::limits;
use model::media::{ClipId, MediaCommand};
use model::sip::{PhoneAccount, PhoneContact};
use model::time::{Span, Timestamp};
use model::{Input, TenantConfig};
use store::{Ctx, FloorBatch, Store, StoreError, TenantDb};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::caught::Caught;
use crate::cell_task::{self, CellTask};
use crate::clock::HouseClock;
use crate::contacts;
use crate::flight::FlightLog;
use crate::mailbox::{Message, mailbox};
use crate::plan::NumberPlan;
use crate::publish::Board;
use crate::recovery::Closing;
use crate::salvage::salvage_all;
use crate::switchboard::{Request, Streams, Switchboard};
use crate::watch::Watch;
use crate::{House, Hub, Parts, Tenant};

/// Why the house or a tenant did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The record cannot be read or closed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The flight log cannot be started.
    #[error("the flight log cannot be started: {0}")]
    Flight(#[from] std::io::Error),
}

impl Hub {
    /// Starts the house: closes what a crash left open, then runs a cell for every tenant. Cells
    /// and switchboard run on the runtime of the caller, also the cells that are started later.
    ///
    /// # Errors
    /// When the record cannot be read.
    pub async fn start(parts: Parts) -> Result<Self, StartError> {
        let clock = Arc::new(HouseClock::start());
        let (flight, _) = FlightLog::start(parts.data_dir.join("flight"), parts.key, &parts.build)?;
        let (switchboard, requests) = mpsc::unbounded_channel();
        let streams = Streams { requests, sip: parts.sip_events, media: parts.media_events };
        let caught = Caught::default();
        let (ports, seed) = (parts.ports.clone(), random_seed());
        let contacts = contacts::keep(parts.store.clone(), clock.clone());
        let board =
            Switchboard::new(ports, clock.clone(), seed, &switchboard, contacts, caught.clone())?;
        let watch = Watch::new();
        watch.over("switchboard", tokio::spawn(board.run(streams)));
        let house = House {
            store: parts.store,
            data_dir: parts.data_dir,
            ports: parts.ports,
            clock,
            flight,
            switchboard,
            tenants: RwLock::new(HashMap::new()),
            changing: tokio::sync::Mutex::new(()),
            clips: Mutex::default(),
            watch,
            caught,
            floor: Handle::current(),
        };
        let hub = Self { house: Arc::new(house) };
        let mut cut_off = Vec::new();
        for tenant in hub.house.store.tenants().await? {
            // Read before its cell runs: from then on a recording may be open because it grows.
            let db = hub.house.store.tenant(Ctx::system(tenant.id));
            let open = db.open_recordings().await?;
            cut_off.extend(open.into_iter().map(|row| (tenant.id, row)));
            hub.start_tenant(tenant.id).await?;
        }
        hub.renew_numbers().await?;
        let _ = hub.house.switchboard.send(Request::PhonesNamed);
        tokio::spawn(salvage_all(hub.house.store.clone(), cut_off));
        Ok(hub)
    }

    /// A tenant is new or its configuration changed: its cell learns the newest version. A record
    /// that is busy is asked again.
    ///
    /// # Errors
    /// When the record cannot be read.
    pub async fn config_changed(&self, tenant: TenantId) -> Result<(), StartError> {
        let _changing = self.house.changing.lock().await;
        for _ in 1..limits::CONFIG_TRIES_MAX {
            match self.tell_config(tenant).await {
                Err(StartError::Store(StoreError::Busy)) => {
                    let pause = Duration::from_millis(limits::CONFIG_PAUSE_MS);
                    tokio::time::sleep(pause).await;
                }
                told => return told,
            }
        }
        self.tell_config(tenant).await
    }

    async fn tell_config(&self, tenant: TenantId) -> Result<(), StartError> {
        match self.tenant(tenant) {
            Some(running) => {
                let config = self.load_config(tenant).await?;
                let phones = self.phones_of(&config).await?;
                let gone = self.name_clips(&config);
                running.mailbox.input(Input::Config(config.clone()));
                // The cell passes them on behind its last graph that may name them.
                if !gone.is_empty() {
                    running.mailbox.post(Message::ClipsGone(gone));
                }
                // Where they are the SIP plane knows better than the record.
                self.name_phones(tenant, phones, Vec::new());
            }
            None => self.start_tenant(tenant).await?,
        }
        self.renew_numbers().await
    }

    /// The domain of a tenant changed: calls find their tenants by the newest plan.
    ///
    /// # Errors
    /// When the record cannot be read.
    pub async fn domains_changed(&self) -> Result<(), StartError> {
        let _changing = self.house.changing.lock().await;
        self.renew_numbers().await
    }

    async fn start_tenant(&self, tenant: TenantId) -> Result<(), StartError> {
        let house = &self.house;
        let db = house.store.tenant(Ctx::system(tenant));
        let config = self.load_config(tenant).await?;
        // What a start that failed had loaded is let go; no cell names it.
        let gone = self.name_clips(&config);
        let _ = house.switchboard.send(Request::ClipsGone(gone));
        let intents = db.agent_intents().await?;
        let phones = self.phones_of(&config).await?;
        let contacts = db.phone_contacts(house.clock.now()).await.unwrap_or_else(|error| {
            tracing::warn!(tenant.id = %tenant, %error, "telephones have to register anew");
            Vec::new()
        });
        let first_seq =
            close_what_is_open(&house.store, &db, house.clock.now(), &config, &intents).await?;
        let (mailbox, inbox) = mailbox();
        let board = Board::new();
        let parts = cell_task::Parts {
            tenant,
            cell: Cell::new(tenant, random_seed(), first_seq, config.clone()),
            clock: house.clock.clone(),
            inbox,
            board: board.clone(),
            store: house.store.clone(),
            switchboard: house.switchboard.clone(),
            flight: house.flight.clone(),
            data_dir: house.data_dir.clone(),
            language: config.language.clone(),
            seed: random_seed(),
            caught: house.caught.clone(),
        };
        house.watch.over("cell", house.floor.spawn(CellTask::new(parts).run()));
        mailbox.input(Input::Config(config.clone()));
        for (agent, command) in wanted(&config, &intents) {
            mailbox.input(Input::Command { request: None, agent, command });
        }
        let _ = house.switchboard.send(Request::Tenant { tenant, mailbox: mailbox.clone() });
        self.name_phones(tenant, phones, contacts);
        let mut tenants = house.tenants.write().expect("nobody panics with this lock");
        tenants.insert(tenant, Tenant { mailbox, board });
        Ok(())
    }

    /// Reads a tenant's configuration and makes its clips known to the media plane first, so that
    /// no graph names an unknown one. A prompt that cannot be heard is taken out of what the cell
    /// sees: a notice that nobody heard must not count as spoken.
    async fn load_config(&self, tenant: TenantId) -> Result<Arc<TenantConfig>, StartError> {
        let db = self.house.store.tenant(Ctx::system(tenant));
        let config = db.config().await?;
        let mut silent = HashSet::new();
        for variant in config.prompts.values().flat_map(|prompt| prompt.variants.values()) {
            if !self.load_clip(&db, variant.clip).await? {
                silent.insert(variant.clip);
            }
        }
        if silent.is_empty() {
            return Ok(config);
        }
        let mut config = TenantConfig::clone(&config);
        for prompt in config.prompts.values_mut() {
            prompt.variants.retain(|_, variant| !silent.contains(&variant.clip));
        }
        Ok(Arc::new(config))
    }

    /// The telephones of a tenant that may register: those that somebody works on and that have a
    /// secret.
    async fn phones_of(&self, config: &TenantConfig) -> Result<Vec<PhoneAccount>, StartError> {
        let in_use: BTreeSet<DeviceId> = config.phones().collect();
        let mut accounts = self.house.store.system(config.tenant).phones().await?;
        accounts.retain(|account| in_use.contains(&account.device));
        Ok(accounts)
    }

    /// Tells the SIP plane of them, and where some of them were.
    fn name_phones(
        &self,
        tenant: TenantId,
        accounts: Vec<PhoneAccount>,
        contacts: Vec<(DeviceId, Vec<PhoneContact>)>,
    ) {
        let _ = self.house.switchboard.send(Request::Phones { tenant, accounts, contacts });
    }

    /// Notes which clips a tenant's newest configuration names, and gives those nobody names.
    fn name_clips(&self, config: &TenantConfig) -> Vec<ClipId> {
        let variants = config.prompts.values().flat_map(|prompt| prompt.variants.values());
        let named: BTreeSet<ClipId> = variants.map(|variant| variant.clip).collect();
        let mut clips = self.house.clips.lock().expect("nobody panics with this lock");
        clips.name(config.tenant, named)
    }

    /// Hands a clip to the media plane unless it has it. False when nobody will hear it.
    async fn load_clip(&self, db: &TenantDb, clip: ClipId) -> Result<bool, StartError> {
        let known = || self.house.clips.lock().expect("nobody panics with this lock");
        if known().holds(clip) {
            return Ok(true);
        }
        let bytes = match db.blob(clip).await {
            Ok(bytes) => bytes,
            // It is there: whoever asked tries again.
            Err(StoreError::Busy) => return Err(StoreError::Busy.into()),
            Err(error) => {
                tracing::error!(%clip, %error, "a prompt cannot be read and will not be heard");
                return Ok(false);
            }
        };
        let ports = self.house.ports.clone();
        // Encoding takes milliseconds, and a full queue empties soon.
        let taken = tokio::task::spawn_blocking(move || {
            let samples = samples(&bytes);
            (0..limits::CLIP_TRIES_MAX).any(|_| {
                let samples = samples.clone();
                let taken = (ports.media)(MediaCommand::Clip { clip, samples });
                if !taken {
                    std::thread::sleep(Duration::from_millis(limits::CLIP_PAUSE_MS));
                }
                taken
            })
        });
        let taken = taken.await.unwrap_or(false);
        if taken {
            known().took(clip);
        } else {
            tracing::error!(%clip, "the media plane does not take a prompt; it will not be heard");
        }
        Ok(taken)
    }

    async fn renew_numbers(&self) -> Result<(), StartError> {
        let store = &self.house.store;
        let plan = NumberPlan::new(store.tenants().await?, store.number_plan().await?);
        let _ = self.house.switchboard.send(Request::Numbers(plan));
        Ok(())
    }
}

/// A prompt's blob is its samples, 16 bit little-endian.
fn samples(bytes: &[u8]) -> Arc<[i16]> {
    bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

/// When the process died, as far as anything knows that it left behind: the last event of the
/// journal, or the end of a recording that was growing. A conversation may go on for an hour
/// without an event.
async fn died_at(
    store: &Store,
    db: &TenantDb,
    last_seq: u64,
) -> Result<Option<Timestamp>, StoreError> {
    let mut last = db.events(last_seq, 1).await?.first().map(|recorded| recorded.at);
    for row in db.open_recordings().await? {
        // A file that is gone knows nothing; what is wrong with a path is told when it is salvaged.
        let Ok(file) = store.recording_file(&row) else { continue };
        let Ok(found) = tokio::fs::metadata(file).await else { continue };
        let length_ms = media::recording::length_by_size(found.len());
        let length = Span::from_millis(i64::try_from(length_ms).unwrap_or(0));
        last = last.max(Some(row.started_at + length));
    }
    Ok(last)
}

/// Closes the journal of a process that died. Gives the number of the next event.
async fn close_what_is_open(
    store: &Store,
    db: &TenantDb,
    now: Timestamp,
    config: &TenantConfig,
    intents: &[(AgentId, serde_json::Value)],
) -> Result<u64, StoreError> {
    let last_seq = db.last_seq().await?;
    let ended_at = died_at(store, db, last_seq).await?.map_or(now, |at| at.min(now));
    let mut closing = Closing::new(config.tenant, ended_at, now, config.n, last_seq + 1);
    for row in db.unfinished_calls().await? {
        let events = db.call_events(row.call).await?;
        match row.ended_at {
            Some(_) => closing.wrap_ups(&row, &events),
            None => closing.call(&row, &events),
        }
    }
    for (agent, leg) in db.devices_up().await? {
        closing.device(agent, leg);
    }
    for (agent, intent) in intents {
        if command_of(intent).is_some() {
            closing.agent(*agent);
        }
    }
    let (events, rows, next_seq) = closing.finish();
    if !events.is_empty() || !rows.is_empty() {
        let batch = FloorBatch { tenant: config.tenant, events, rows };
        store.floor().commit(batch).await?;
    }
    Ok(next_seq)
}

/// What the agents wanted when the house stopped, as commands.
fn wanted(
    config: &TenantConfig,
    intents: &[(AgentId, serde_json::Value)],
) -> Vec<(AgentId, Command)> {
    let known = intents.iter().filter(|(agent, _)| config.agents.contains_key(agent));
    let commands = known.filter_map(|(agent, intent)| Some((*agent, command_of(intent)?)));
    commands.flat_map(|(agent, command)| [(agent, Command::SignIn), (agent, command)]).collect()
}

/// Somebody on a break without a reason is only signed in.
fn command_of(intent: &serde_json::Value) -> Option<Command> {
    match serde_json::from_value(intent.clone()).ok()? {
        AgentIntent::Ready => Some(Command::Ready),
        AgentIntent::Break { reason: Some(reason) } => Some(Command::Break { reason }),
        AgentIntent::Break { reason: None } => Some(Command::SignIn),
        AgentIntent::SignedOut => None,
    }
}

/// A seed for ids and tie-breaks: two cells must not share one.
fn random_seed() -> u64 {
    getrandom::u64().expect("the operating system hands out random bytes")
}
