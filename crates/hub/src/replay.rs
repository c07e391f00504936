//! Replays a flight-log segment through a fresh cell and names the first decision that differs.

use std::path::Path;

use floor::Cell;
use model::id::TenantId;
use model::time::Timestamp;
use model::{Input, Output};
use serde::Serialize;

use crate::flight::{self, FlightError, Step};
use crate::key::HouseKey;

/// What a replay found.
#[derive(Debug, Serialize)]
pub struct Replayed {
    /// Whose segment.
    pub tenant: TenantId,
    /// The program that wrote it.
    pub build: String,
    /// Inputs that were replayed.
    pub inputs: u64,
    /// Outputs that were compared.
    pub decisions: u64,
    /// The first decision that differs; nothing after it was replayed.
    pub difference: Option<Difference>,
}

/// The first differing decision.
#[derive(Debug, Serialize)]
pub struct Difference {
    /// Which input, from 1.
    pub input_n: u64,
    /// When it came.
    pub at: Timestamp,
    /// What came.
    pub input: Input,
    /// Which of its outputs, from 1.
    pub output_n: u64,
    /// What was decided then; nothing when there are more outputs now.
    pub then: Option<Output>,
    /// What is decided now; nothing when there were more outputs then.
    pub now: Option<Output>,
}

/// Replays one segment. `prepare` may change the cell first: tests use it to change a decision.
///
/// # Errors
/// When the file or its key is wrong, or the cell in it is of another build's shape.
pub fn replay(
    path: &Path,
    key: &HouseKey,
    prepare: impl FnOnce(&mut Cell),
) -> Result<Replayed, FlightError> {
    let (header, steps) = flight::read(path, key)?;
    let mut cell: Cell = serde_json::from_value(header.cell)
        .map_err(|source| FlightError::Line { line: 0, source })?;
    prepare(&mut cell);
    let mut replayed = Replayed {
        tenant: header.tenant,
        build: header.build,
        inputs: 0,
        decisions: 0,
        difference: None,
    };
    for step in steps {
        replayed.inputs += 1;
        cell.handle(step.at, step.input.clone());
        let now: Vec<Output> = std::iter::from_fn(|| cell.poll()).collect();
        if let Some(difference) = compare(replayed.inputs, step, now, &mut replayed.decisions) {
            replayed.difference = Some(difference);
            break;
        }
    }
    Ok(replayed)
}

fn compare(input_n: u64, step: Step, now: Vec<Output>, decisions: &mut u64) -> Option<Difference> {
    let mut then = step.outputs.into_iter();
    let mut now = now.into_iter();
    for output_n in 1.. {
        let (was, is) = (then.next(), now.next());
        if was != is {
            let (at, input) = (step.at, step.input);
            return Some(Difference { input_n, at, input, output_n, then: was, now: is });
        }
        if was.is_none() {
            break;
        }
        *decisions += 1;
    }
    None
}
