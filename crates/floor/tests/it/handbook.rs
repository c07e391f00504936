//! The flow of the handbook is one that can be published, and the page shows the same one.

use std::collections::BTreeSet;
use std::path::PathBuf;

use floor::flow::{Names, check};
use model::flow::{Condition, Flow, Node};
use serde_json::Value;

fn text(path: &str) -> String {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::fs::read_to_string(root.join(path)).unwrap()
}

fn example() -> String {
    text("web/src/lib/features/admin/flow-example.json")
}

fn flow() -> Flow {
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let names = Names {
        queues: set(&["Sales", "Repairs"]),
        prompts: set(&[
            "welcome",
            "recording_notice",
            "main_menu",
            "invalid",
            "order_number",
            "customer_pin",
            "please_wait",
            "too_busy",
            "closed",
        ]),
        calendars: set(&["Office"]),
    };
    check(&example(), &names).unwrap()
}

#[test]
fn the_page_and_the_editor_show_the_same_flow() {
    let page = text("docs/handbook/flows.md");
    let blocks: Vec<&str> = page.split("```json\n").skip(1).collect();
    let [block] = blocks.as_slice() else { panic!("the page has one json block") };
    let (block, _) = block.split_once("```").unwrap();
    let shown: Value = serde_json::from_str(block).unwrap();
    assert_eq!(shown, serde_json::from_str::<Value>(&example()).unwrap());
}

/// A type of node; one more in the model does not compile until it is known here.
fn kind(node: &Node) -> &'static str {
    match node {
        Node::Play { .. } => "play",
        Node::Menu { .. } => "menu",
        Node::Collect { secret: false, .. } => "collect",
        Node::Collect { secret: true, .. } => "collect secret",
        Node::Hours { .. } => "hours",
        Node::Branch { .. } => "branch",
        Node::Set { .. } => "set",
        Node::Consent { .. } => "consent",
        Node::Queue { .. } => "queue",
        Node::HangUp { .. } => "hang_up",
    }
}

fn conditions(condition: &Condition, seen: &mut BTreeSet<&'static str>) {
    match condition {
        Condition::Is { .. } => _ = seen.insert("is"),
        Condition::StartsWith { .. } => _ = seen.insert("starts_with"),
        Condition::Known { .. } => _ = seen.insert("known"),
        Condition::All(inner) => {
            seen.insert("all");
            inner.iter().for_each(|one| conditions(one, seen));
        }
        Condition::Any(inner) => {
            seen.insert("any");
            inner.iter().for_each(|one| conditions(one, seen));
        }
        Condition::Not(inner) => {
            seen.insert("not");
            conditions(inner, seen);
        }
    }
}

#[test]
fn it_has_every_type_of_node_and_every_kind_of_condition() {
    let flow = flow();
    let kinds: BTreeSet<_> = flow.nodes.values().map(kind).collect();
    assert_eq!(kinds.len(), 10, "{kinds:?}");
    let mut seen = BTreeSet::new();
    for node in flow.nodes.values() {
        if let Node::Branch { cases, .. } = node {
            cases.iter().for_each(|case| conditions(&case.when, &mut seen));
        }
    }
    assert_eq!(seen.len(), 6, "{seen:?}");
}

#[test]
fn the_page_tells_every_type_of_node() {
    let page = text("docs/handbook/flows.md");
    for node in flow().nodes.values() {
        let kind = kind(node).split(' ').next().unwrap();
        assert!(page.contains(&format!("### `{kind}`:")), "{kind}");
    }
}
