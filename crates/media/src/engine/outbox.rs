//! Events on their way to the hub.
//!
//! Invariant: order is kept and the media thread never waits; what the hub does not fetch waits
//! here up to a limit and is then lost and counted.

use std::collections::VecDeque;
use std::sync::Arc;

use model::media::MediaEvent;
use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;

use crate::metrics::{Count, Counters};

/// Events that may wait beside the hub's own queue.
const WAITING_MAX: usize = 16_384;

#[derive(Debug)]
pub(crate) struct Outbox {
    events: Sender<MediaEvent>,
    waiting: VecDeque<MediaEvent>,
    counters: Arc<Counters>,
}

impl Outbox {
    pub(crate) fn new(events: Sender<MediaEvent>, counters: Arc<Counters>) -> Self {
        Self { events, waiting: VecDeque::new(), counters }
    }

    pub(crate) fn tell(&mut self, event: MediaEvent) {
        if self.waiting.len() >= WAITING_MAX {
            self.counters.count(Count::EventsLost);
            return;
        }
        self.waiting.push_back(event);
        self.flush();
    }

    /// Hands over what waits, as far as there is room.
    pub(crate) fn flush(&mut self) {
        while let Some(event) = self.waiting.pop_front() {
            match self.events.try_send(event) {
                Ok(()) => {}
                Err(TrySendError::Full(event)) => {
                    self.waiting.push_front(event);
                    return;
                }
                // Nobody listens any more: the house is going down.
                Err(TrySendError::Closed(_)) => self.waiting.clear(),
            }
        }
    }
}
