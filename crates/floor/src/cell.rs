//! The cell: the whole live floor of one tenant, and the order in which one input is worked off.
//!
//! Invariant: after every input no ready agent and waiting contact that fit are left unmatched,
//! and everything that changed has been said.

use std::sync::Arc;

use model::id::IdMint;
use model::view::{AgentView, QueueView};
use model::{AgentId, CallId, Input, LegId, Output, QueueId, TenantConfig, TenantId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::live::Live;
use crate::outbox::{Changed, Outbox};
use crate::timer::{Reason, Timers};

/// The live floor of one tenant.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Cell {
    pub(crate) tenant: TenantId,
    pub(crate) config: Arc<TenantConfig>,
    pub(crate) now: Timestamp,
    pub(crate) mint: IdMint,
    pub(crate) out: Outbox,
    pub(crate) timers: Timers,
    pub(crate) live: Live,
    #[serde(skip)]
    pub(crate) changed: Changed,
    #[cfg(feature = "mutations")]
    pub(crate) mutations: std::collections::BTreeSet<crate::Mutation>,
}

impl Cell {
    /// An empty floor: nobody is signed in and nobody calls. `seed` must differ from that of every
    /// other cell; `first_seq` is the sequence number of the first event.
    #[must_use]
    pub fn new(tenant: TenantId, seed: u64, first_seq: u64, config: Arc<TenantConfig>) -> Self {
        Self {
            tenant,
            config,
            now: Timestamp::default(),
            mint: IdMint::new(seed),
            out: Outbox { next_seq: first_seq, ..Outbox::default() },
            timers: Timers::default(),
            live: Live::default(),
            changed: Changed::default(),
            #[cfg(feature = "mutations")]
            mutations: std::collections::BTreeSet::new(),
        }
    }

    /// Works off one input. A `now` before the last one counts as the last one.
    pub fn handle(&mut self, now: Timestamp, input: Input) {
        debug_assert!(self.out.queue.is_empty(), "the outputs of the last input were not drained");
        self.now = self.now.max(now);
        match input {
            Input::Config(config) if config.tenant == self.tenant => self.config = config,
            Input::Wake => while self.timers.take_due(self.now).is_some() {},
            _ => {}
        }
    }

    /// The next output, until `None`.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.queue.pop_front()
    }

    /// When the cell wants `Input::Wake`, and why.
    #[must_use]
    pub fn deadline(&self) -> Option<(Timestamp, Reason)> {
        self.timers.first()
    }

    /// The agent's whole live situation, `None` for a stranger.
    #[must_use]
    pub fn agent_view(&self, _agent: AgentId) -> Option<AgentView> {
        None
    }

    /// The queue's live figures, `None` for a stranger.
    #[must_use]
    pub fn queue_view(&self, _queue: QueueId) -> Option<QueueView> {
        None
    }

    /// Counters of this instant.
    #[must_use]
    pub fn live(&self) -> Live {
        self.live.clone()
    }

    /// Calls that are up, in the order of their ids.
    pub fn open_calls(&self) -> impl Iterator<Item = CallId> {
        std::iter::empty()
    }

    /// The call that a leg belongs to now, as a customer's or as an agent's.
    #[must_use]
    pub fn call_of_leg(&self, _leg: LegId) -> Option<CallId> {
        None
    }
}
