//! Rules for what is neither code nor schema: blobs, the lock file, the changelog, the map.

use super::Faults;
use crate::tree::Tree;

const BLOB_BYTES_MAX: u64 = 1_000_000;
const ASSETS_BYTES_MAX: u64 = 6_000_000;
const PACKAGES_MAX: usize = 420;
const ARCHITECTURE_LINES_MAX: usize = 400;

/// Git keeps a big file for ever, so none comes in; sounds live in `assets/` under a budget.
pub(super) fn blob(tree: &Tree, faults: &mut Faults) {
    for (path, file) in tree.all() {
        if file.size > BLOB_BYTES_MAX && !path.starts_with("assets/") {
            faults.add(path, 0, format!("{} bytes, at most {BLOB_BYTES_MAX}", file.size));
        }
    }
    let assets = tree.all().filter(|(path, _)| path.starts_with("assets/"));
    let bytes: u64 = assets.map(|(_, file)| file.size).sum();
    if bytes > ASSETS_BYTES_MAX {
        faults.add("assets", 0, format!("{bytes} bytes, at most {ASSETS_BYTES_MAX}"));
    }
}

/// Every package is compile time, attack surface and licence work.
pub(super) fn packages(tree: &Tree, faults: &mut Faults) {
    let lock = tree.text("Cargo.lock").unwrap_or_default();
    let packages = lock.lines().filter(|line| *line == "[[package]]").count();
    if packages > PACKAGES_MAX {
        faults.add("Cargo.lock", 0, format!("{packages} packages, at most {PACKAGES_MAX}"));
    }
}

/// The map is read in one sitting.
pub(super) fn architecture(tree: &Tree, faults: &mut Faults) {
    let lines = tree.text("ARCHITECTURE.md").map_or(0, |text| text.lines().count());
    if lines > ARCHITECTURE_LINES_MAX {
        let what = format!("{lines} lines, at most {ARCHITECTURE_LINES_MAX}: a map, no atlas");
        faults.add("ARCHITECTURE.md", 0, what);
    }
}

/// The changelog parses: releases newest first, known kinds of change, each with a point.
pub(super) fn changelog(tree: &Tree, faults: &mut Faults) {
    const PATH: &str = "CHANGELOG.md";
    const KINDS: &[&str] = &["Added", "Changed", "Fixed", "Removed", "Security"];
    let Some(text) = tree.text(PATH) else { return };
    if !text.starts_with("# Changelog\n") {
        faults.add(PATH, 1, "open with \"# Changelog\"");
    }
    let (mut released, mut open): (Option<[u64; 3]>, Option<usize>) = (None, None);
    for (number, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line)) {
        if let Some(title) = line.strip_prefix("## ") {
            match release(title) {
                None if title == "Unreleased" && released.is_none() => {}
                None => faults.add(PATH, number, "expected \"## 1.2.3 - 2026-12-31\""),
                Some(version) => {
                    if released.is_some_and(|newer| newer <= version) {
                        faults.add(PATH, number, "releases go from the newest to the oldest");
                    }
                    released = Some(version);
                }
            }
        } else if let Some(kind) = line.strip_prefix("### ") {
            if !KINDS.contains(&kind) {
                faults.add(PATH, number, format!("{kind} is none of {}", KINDS.join(", ")));
            }
            if let Some(empty) = open.replace(number) {
                faults.add(PATH, empty, "no point under this heading");
            }
        } else if line.starts_with("- ") {
            open = None;
        }
        if line.starts_with("## ")
            && let Some(empty) = open.take()
        {
            faults.add(PATH, empty, "no point under this heading");
        }
    }
    if let Some(empty) = open {
        faults.add(PATH, empty, "no point under this heading");
    }
}

/// `1.2.3 - 2026-12-31` to its version.
fn release(title: &str) -> Option<[u64; 3]> {
    let (version, date) = title.split_once(" - ")?;
    let numbers = |text: &str, separator: char| -> Option<[u64; 3]> {
        let numbers: Option<Vec<u64>> = text.split(separator).map(|n| n.parse().ok()).collect();
        numbers?.try_into().ok()
    };
    let [_, month, day] = numbers(date, '-')?;
    let dated = date.len() == 10 && (1..=12).contains(&month) && (1..=31).contains(&day);
    dated.then(|| numbers(version, '.'))?
}

#[cfg(test)]
mod tests {
    use super::super::tests::faults;

    #[test]
    fn budgets_hold() {
        let big = "x".repeat(1_000_001);
        assert_eq!(faults("blob", &[("docs/a.bin", &big)]).len(), 1);
        assert!(faults("blob", &[("assets/a.wav", &big)]).is_empty());
        assert_eq!(faults("blob", &[("assets/a.wav", &big.repeat(6))]).len(), 1);
        let lock = "[[package]]\nname = \"x\"\n".repeat(421);
        assert_eq!(faults("packages", &[("Cargo.lock", &lock)]).len(), 1);
        assert_eq!(faults("architecture", &[("ARCHITECTURE.md", &"a\n".repeat(401))]).len(), 1);
        assert!(faults("architecture", &[("ARCHITECTURE.md", &"a\n".repeat(400))]).is_empty());
    }

    #[test]
    fn the_changelog_parses() {
        let check = |text: &str| faults("changelog", &[("CHANGELOG.md", text)]).len();
        let good = "# Changelog\n\n## Unreleased\n### Added\n- Calls.\n\n\
            ## 0.2.0 - 2026-12-31\nUpgrade: nothing to do.\n### Fixed\n- A thing.\n\n\
            ## 0.1.0 - 2026-11-30\n### Security\n- Another.\n";
        assert_eq!(check(good), 0);
        for (from, to) in [
            ("# Changelog", "# Changes"),
            ("### Fixed", "### Repaired"),
            ("0.2.0 - 2026-12-31", "0.2 - 2026-12-31"),
            ("0.2.0 - 2026-12-31", "0.2.0"),
            ("0.2.0 - 2026-12-31", "0.2.0 - 2026-13-31"),
            ("0.1.0", "0.3.0"),
            ("- Another.\n", ""),
            ("- Calls.\n", ""),
        ] {
            assert_eq!(check(&good.replacen(from, to, 1)), 1, "{from} -> {to}");
        }
    }
}
