//! Names, limits and keys of nodes that can be read.
//!
//! Invariant: every name that the interpreter looks up is known here first.

use std::collections::{BTreeMap, BTreeSet};

use model::flow::{Condition, Node};
use model::limits;

use super::{Faults, Names, at, unknown_node};
use crate::flow::keys::is_key;
use crate::flow::variables::BUILT_IN;

struct Checker<'a> {
    declared: &'a BTreeSet<&'a str>,
    names: &'a Names,
    /// Variables that nodes set; `None` while some node cannot be read.
    variables: Option<BTreeSet<&'a str>>,
    /// Those of them whose value nobody sees.
    secrets: BTreeSet<&'a str>,
    faults: &'a mut Faults,
}

pub(crate) fn check(
    nodes: &BTreeMap<String, Node>,
    declared: &BTreeSet<&str>,
    names: &Names,
    faults: &mut Faults,
) {
    let variables: BTreeSet<&str> = nodes
        .values()
        .filter_map(|node| match node {
            Node::Collect { variable, .. } | Node::Set { variable, .. } => Some(variable.as_str()),
            _ => None,
        })
        .collect();
    if variables.len() > limits::CALL_VARIABLES_MAX {
        let detail = format!("a flow may set {} variables", limits::CALL_VARIABLES_MAX);
        faults.add("/nodes", "too_many", detail);
    }
    for name in declared {
        name_is_good(name, &at("/nodes", name), faults);
    }
    let secrets = nodes
        .values()
        .filter_map(|node| match node {
            Node::Collect { variable, secret: true, .. } => Some(variable.as_str()),
            _ => None,
        })
        .collect();
    let variables = (nodes.len() == declared.len()).then_some(variables);
    let mut checker = Checker { declared, names, variables, secrets, faults };
    for (name, node) in nodes {
        checker.node(&at("/nodes", name), node);
    }
}

impl Checker<'_> {
    fn node(&mut self, place: &str, node: &Node) {
        for (pointer, target) in super::ways::targets(node) {
            if !self.declared.contains(target) {
                self.faults.add(&format!("{place}{pointer}"), "unknown_node", unknown_node(target));
            }
        }
        match node {
            Node::Play { prompts, .. } => self.prompts(place, prompts, true),
            Node::HangUp { prompts } => self.prompts(place, prompts, false),
            Node::Menu { prompts, choices, timeout_s, tries, invalid, .. } => {
                self.prompts(place, prompts, true);
                self.list(&at(place, "invalid"), invalid);
                if prompts.len() + invalid.len() > limits::PLAY_ITEMS_MAX {
                    self.too_many_prompts(&at(place, "invalid"));
                }
                if choices.is_empty() {
                    self.faults.add(&at(place, "choices"), "empty", "add at least one choice");
                }
                for key in choices.keys() {
                    self.key(&at(&at(place, "choices"), key), *key);
                }
                self.asking(place, *timeout_s, *tries);
            }
            Node::Collect { .. } => self.collect(place, node),
            Node::Hours { calendar, .. } => {
                let (calendars, place) = (&self.names.calendars, at(place, "calendar"));
                known("calendar", calendar, calendars, &place, self.faults);
            }
            Node::Branch { cases, .. } => {
                for (n, case) in cases.iter().enumerate() {
                    let place = at(&at(&at(place, "cases"), &n), "when");
                    self.condition(&place, &case.when);
                }
            }
            Node::Set { variable, value, .. } => {
                self.variable(&at(place, "variable"), variable, variable == "language");
                if value.chars().count() > limits::CALL_VARIABLE_CHARS_MAX {
                    let most = limits::CALL_VARIABLE_CHARS_MAX;
                    let detail = format!("a value has at most {most} characters");
                    self.faults.add(&at(place, "value"), "out_of_range", detail);
                }
            }
            Node::Consent { prompts, refuse_key, timeout_s, .. } => {
                self.prompts(place, prompts, true);
                if let Some(key) = refuse_key {
                    self.key(&at(place, "refuse_key"), *key);
                }
                self.range(&at(place, "timeout_s"), *timeout_s, 0, limits::FLOW_KEY_S_MAX);
            }
            Node::Queue { .. } => self.queue(place, node),
        }
    }

    fn collect(&mut self, place: &str, node: &Node) {
        let Node::Collect { prompts, variable, digits_min, digits_max, terminator, secret, .. } =
            node
        else {
            return;
        };
        self.prompts(place, prompts, true);
        self.variable(&at(place, "variable"), variable, false);
        if !secret && self.secrets.contains(variable.as_str()) {
            let detail = format!("`{variable}` is a secret elsewhere; choose another name");
            self.faults.add(&at(place, "variable"), "secret", detail);
        }
        let most = limits::COLLECT_DIGITS_MAX;
        self.range(&at(place, "digits_max"), u32::from(*digits_max), 1, u32::from(most));
        if digits_min > digits_max {
            let detail = "the fewest digits are more than the most; swap or change them";
            self.faults.add(&at(place, "digits_min"), "out_of_range", detail);
        }
        if !matches!(terminator, '*' | '#' | 'A'..='D') {
            let detail = "the key that ends the input is no digit; use # as a rule";
            self.faults.add(&at(place, "terminator"), "bad_key", detail);
        }
        if let Node::Collect { timeout_s, tries, .. } = node {
            self.asking(place, *timeout_s, *tries);
        }
    }

    fn queue(&mut self, place: &str, node: &Node) {
        let Node::Queue { queue, skills, priority, prompts, wait_s_max, .. } = node else { return };
        known("queue", queue, &self.names.queues, &at(place, "queue"), self.faults);
        self.prompts(place, prompts, false);
        self.range(&at(place, "wait_s_max"), *wait_s_max, 1, limits::FLOW_WAIT_S_MAX);
        if !limits::FLOW_PRIORITIES.contains(priority) {
            let detail = "a priority goes from -100 to 100, 0 as a rule";
            self.faults.add(&at(place, "priority"), "out_of_range", detail);
        }
        let place = at(place, "skills");
        if skills.len() > limits::SKILLS_MAX {
            let detail = format!("a contact may ask for {} skills", limits::SKILLS_MAX);
            self.faults.add(&place, "too_many", detail);
        }
        for (skill, level) in skills {
            let place = at(&place, skill);
            name_is_good(skill, &place, self.faults);
            self.range(&place, u32::from(*level), 1, u32::from(limits::PROFICIENCY_MAX));
        }
    }

    fn asking(&mut self, place: &str, timeout_s: u32, tries: u32) {
        self.range(&at(place, "timeout_s"), timeout_s, 1, limits::FLOW_KEY_S_MAX);
        self.range(&at(place, "tries"), tries, 1, limits::FLOW_TRIES_MAX);
    }

    fn prompts(&mut self, place: &str, prompts: &[String], must_speak: bool) {
        let place = at(place, "prompts");
        if must_speak && prompts.is_empty() {
            self.faults.add(&place, "empty", "the caller would hear nothing; name a prompt");
        }
        if prompts.len() > limits::PLAY_ITEMS_MAX {
            self.too_many_prompts(&place);
        }
        self.list(&place, prompts);
    }

    fn list(&mut self, place: &str, prompts: &[String]) {
        for (n, prompt) in prompts.iter().enumerate() {
            known("prompt", prompt, &self.names.prompts, &at(place, &n), self.faults);
        }
    }

    fn too_many_prompts(&mut self, place: &str) {
        let detail = format!("at most {} prompts are played in one go", limits::PLAY_ITEMS_MAX);
        self.faults.add(place, "too_many", detail);
    }

    fn key(&mut self, place: &str, key: char) {
        if !is_key(key) {
            self.faults.add(place, "bad_key", "a key is one of 0 to 9, *, # and A to D");
        }
    }

    fn range(&mut self, place: &str, value: u32, least: u32, most: u32) {
        if !(least..=most).contains(&value) {
            self.faults.add(place, "out_of_range", format!("this goes from {least} to {most}"));
        }
    }

    fn variable(&mut self, place: &str, name: &str, may_be_built_in: bool) {
        name_is_good(name, place, self.faults);
        if BUILT_IN.contains(&name) && !may_be_built_in {
            let detail = format!("`{name}` belongs to the call; choose another name");
            self.faults.add(place, "reserved_name", detail);
        }
    }

    fn condition(&mut self, place: &str, condition: &Condition) {
        match condition {
            Condition::Is { variable, .. } => self.compares(&at(place, "is"), variable),
            Condition::StartsWith { variable, .. } => {
                self.compares(&at(place, "starts_with"), variable);
            }
            Condition::Known { variable } => self.reads(&at(place, "known"), variable),
            Condition::All(inner) => self.conditions(&at(place, "all"), inner),
            Condition::Any(inner) => self.conditions(&at(place, "any"), inner),
            Condition::Not(inner) => self.condition(&at(place, "not"), inner),
        }
    }

    fn conditions(&mut self, place: &str, conditions: &[Condition]) {
        for (n, condition) in conditions.iter().enumerate() {
            self.condition(&at(place, &n), condition);
        }
    }

    fn compares(&mut self, place: &str, variable: &str) {
        self.reads(place, variable);
        if self.secrets.contains(variable) {
            let detail = format!("`{variable}` is a secret that no flow can read; ask `known`");
            self.faults.add(&at(place, "variable"), "secret", detail);
        }
    }

    fn reads(&mut self, place: &str, variable: &str) {
        let Some(variables) = &self.variables else { return };
        if !BUILT_IN.contains(&variable) && !variables.contains(variable) {
            let detail =
                format!("no node sets `{variable}`; collect or set it, or correct the name");
            self.faults.add(&at(place, "variable"), "unknown_variable", detail);
        }
    }
}

fn known(what: &str, name: &str, names: &BTreeSet<String>, place: &str, faults: &mut Faults) {
    let code = match what {
        "queue" => "unknown_queue",
        "calendar" => "unknown_calendar",
        _ => "unknown_prompt",
    };
    if !names.contains(name) {
        faults.add(
            place,
            code,
            format!("there is no {what} `{name}`; create it or choose another"),
        );
    }
}

fn name_is_good(name: &str, place: &str, faults: &mut Faults) {
    let length = name.chars().count();
    if length == 0 || length > limits::NAME_CHARS_MAX || name.chars().any(char::is_control) {
        let detail = format!("a name has 1 to {} printable characters", limits::NAME_CHARS_MAX);
        faults.add(place, "bad_name", detail);
    }
}
