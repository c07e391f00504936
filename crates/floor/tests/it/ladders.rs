//! Ladders: scripts of inputs with what the cell answers, kept as text in `testdata/ladders`.
//!
//! Invariant: a ladder is the whole truth of its script. `UPDATE=1 cargo test` writes them anew;
//! the difference is then read and judged by a person.

use std::path::Path;

use crate::driver::Driver;
use crate::world::World;

const FRONT_DESK: &str = include_str!("../../testdata/front_desk.json");
const STRAIGHT: &str = r#"{"schema":1,"start":"wait","nodes":{
  "wait":{"type":"queue","queue":"sales","wait_s_max":300,"otherwise":"bye"},
  "bye":{"type":"hang_up"}}}"#;
const URGENT: &str = r#"{"schema":1,"start":"wait","nodes":{
  "wait":{"type":"queue","queue":"sales","priority":5,"wait_s_max":300,"otherwise":"bye"},
  "bye":{"type":"hang_up"}}}"#;
const GREEK: &str = r#"{"schema":1,"start":"wait","nodes":{
  "wait":{"type":"queue","queue":"repair","wait_s_max":300,"otherwise":"bye"},
  "bye":{"type":"hang_up"}}}"#;
const SILENT: &str = r#"{"schema":1,"start":"say","nodes":{
  "say":{"type":"play","prompts":["unspoken"],"next":"notice"},
  "notice":{"type":"consent","prompts":["unspoken"],"refuse_key":null,"timeout_s":0,"next":"bye"},
  "bye":{"type":"hang_up","prompts":["unspoken"]}}}"#;
const HOURS: &str = r##"{"schema":1,"start":"greek","nodes":{
  "greek":{"type":"set","variable":"language","value":"el-GR","next":"hours"},
  "hours":{"type":"hours","calendar":"office","open":"who","closed":"closed"},
  "who":{"type":"branch","cases":[
    {"when":{"all":[{"known":{"variable":"caller"}},{"not":{"starts_with":{"variable":"caller","value":"+30"}}}]},"next":"abroad"},
    {"when":{"is":{"variable":"language","value":"el-GR"}},"next":"home"}],"otherwise":"closed"},
  "abroad":{"type":"hang_up","prompts":["soon"]},
  "home":{"type":"hang_up","prompts":["hello"]},
  "closed":{"type":"hang_up","prompts":["sorry"]}}}"##;

/// The company with its numbers.
pub(crate) fn world() -> World {
    let mut world = World::new();
    let unspoken = world.mint_prompt("unspoken");
    world.config.prompts.insert(unspoken.0, unspoken.1);
    for (number, document) in [
        ("100", FRONT_DESK),
        ("200", STRAIGHT),
        ("201", URGENT),
        ("202", GREEK),
        ("300", SILENT),
        ("400", HOURS),
    ] {
        world.flow(number, document);
    }
    world
}

#[test]
fn keys_that_come_too_fast_are_refused_and_counted() {
    let mut driver = Driver::new(world());
    driver.line("0 ring c1 anonymous 100");
    driver.line("0 up c1");
    for n in 0..50 {
        driver.line(&format!("{} key c1 9", 1.0 + f64::from(n) * 0.01));
    }
    assert_eq!(driver.keys_refused(), 30);
    driver.line("2.5 key c1 9");
    assert_eq!(driver.keys_refused(), 30, "the next second is a new one");
}

#[test]
fn a_call_that_goes_in_circles_ends_each_of_its_waits_once() {
    let mut world = world();
    world.flow(
        "500",
        r#"{"schema":1,"start":"say","nodes":{
          "say":{"type":"play","prompts":["soon"],"next":"wait"},
          "wait":{"type":"queue","queue":"sales","wait_s_max":1,"otherwise":"say"}}}"#,
    );
    let mut driver = Driver::new(world);
    driver.line("0 ring c1 anonymous 500");
    driver.line("0 up c1");
    driver.line("10000 wake");
    let text = &driver.text;
    let count =
        |word: &str| text.lines().filter(|line| line.trim_start().starts_with(word)).count();
    // The thousandth node that the call may pass is a queue.
    assert_eq!((count("queued "), count("queue_left ")), (500, 500));
    assert_eq!(count("call_ended "), 1);
}

#[test]
fn every_ladder_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/ladders");
    let mut paths: Vec<_> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 20, "only {} ladders in {}", paths.len(), folder.display());
    let mut faults = Vec::new();
    for path in paths {
        let expected = std::fs::read_to_string(&path).unwrap();
        let found = climb(&expected);
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, &found).unwrap();
        } else if found != expected {
            let line = found.lines().zip(expected.lines()).position(|(a, b)| a != b);
            let line = line.unwrap_or(found.lines().count().min(expected.lines().count()));
            faults.push(format!(
                "{}:{}\n  expected {}\n  found    {}",
                path.file_name().unwrap().display(),
                line + 1,
                expected.lines().nth(line).unwrap_or("the end"),
                found.lines().nth(line).unwrap_or("the end"),
            ));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Runs the inputs of a ladder (`> seconds verb ...`) and writes the whole of it. `#` is a comment,
/// `touched` on a line of its own shows which views change.
fn climb(script: &str) -> String {
    let mut driver = Driver::new(world());
    for line in script.lines() {
        if let Some(input) = line.strip_prefix("> ") {
            driver.line(input);
        } else if line.starts_with('#') {
            driver.text.push_str(line);
            driver.text.push('\n');
        } else if line == "touched" {
            driver.show_touched = true;
            driver.text.push_str("touched\n");
        }
    }
    driver.text
}

#[test]
fn two_runs_and_a_run_through_a_snapshot_are_alike() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/ladders");
    for entry in std::fs::read_dir(folder).unwrap() {
        let script = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let mut driver = Driver::new(world());
        for line in script.lines() {
            if let Some(input) = line.strip_prefix("> ") {
                driver.line(input);
                let snapshot = serde_json::to_string(&driver.cell).unwrap();
                driver.cell = serde_json::from_str(&snapshot).unwrap();
                assert_eq!(serde_json::to_string(&driver.cell).unwrap(), snapshot);
            }
        }
        let inputs = |text: &str| -> Vec<String> {
            let kept = text.lines().filter(|line| !line.starts_with(['#', '~', 't']));
            kept.filter(|line| !line.starts_with("    ~")).map(str::to_owned).collect()
        };
        assert_eq!(inputs(&driver.text), inputs(&climb(&script)));
    }
}
