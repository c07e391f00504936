//! The ways through a flow: what cannot be reached, and circles that never wait.
//!
//! Invariant: on a way without a fault the caller is spoken to or asked before a node comes again.

use std::collections::{BTreeMap, BTreeSet};

use model::flow::Node;

use super::{Faults, at};

/// Where a node leads, each with the pointer below the node.
pub(crate) fn targets(node: &Node) -> Vec<(String, &str)> {
    let one = |field: &str, target| (format!("/{field}"), target);
    match node {
        Node::Play { next, .. } | Node::Set { next, .. } | Node::Consent { next, .. } => {
            vec![one("next", next.as_str())]
        }
        Node::Menu { choices, otherwise, .. } => {
            let choices = choices.iter();
            let mut targets: Vec<_> = choices
                .map(|(key, choice)| (at("/choices", key) + "/next", choice.next.as_str()))
                .collect();
            targets.push(one("otherwise", otherwise));
            targets
        }
        Node::Collect { next, otherwise, .. } => {
            vec![one("next", next.as_str()), one("otherwise", otherwise)]
        }
        Node::Hours { open, closed, .. } => vec![one("open", open.as_str()), one("closed", closed)],
        Node::Branch { cases, otherwise } => {
            let cases = cases.iter().enumerate();
            let mut targets: Vec<_> =
                cases.map(|(n, case)| (format!("/cases/{n}/next"), case.next.as_str())).collect();
            targets.push(one("otherwise", otherwise));
            targets
        }
        Node::Queue { otherwise, .. } => vec![one("otherwise", otherwise.as_str())],
        Node::HangUp { .. } => Vec::new(),
    }
}

pub(crate) fn check(start: &str, nodes: &BTreeMap<String, Node>, faults: &mut Faults) {
    let mut reached = BTreeSet::new();
    let mut open = vec![start];
    while let Some(name) = open.pop() {
        if reached.insert(name)
            && let Some(node) = nodes.get(name)
        {
            open.extend(targets(node).into_iter().map(|(_, target)| target));
        }
    }
    for name in nodes.keys().filter(|name| !reached.contains(name.as_str())) {
        let detail = "no way leads here; point a node to it or remove it";
        faults.add(&at("/nodes", name), "unreachable", detail);
    }
    for name in circles(nodes) {
        let detail = "from here the flow comes back without asking or speaking; break the circle \
                      with a prompt, a menu or a hang_up";
        faults.add(&at("/nodes", name), "endless", detail);
    }
}

/// Whether every call that passes the node waits for time or for the caller. A queue does not
/// count: when it is full the call goes on at once.
fn waits(node: &Node) -> bool {
    match node {
        Node::Play { .. } | Node::Menu { .. } | Node::Collect { .. } | Node::Consent { .. } => true,
        Node::Hours { .. }
        | Node::Branch { .. }
        | Node::Set { .. }
        | Node::Queue { .. }
        | Node::HangUp { .. } => false,
    }
}

/// Nodes that can be left for good only by waiting nowhere: what remains when nodes without a way
/// into the remainder, and waiting ones, are taken away again and again.
fn circles(nodes: &BTreeMap<String, Node>) -> BTreeSet<&str> {
    let mut ways: BTreeMap<&str, BTreeSet<&str>> = nodes
        .iter()
        .filter(|(_, node)| !waits(node))
        .map(|(name, node)| {
            (name.as_str(), targets(node).into_iter().map(|(_, target)| target).collect())
        })
        .collect();
    loop {
        let left: BTreeSet<&str> = ways.keys().copied().collect();
        let led_to: BTreeSet<&str> = ways.values().flatten().copied().collect();
        ways.retain(|name, targets| {
            led_to.contains(name) && targets.iter().any(|target| left.contains(target))
        });
        if ways.len() == left.len() {
            return left;
        }
    }
}
