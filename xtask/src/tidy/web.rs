//! Rules for the screens: right-to-left works because nothing is said physically, and every
//! message exists in every language with the same placeholders.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Faults;
use super::scrub::is_word;
use crate::tree::Tree;

/// Utility classes that name a side. Followed by a value.
const SIDED: &[&str] = &[
    "ml-",
    "mr-",
    "pl-",
    "pr-",
    "left-",
    "right-",
    "border-l-",
    "border-r-",
    "rounded-l-",
    "rounded-r-",
    "rounded-tl-",
    "rounded-tr-",
    "rounded-bl-",
    "rounded-br-",
    "scroll-ml-",
    "scroll-mr-",
    "scroll-pl-",
    "scroll-pr-",
];

/// Utility classes and properties that are whole words.
const WHOLE: &[&str] = &[
    "text-left",
    "text-right",
    "float-left",
    "float-right",
    "clear-left",
    "clear-right",
    "border-l",
    "border-r",
    "rounded-l",
    "rounded-r",
    "margin-left",
    "margin-right",
    "padding-left",
    "padding-right",
    "border-left",
    "border-right",
    "origin-left",
    "origin-right",
];

/// No physical side in classes or styles.
pub(super) fn physical(tree: &Tree, faults: &mut Faults) {
    for (path, text) in tree.texts("web/src/", &[".svelte", ".css", ".html", ".ts"]) {
        let lines = text.lines().enumerate().filter(|(_, line)| !faults.allowed(line));
        let found: Vec<(usize, &str)> =
            lines.flat_map(|(number, line)| sides(line).map(move |side| (number, side))).collect();
        for (number, side) in found {
            let what = format!("{side} names a side: use start and end");
            faults.add(path, number + 1, what);
        }
        if path.ends_with(".css") {
            for (number, line) in text.lines().enumerate() {
                let property = line.trim_start();
                if property.starts_with("left:") || property.starts_with("right:") {
                    faults.add(path, number + 1, "use inset-inline-start and inset-inline-end");
                }
            }
        }
    }
}

/// The sided words of a line.
fn sides(line: &str) -> impl Iterator<Item = &'static str> + '_ {
    let stands = |word: &'static str, value: bool| {
        line.match_indices(word).any(|(at, _)| {
            let before = &line[..at];
            // `-ml-2` is the negative margin; `x-ml-2` some other word.
            let before = before.strip_suffix('-').unwrap_or(before).chars().next_back();
            let after = line[at + word.len()..].chars().next();
            let starts = !before.is_some_and(|c| is_word(c) || c == '-');
            let goes_on = after.is_some_and(|c| is_word(c) || c == '[' || c == '(');
            let ends = !after.is_some_and(|c| is_word(c) || c == '-');
            starts && if value { goes_on } else { ends }
        })
    };
    let sided = SIDED.iter().copied().filter(move |word| stands(word, true));
    sided.chain(WHOLE.iter().copied().filter(move |word| stands(word, false)))
}

/// Every language has every message, with the same placeholders.
pub(super) fn messages(tree: &Tree, faults: &mut Faults) {
    let mut languages: BTreeMap<&str, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for (path, text) in tree.texts("web/messages/", &[".json"]) {
        match serde_json::from_str::<Value>(text) {
            Ok(value) => {
                let mut keys = BTreeMap::new();
                collect(&value, "", &mut keys);
                languages.insert(path, keys);
            }
            Err(error) => faults.add(path, error.line(), format!("cannot be read: {error}")),
        }
    }
    let all: BTreeMap<&String, &BTreeSet<String>> =
        languages.values().rev().flat_map(|keys| keys.iter()).collect();
    for (path, keys) in &languages {
        for (key, placeholders) in &all {
            match keys.get(*key) {
                None => faults.add(path, 0, format!("message {key} is missing")),
                Some(own) if own != *placeholders => {
                    faults.add(path, 0, format!("message {key} has other placeholders"));
                }
                Some(_) => {}
            }
        }
    }
}

/// Keys of a message file, joined by dots, with the placeholders of plain texts. A list holds the
/// variants of one message; how many there are is the language's own affair.
fn collect(value: &Value, prefix: &str, keys: &mut BTreeMap<String, BTreeSet<String>>) {
    let Value::Object(entries) = value else { return };
    for (name, value) in entries.iter().filter(|(name, _)| !name.starts_with('$')) {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match value {
            Value::Object(_) => collect(value, &key, keys),
            Value::String(text) => drop(keys.insert(key, placeholders(text))),
            _ => drop(keys.insert(key, BTreeSet::new())),
        }
    }
}

/// The names in `{braces}`.
fn placeholders(text: &str) -> BTreeSet<String> {
    text.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::faults;

    #[test]
    fn no_side_is_named() {
        for bad in [
            "<p class=\"ml-2\">",
            "class='md:-mr-[3px]'",
            "<i class=\"text-left\">",
            "margin-left: 2px;",
            "class=\"absolute right-0\"",
            "class=\"border-l\"",
        ] {
            assert_eq!(faults("physical", &[("web/src/a.svelte", bad)]).len(), 1, "{bad}");
        }
        for good in [
            "<p class=\"ms-2 pe-4 text-start border-s rounded-s start-0\">",
            "aria-label={m.right_side()} html-left",
            "const left = box.left - 1;",
            "<b class=\"ml-2\"> <!-- tidy: allow(physical) the waveform runs with time -->",
        ] {
            assert!(faults("physical", &[("web/src/a.svelte", good)]).is_empty(), "{good}");
        }
        assert_eq!(faults("physical", &[("web/src/a.css", "  left: 0;")]).len(), 1);
    }

    #[test]
    fn languages_say_the_same() {
        let check = |other: &str| {
            let first = "{\"$schema\":\"x\",\"hello\":\"Hello {name}\",\"desk\":{\"bye\":\"Bye\"}}";
            let files = [("web/messages/en.json", first), ("web/messages/fa.json", other)];
            faults("messages", &files)
        };
        assert!(check("{\"hello\":\"سلام {name}\",\"desk\":{\"bye\":\"x\"}}").is_empty());
        assert!(check("{\"hello\":\"سلام {name}\"}")[0].contains("desk.bye is missing"));
        assert!(check("{\"hello\":\"سلام\",\"desk\":{\"bye\":\"x\"}}")[0].contains("placeholders"));
        let extra = check("{\"more\":\"x\",\"hello\":\"{name}\",\"desk\":{\"bye\":\"x\"}}");
        assert!(extra[0].starts_with("web/messages/en.json: message more is missing"));
        assert_eq!(check("{").len(), 1);
    }
}
