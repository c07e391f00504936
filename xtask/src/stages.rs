//! The stages of `make test` and `make check`: what runs, in which order, and how it is counted.
//!
//! Every stage runs even when an earlier one failed, except those that would only repeat its
//! failure; the last line is the whole result. With `CI=true` everything was set up before: a stage
//! that is not there or lacks its program has failed.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::Context;

use crate::count::{Count, count};

/// How a stage's result is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counted {
    /// The exit code alone: one check.
    Exit,
    /// By the summary lines of a test runner.
    Tests,
}

/// Tests that change a decision on purpose need the changed decisions compiled in.
const SEEDED_FAULTS: &str = "--features floor/mutations,sim/mutations,hub/mutations";

/// One command of a stage.
#[derive(Debug)]
struct Step {
    command: String,
    folder: &'static str,
    counted: Counted,
}

impl Step {
    fn check(command: &str) -> Self {
        Self { command: command.to_owned(), folder: ".", counted: Counted::Exit }
    }

    fn tests(command: &str) -> Self {
        Self { counted: Counted::Tests, ..Self::check(command) }
    }

    fn inside(self, folder: &'static str) -> Self {
        Self { folder, ..self }
    }
}

/// A named group of steps. `needs` is a file without which there is nothing to run.
#[derive(Debug)]
struct Stage {
    name: &'static str,
    needs: &'static str,
    steps: Vec<Step>,
}

/// What came of one stage.
#[derive(Debug)]
struct Outcome {
    name: &'static str,
    seconds: u64,
    count: Option<Count>,
    note: String,
}

/// Everything, as CI runs it. True when nothing failed.
pub(crate) fn test(root: &Path) -> anyhow::Result<bool> {
    let rust = if has("cargo-nextest") {
        Step::tests(&format!(
            "cargo nextest run --workspace {SEEDED_FAULTS} --no-fail-fast --color never \
             --test-threads {}",
            tests_at_once()
        ))
    } else {
        println!("xtask: cargo-nextest is not here, tests run with plain cargo test");
        Step::tests(&format!("cargo test --workspace {SEEDED_FAULTS} --no-fail-fast"))
    };
    let tests = if has("cargo-nextest") { "nextest run --color never" } else { "test" };
    // The programs are built without the seeded faults, and the example for the browser's proof; in
    // one command, because each choice of packages has its own features of the dependencies.
    let build = format!(
        "cargo {tests} --workspace {SEEDED_FAULTS} --no-run && \
         cargo build --workspace --bins --example browser_host"
    );
    let lint = "cargo clippy --workspace --all-targets --quiet -- -D warnings";
    let stages = [
        Stage { name: "fmt", needs: "Cargo.toml", steps: vec![Step::check("cargo fmt --check")] },
        Stage { name: "tidy", needs: "Cargo.toml", steps: vec![Step::tests("cargo xtask tidy")] },
        // The screens come before the build because the program embeds them.
        Stage {
            name: "web",
            needs: "web/package.json",
            steps: vec![
                Step::check("npm run --silent check").inside("web"),
                Step::tests("npm run --silent test").inside("web"),
                Step::check("npm run --silent build").inside("web"),
            ],
        },
        // A real browser against the screens, the server's part played by a script.
        Stage {
            name: "screens",
            needs: "web/tests/screens.mjs",
            steps: vec![
                Step::tests("npm run --silent test:desk").inside("web"),
                Step::tests("npm run --silent test:screens").inside("web"),
            ],
        },
        Stage { name: "clippy", needs: "Cargo.toml", steps: vec![Step::check(lint)] },
        Stage { name: "build", needs: "Cargo.toml", steps: vec![Step::check(&build)] },
        Stage { name: "rust tests", needs: "Cargo.toml", steps: vec![rust] },
        Stage {
            name: "browser",
            needs: "crates/media/tests/browser/proof.mjs",
            steps: vec![Step::tests("node crates/media/tests/browser/proof.mjs")],
        },
        Stage { name: "e2e", needs: "e2e/run.mjs", steps: vec![Step::tests("node e2e/run.mjs")] },
        Stage { name: "deny", needs: "deny.toml", steps: deny() },
    ];
    Ok(report(&run_all(root, &stages, ci())?))
}

/// The quick part: formatting, rules, lints, and the unit tests of the crates that changed since
/// the last commit (or since `main`, on another branch).
pub(crate) fn check(root: &Path) -> anyhow::Result<bool> {
    let packages: String =
        changed_crates(root)?.iter().map(|name| format!(" --package {name}")).collect();
    let mut stages = vec![
        Stage { name: "fmt", needs: "Cargo.toml", steps: vec![Step::check("cargo fmt --check")] },
        Stage { name: "tidy", needs: "Cargo.toml", steps: vec![Step::tests("cargo xtask tidy")] },
    ];
    if packages.is_empty() {
        println!("xtask: no crate changed, so no lints and no unit tests");
    } else {
        let lint = format!("cargo clippy{packages} --all-targets --quiet -- -D warnings");
        let unit = if has("cargo-nextest") {
            format!("cargo nextest run{packages} --lib --bins --no-fail-fast --color never")
        } else {
            format!("cargo test{packages} --lib --bins --no-fail-fast")
        };
        let steps = vec![Step::check(&lint)];
        stages.push(Stage { name: "clippy", needs: "Cargo.toml", steps });
        let steps = vec![Step::tests(&unit)];
        stages.push(Stage { name: "unit tests", needs: "Cargo.toml", steps });
    }
    Ok(report(&run_all(root, &stages, ci())?))
}

/// Whether this is CI, as every runner of tests here is told.
fn ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| value == "true")
}

/// Half as many again as there are cores: many tests wait for real time and not for a core.
fn tests_at_once() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    cores + cores.div_ceil(2)
}

/// Licences, bans and sources. The advisory database cannot be had everywhere, so advisories are
/// never part of the result.
fn deny() -> Vec<Step> {
    if !has("cargo-deny") {
        return Vec::new();
    }
    println!("xtask: security advisories are not checked (their database is not in the clone)");
    let one = |what: &str| Step::check(&format!("cargo deny --log-level error check {what}"));
    ["licenses", "bans", "sources"].map(one).into()
}

/// Whether a program can be found.
fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Runs the stages. With `complete` none may be absent.
fn run_all(root: &Path, stages: &[Stage], complete: bool) -> anyhow::Result<Vec<Outcome>> {
    let mut outcomes: Vec<Outcome> = Vec::new();
    for stage in stages {
        let built = |o: &Outcome| o.name != "build" || o.count.is_some_and(|c| c.failed == 0);
        let mut outcome =
            Outcome { name: stage.name, seconds: 0, count: None, note: String::new() };
        if let Some(reason) = absent(root, stage) {
            outcome.note = reason;
            outcome.count = complete.then_some(Count { passed: 0, failed: 1 });
        } else if ["rust tests", "browser", "e2e"].contains(&stage.name)
            && !outcomes.iter().all(built)
        {
            outcome.note = "not run: the build failed".to_owned();
        } else {
            println!("\n== {}", stage.name);
            let begun = Instant::now();
            outcome.count = Some(run(root, stage)?);
            outcome.seconds = begun.elapsed().as_secs();
        }
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

/// Why a stage cannot be run here, if so.
fn absent(root: &Path, stage: &Stage) -> Option<String> {
    if !root.join(stage.needs).is_file() {
        return Some(format!("absent: no {}", stage.needs));
    }
    let none = stage.steps.is_empty();
    none.then(|| format!("not checked: no cargo-{} on this machine", stage.name))
}

/// Runs the steps of one stage; stops at the first that fails.
fn run(root: &Path, stage: &Stage) -> anyhow::Result<Count> {
    let mut sum = Count::default();
    for step in &stage.steps {
        let (ok, output) = run_step(root, step)?;
        let counted = match step.counted {
            Counted::Exit => Some(Count { passed: u64::from(ok), failed: u64::from(!ok) }),
            Counted::Tests => count(&output),
        };
        sum = judge(sum, counted, ok);
        if !ok {
            break;
        }
    }
    Ok(sum)
}

/// Adds a step's result. A runner that failed without a failed test, ran none, or whose summary was
/// not understood, is one failure.
fn judge(sum: Count, counted: Option<Count>, ok: bool) -> Count {
    let step = counted.unwrap_or_default();
    let unexplained = step.failed == 0 && (!ok || step.passed == 0);
    Count {
        passed: sum.passed + step.passed,
        failed: sum.failed + step.failed + u64::from(unexplained),
    }
}

/// Runs a command, shows its output as it comes and returns it.
fn run_step(root: &Path, step: &Step) -> anyhow::Result<(bool, String)> {
    println!("$ {}", step.command);
    let mut shell = Command::new("sh");
    // What `cargo xtask` sets for this program would make build scripts that ask for it run again.
    for (name, _) in std::env::vars_os().filter(|(name, _)| of_cargo(name)) {
        shell.env_remove(name);
    }
    let mut child = shell
        .args(["-c", &format!("( {} ) 2>&1", step.command)])
        .current_dir(root.join(step.folder))
        .env("NO_COLOR", "1")
        .env("CARGO_TERM_COLOR", "never")
        .env("ANTIPHON_BIN_DIR", binaries(root))
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| step.command.clone())?;
    let stdout = child.stdout.take().context("the pipe was asked for")?;
    let mut output = String::new();
    let mut reader = BufReader::new(stdout);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        let text = String::from_utf8_lossy(&line);
        print!("{text}");
        output.push_str(&text);
        line.clear();
    }
    Ok((child.wait()?.success(), output))
}

/// Whether cargo sets this variable for the program that it runs, and not people for cargo.
fn of_cargo(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
}

/// Where cargo puts the programs of the development profile: for tests written in other languages.
fn binaries(root: &Path) -> PathBuf {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    root.join(target).join("debug")
}

/// Prints seconds per stage and the one line at the end. True when nothing failed.
fn report(outcomes: &[Outcome]) -> bool {
    println!();
    let mut sum = Count::default();
    for Outcome { name, seconds, count, note } in outcomes {
        if let Some(count) = count {
            sum.passed += count.passed;
            sum.failed += count.failed;
            let Count { passed, failed } = count;
            let line =
                format!("{name:<12} {seconds:>5} s  {passed:>5} ok  {failed:>4} not  {note}");
            println!("{}", line.trim_end());
        } else {
            println!("{name:<12}     - s  {note}");
        }
    }
    println!("{} passed, {} failed", sum.passed, sum.failed);
    sum.failed == 0
}

/// The workspace crates with a file that differs from the point where this branch left `main`, or
/// from the last commit on `main` itself.
fn changed_crates(root: &Path) -> anyhow::Result<Vec<String>> {
    let git = |args: &[&str]| -> anyhow::Result<String> {
        let output = Command::new("git").args(args).current_dir(root).output().context("git")?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let base = git(&["merge-base", "HEAD", "main"])?;
    let base = if base.trim().is_empty() { "HEAD" } else { base.trim() };
    let mut paths = git(&["diff", "--name-only", base])?;
    paths.push_str(&git(&["ls-files", "--others", "--exclude-standard"])?);
    Ok(crates_of(&paths, |name| root.join("crates").join(name).join("Cargo.toml").is_file()))
}

/// The crates that a list of paths touches. `exists` tells whether a crate is still there.
fn crates_of(paths: &str, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let mut names: Vec<String> = paths
        .lines()
        .filter_map(|path| match path.split('/').collect::<Vec<_>>()[..] {
            ["crates", name, ..] if exists(name) => Some(name.to_owned()),
            ["xtask", ..] => Some("xtask".to_owned()),
            _ => None,
        })
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_no_pass() {
        let none = Count::default();
        let three = Count { passed: 3, failed: 0 };
        assert_eq!(judge(none, Some(three), true), three);
        let one_failed = Count { passed: 0, failed: 1 };
        assert_eq!(judge(none, None, true), one_failed);
        assert_eq!(judge(none, Some(none), true), one_failed);
        assert_eq!(judge(three, Some(three), false), Count { passed: 6, failed: 1 });
        let failed = Count { passed: 1, failed: 2 };
        assert_eq!(judge(none, Some(failed), false), failed);
    }

    #[test]
    fn changed_paths_name_their_crates() {
        let paths = "crates/sip/src/a.rs\ncrates/gone/src/b.rs\nxtask/src/main.rs\nREADME.md\n\
            crates/sip/Cargo.toml\n";
        assert_eq!(crates_of(paths, |name| name != "gone"), ["sip", "xtask"]);
    }

    /// What is counted of one stage, run where everything is set up and where it is not.
    fn counted(needs: &'static str, steps: fn() -> Vec<Step>) -> [Option<Count>; 2] {
        [true, false].map(|complete| {
            let stage = Stage { name: "x", needs, steps: steps() };
            run_all(&crate::root(), &[stage], complete).expect("sh runs")[0].count
        })
    }

    #[test]
    fn what_is_absent_fails_where_everything_is_set_up() {
        let [passed, failed] =
            [(1, 0), (0, 1)].map(|(passed, failed)| Some(Count { passed, failed }));
        let one = || vec![Step::check("true")];
        assert_eq!(counted("Cargo.toml", one), [passed, passed]);
        assert_eq!(counted("no such file", one), [failed, None]);
        assert_eq!(counted("Cargo.toml", Vec::new), [failed, None]);
    }

    #[test]
    fn a_step_shows_its_end() {
        let step = Step::tests("echo '2 passed, 1 failed'; exit 1");
        let stage = Stage { name: "x", needs: "", steps: vec![step] };
        let count = run(&crate::root(), &stage).expect("sh runs");
        assert_eq!(count, Count { passed: 2, failed: 1 });
    }
}
