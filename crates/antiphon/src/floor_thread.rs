//! The thread of the floor: SIP plane, switchboard and cells share one scheduler.
//!
//! A call passes between them some forty times. On one thread that is a queue; on several it is a
//! sleeping core to be woken each time, which cost more than the work itself (ADR 0014).

use std::io;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// A runtime of one thread. Dropped, it ends with whatever still runs there.
#[derive(Debug)]
pub(crate) struct FloorThread {
    handle: Handle,
    /// Held open; the thread ends when it is gone.
    _stop: oneshot::Sender<()>,
}

impl FloorThread {
    pub(crate) fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        std::thread::Builder::new().name("floor".to_owned()).spawn(move || {
            // The sender is only ever dropped.
            let _ = runtime.block_on(stopped);
        })?;
        Ok(Self { handle, _stop: stop })
    }

    /// Runs `work` there, with whatever it spawns, and waits for its result.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> T {
        match self.handle.spawn(work).await {
            Ok(result) => result,
            // Nobody aborts it and the thread outlives us: only a panic ends it early.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}
