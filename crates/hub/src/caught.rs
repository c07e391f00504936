//! Faults of the program that were kept from everybody else: caught, counted, told to the log.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The count of the whole house. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Caught(Arc<AtomicU64>);

impl Caught {
    /// Runs a piece of work. Whoever catches a fault of it sees to what it left half done.
    ///
    /// # Errors
    /// What the work panicked with.
    pub(crate) fn catch<T>(&self, work: impl FnOnce() -> T) -> Result<T, Box<dyn Any + Send>> {
        catch_unwind(AssertUnwindSafe(work)).inspect_err(|_| {
            self.0.fetch_add(1, Ordering::Relaxed);
        })
    }

    /// Faults since the house started.
    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
