//! Names the commit that is built, where there is one: the flight log says which program decided.

use std::process::Command;

/// A packager who builds from a copy without history names the commit here.
const GIVEN: &str = "ANTIPHON_COMMIT";

fn main() {
    println!("cargo:rerun-if-env-changed={GIVEN}");
    if let Some(head) = git(&["rev-parse", "--path-format=absolute", "--git-path", "logs/HEAD"]) {
        println!("cargo:rerun-if-changed={head}");
    }
    let given = std::env::var(GIVEN).ok().filter(|commit| !commit.is_empty());
    let version = std::env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let build = match given.or_else(|| git(&["rev-parse", "--short=12", "HEAD"])) {
        Some(commit) => format!("{version}+{commit}"),
        None => version,
    };
    println!("cargo:rustc-env=ANTIPHON_BUILD={build}");
}

fn git(words: &[&str]) -> Option<String> {
    let output = Command::new("git").args(words).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}
