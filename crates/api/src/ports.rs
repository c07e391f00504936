//! What the API needs of the running house, as traits: the hub and the sound files stand behind
//! them, tests put their own.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use model::config::TenantConfig;
use model::flow::Flow;
use model::input::Command;
use model::view::{AgentView, QueueView, RecordView};
use model::{AgentId, Refusal, TenantId, Timestamp, Topic};

/// One topic's newest state.
#[derive(Debug, Clone)]
pub struct Update {
    /// What it is about.
    pub topic: Topic,
    /// Grows with each update of the tenant; the same number means the same state.
    pub seq: u64,
    /// The whole state.
    pub data: TopicData,
}

/// The state of a topic.
#[derive(Debug, Clone)]
pub enum TopicData {
    /// An agent.
    Agent(Arc<AgentView>),
    /// A queue.
    Queue(Arc<QueueView>),
    /// The record.
    Record(RecordView),
}

/// What a watcher is told.
#[derive(Debug, Clone)]
pub enum Change {
    /// A topic has a new state.
    Topic(Update),
    /// Some changes were missed: the newest states have to be read again.
    Missed,
}

/// A tab of an agent that holds the phone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PhoneOwner {
    /// Whose data.
    pub tenant: TenantId,
    /// Whose phone.
    pub agent: AgentId,
    /// The tab.
    pub tab: String,
    /// Tells one phone of the tab from its next.
    pub epoch: u64,
}

/// A fault of a flow document, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowFault {
    /// JSON pointer (RFC 6901).
    pub pointer: String,
    /// The stable code.
    pub code: &'static str,
    /// What to do about it.
    pub detail: String,
}

/// One check of the house.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was looked at, as in `media`.
    pub name: &'static str,
    /// What is wrong, or `None`.
    pub fault: Option<String>,
}

/// The running house.
pub trait Floor: Send + Sync + 'static {
    /// House time.
    fn now(&self) -> Timestamp;

    /// Where telephones and trunks reach the house.
    fn reached_at(&self) -> SocketAddr;

    /// Carries out an agent's command; resolves when it is decided and saved.
    fn command(
        &self,
        tenant: TenantId,
        agent: AgentId,
        command: Command,
    ) -> BoxFuture<'_, Result<(), Refusal>>;

    /// The newest state of a topic.
    fn latest(&self, tenant: TenantId, topic: Topic) -> Option<Update>;

    /// Every change of a tenant from now on; `None` when the tenant does not run.
    fn watch(&self, tenant: TenantId) -> Option<BoxStream<'static, Change>>;

    /// A page offers its phone, or takes it over from another; the session description of the
    /// answer, `WrongState` when another page has it.
    fn browser_offer(
        &self,
        owner: PhoneOwner,
        take: bool,
        sdp: String,
    ) -> BoxFuture<'_, Result<String, Refusal>>;

    /// The page of a phone said hello again.
    fn browser_back(&self, owner: PhoneOwner);

    /// The page of a phone is gone.
    fn browser_gone(&self, owner: PhoneOwner);

    /// A tenant is new or its configuration changed. Resolves when its cell was told, or when that
    /// has to be tried again later, which goes on by itself.
    fn config_changed(&self, tenant: TenantId) -> BoxFuture<'_, ()>;

    /// Checks a flow document against the names of a configuration.
    ///
    /// # Errors
    /// Every fault with its place.
    fn check_flow(&self, document: &str, config: &TenantConfig) -> Result<Flow, Vec<FlowFault>>;

    /// What the house says about itself, for `/readyz`.
    fn checks(&self) -> Vec<Check>;

    /// Further lines for `/metrics`, in the Prometheus text format.
    fn metrics(&self) -> String;
}

/// Why a sound cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SoundFault {
    /// There is no such file, or it is damaged beyond use.
    #[error("the recording cannot be read")]
    Unreadable,
    /// The upload is no WAV file that can be used.
    #[error("{why}")]
    NotWav {
        /// The byte at which the part that is wrong begins, from 0.
        at: usize,
        /// The reason, for a sentence.
        why: String,
    },
}

/// A recording as a WAV file that is made while it is read.
pub trait RecordingWav: Send + Sync {
    /// Its length in bytes, header included.
    fn bytes(&self) -> u64;
    /// Where it was paused: milliseconds from and until.
    fn pauses_ms(&self) -> Vec<(u64, u64)>;
    /// Reads from a byte on; how much was read, 0 at the end. Blocks.
    ///
    /// # Errors
    /// Faults of the file.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<usize>;
}

/// Loudness over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Peaks {
    /// Milliseconds of one point.
    pub step_ms: f64,
    /// The customer, 0 to 1.
    pub left: Vec<f32>,
    /// What the customer heard, 0 to 1.
    pub right: Vec<f32>,
}

/// Reading and writing sound files. Everything here blocks.
pub trait Sound: Send + Sync + 'static {
    /// Opens a recording.
    ///
    /// # Errors
    /// [`SoundFault::Unreadable`].
    fn recording(&self, file: &Path) -> Result<Box<dyn RecordingWav>, SoundFault>;

    /// The loudness of a recording in at most `points` points.
    ///
    /// # Errors
    /// [`SoundFault::Unreadable`].
    fn peaks(&self, file: &Path, points: usize) -> Result<Peaks, SoundFault>;

    /// An uploaded WAV file as 8 kHz mono samples.
    ///
    /// # Errors
    /// [`SoundFault::NotWav`] with the reason.
    fn normalise(&self, wav: &[u8]) -> Result<Vec<i16>, SoundFault>;
}
