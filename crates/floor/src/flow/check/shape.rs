//! Fields and types of a document, from one table per kind of node.
//!
//! Invariant: what passes here can be read as `model::flow::Node`.

use super::tree::Tree;
use super::{Faults, at};
use model::limits;

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Texts,
    /// A whole number from 0 to the one given.
    Whole(u64),
    /// A whole number that may be negative.
    Signed,
    Flag,
    Key,
    KeyOrNull,
    Choices,
    Skills,
    Cases,
}

/// A field: its name, what it holds, whether it must be there.
type Field = (&'static str, Kind, bool);

const CHOICE: &[Field] = &[("label", Kind::Text, true), ("next", Kind::Text, true)];
const COMPARISON: &[Field] = &[("variable", Kind::Text, true), ("value", Kind::Text, true)];
const KNOWN: &[Field] = &[("variable", Kind::Text, true)];

const U32: Kind = Kind::Whole(u32::MAX as u64);
const U8: Kind = Kind::Whole(u8::MAX as u64);

fn fields(kind: &str) -> Option<&'static [Field]> {
    Some(match kind {
        "play" => &[("prompts", Kind::Texts, true), ("next", Kind::Text, true)],
        "menu" => &[
            ("prompts", Kind::Texts, true),
            ("choices", Kind::Choices, true),
            ("timeout_s", U32, true),
            ("tries", U32, true),
            ("invalid", Kind::Texts, false),
            ("otherwise", Kind::Text, true),
        ],
        "collect" => &[
            ("prompts", Kind::Texts, true),
            ("variable", Kind::Text, true),
            ("label", Kind::Text, true),
            ("digits_min", U8, true),
            ("digits_max", U8, true),
            ("terminator", Kind::Key, true),
            ("timeout_s", U32, true),
            ("secret", Kind::Flag, false),
            ("tries", U32, true),
            ("next", Kind::Text, true),
            ("otherwise", Kind::Text, true),
        ],
        "hours" => &[
            ("calendar", Kind::Text, true),
            ("open", Kind::Text, true),
            ("closed", Kind::Text, true),
        ],
        "branch" => &[("cases", Kind::Cases, true), ("otherwise", Kind::Text, true)],
        "set" => &[
            ("variable", Kind::Text, true),
            ("value", Kind::Text, true),
            ("next", Kind::Text, true),
        ],
        "consent" => &[
            ("prompts", Kind::Texts, true),
            ("refuse_key", Kind::KeyOrNull, false),
            ("timeout_s", U32, true),
            ("next", Kind::Text, true),
        ],
        "queue" => &[
            ("queue", Kind::Text, true),
            ("skills", Kind::Skills, false),
            ("priority", Kind::Signed, false),
            ("prompts", Kind::Texts, false),
            ("wait_s_max", U32, true),
            ("otherwise", Kind::Text, true),
        ],
        "hang_up" => &[("prompts", Kind::Texts, false)],
        _ => return None,
    })
}

/// The parts of a document: schema, start and the nodes as they were written.
pub(crate) type Parts<'a> = (u64, &'a str, &'a [(String, Tree)]);

/// Reads the outermost object.
pub(crate) fn document<'a>(tree: &'a Tree, faults: &mut Faults) -> Option<Parts<'a>> {
    let members = object(tree, "", faults)?;
    let (mut schema, mut start, mut nodes) = (None, None, None);
    for (name, member) in members {
        let place = at("", name);
        match (name.as_str(), member) {
            ("schema", Tree::Number(number)) => schema = number.as_u64(),
            ("start", Tree::Text(text)) => start = Some(text.as_str()),
            ("nodes", Tree::Object(members)) => nodes = Some(members.as_slice()),
            ("schema", _) => wrong(&place, "a whole number", faults),
            ("start", _) => wrong(&place, "the name of a node", faults),
            ("nodes", _) => wrong(&place, "an object of nodes by name", faults),
            _ => unknown(&place, name, faults),
        }
    }
    for name in ["schema", "start", "nodes"] {
        if !members.iter().any(|(known, _)| known == name) {
            missing(&at("", name), name, faults);
        }
    }
    Some((schema?, start?, nodes?))
}

/// Checks one node.
pub(crate) fn node(tree: &Tree, pointer: &str, faults: &mut Faults) {
    let Some(members) = object(tree, pointer, faults) else { return };
    let place = at(pointer, "type");
    let Some((_, kind)) = members.iter().find(|(name, _)| name == "type") else {
        return missing(&place, "type", faults);
    };
    let Tree::Text(kind) = kind else { return wrong(&place, "the kind of the node", faults) };
    let Some(table) = fields(kind) else {
        let detail = format!(
            "there is no node of type `{kind}`; choose play, menu, collect, hours, branch, set, \
             consent, queue or hang_up"
        );
        return faults.add(&place, "unknown_type", detail);
    };
    check_fields(members, table, &["type"], pointer, faults);
}

fn check_fields(
    members: &[(String, Tree)],
    table: &[Field],
    also: &[&str],
    pointer: &str,
    faults: &mut Faults,
) {
    for (name, member) in members {
        let place = at(pointer, name);
        match table.iter().find(|(known, ..)| known == name) {
            Some((_, kind, _)) => value(member, *kind, &place, faults),
            None if also.contains(&name.as_str()) => {}
            None => unknown(&place, name, faults),
        }
    }
    for (name, _, is_required) in table {
        if *is_required && !members.iter().any(|(known, _)| known == name) {
            missing(&at(pointer, name), name, faults);
        }
    }
}

fn value(tree: &Tree, kind: Kind, pointer: &str, faults: &mut Faults) {
    match kind {
        Kind::Text => {
            if !matches!(tree, Tree::Text(_)) {
                wrong(pointer, "a text", faults);
            }
        }
        Kind::Texts => {
            let Tree::List(items) = tree else { return wrong(pointer, "a list of texts", faults) };
            for (n, item) in items.iter().enumerate() {
                value(item, Kind::Text, &at(pointer, &n), faults);
            }
        }
        Kind::Whole(most) => {
            let fits = matches!(tree, Tree::Number(n) if n.as_u64().is_some_and(|n| n <= most));
            if !fits {
                wrong(pointer, &format!("a whole number from 0 to {most}"), faults);
            }
        }
        Kind::Signed => {
            let fits = matches!(tree, Tree::Number(n)
                if n.as_i64().is_some_and(|n| i32::try_from(n).is_ok()));
            if !fits {
                wrong(pointer, "a whole number", faults);
            }
        }
        Kind::Flag => {
            if !matches!(tree, Tree::Bool(_)) {
                wrong(pointer, "true or false", faults);
            }
        }
        Kind::KeyOrNull if *tree == Tree::Null => {}
        Kind::Key | Kind::KeyOrNull => {
            if !matches!(tree, Tree::Text(text) if text.chars().count() == 1) {
                wrong(pointer, "one key of the telephone, as in \"1\"", faults);
            }
        }
        Kind::Choices => choices(tree, pointer, faults),
        Kind::Skills => {
            for (name, level) in object(tree, pointer, faults).unwrap_or_default() {
                value(level, U8, &at(pointer, name), faults);
            }
        }
        Kind::Cases => cases(tree, pointer, faults),
    }
}

fn choices(tree: &Tree, pointer: &str, faults: &mut Faults) {
    for (key, choice) in object(tree, pointer, faults).unwrap_or_default() {
        let place = at(pointer, key);
        if key.chars().count() != 1 {
            faults.add(&place, "bad_key", "a choice is one key: 0 to 9, *, # or A to D");
        }
        if let Some(members) = object(choice, &place, faults) {
            check_fields(members, CHOICE, &[], &place, faults);
        }
    }
}

fn cases(tree: &Tree, pointer: &str, faults: &mut Faults) {
    let Tree::List(items) = tree else { return wrong(pointer, "a list of cases", faults) };
    for (n, case) in items.iter().enumerate() {
        let place = at(pointer, &n);
        let Some(members) = object(case, &place, faults) else { continue };
        check_fields(members, &[("next", Kind::Text, true)], &["when"], &place, faults);
        match members.iter().find(|(name, _)| name == "when") {
            Some((_, when)) => condition(when, &at(&place, "when"), 1, faults),
            None => missing(&at(&place, "when"), "when", faults),
        }
    }
}

fn condition(tree: &Tree, pointer: &str, depth: usize, faults: &mut Faults) {
    if depth > limits::FLOW_CONDITION_DEPTH_MAX {
        let detail = format!(
            "conditions nest at most {} deep; use more nodes",
            limits::FLOW_CONDITION_DEPTH_MAX
        );
        return faults.add(pointer, "too_deep", detail);
    }
    let Some(members) = object(tree, pointer, faults) else { return };
    let [(kind, inner)] = members else {
        return wrong(
            pointer,
            "one condition, as in {\"known\": {\"variable\": \"order\"}}",
            faults,
        );
    };
    let place = at(pointer, kind);
    match kind.as_str() {
        "is" | "starts_with" | "known" => {
            let table = if kind == "known" { KNOWN } else { COMPARISON };
            if let Some(members) = object(inner, &place, faults) {
                check_fields(members, table, &[], &place, faults);
            }
        }
        "all" | "any" => {
            let Tree::List(items) = inner else {
                return wrong(&place, "a list of conditions", faults);
            };
            for (n, item) in items.iter().enumerate() {
                condition(item, &at(&place, &n), depth + 1, faults);
            }
        }
        "not" => condition(inner, &place, depth + 1, faults),
        _ => {
            let detail =
                format!("`{kind}` is no condition; use is, starts_with, known, all, any or not");
            faults.add(&place, "unknown_type", detail);
        }
    }
}

fn object<'a>(tree: &'a Tree, pointer: &str, faults: &mut Faults) -> Option<&'a [(String, Tree)]> {
    if let Tree::Object(members) = tree {
        return Some(members);
    }
    wrong(pointer, "an object", faults);
    None
}

fn wrong(pointer: &str, expected: &str, faults: &mut Faults) {
    faults.add(pointer, "wrong_type", format!("this must be {expected}"));
}

fn unknown(pointer: &str, name: &str, faults: &mut Faults) {
    faults.add(pointer, "unknown_field", format!("`{name}` means nothing here; remove it"));
}

fn missing(pointer: &str, name: &str, faults: &mut Faults) {
    faults.add(pointer, "missing_field", format!("`{name}` is missing; add it"));
}
