//! Reads how many tests passed and failed from what the runners print.
//!
//! A runner whose summary is not understood counts nothing; the caller treats that as a failure,
//! so a changed format can never turn into a silent pass.

/// Tests counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Count {
    /// How many passed.
    pub(crate) passed: u64,
    /// How many did not, for whatever reason.
    pub(crate) failed: u64,
}

impl Count {
    fn add(self, other: Self) -> Self {
        Self { passed: self.passed + other.passed, failed: self.failed + other.failed }
    }
}

/// Sums every summary line in a runner's output: nextest, `cargo test`, Vitest, and our own
/// `N passed, N failed`. Nextest repeats the output of failed tests, which may hold summaries of
/// its own, so there only its last word counts.
pub(crate) fn count(output: &str) -> Option<Count> {
    let lines = || output.lines().map(without_colour);
    let nextest = lines().rfind(|line| line.trim().starts_with("Summary ["));
    if let Some(line) = nextest {
        return summary(&line);
    }
    lines().filter_map(|line| summary(&line)).reduce(Count::add)
}

fn summary(line: &str) -> Option<Count> {
    let line = line.trim();
    let words = if let Some(rest) = line.strip_prefix("test result: ") {
        rest
    } else if let Some(rest) = line.strip_prefix("Summary [") {
        rest.split_once("tests run:").or_else(|| rest.split_once("test run:"))?.1
    } else if let Some(rest) = line.strip_prefix("Tests  ") {
        rest
    } else if line.ends_with(" failed") && line.contains(" passed, ") {
        line.rsplit_once(": ").map_or(line, |(_, rest)| rest)
    } else {
        return None;
    };
    let bad = ["failed", "timed out", "exec failed", "aborted"];
    let numbers = numbered(words);
    let sum = |kinds: &[&str]| {
        numbers.iter().filter(|(_, kind)| kinds.contains(&kind.as_str())).map(|(n, _)| n).sum()
    };
    let count = Count { passed: sum(&["passed"]), failed: sum(&bad) };
    (!numbers.is_empty()).then_some(count)
}

/// `3 passed (1 slow), 2 timed out` to its numbers and words.
fn numbered(words: &str) -> Vec<(u64, String)> {
    let mut found = Vec::new();
    for piece in words.split([',', ';', '|', '(', ')', '.']) {
        if let Some((number, kind)) = piece.trim().split_once(' ')
            && let Ok(number) = number.parse()
        {
            found.push((number, kind.trim().to_owned()));
        }
    }
    found
}

/// The line without terminal colours (`ESC [ ... m`).
fn without_colour(line: &str) -> String {
    let mut pieces = line.split('\u{1b}');
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        plain.push_str(piece.split_once('m').map_or("", |(_, rest)| rest));
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_runner_is_understood() {
        for (output, expected) in [
            ("     Summary [   0.5s] 12 tests run: 12 passed, 0 skipped", Some((12, 0))),
            (
                "  Summary [ 1.2s] 9/12 tests run: 5 passed (1 slow), 3 failed, 1 timed out",
                Some((5, 4)),
            ),
            ("     Summary [   0.1s] 1 test run: 1 passed, 3 skipped", Some((1, 0))),
            (
                "test result: FAILED. 0 passed; 1 failed;\n Summary [ 1s] 2 tests run: 2 passed",
                Some((2, 0)),
            ),
            (
                "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out\n\
                 test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured",
                Some((4, 2)),
            ),
            ("\u{1b}[2m      Tests \u{1b}[22m \u{1b}[1m12 passed\u{1b}[39m (12)", Some((12, 0))),
            (" Test Files  1 failed (1)\n      Tests  3 failed | 12 passed (15)", Some((12, 3))),
            ("e2e: 7 passed, 1 failed", Some((7, 1))),
            ("7 passed, 0 failed", Some((7, 0))),
            ("nothing here passed or failed", None),
            ("error: could not compile", None),
        ] {
            let expected = expected.map(|(passed, failed)| Count { passed, failed });
            assert_eq!(count(output), expected, "{output}");
        }
    }
}
