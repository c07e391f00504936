//! Watches the threads without which nothing is heard or recorded.
//!
//! Invariant: none of them ends by a fault in silence; one that ends before it was told to names
//! itself, and whoever runs the house ends it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

/// See the module. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Vitals {
    failed: watch::Sender<Option<&'static str>>,
    stopping: Arc<AtomicBool>,
}

/// Held by a thread for as long as it lives.
#[derive(Debug)]
pub(crate) struct Pulse {
    vitals: Vitals,
    name: &'static str,
}

impl Vitals {
    pub(crate) fn new() -> Self {
        Self { failed: watch::Sender::new(None), stopping: Arc::default() }
    }

    pub(crate) fn pulse(&self, name: &'static str) -> Pulse {
        Pulse { vitals: self.clone(), name }
    }

    /// From now on an end is an orderly one.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    pub(crate) fn failed(&self) -> Option<&'static str> {
        *self.failed.borrow()
    }

    /// Waits until one fails.
    pub(crate) async fn wait(&self) -> &'static str {
        let mut failed = self.failed.subscribe();
        let name = failed.wait_for(Option::is_some).await.ok().and_then(|name| *name);
        // The sender lives as long as `self`.
        name.unwrap_or_default()
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        if !self.vitals.stopping.load(Ordering::Acquire) {
            tracing::error!(thread = self.name, "a thread of the media plane failed");
            self.vitals.failed.send_replace(Some(self.name));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_nobody_asked_for_is_named_and_an_orderly_one_is_not() {
        let vitals = Vitals::new();
        let pulse = vitals.pulse("media thread");
        let dying = std::thread::spawn(move || {
            let _pulse = pulse;
            panic!("a fault of ours");
        });
        assert!(dying.join().is_err());
        assert_eq!(vitals.failed(), Some("media thread"));
        let vitals = Vitals::new();
        let pulse = vitals.pulse("recorder");
        vitals.stop();
        drop(pulse);
        assert_eq!(vitals.failed(), None);
    }
}
