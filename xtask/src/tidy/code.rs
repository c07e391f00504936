//! Rules for source files: purity, module docs, sizes, names, nothing unfinished.
//!
//! Functions are left to clippy, indentation to rustfmt.

use super::scrub::{is_word, scrub};
use super::{Faults, layers};
use crate::tree::Tree;

const LINES_MAX: usize = 800;
const COLUMNS_MAX: usize = 100;

/// What a pure crate may not name, and what to do instead.
const BANNED: &[(&str, &str)] = &[
    ("Instant::now", "time is an input"),
    ("SystemTime", "time is an input"),
    ("tokio", "effects are returned, not performed"),
    ("async", "effects are returned, not performed"),
    ("await", "effects are returned, not performed"),
    ("HashMap", "order must not depend on a hash: BTreeMap"),
    ("HashSet", "order must not depend on a hash: BTreeSet"),
    ("std::fs", "no IO"),
    ("std::env", "configuration is an input"),
    ("std::thread", "no threads"),
    ("std::process", "no processes"),
    ("std::io", "no IO"),
    ("UdpSocket", "no IO"),
    ("TcpStream", "no IO"),
    ("TcpListener", "no IO"),
    ("thread_rng", "chance is seeded: model::random"),
    ("getrandom", "chance is seeded: model::random"),
];

/// Pure crates name no clock, IO, async, hash order or unseeded chance.
pub(super) fn pure(tree: &Tree, faults: &mut Faults) {
    let Ok(layers) = layers::table(tree) else { return };
    for name in layers.iter().filter(|(_, layer)| layer.pure).map(|(name, _)| name) {
        for (path, text) in tree.texts(&format!("crates/{name}/src/"), &[".rs"]) {
            let code = scrub(text);
            for (number, (line, raw)) in code.lines().zip(text.lines()).enumerate() {
                if faults.allowed(raw) {
                    continue;
                }
                for (token, instead) in BANNED.iter().filter(|(token, _)| names(line, token)) {
                    faults.add(path, number + 1, format!("{token} in a pure crate: {instead}"));
                }
            }
        }
    }
}

/// Whether `token` stands in `line` as a whole word.
fn names(line: &str, token: &str) -> bool {
    line.match_indices(token).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + token.len()..].chars().next();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

/// Every module says what it owns.
pub(super) fn module_doc(tree: &Tree, faults: &mut Faults) {
    for (path, text) in rust(tree) {
        if !text.trim_start().starts_with("//!") {
            faults.add(path, 1, "open with //! and say what this module owns");
        }
    }
}

/// A file is one idea.
pub(super) fn file_length(tree: &Tree, faults: &mut Faults) {
    for (path, text) in sources(tree) {
        let lines = text.lines().count();
        if lines > LINES_MAX {
            faults.add(path, 0, format!("{lines} lines, at most {LINES_MAX}: split by domain"));
        }
    }
}

/// 100 columns. Code is rustfmt's affair, which leaves comments as they are and gives up where a
/// long literal stands.
pub(super) fn line_length(tree: &Tree, faults: &mut Faults) {
    for (path, text) in rust(tree) {
        let code = scrub(text);
        for (number, (line, raw)) in code.lines().zip(text.lines()).enumerate() {
            let columns = raw.chars().count();
            let data = line.trim().is_empty() && !raw.trim_start().starts_with("//");
            let literal = data || raw.contains('"');
            if columns > COLUMNS_MAX && !literal && !faults.allowed(raw) {
                let what = format!("{columns} columns, at most {COLUMNS_MAX}");
                faults.add(path, number + 1, what);
            }
        }
    }
}

/// A file is named for what it owns.
pub(super) fn file_name(tree: &Tree, faults: &mut Faults) {
    for (path, _) in sources(tree) {
        let name = path.rsplit('/').next().unwrap_or_default();
        let stem = name.split('.').next().unwrap_or_default();
        if ["utils", "util", "common", "helpers", "misc"].contains(&stem) {
            faults.add(path, 0, format!("{stem} says nothing: name what it owns"));
        }
    }
}

/// Nothing is left for later in the source; what is missing is an issue.
pub(super) fn unfinished(tree: &Tree, faults: &mut Faults) {
    // Put together here so that this file does not name them itself.
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
    let calls = [concat!("db", "g!"), concat!("to", "do!"), concat!("unimple", "mented!")];
    for (path, text) in sources(tree) {
        let code = if path.ends_with(".rs") { scrub(text) } else { String::new() };
        for (number, raw) in text.lines().enumerate() {
            if faults.allowed(raw) {
                continue;
            }
            for mark in marks.iter().filter(|mark| names(raw, mark)) {
                faults.add(path, number + 1, format!("{mark}: finish it or open an issue"));
            }
        }
        for (number, line) in code.lines().enumerate() {
            for call in calls.iter().filter(|call| line.contains(**call)) {
                faults.add(path, number + 1, format!("{call} does not belong in a commit"));
            }
        }
    }
}

fn rust(tree: &Tree) -> impl Iterator<Item = (&str, &str)> {
    tree.texts("crates/", &[".rs"]).chain(tree.texts("xtask/", &[".rs"]))
}

/// What people write by hand, in any language.
fn sources(tree: &Tree) -> impl Iterator<Item = (&str, &str)> {
    const ENDS: &[&str] = &[".rs", ".ts", ".js", ".mjs", ".svelte", ".css", ".sql", ".sh"];
    let written = ["crates/", "xtask/", "web/src/", "web/tests/", "e2e/", "scripts/"];
    let generated = |path: &str| path.ends_with(".d.ts");
    tree.texts("", ENDS)
        .filter(move |(path, _)| written.iter().any(|folder| path.starts_with(folder)))
        .filter(move |(path, _)| !generated(path))
}

#[cfg(test)]
mod tests {
    use super::super::tests::faults;

    const LAYERS: (&str, &str) =
        ("xtask/layers.toml", "[floor]\nlayer = 0\npure = true\n[store]\nlayer = 1\n");

    #[test]
    fn pure_crates_stay_pure() {
        let check = |line: &str| faults("pure", &[LAYERS, ("crates/floor/src/a.rs", line)]);
        for bad in [
            "let now = Instant::now();",
            "use std::time::SystemTime;",
            "use std::collections::{HashMap, BTreeMap};",
            "tokio::spawn(x)",
            "async fn f() {}",
            "x().await;",
            "std::fs::read(path)",
            "std::env::var(\"HOME\")",
            "use std::net::UdpSocket;",
            "let x = rand::thread_rng();",
        ] {
            assert!(!check(bad).is_empty(), "{bad}");
        }
        for good in [
            "/// Unlike HashMap, ordered.",
            "let name = \"tokio\";",
            "use std::net::IpAddr;",
            "fn awaited(my_tokio: u8) {}",
        ] {
            assert!(check(good).is_empty(), "{good}");
        }
        let shell = [LAYERS, ("crates/store/src/a.rs", "use std::fs;")];
        assert!(faults("pure", &shell).is_empty());
    }

    #[test]
    fn modules_have_docs_and_names() {
        let files = [("crates/a/src/b.rs", "use x;\n"), ("crates/a/src/c.rs", "//! C.\n")];
        assert_eq!(
            faults("module-doc", &files),
            ["crates/a/src/b.rs:1: open with //! and say what this module owns [module-doc]"]
        );
        let files = [("crates/a/src/utils.rs", "//! U.\n"), ("web/src/lib/common.ts", "")];
        assert_eq!(faults("file-name", &files).len(), 2);
    }

    #[test]
    fn sizes_have_an_end() {
        let long = "//! x\n".repeat(801);
        assert_eq!(faults("file-length", &[("crates/a/src/b.rs", &long)]).len(), 1);
        assert!(faults("file-length", &[("crates/a/src/b.rs", &long[6..])]).is_empty());
        let wide = format!("//! {}\nlet x = r\"\n{}\n\";\n", "é".repeat(97), "y".repeat(200));
        let found = faults("line-length", &[("crates/a/src/b.rs", &wide)]);
        assert_eq!(found, ["crates/a/src/b.rs:1: 101 columns, at most 100 [line-length]"]);
    }

    #[test]
    fn nothing_is_left_for_later() {
        for mark in [concat!("// TO", "DO later"), concat!("// FIX", "ME"), concat!("db", "g!(x)")]
        {
            assert_eq!(faults("unfinished", &[("crates/a/src/b.rs", mark)]).len(), 1, "{mark}");
        }
        let web = [("web/src/a.ts", concat!("// TO", "DO"))];
        assert_eq!(faults("unfinished", &web).len(), 1);
        assert!(faults("unfinished", &[("crates/a/src/b.rs", "let todos = 1;")]).is_empty());
    }
}
