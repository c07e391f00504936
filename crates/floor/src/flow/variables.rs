//! Variables, conditions over them, and the sound of a prompt's name.
//!
//! Invariant: reading never fails: what is unknown is empty, a clip that is missing is skipped.

use model::config::{Clip, tongues};
use model::event::Consent;
use model::flow::Condition;
use model::{CallId, Event, limits};

use crate::call::Call;
use crate::cell::Cell;

/// Variables that every call has; only `language` can be set.
pub(crate) const BUILT_IN: [&str; 4] = ["caller", "dialled", "language", "consent"];

impl Cell {
    /// The clip of a prompt for a call in this language.
    pub(crate) fn clip(&self, name: &str, language: &str) -> Option<Clip> {
        let prompt = self.config.prompts.values().find(|prompt| prompt.name == name)?;
        let tags = tongues(language, &self.config.language);
        tags.iter().find_map(|tag| prompt.variants.get(*tag)).copied()
    }

    pub(crate) fn set_variable(&mut self, id: CallId, name: &str, value: &str) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let value: String = value.chars().take(limits::CALL_VARIABLE_CHARS_MAX).collect();
        if name == "language" {
            call.language.clone_from(&value);
            self.event(Event::LanguageSet { call: id, language: value });
        } else if !BUILT_IN.contains(&name)
            && (call.variables.contains_key(name)
                || call.variables.len() < limits::CALL_VARIABLES_MAX)
        {
            call.variables.insert(name.to_owned(), value);
        }
    }

    pub(crate) fn condition_holds(&self, id: CallId, condition: &Condition) -> bool {
        self.calls.get(&id).is_some_and(|call| holds(call, condition, 0))
    }
}

fn holds(call: &Call, condition: &Condition, depth: usize) -> bool {
    if depth > limits::FLOW_CONDITION_DEPTH_MAX {
        return false;
    }
    let inner = |condition: &Condition| holds(call, condition, depth + 1);
    match condition {
        Condition::Is { variable, value } => read(call, variable) == value,
        Condition::StartsWith { variable, value } => {
            read(call, variable).starts_with(value.as_str())
        }
        Condition::Known { variable } => !read(call, variable).is_empty(),
        Condition::All(conditions) => conditions.iter().all(inner),
        Condition::Any(conditions) => conditions.iter().any(inner),
        Condition::Not(condition) => !inner(condition),
    }
}

fn read<'a>(call: &'a Call, variable: &str) -> &'a str {
    match variable {
        "caller" => call.caller.as_ref().map_or("", |caller| caller.as_str()),
        "dialled" => call.dialled.as_str(),
        "language" => &call.language,
        "consent" => match call.consent {
            Consent::Unasked => "unasked",
            Consent::Given => "given",
            Consent::Refused => "refused",
        },
        _ => call.variables.get(variable).map_or("", String::as_str),
    }
}
