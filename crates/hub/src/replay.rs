//! Replays a flight-log segment through a fresh cell and names the first decision that differs.

use std::path::Path;

use floor::Cell;
use model::id::TenantId;
use model::time::Timestamp;
use model::{Input, Output};
use serde::Serialize;
use store::HouseKey;

use crate::caught::Caught;
use crate::flight::{self, FlightError, Step};

/// What a replay found.
#[derive(Debug, Serialize)]
pub struct Replayed {
    /// Whose segment.
    pub tenant: TenantId,
    /// The program that wrote it: version, and commit if known.
    pub build: String,
    /// The program that replays it. A difference between two programs may be wanted.
    pub replayed_by: String,
    /// The release of the time zone data that it was decided with; empty before it was written.
    pub tzdb: String,
    /// The release that it is decided with now.
    pub replayed_with_tzdb: String,
    /// Inputs that were replayed.
    pub inputs: u64,
    /// Outputs that were compared.
    pub decisions: u64,
    /// The last input failed then, by a fault of the program, and fails again.
    pub fails_again: bool,
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
    /// The program failed at this input then.
    pub failed_then: bool,
    /// It fails at it now.
    pub fails_now: bool,
}

/// Replays one segment with the program `build`. `prepare` may change the cell first: tests use it
/// to change a decision.
///
/// # Errors
/// When the file or its key is wrong, or the cell in it is of another build's shape.
pub fn replay(
    path: &Path,
    key: &HouseKey,
    build: &str,
    prepare: impl FnOnce(&mut Cell),
) -> Result<Replayed, FlightError> {
    let (header, steps) = flight::read(path, key)?;
    let mut cell: Cell = serde_json::from_value(header.cell)
        .map_err(|source| FlightError::Line { line: 0, source })?;
    prepare(&mut cell);
    let mut replayed = Replayed {
        tenant: header.tenant,
        build: header.build,
        replayed_by: build.to_owned(),
        tzdb: header.tzdb,
        replayed_with_tzdb: civil::tzdb_version().to_owned(),
        inputs: 0,
        decisions: 0,
        fails_again: false,
        difference: None,
    };
    for step in steps {
        replayed.inputs += 1;
        let decide = || {
            cell.handle(step.at, step.input.clone());
            std::iter::from_fn(|| cell.poll()).collect::<Vec<Output>>()
        };
        let now = Caught::default().catch(decide).ok();
        if now.is_none() && step.failed {
            replayed.fails_again = true;
            break;
        }
        if let Some(difference) = compare(replayed.inputs, step, now, &mut replayed.decisions) {
            replayed.difference = Some(difference);
            break;
        }
    }
    Ok(replayed)
}

/// The plain text of a segment: the cell at its beginning, then a line for each input with what was
/// decided. For a person with the key who looks for something in it.
///
/// # Errors
/// When the file or its key is wrong, or it is not text.
pub fn plain_text(path: &Path, key: &HouseKey) -> Result<String, FlightError> {
    let chunks = flight::chunks(path, key)?;
    let texts: Result<Vec<String>, _> = chunks.into_iter().map(String::from_utf8).collect();
    Ok(texts.map_err(|_| FlightError::NotFlightLog)?.join("\n"))
}

/// What is decided now is `None` where the cell fails.
fn compare(
    input_n: u64,
    step: Step,
    now: Option<Vec<Output>>,
    decisions: &mut u64,
) -> Option<Difference> {
    let (failed_then, fails_now) = (step.failed, now.is_none());
    let mut then = step.outputs.into_iter();
    let mut now = now.into_iter().flatten();
    for output_n in 1.. {
        let (was, is) = (then.next(), now.next());
        if was != is || failed_then || fails_now {
            let (at, input, then, now) = (step.at, step.input, was, is);
            let difference =
                Difference { input_n, at, input, output_n, then, now, failed_then, fails_now };
            return Some(difference);
        }
        if was.is_none() {
            break;
        }
        *decisions += 1;
    }
    None
}
