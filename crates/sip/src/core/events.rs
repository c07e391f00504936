//! The way to the hub: a bounded channel with a backlog, so that a slow reader loses no `Ended`.
//!
//! While anything waits, the filter refuses new calls, and keys are dropped: the backlog is bounded
//! by the legs that exist.

use std::collections::VecDeque;

use model::sip::SipEvent;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

pub(crate) struct Events {
    channel: mpsc::Sender<SipEvent>,
    backlog: VecDeque<SipEvent>,
}

impl Events {
    pub(crate) fn new(channel: mpsc::Sender<SipEvent>) -> Self {
        Self { channel, backlog: VecDeque::new() }
    }

    pub(crate) fn push(&mut self, event: SipEvent) {
        if !self.backlog.is_empty() {
            self.backlog.push_back(event);
            return;
        }
        match self.channel.try_send(event) {
            Err(TrySendError::Full(event)) => self.backlog.push_back(event),
            // Without a hub there is nobody to tell.
            Ok(()) | Err(TrySendError::Closed(_)) => {}
        }
    }

    pub(crate) fn is_waiting(&self) -> bool {
        !self.backlog.is_empty()
    }

    pub(crate) fn waiting(&self) -> usize {
        self.backlog.len()
    }

    /// Waits for room and sends the oldest. Cancelling it loses nothing.
    pub(crate) async fn flush(&mut self) {
        let Ok(permit) = self.channel.reserve().await else {
            self.backlog.clear();
            return;
        };
        if let Some(event) = self.backlog.pop_front() {
            permit.send(event);
        }
    }
}
