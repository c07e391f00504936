//! Rules that no compiler knows. A rule is a pure function from the tree to its faults.
//!
//! Exceptions live where a reader sees them: in `layers.toml`, or beside the thing itself as
//! `tidy: allow(RULE) reason` on the line.

mod code;
mod layers;
mod scrub;
mod sql;
mod text;
mod web;

use std::fmt;

use crate::tree::Tree;

/// One rule.
#[derive(Debug)]
pub(crate) struct Rule {
    /// Its name, as used in `tidy: allow(NAME)`.
    pub(crate) name: &'static str,
    check: fn(&Tree, &mut Faults),
}

/// Every rule of the house.
pub(crate) const RULES: &[Rule] = &[
    Rule { name: "layers", check: layers::check },
    Rule { name: "pure", check: code::pure },
    Rule { name: "module-doc", check: code::module_doc },
    Rule { name: "file-length", check: code::file_length },
    Rule { name: "line-length", check: code::line_length },
    Rule { name: "file-name", check: code::file_name },
    Rule { name: "unfinished", check: code::unfinished },
    Rule { name: "tenant-id", check: sql::tenant_id },
    Rule { name: "blob", check: text::blob },
    Rule { name: "packages", check: text::packages },
    Rule { name: "changelog", check: text::changelog },
    Rule { name: "architecture", check: text::architecture },
    Rule { name: "physical", check: web::physical },
    Rule { name: "messages", check: web::messages },
];

/// One place where a rule does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The file.
    pub(crate) path: String,
    /// The line, from 1; 0 means the whole file.
    pub(crate) line: usize,
    /// The rule's name.
    pub(crate) rule: &'static str,
    /// What is wrong, in plain words.
    pub(crate) what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, rule, what } = self;
        if *line == 0 {
            write!(f, "{path}: {what} [{rule}]")
        } else {
            write!(f, "{path}:{line}: {what} [{rule}]")
        }
    }
}

/// Collects the faults of one rule.
#[derive(Debug)]
pub(crate) struct Faults {
    rule: &'static str,
    found: Vec<Fault>,
}

impl Faults {
    fn add(&mut self, path: &str, line: usize, what: impl Into<String>) {
        let what = what.into();
        self.found.push(Fault { path: path.to_owned(), line, rule: self.rule, what });
    }

    /// Whether the line itself excuses a fault of this rule.
    fn allowed(&self, line: &str) -> bool {
        line.contains(&format!("tidy: allow({})", self.rule))
    }
}

/// Applies every rule.
pub(crate) fn check(tree: &Tree) -> Vec<Fault> {
    let mut found = Vec::new();
    for rule in RULES {
        let mut faults = Faults { rule: rule.name, found: Vec::new() };
        (rule.check)(tree, &mut faults);
        found.append(&mut faults.found);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The faults of one rule in a tree of literals, printed.
    pub(super) fn faults(rule: &str, files: &[(&str, &str)]) -> Vec<String> {
        assert!(RULES.iter().any(|r| r.name == rule), "no rule {rule}");
        let found = check(&Tree::of(files));
        found.iter().filter(|f| f.rule == rule).map(ToString::to_string).collect()
    }

    #[test]
    fn the_house_is_tidy() {
        let tree = Tree::load(&crate::root()).expect("this test runs inside a git work tree");
        let faults: Vec<_> = check(&tree).iter().map(ToString::to_string).collect();
        assert!(faults.is_empty(), "\n{}", faults.join("\n"));
    }

    #[test]
    fn an_exception_is_written_on_the_line() {
        let excused = "//! A.\nuse std::fs; // tidy: allow(pure) reads its own table\n";
        let layers = ("xtask/layers.toml", "[a]\nlayer = 0\npure = true\nuses = []\n");
        assert!(faults("pure", &[layers, ("crates/a/src/a.rs", excused)]).is_empty());
    }
}
