//! Checks a flow document and names the place of every fault.
//!
//! Invariant: a document without a fault cannot stop a call with a fault of the house.
//!
//! Three passes, each of which goes on where it can: `tree` reads JSON and sees what serde would
//! swallow, `shape` looks at fields and types, `meaning` at names, limits and the ways through.

mod meaning;
mod shape;
mod tree;
mod ways;

use std::collections::{BTreeMap, BTreeSet};

use model::TenantConfig;
use model::flow::{FLOW_SCHEMA, Flow, Node};
use model::limits;
use serde::Serialize;

use tree::Tree;

/// One fault of a document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct FlowFault {
    /// JSON pointer (RFC 6901) to the place.
    pub pointer: String,
    /// The stable code.
    pub code: &'static str,
    /// A plain sentence that says what to do.
    pub detail: String,
}

/// The names a flow may use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// Names of queues.
    pub queues: BTreeSet<String>,
    /// Names of prompts.
    pub prompts: BTreeSet<String>,
    /// Names of calendars.
    pub calendars: BTreeSet<String>,
}

impl Names {
    /// The names of a configuration.
    #[must_use]
    pub fn of(config: &TenantConfig) -> Self {
        Self {
            queues: config.queues.values().map(|queue| queue.name.clone()).collect(),
            prompts: config.prompts.values().map(|prompt| prompt.name.clone()).collect(),
            calendars: config.calendars.values().map(|calendar| calendar.name.clone()).collect(),
        }
    }
}

/// Faults as they are found.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<FlowFault>);

impl Faults {
    pub(crate) fn add(&mut self, pointer: &str, code: &'static str, detail: impl Into<String>) {
        self.0.push(FlowFault { pointer: pointer.to_owned(), code, detail: detail.into() });
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

/// Reads and checks a document.
///
/// # Errors
///
/// Every fault that was found, in the order of the pointers.
pub fn check(document: &str, names: &Names) -> Result<Flow, Vec<FlowFault>> {
    let mut faults = Faults::default();
    let flow = read(document, names, &mut faults);
    match flow {
        Some(flow) if faults.0.is_empty() => Ok(flow),
        _ => {
            faults.0.sort();
            faults.0.dedup();
            Err(faults.0)
        }
    }
}

fn read(document: &str, names: &Names, faults: &mut Faults) -> Option<Flow> {
    if document.len() > limits::FLOW_BYTES_MAX {
        let most = limits::FLOW_BYTES_MAX / 1_024;
        faults.add("", "too_big", format!("a flow may have {most} KiB; split it into two"));
        return None;
    }
    let tree: Tree = match serde_json::from_str(document) {
        Ok(tree) => tree,
        Err(error) => {
            faults.add("", "syntax", format!("this is not JSON: {error}"));
            return None;
        }
    };
    tree.find_duplicates("", faults);
    let (schema, start, trees) = shape::document(&tree, faults)?;
    if schema != u64::from(FLOW_SCHEMA) {
        let detail = format!("this build reads schema {FLOW_SCHEMA}; export the flow anew");
        faults.add("/schema", "unknown_schema", detail);
    }
    if trees.is_empty() || trees.len() > limits::FLOW_NODES_MAX {
        let detail = format!("a flow has 1 to {} nodes", limits::FLOW_NODES_MAX);
        faults.add("/nodes", "too_many", detail);
    }
    let declared: BTreeSet<&str> = trees.iter().map(|(name, _)| name.as_str()).collect();
    if !declared.contains(start) {
        faults.add("/start", "unknown_node", unknown_node(start));
    }
    let nodes = read_nodes(trees, faults);
    meaning::check(&nodes, &declared, names, faults);
    // Ways are only known when every node could be read.
    if nodes.len() == declared.len() && declared.contains(start) {
        ways::check(start, &nodes, faults);
    }
    Some(Flow { schema: FLOW_SCHEMA, start: start.to_owned(), nodes })
}

fn read_nodes(trees: &[(String, Tree)], faults: &mut Faults) -> BTreeMap<String, Node> {
    let mut nodes = BTreeMap::new();
    for (name, tree) in trees {
        let pointer = at("/nodes", name);
        let mut own = Faults::default();
        shape::node(tree, &pointer, &mut own);
        // What stands twice is two things: which of them was meant, nobody can say.
        tree.find_duplicates(&pointer, &mut own);
        if own.len() > 0 {
            faults.0.extend(own.0);
            continue;
        }
        match serde_json::from_value(tree.to_value()) {
            Ok(node) => {
                nodes.insert(name.clone(), node);
            }
            Err(error) => faults.add(&pointer, "wrong_type", error.to_string()),
        }
    }
    nodes
}

/// The pointer of a member (RFC 6901 section 3: `~` is written `~0`, `/` is written `~1`).
pub(crate) fn at(pointer: &str, member: &(impl ToString + ?Sized)) -> String {
    let member = member.to_string().replace('~', "~0").replace('/', "~1");
    format!("{pointer}/{member}")
}

pub(crate) fn unknown_node(name: &str) -> String {
    format!("there is no node `{name}`; add it or point to another one")
}
