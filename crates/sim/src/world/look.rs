//! What can be seen of a world from outside.

use floor::Cell;
use model::config::TenantConfig;
use model::{Input, Output, TenantId, Timestamp};

use super::{Diary, World, first_cell};

impl World {
    /// What the customers wrote down.
    #[must_use]
    pub fn diary(&self) -> &Diary {
        &self.diary
    }

    /// Inputs given to the cell so far.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The cell.
    #[must_use]
    pub fn cell(&self) -> &Cell {
        &self.cell
    }

    /// The virtual time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Whose world it is.
    #[must_use]
    pub fn tenant(&self) -> TenantId {
        self.config.tenant
    }

    /// All inputs and outputs of a checked run, for a replay.
    #[must_use]
    pub fn recording(&self) -> (&[(Timestamp, Input)], &[Output]) {
        (&self.inputs, &self.outputs)
    }

    /// The configuration of the morning.
    #[must_use]
    pub fn first_config(&self) -> &TenantConfig {
        &self.first_config
    }

    /// A fresh cell as this world's cell was at the beginning.
    #[must_use]
    pub fn fresh_cell(&self) -> Cell {
        first_cell(&self.first_config, self.ids)
    }
}
