//! Makes plain RTP legs on the thread of whoever asks, so that an INVITE is answered without a
//! round through the media thread.
//!
//! Invariant: a leg is made here once; what is known already is the media thread's to answer for.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use model::LegId;
use model::media::{MediaFault, Peer};

use super::MediaConfig;
use super::leg::{Leg, Now};
use super::ports::Ports;
use crate::metrics::{Count, Counters};

/// See the module.
#[derive(Debug)]
pub(crate) struct Maker {
    /// When the plane started; all its times count from here.
    pub(crate) start: Instant,
    ports: Arc<Ports>,
    advertise: IpAddr,
    counters: Arc<Counters>,
    /// Legs made and not closed yet.
    known: Mutex<HashSet<LegId>>,
}

impl Maker {
    pub(crate) fn new(config: &MediaConfig, counters: Arc<Counters>) -> Self {
        Self {
            start: Instant::now(),
            ports: Arc::new(Ports::new(config.bind, &config.rtp_ports)),
            advertise: config.advertise,
            counters,
            known: Mutex::default(),
        }
    }

    /// A leg on sockets of its own.
    ///
    /// # Errors
    /// When the plane sheds load, no port is free or the peer's description cannot be answered.
    pub(crate) fn make(&self, id: LegId, remote: Option<&Peer>) -> Result<Leg, MediaFault> {
        if self.counters.get(Count::Overloaded) > 0 {
            return Err(MediaFault::Overloaded);
        }
        let pair = self.ports.take().ok_or(MediaFault::NoPort)?;
        let leg = Leg::rtp(id, pair, self.advertise, remote, Now::read(self.start))?;
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
        Ok(leg)
    }

    pub(crate) fn knows(&self, id: LegId) -> bool {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).contains(&id)
    }

    /// The leg is closed.
    pub(crate) fn forget(&self, id: LegId) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }
}
