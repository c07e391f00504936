//! `cargo xtask bench`: builds what is measured in release and hands over to `bench/run.mjs`.
//!
//! With `--bin-dir` nothing is built: the programs of that folder are measured as they are.

use std::path::Path;
use std::process::Command;

use anyhow::Context;

/// The programs of the product, and each crate's own measuring program with the features it needs.
const BUILDS: [&[&str]; 6] = [
    &["--package", "antiphon", "--package", "phone", "--bins"],
    &["--package", "media", "--features", "floor", "--example", "relay_floor"],
    &["--package", "media", "--example", "browser_cost"],
    &["--package", "store", "--example", "journal_rate"],
    &["--package", "sim", "--example", "decisions"],
    &["--package", "sip", "--example", "load"],
];

/// Measures and prints the table. False when a part could not run at all.
pub(crate) fn run(root: &Path, arguments: &[String]) -> anyhow::Result<bool> {
    if !arguments.iter().any(|argument| argument.starts_with("--bin-dir")) {
        for build in BUILDS {
            let cargo = Command::new(env!("CARGO"))
                .args(["build", "--quiet", "--release"])
                .args(build)
                .current_dir(root)
                .status()
                .context("cargo build")?;
            anyhow::ensure!(cargo.success(), "cargo build {} failed", build.join(" "));
        }
    }
    let mut node = Command::new("node");
    node.arg(root.join("bench/run.mjs")).args(arguments).current_dir(root);
    if let Some(target) = std::env::var_os("CARGO_TARGET_DIR")
        && !arguments.iter().any(|argument| argument.starts_with("--bin-dir"))
    {
        node.arg("--bin-dir").arg(root.join(target).join("release"));
    }
    Ok(node.status().context("node (version 20 or newer)")?.success())
}
