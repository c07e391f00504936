//! Replays: the same inputs into a fresh cell give the same outputs, bit for bit.

use floor::Cell;
use model::{Input, Output, Timestamp};

/// The first place where two runs differ.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The number of the output, from 0.
    pub index: usize,
    /// What the first run put out there, if anything.
    pub was: Option<Output>,
    /// What the replay put out there, if anything.
    pub is: Option<Output>,
}

/// Feeds `inputs` to `cell` and compares what comes out with `outputs`.
#[must_use]
pub fn differs(
    mut cell: Cell,
    inputs: &[(Timestamp, Input)],
    outputs: &[Output],
) -> Option<Difference> {
    let mut index = 0;
    for (at, input) in inputs {
        cell.handle(*at, input.clone());
        while let Some(output) = cell.poll() {
            let was = outputs.get(index);
            if was != Some(&output) {
                return Some(Difference { index, was: was.cloned(), is: Some(output) });
            }
            index += 1;
        }
    }
    let rest = outputs.get(index)?;
    Some(Difference { index, was: Some(rest.clone()), is: None })
}
