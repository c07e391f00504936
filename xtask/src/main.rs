//! The house's own tools: `cargo xtask tidy | test | check | bench | music`.
//!
//! Everything here uses the standard library and two parsers, so that it builds in seconds on a
//! fresh machine and never shares a fault with the product it judges.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool")]

mod bench;
mod count;
mod music;
mod stages;
mod tidy;
mod tree;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask COMMAND
  tidy    the rules of the house that no compiler knows (also a unit test)
  test    every check and test as CI runs it, seconds per stage, one line at the end
  check   the quick part of it: fmt, tidy, clippy and tests of what changed
  bench   release builds, measured: --quick, --only G3,soak, --repeats N, --bin-dir DIR
  music   synthesise assets/music/calm.wav";

fn main() -> ExitCode {
    let command = std::env::args().nth(1).unwrap_or_default();
    let result = match command.as_str() {
        "tidy" => run_tidy(),
        "test" => stages::test(&root()),
        "check" => stages::check(&root()),
        "bench" => bench::run(&root(), &std::env::args().skip(2).collect::<Vec<_>>()),
        "music" => music::write(&root().join("assets/music/calm.wav")).map(|()| true),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask {command}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The folder of the checkout that cargo runs this for, wherever the command was typed: folders
/// that share what they build have one program.
fn root() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR");
    let here = here.map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    here.parent().map(Path::to_owned).unwrap_or_default()
}

fn run_tidy() -> anyhow::Result<bool> {
    let tree = tree::Tree::load(&root())?;
    let faults = tidy::check(&tree);
    for fault in &faults {
        println!("{fault}");
    }
    let failed = tidy::RULES.iter().filter(|rule| faults.iter().any(|f| f.rule == rule.name));
    let failed = failed.count();
    println!("tidy: {} passed, {failed} failed", tidy::RULES.len() - failed);
    Ok(faults.is_empty())
}
