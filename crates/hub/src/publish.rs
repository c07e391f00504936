//! What pages watch: the newest view of each topic with a growing number, pushed when it changes.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

use model::view::{AgentView, QueueView, RecordView};
use model::{Topic, limits};
use tokio::sync::broadcast;

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TopicData {
    /// An agent.
    Agent(Arc<AgentView>),
    /// A queue.
    Queue(Arc<QueueView>),
    /// The record.
    Record(RecordView),
}

/// The board of one tenant: one writer (its cell), many readers.
#[derive(Debug, Clone)]
pub(crate) struct Board {
    latest: Arc<RwLock<BTreeMap<Topic, Update>>>,
    updates: broadcast::Sender<Update>,
}

impl Board {
    pub(crate) fn new() -> Self {
        let (updates, _) = broadcast::channel(limits::BOARD_UPDATES_MAX);
        Self { latest: Arc::default(), updates }
    }

    /// Publishes a state unless it is what is known already.
    pub(crate) fn publish(&self, topic: Topic, data: TopicData, seq: &mut u64) {
        let mut latest = self.latest.write().expect("no reader or writer of the board panics");
        if latest.get(&topic).is_some_and(|known| known.data == data) {
            return;
        }
        *seq += 1;
        let update = Update { topic, seq: *seq, data };
        latest.insert(topic, update.clone());
        drop(latest);
        // Nobody watching is no error.
        let _ = self.updates.send(update);
    }

    /// What is gone has no state: nobody may go by the last one it had.
    pub(crate) fn forget(&self, topic: Topic) {
        self.latest.write().expect("no reader or writer of the board panics").remove(&topic);
    }

    pub(crate) fn latest(&self, topic: Topic) -> Option<Update> {
        self.latest.read().expect("no reader or writer of the board panics").get(&topic).cloned()
    }

    /// Whether promises are refused because the record is late.
    pub(crate) fn is_degraded(&self) -> bool {
        let record = self.latest(Topic::Record).map(|update| update.data);
        matches!(record, Some(TopicData::Record(RecordView { late_since: Some(_) })))
    }

    pub(crate) fn watch(&self) -> broadcast::Receiver<Update> {
        self.updates.subscribe()
    }
}
