//! Watches the tasks without which the house is deaf.
//!
//! Invariant: none of them ends by a fault in silence: it is logged, the house is not ready any
//! more, and whoever runs the house learns of it and ends it, so that a new start closes the books.

use tokio::sync::watch;
use tokio::task::JoinHandle;

/// See the module. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    failed: watch::Sender<Option<&'static str>>,
}

impl Watch {
    pub(crate) fn new() -> Self {
        Self { failed: watch::Sender::new(None) }
    }

    /// Watches a task until it ends.
    pub(crate) fn over(&self, name: &'static str, task: JoinHandle<()>) {
        let failed = self.failed.clone();
        tokio::spawn(async move {
            // Any other end is one that somebody asked for.
            if task.await.is_err_and(|error| error.is_panic()) {
                tracing::error!(task = name, "a task of the house failed; the house is deaf");
                failed.send_replace(Some(name));
            }
        });
    }

    /// The task that failed last, if any did.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_told_and_an_orderly_end_is_not() {
        let watch = Watch::new();
        let ended = tokio::spawn(async {});
        watch.over("orderly", ended);
        let stopped = tokio::spawn(std::future::pending());
        stopped.abort();
        watch.over("stopped", stopped);
        assert_eq!(watch.failed(), None);
        watch.over("deaf", tokio::spawn(async { panic!("a fault of ours") }));
        let told = tokio::time::timeout(std::time::Duration::from_secs(10), watch.wait()).await;
        assert_eq!((told, watch.failed()), (Ok("deaf"), Some("deaf")));
    }
}
