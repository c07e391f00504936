//! The floor's lane into the record, and what is read back from it.

pub(crate) mod encode;
pub(crate) mod group;
mod row;
mod single;

use std::future::Future;

use tokio::sync::oneshot;

use crate::error::StoreError;
use crate::writer::{FloorItem, Writer};

pub use row::{CallRow, FloorBatch, FloorRow, RecordingRow};

/// Where cells hand in their batches.
#[derive(Clone)]
pub struct FloorLane {
    pub(crate) writer: Writer,
}

impl std::fmt::Debug for FloorLane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FloorLane")
    }
}

impl FloorLane {
    /// Keeps a batch. It takes its place in the lane before this returns; the future resolves
    /// when it is on disk, and may be dropped without taking the batch back.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when the lane is full, [`StoreError::Full`] and [`StoreError::Stopped`]
    /// from the disk, [`StoreError::Conflict`] when a `seq` exists already. Nothing of the batch
    /// was kept then, save that after `Stopped` this is unknown.
    pub fn commit(
        &self,
        batch: FloorBatch,
    ) -> impl Future<Output = Result<(), StoreError>> + Send + use<> {
        let (reply, answer) = oneshot::channel();
        let refused = match encode::Encoded::new(batch) {
            Ok(batch) => {
                self.writer.send_floor(FloorItem { batch, reply });
                None
            }
            Err(error) => Some(error),
        };
        async move {
            match refused {
                Some(error) => Err(error),
                None => answer.await.map_err(|_| StoreError::Closed)?,
            }
        }
    }
}
