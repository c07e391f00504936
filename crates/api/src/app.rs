//! What every route shares.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use model::config::TenantConfig;
use model::{AgentId, TenantId, Timestamp, limits};
use store::{Ctx, SetupToken, Store, TenantDb, Tickets};

use crate::client::Network;
use crate::guard::Caller;
use crate::idempotency::Answers;
use crate::ports::{Floor, Sound};
use crate::problem::Problem;
use crate::throttle::Throttle;
use crate::ws::{Crowd, Pages};

/// What the API is made of.
pub struct Parts {
    /// The record.
    pub store: Store,
    /// The running house.
    pub floor: Arc<dyn Floor>,
    /// Sound files.
    pub sound: Arc<dyn Sound>,
    /// The secret of the first start, while there is no tenant.
    pub setup: Option<SetupToken>,
    /// Prompts and music that a new tenant begins with.
    pub starter: Vec<StarterSound>,
    /// Networks of the proxies that end TLS and tell the client's address.
    pub proxies: Vec<Network>,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").field("store", &self.store).finish_non_exhaustive()
    }
}

/// A sound that a new tenant begins with.
#[derive(Debug, Clone)]
pub struct StarterSound {
    /// The name of the prompt.
    pub name: String,
    /// BCP 47 tag, `*` for every language.
    pub language: String,
    /// 8 kHz mono samples.
    pub samples: Vec<i16>,
}

/// The shared state.
#[derive(Clone)]
pub(crate) struct App(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) floor: Arc<dyn Floor>,
    pub(crate) sound: Arc<dyn Sound>,
    pub(crate) setup: Mutex<Option<SetupToken>>,
    pub(crate) starter: Vec<StarterSound>,
    pub(crate) proxies: Vec<Network>,
    pub(crate) tickets: Tickets<Caller>,
    pub(crate) throttle: Throttle,
    pub(crate) answers: Answers,
    pub(crate) sockets: Arc<tokio::sync::Semaphore>,
    /// Room for sounds that are being read.
    pub(crate) uploads: tokio::sync::Semaphore,
    pub(crate) crowd: Crowd,
    pub(crate) pages: Pages,
    pub(crate) refused: Refused,
    /// Added to the numbers of topics, so that those of an earlier process are never mistaken for
    /// ours. In JSON it stays an exact number.
    pub(crate) seq_base: u64,
}

/// How often each refusal was told, requests and frames alike.
#[derive(Debug, Default)]
pub(crate) struct Refused(Mutex<BTreeMap<&'static str, u64>>);

impl Refused {
    pub(crate) fn count(&self, code: &'static str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(code).or_default() += 1;
    }

    pub(crate) fn all(&self) -> BTreeMap<&'static str, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// WebSockets at once in the whole process.
pub(crate) const SOCKETS_MAX: usize = 20_000;

impl std::ops::Deref for App {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl App {
    pub(crate) fn new(parts: Parts) -> Self {
        // A million numbers for each second since the epoch: more than are ever used up.
        let started_s = parts.floor.now().micros() / 1_000_000;
        let seq_base = u64::try_from(started_s).unwrap_or(0) * 1_000_000;
        Self(Arc::new(Inner {
            store: parts.store,
            floor: parts.floor,
            sound: parts.sound,
            setup: Mutex::new(parts.setup),
            starter: parts.starter,
            proxies: parts.proxies,
            tickets: Tickets::default(),
            throttle: Throttle::default(),
            answers: Answers::default(),
            uploads: tokio::sync::Semaphore::new(limits::UPLOADS_AT_ONCE_MAX),
            sockets: Arc::new(tokio::sync::Semaphore::new(SOCKETS_MAX)),
            crowd: Crowd::default(),
            refused: Refused::default(),
            pages: Pages::default(),
            seq_base,
        }))
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.floor.now()
    }

    /// The tenant's data as this caller.
    pub(crate) fn db(&self, caller: &Caller) -> TenantDb {
        self.store.tenant(Ctx {
            tenant: caller.tenant,
            actor: caller.actor.clone(),
            request: caller.request_id.clone(),
        })
    }

    pub(crate) async fn config(&self, tenant: TenantId) -> Result<Arc<TenantConfig>, Problem> {
        Ok(self.store.system(tenant).config().await?)
    }

    /// The seat of a caller who takes contacts.
    pub(crate) async fn seat(&self, caller: &Caller) -> Result<AgentId, Problem> {
        let no_seat = || Problem::forbidden("no_seat", "This account takes no contacts.");
        let user = caller.user.as_ref().ok_or_else(no_seat)?;
        let agent = AgentId::of_user(user.id);
        let config = self.config(caller.tenant).await?;
        if config.agents.contains_key(&agent) { Ok(agent) } else { Err(no_seat()) }
    }

    pub(crate) fn with_setup<T>(&self, work: impl FnOnce(&mut Option<SetupToken>) -> T) -> T {
        work(&mut self.setup.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
