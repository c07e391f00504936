//! Documents whose shape `model` owns, described for the OpenAPI document. `model` knows no
//! OpenAPI; a test holds these to it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Opening hours in a zone.
#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Calendar {
    name: String,
    /// IANA name of the zone; the company's when absent.
    zone: Option<String>,
    /// ISO weekday, `1` Monday to `7` Sunday, to its open intervals.
    week: BTreeMap<String, Vec<Interval>>,
    /// Civil date, as `2026-12-25`, to the intervals of that day; none means closed.
    #[serde(default)]
    exceptions: BTreeMap<String, Vec<Interval>>,
}

/// Open from the first minute after midnight until before the last.
#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Interval {
    from_min: u16,
    /// At most 1440.
    until_min: u16,
}

/// A flow document.
#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Flow {
    /// 1.
    schema: u32,
    /// The name of the first node.
    start: String,
    /// The nodes by name.
    nodes: BTreeMap<String, Node>,
}

/// One step of a flow. `next`, `otherwise` and the like name nodes; prompts, queues and calendars
/// are named as in the configuration. Times in seconds.
#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Node {
    /// Speak, then go on.
    Play { prompts: Vec<String>, next: String },
    /// Speak and take one key.
    Menu {
        prompts: Vec<String>,
        /// Key to choice.
        choices: BTreeMap<String, MenuChoice>,
        timeout_s: u32,
        tries: u32,
        /// Spoken after a key that is no choice.
        #[serde(default)]
        invalid: Vec<String>,
        otherwise: String,
    },
    /// Speak and take several keys into a variable.
    Collect {
        prompts: Vec<String>,
        variable: String,
        /// What the agent reads before the value.
        label: String,
        digits_min: u8,
        digits_max: u8,
        /// The key that ends the input early.
        terminator: String,
        timeout_s: u32,
        /// The digits are a secret: nobody sees which they are, only how many.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        secret: bool,
        tries: u32,
        next: String,
        otherwise: String,
    },
    /// Ask the opening hours.
    Hours { calendar: String, open: String, closed: String },
    /// Go where the first case that holds points.
    Branch { cases: Vec<Case>, otherwise: String },
    /// Put a fixed value into a variable.
    Set { variable: String, value: String, next: String },
    /// Say that the call is recorded and begin to record.
    Consent {
        prompts: Vec<String>,
        /// A key that refuses; none for a notice without choice.
        refuse_key: Option<String>,
        timeout_s: u32,
        next: String,
    },
    /// Wait for an agent.
    Queue {
        queue: String,
        /// Skills asked for beside the queue's own, with the least proficiency.
        #[serde(default)]
        skills: BTreeMap<String, u8>,
        /// Higher goes first, -100 to 100.
        #[serde(default)]
        priority: i32,
        #[serde(default)]
        prompts: Vec<String>,
        wait_s_max: u32,
        otherwise: String,
    },
    /// Speak and hang up.
    HangUp {
        #[serde(default)]
        prompts: Vec<String>,
    },
}

/// One choice of a menu.
#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MenuChoice {
    /// What the agent reads.
    label: String,
    next: String,
}

/// One case of a branch.
#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    when: Condition,
    next: String,
}

/// A condition over the variables of a call.
#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schema(no_recursion)]
pub(crate) enum Condition {
    /// The variable has this value.
    Is { variable: String, value: String },
    /// The variable begins with this value.
    StartsWith { variable: String, value: String },
    /// The variable is not empty.
    Known { variable: String },
    /// All hold.
    All(Vec<Condition>),
    /// At least one holds.
    Any(Vec<Condition>),
    /// It does not hold.
    Not(Box<Condition>),
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// The same document read by both and written again.
    fn same<M, S>(document: &Value)
    where
        M: Serialize + for<'de> Deserialize<'de>,
        S: Serialize + for<'de> Deserialize<'de>,
    {
        let model: M = serde_json::from_value(document.clone()).expect("the model reads it");
        let shape: S = serde_json::from_value(document.clone()).expect("the shape reads it");
        assert_eq!(serde_json::to_value(model).unwrap(), *document);
        assert_eq!(serde_json::to_value(shape).unwrap(), *document);
    }

    #[test]
    fn calendars_and_flows_are_described_as_they_are() {
        same::<model::config::Calendar, Calendar>(&json!({
            "name": "Office", "zone": null, "week": {"1": [{"from_min": 480, "until_min": 1080}]},
            "exceptions": {"2026-12-25": []},
        }));
        let is = json!({"is": {"variable": "language", "value": "fa"}});
        let starts = json!({"starts_with": {"variable": "caller", "value": "+30"}});
        let when = json!({"all": [is, {"any": [starts]}, {"not": {"known": {"variable": "x"}}}]});
        let nodes = json!({
            "a": {"type": "play", "prompts": ["p"], "next": "b"},
            "b": {"type": "menu", "prompts": [], "choices": {"1": {"label": "l", "next": "c"}},
                "timeout_s": 5, "tries": 3, "invalid": [], "otherwise": "i"},
            "c": {"type": "collect", "prompts": [], "variable": "v", "label": "l",
                "digits_min": 1, "digits_max": 5, "terminator": "#", "timeout_s": 5, "tries": 3,
                "next": "d", "otherwise": "i"},
            "pin": {"type": "collect", "prompts": [], "variable": "v", "label": "l",
                "digits_min": 4, "digits_max": 8, "terminator": "#", "timeout_s": 5,
                "secret": true, "tries": 3, "next": "d", "otherwise": "i"},
            "d": {"type": "hours", "calendar": "Office", "open": "e", "closed": "i"},
            "e": {"type": "branch", "cases": [{"when": when, "next": "f"}], "otherwise": "i"},
            "f": {"type": "set", "variable": "language", "value": "en", "next": "g"},
            "g": {"type": "consent", "prompts": [], "refuse_key": "9", "timeout_s": 2, "next": "h"},
            "h": {"type": "queue", "queue": "Sales", "skills": {"x": 2}, "priority": 1,
                "prompts": [], "wait_s_max": 600, "otherwise": "i"},
            "i": {"type": "hang_up", "prompts": []},
        });
        same::<model::flow::Flow, Flow>(&json!({"schema": 1, "start": "a", "nodes": nodes}));
    }
}
