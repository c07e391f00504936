//! `cargo xtask bench`: builds what is measured in release and hands over to `bench/run.mjs`.
//!
//! With `--bin-dir` nothing is built: the programs of that folder are measured as they are.

use std::path::Path;
use std::process::Command;

use anyhow::Context;

/// The programs of the product and each crate's own measuring program, in one build: several would
/// each choose other features of the dependencies and compile those again.
const BUILD: &str = "build --quiet --release --bins --features media/floor \
    --package antiphon --package phone --package media --package store --package sim --package sip \
    --example relay_floor --example browser_cost --example journal_rate --example decisions \
    --example load";

/// Measures and prints the table. False when a part could not run at all.
pub(crate) fn run(root: &Path, arguments: &[String]) -> anyhow::Result<bool> {
    if !arguments.iter().any(|argument| argument.starts_with("--bin-dir")) {
        let cargo = Command::new(env!("CARGO"))
            .args(BUILD.split_whitespace())
            .current_dir(root)
            .status()
            .context("cargo build")?;
        anyhow::ensure!(cargo.success(), "cargo {BUILD} failed");
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
