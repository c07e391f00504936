//! No output carries an id of the twin tenant, who has the same names and numbers, not even when
//! somebody tries with the twin's ids.

use std::collections::BTreeSet;

use model::{Effect, Output};

use super::{Check, Settled, Verdict};

/// Characters of an id.
const ID: usize = 36;

#[derive(Debug)]
pub(super) struct NoForeignId {
    foreign: BTreeSet<String>,
}

impl NoForeignId {
    pub(super) fn new(foreign: Vec<String>) -> Self {
        Self { foreign: foreign.into_iter().collect() }
    }
}

impl Check for NoForeignId {
    fn name(&self) -> &'static str {
        "no foreign id"
    }

    fn settled(&mut self, settled: &Settled<'_>) -> Verdict {
        for output in settled.outputs {
            // Ending a leg that nobody here knows is safe: the shell knows whose it is.
            if matches!(output, Output::Effect(Effect::Hangup { .. })) {
                continue;
            }
            let text = serde_json::to_string(output).map_err(|error| error.to_string())?;
            if let Some(id) = ids(&text).find(|id| self.foreign.contains(*id)) {
                return Err(format!("{id} of another tenant in {text}"));
            }
        }
        Ok(())
    }
}

/// Every quoted text of 36 characters with hyphens: ids, wherever they stand.
fn ids(text: &str) -> impl Iterator<Item = &str> {
    text.split('"').filter(|part| part.len() == ID && part.as_bytes().get(8) == Some(&b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_wherever_they_stand() {
        let id = "0190d9f3-7a3c-7b41-9d2e-6a1f0c3b5e77";
        let text = format!("{{\"call\":\"{id}\",\"hears\":{{\"{id}\":[\"{id}\"]}}}}");
        assert_eq!(ids(&text).filter(|found| *found == id).count(), 3);
    }
}
