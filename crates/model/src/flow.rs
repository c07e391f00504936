//! A call flow as a document: nodes by name, each with what the caller hears and where to go next.
//!
//! The interpreter and the checker live in `floor::flow`. A call finishes on the version it began.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The schema number that this build writes and reads.
pub const FLOW_SCHEMA: u32 = 1;

/// A flow document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flow {
    /// [`FLOW_SCHEMA`].
    pub schema: u32,
    /// The name of the first node.
    pub start: String,
    /// The nodes by name.
    pub nodes: BTreeMap<String, Node>,
}

/// One node. Names of prompts, queues and calendars are those of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Node {
    /// Speak, then go on.
    Play {
        /// Prompts, one after the other.
        prompts: Vec<String>,
        /// The next node.
        next: String,
    },
    /// Speak and take one key. A key during the prompt cuts it short.
    Menu {
        /// Prompts, one after the other.
        prompts: Vec<String>,
        /// Key to choice.
        choices: BTreeMap<char, Choice>,
        /// Seconds to wait after the prompt.
        timeout_s: u32,
        /// How often the menu is spoken before it gives up.
        tries: u32,
        /// Spoken after a key that is no choice.
        #[serde(default)]
        invalid: Vec<String>,
        /// Where to go when all tries are used.
        otherwise: String,
    },
    /// Speak and take several keys into a variable.
    Collect {
        /// Prompts, one after the other.
        prompts: Vec<String>,
        /// The variable that takes the digits.
        variable: String,
        /// What the agent reads before the value: "Order number".
        label: String,
        /// Fewest digits that count.
        digits_min: u8,
        /// Most digits; the last one ends the input.
        digits_max: u8,
        /// The key that ends the input early, `#` as a rule.
        terminator: char,
        /// Seconds between keys.
        timeout_s: u32,
        /// The digits are a secret (a PIN, a card): the floor, the record and the agent see how
        /// many there are, never which.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        secret: bool,
        /// How often it asks.
        tries: u32,
        /// The next node.
        next: String,
        /// Where to go when all tries are used.
        otherwise: String,
    },
    /// Ask the opening hours.
    Hours {
        /// The name of the calendar.
        calendar: String,
        /// Where to go while open.
        open: String,
        /// Where to go otherwise.
        closed: String,
    },
    /// Go where the first case that holds points.
    Branch {
        /// Tried in order.
        cases: Vec<Case>,
        /// Where to go if none holds.
        otherwise: String,
    },
    /// Put a fixed value into a variable. `language` changes the language of the call.
    Set {
        /// The variable.
        variable: String,
        /// The value.
        value: String,
        /// The next node.
        next: String,
    },
    /// Say that the call is recorded and begin to record.
    Consent {
        /// Prompts that say so.
        prompts: Vec<String>,
        /// A key that refuses, or `None` for a notice without choice.
        refuse_key: Option<char>,
        /// Seconds to wait for that key after the prompt.
        timeout_s: u32,
        /// The next node, whatever was chosen.
        next: String,
    },
    /// Wait for an agent.
    Queue {
        /// The name of the queue.
        queue: String,
        /// Skills asked for beside the queue's own, with the least proficiency.
        #[serde(default)]
        skills: BTreeMap<String, u8>,
        /// Higher goes first. 0 as a rule, -100 to 100.
        #[serde(default)]
        priority: i32,
        /// Spoken before the music begins.
        #[serde(default)]
        prompts: Vec<String>,
        /// Longest wait in seconds, then `otherwise`.
        wait_s_max: u32,
        /// Where to go after the longest wait or when the queue is full.
        otherwise: String,
    },
    /// Speak and hang up.
    HangUp {
        /// Prompts, may be none.
        #[serde(default)]
        prompts: Vec<String>,
    },
}

/// One choice of a menu.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// What the agent reads: "Where is my repair?".
    pub label: String,
    /// The next node.
    pub next: String,
}

/// One case of a branch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The condition.
    pub when: Condition,
    /// The next node.
    pub next: String,
}

/// A condition over the variables of a call.
///
/// Every call has `caller` (the number, may be empty), `dialled`, `language` and `consent`
/// (`unasked`, `given`, `refused`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Condition {
    /// The variable has this value.
    Is {
        /// Variable.
        variable: String,
        /// Value, compared exactly.
        value: String,
    },
    /// The variable begins with this value.
    StartsWith {
        /// Variable.
        variable: String,
        /// Its beginning.
        value: String,
    },
    /// The variable is not empty.
    Known {
        /// Variable.
        variable: String,
    },
    /// All hold. Depth of nesting at most 8.
    All(Vec<Condition>),
    /// At least one holds.
    Any(Vec<Condition>),
    /// It does not hold.
    Not(Box<Condition>),
}
