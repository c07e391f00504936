//! The last steps of a run, for the report of a failure.

use std::collections::VecDeque;
use std::fmt;

use model::{Input, Output, Timestamp};

/// How many steps a failure prints.
const STEPS: usize = 50;

/// The last steps.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    steps: VecDeque<(Timestamp, Input, Vec<Output>)>,
}

impl Trace {
    pub(crate) fn push(&mut self, at: Timestamp, input: Input, outputs: Vec<Output>) {
        if self.steps.len() == STEPS {
            self.steps.pop_front();
        }
        self.steps.push_back((at, input, outputs));
    }

    pub(crate) fn print(&self, start: Timestamp) -> String {
        let mut text = String::new();
        for (at, input, outputs) in &self.steps {
            let secs = at.since(start).secs_f64();
            text += &format!("{secs:11.6}  <- {}\n", short(input));
            for output in outputs {
                let line = match output {
                    Output::Event(r) => format!("#{} {}", r.seq, short(&r.event)),
                    Output::Effect(effect) => format!("=> {}", short(effect)),
                    Output::Touched(_) => continue,
                };
                text += &format!("                  {line}\n");
            }
        }
        text
    }
}

/// Debug text with ids cut to their last 6 characters, whole configurations left out.
fn short(value: &impl fmt::Debug) -> String {
    let text = format!("{value:?}");
    if text.starts_with("Config(") {
        return "Config(..)".to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(open) = rest.find("Id(") {
        let (head, tail) = rest.split_at(open + 3);
        out += head;
        let end = tail.find(')').unwrap_or(tail.len());
        let id = &tail[..end];
        out += id.get(id.len().saturating_sub(6)..).unwrap_or(id);
        rest = &tail[end..];
    }
    out + rest
}

/// A broken invariant: where, in which run, and how it came.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The seed that runs it again.
    pub seed: u64,
    /// The name of the invariant.
    pub invariant: &'static str,
    /// What was found.
    pub detail: String,
    /// The steps before it, for reading.
    pub steps: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, invariant, detail, steps } = self;
        write!(f, "seed {seed}: invariant `{invariant}` is broken: {detail}\n{steps}")
    }
}

impl std::error::Error for Failure {}
