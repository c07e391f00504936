//! The shell around the pure crates: one cell task per tenant, one switchboard for all legs, the
//! ledger between decisions and the record, the boards that pages watch, the flight log.
//!
//! It owns time and order and knows no HTTP. Read `cell_task` for how a decision becomes real and
//! `switchboard` for how a call reaches its cell.

mod books;
mod browser;
mod caught;
mod cell_task;
mod clips;
mod clock;
mod contacts;
mod flight;
mod keyboard;
mod keys;
mod ledger;
mod leg;
mod mailbox;
mod plan;
mod publish;
mod recovery;
mod replay;
mod salvage;
mod start;
mod switchboard;
mod watch;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use model::id::{AgentId, QueueId, TenantId};
use model::input::Command;
use model::media::MediaEvent;
use model::refusal::Refusal;
use model::sip::SipEvent;
use model::view::{AgentView, QueueView};
use model::{Input, Topic, limits};
use store::{HouseKey, Store};
use tokio::runtime::Handle;
use tokio::sync::{broadcast, mpsc, oneshot};

pub use browser::Claim;
pub use clock::HouseClock;
pub use flight::FlightError;
pub use floor::flow::{FlowFault, Names};
pub use plan::NumberPlan;
pub use publish::{TopicData, Update};
pub use replay::{Difference, Replayed, plain_text, replay};
pub use start::StartError;
pub use switchboard::Ports;

use caught::Caught;
use clips::Clips;
use flight::FlightLog;
use mailbox::{Mailbox, Message};
use publish::Board;
use switchboard::Request;
use watch::Watch;

/// How long a page waits for the answer to its offer.
const OFFER_PATIENCE: Duration = Duration::from_millis(limits::PHONE_OFFER_MS_MAX);

/// What the hub is made of.
#[derive(Debug)]
pub struct Parts {
    /// The record.
    pub store: Store,
    /// Where recordings and the flight log live.
    pub data_dir: PathBuf,
    /// Protects the flight log.
    pub key: HouseKey,
    /// This program for the flight log: version, and commit if known.
    pub build: String,
    /// To the SIP and media planes.
    pub ports: Ports,
    /// From the SIP plane.
    pub sip_events: mpsc::Receiver<SipEvent>,
    /// From the media plane.
    pub media_events: mpsc::Receiver<MediaEvent>,
}

#[derive(Debug, Clone)]
struct Tenant {
    mailbox: Mailbox,
    board: Board,
}

#[derive(Debug)]
struct House {
    store: Store,
    data_dir: PathBuf,
    ports: Ports,
    clock: Arc<HouseClock>,
    flight: FlightLog,
    switchboard: mpsc::UnboundedSender<Request>,
    tenants: RwLock<HashMap<TenantId, Tenant>>,
    /// Starts and changes of configurations, one after the other.
    changing: tokio::sync::Mutex<()>,
    /// What the media plane holds for us.
    clips: Mutex<Clips>,
    watch: Watch,
    caught: Caught,
    /// Where cells run, whoever starts them.
    floor: Handle,
}

/// The running house. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Hub {
    house: Arc<House>,
}

/// Figures for health and metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Tenants that run.
    pub tenants: usize,
    /// Tenants whose promises are refused because the record is late.
    pub degraded: usize,
    /// Inputs that wait, over all cells.
    pub inputs_waiting: usize,
    /// Flight-log steps that the disk was too slow for or did not take.
    pub flight_steps_lost: u64,
    /// Difference of the wall clock to house time in microseconds when it jumped.
    pub clock_jump_us: Option<i64>,
    /// Faults of the program since the start that ended one call, and nothing else.
    pub caught: u64,
    /// The task of the house that failed: calls are not heard any more.
    pub failed: Option<&'static str>,
}

impl Hub {
    fn mailboxes(&self) -> Vec<Mailbox> {
        let tenants = self.house.tenants.read().expect("nobody panics with this lock");
        tenants.values().map(|tenant| tenant.mailbox.clone()).collect()
    }

    fn tenant(&self, tenant: TenantId) -> Option<Tenant> {
        let tenants = self.house.tenants.read().expect("nobody panics with this lock");
        tenants.get(&tenant).cloned()
    }

    /// An agent's command. Resolves when it is decided and saved.
    ///
    /// # Errors
    /// The refusal of the cell; `Overloaded` when too much waits; `NotSaved` when the record is
    /// late.
    pub async fn command(
        &self,
        tenant: TenantId,
        agent: AgentId,
        command: Command,
    ) -> Result<(), Refusal> {
        let cell = self.tenant(tenant).ok_or(Refusal::NotFound)?;
        let (reply, answer) = oneshot::channel();
        let input = Input::Command { request: None, agent, command };
        let message = Message::Input { input, rows: Vec::new(), reply: Some(reply) };
        if !cell.mailbox.offer(message) {
            return Err(Refusal::Overloaded);
        }
        answer.await.unwrap_or(Err(Refusal::NotSaved))
    }

    /// The newest view of an agent.
    #[must_use]
    pub fn agent_view(&self, tenant: TenantId, agent: AgentId) -> Option<Arc<AgentView>> {
        match self.latest(tenant, Topic::Agent(agent))?.data {
            TopicData::Agent(view) => Some(view),
            TopicData::Queue(_) | TopicData::Record(_) => None,
        }
    }

    /// The newest view of a queue.
    #[must_use]
    pub fn queue_view(&self, tenant: TenantId, queue: QueueId) -> Option<Arc<QueueView>> {
        match self.latest(tenant, Topic::Queue(queue))?.data {
            TopicData::Queue(view) => Some(view),
            TopicData::Agent(_) | TopicData::Record(_) => None,
        }
    }

    /// The newest state of a topic with its number.
    #[must_use]
    pub fn latest(&self, tenant: TenantId, topic: Topic) -> Option<Update> {
        self.tenant(tenant)?.board.latest(topic)
    }

    /// Every change of a tenant's topics from now on.
    #[must_use]
    pub fn watch(&self, tenant: TenantId) -> Option<broadcast::Receiver<Update>> {
        Some(self.tenant(tenant)?.board.watch())
    }

    /// A page offers its phone leg; the answer is for the same page.
    ///
    /// # Errors
    /// `WrongState` when another tab owns the phone, `NoDevice` when the offer cannot be used.
    pub async fn browser_offer(
        &self,
        tenant: TenantId,
        agent: AgentId,
        claim: Claim,
        sdp: String,
    ) -> Result<String, Refusal> {
        let (reply, answer) = oneshot::channel();
        let request = Request::BrowserOffer { tenant, agent, claim, sdp, reply };
        self.house.switchboard.send(request).map_err(|_| Refusal::Overloaded)?;
        let answer = tokio::time::timeout(OFFER_PATIENCE, answer).await;
        answer.map_or(Err(Refusal::Overloaded), |given| given.unwrap_or(Err(Refusal::Overloaded)))
    }

    /// The socket of a page is gone.
    pub fn browser_gone(&self, tenant: TenantId, agent: AgentId, tab: String, epoch: u64) {
        // Without a switchboard there is no phone to lose.
        let _ = self.house.switchboard.send(Request::BrowserGone { tenant, agent, tab, epoch });
    }

    /// The page said hello again with the tab and epoch of its phone.
    pub fn browser_back(&self, tenant: TenantId, agent: AgentId, tab: String, epoch: u64) {
        let _ = self.house.switchboard.send(Request::BrowserBack { tenant, agent, tab, epoch });
    }

    /// Checks a flow document against the names of a configuration.
    ///
    /// # Errors
    /// Every fault with its place and remedy.
    pub fn check_flow(
        document: &str,
        config: &model::TenantConfig,
    ) -> Result<model::flow::Flow, Vec<FlowFault>> {
        floor::flow::check(document, &Names::of(config))
    }

    /// Figures for health and metrics.
    #[must_use]
    pub fn health(&self) -> Health {
        let tenants = self.house.tenants.read().expect("nobody panics with this lock");
        Health {
            tenants: tenants.len(),
            degraded: tenants.values().filter(|tenant| tenant.board.is_degraded()).count(),
            inputs_waiting: tenants.values().map(|tenant| tenant.mailbox.waiting()).sum(),
            flight_steps_lost: self.house.flight.lost(),
            clock_jump_us: self.house.clock.jump_us(),
            caught: self.house.caught.count(),
            failed: self.house.watch.failed(),
        }
    }

    /// Waits until a task of the house has failed and names it. End the process then: the house is
    /// deaf, and the next start closes what is open.
    pub async fn failed(&self) -> &'static str {
        self.house.watch.wait().await
    }

    /// House time.
    #[must_use]
    pub fn now(&self) -> model::Timestamp {
        self.house.clock.now()
    }

    /// Saves everything and stops all cells.
    ///
    /// Stop the SIP and media planes first: what they still said is taken in before the cells stop.
    pub async fn stop(&self) {
        let (done, drained) = oneshot::channel();
        let _ = self.house.switchboard.send(Request::Drain(done));
        // A switchboard that is gone has nothing to hand over; the cells still save what they have.
        let cells = drained.await.unwrap_or_else(|_| self.mailboxes());
        for mailbox in cells {
            let (done, stopped) = oneshot::channel();
            mailbox.post(Message::Stop(done));
            // A cell that is gone already has nothing left to save.
            let _ = stopped.await;
        }
        let flight = self.house.flight.clone();
        let finished = tokio::task::spawn_blocking(move || flight.finish()).await;
        if !finished.unwrap_or(false) {
            tracing::warn!("the end of the flight log is not on the disk");
        }
    }
}
