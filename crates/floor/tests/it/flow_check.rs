//! The flow checker: a good document with one or more changes, and the faults it names.

use floor::flow::{Names, check};
use serde_json::{Value, json};

fn names() -> Names {
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Names {
        queues: set(&["sales", "repair"]),
        prompts: set(&["hello", "notice", "menu", "wrong", "number", "soon", "sorry"]),
        calendars: set(&["office"]),
    }
}

fn good() -> Value {
    serde_json::from_str(include_str!("../../testdata/front_desk.json")).unwrap()
}

/// The faults of a document as `pointer code`.
fn faults_of(document: &str) -> Vec<String> {
    let faults = check(document, &names()).expect_err("this document has faults");
    for fault in &faults {
        assert!(fault.detail.len() > 10, "{fault:?} says what to do");
    }
    faults.into_iter().map(|fault| format!("{} {}", fault.pointer, fault.code)).collect()
}

/// Puts values at pointers of the good document (`null` removes) and expects exactly these faults.
#[track_caller]
fn changed(changes: &[(&str, Value)], expected: &[&str]) {
    let mut document = good();
    for (pointer, value) in changes {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let parent = document.pointer_mut(parent).unwrap();
        match parent {
            Value::Object(members) if value.is_null() => drop(members.remove(name)),
            Value::Object(members) => drop(members.insert(name.to_owned(), value.clone())),
            Value::Array(items) => items[name.parse::<usize>().unwrap()] = value.clone(),
            _ => panic!("nothing below {pointer}"),
        }
    }
    assert_eq!(faults_of(&document.to_string()), expected);
}

#[test]
fn a_good_document_is_read_whole() {
    let flow = check(&good().to_string(), &names()).unwrap();
    assert_eq!(serde_json::to_value(&flow).unwrap()["nodes"]["menu"], good()["nodes"]["menu"]);
}

#[test]
fn what_is_no_flow_at_all() {
    for (document, expected) in [
        ("", " syntax"),
        ("{\"schema\": 1,", " syntax"),
        ("\u{0}\u{1}", " syntax"),
        ("[]", " wrong_type"),
        ("7e999", " syntax"),
    ] {
        assert_eq!(faults_of(document), [expected], "{document}");
    }
    assert_eq!(faults_of(&"[".repeat(100_000)), [" syntax"]);
    assert_eq!(faults_of(&" ".repeat(600_000)), [" too_big"]);
    assert_eq!(
        faults_of("{\"start\": 1, \"nodes\": [], \"x\": 1}"),
        ["/nodes wrong_type", "/schema missing_field", "/start wrong_type", "/x unknown_field"]
    );
}

#[test]
fn names_that_lead_nowhere() {
    changed(&[("/schema", json!(2))], &["/schema unknown_schema"]);
    changed(&[("/start", json!("x"))], &["/start unknown_node"]);
    changed(
        &[("/nodes/hello/next", json!("x"))],
        &[
            "/nodes/bye unreachable",
            "/nodes/hello/next unknown_node",
            "/nodes/menu unreachable",
            "/nodes/notice unreachable",
            "/nodes/number unreachable",
            "/nodes/repair unreachable",
            "/nodes/sales unreachable",
        ],
    );
    changed(
        &[
            ("/nodes/menu/choices/1/next", json!("x")),
            ("/nodes/hello/prompts/0", json!("x")),
            ("/nodes/repair/queue", json!("x")),
            (
                "/nodes/bye",
                json!({"type": "hours", "calendar": "x", "open": "repair", "closed": "sales"}),
            ),
        ],
        &[
            "/nodes/bye endless",
            "/nodes/bye/calendar unknown_calendar",
            "/nodes/hello/prompts/0 unknown_prompt",
            "/nodes/menu/choices/1/next unknown_node",
            "/nodes/repair endless",
            "/nodes/repair/queue unknown_queue",
            "/nodes/sales endless",
        ],
    );
    changed(&[("/nodes/a~b~1c", json!({"type": "hang_up"}))], &["/nodes/a~0b~01c unreachable"]);
}

#[test]
fn fields_and_types() {
    changed(
        &[
            ("/nodes/hello/next", Value::Null),
            ("/nodes/hello/prompts", json!("hello")),
            ("/nodes/menu/colour", json!("red")),
            ("/nodes/menu/timeout_s", json!(-1)),
            ("/nodes/menu/choices/2/label", json!(7)),
            ("/nodes/number/terminator", json!("##")),
            ("/nodes/sales/type", json!("park")),
            ("/nodes/repair", json!([])),
        ],
        &[
            "/nodes/hello/next missing_field",
            "/nodes/hello/prompts wrong_type",
            "/nodes/menu/choices/2/label wrong_type",
            "/nodes/menu/colour unknown_field",
            "/nodes/menu/timeout_s wrong_type",
            "/nodes/number/terminator wrong_type",
            "/nodes/repair wrong_type",
            "/nodes/sales/type unknown_type",
        ],
    );
    let twice = good().to_string().replace("\"tries\":2", "\"tries\":2,\"tries\":3");
    assert_eq!(
        faults_of(&twice),
        ["/nodes/menu/tries duplicate_key", "/nodes/number/tries duplicate_key"]
    );
    let two_kinds =
        good().to_string().replace("\"type\":\"menu\"", "\"type\":\"menu\",\"type\":\"play\"");
    assert_eq!(faults_of(&two_kinds), ["/nodes/menu/type duplicate_key"], "and nothing else");
}

#[test]
fn limits_and_keys() {
    changed(
        &[
            ("/nodes/menu/choices/E", json!({"label": "x", "next": "bye"})),
            ("/nodes/menu/choices/12", json!({"label": "x", "next": "bye"})),
        ],
        &["/nodes/menu/choices/12 bad_key"],
    );
    changed(
        &[
            ("/nodes/menu/choices/E", json!({"label": "x", "next": "bye"})),
            ("/nodes/menu/tries", json!(0)),
            ("/nodes/menu/invalid", json!(vec!["wrong"; 16])),
            ("/nodes/number/digits_min", json!(9)),
            ("/nodes/number/terminator", json!("5")),
            ("/nodes/number/variable", json!("caller")),
            ("/nodes/notice/prompts", json!([])),
            ("/nodes/notice/refuse_key", json!("x")),
            ("/nodes/sales/priority", json!(101)),
            ("/nodes/sales/skills", json!({"greek": 11, "": 1})),
            ("/nodes/repair/wait_s_max", json!(0)),
        ],
        &[
            "/nodes/menu/choices/E bad_key",
            "/nodes/menu/invalid too_many",
            "/nodes/menu/tries out_of_range",
            "/nodes/notice/prompts empty",
            "/nodes/notice/refuse_key bad_key",
            "/nodes/number/digits_min out_of_range",
            "/nodes/number/terminator bad_key",
            "/nodes/number/variable reserved_name",
            "/nodes/repair/wait_s_max out_of_range",
            "/nodes/sales/priority out_of_range",
            "/nodes/sales/skills/ bad_name",
            "/nodes/sales/skills/greek out_of_range",
        ],
    );
}

#[test]
fn conditions() {
    let branch = |when: Value| json!({"type": "branch", "cases": [{"when": when, "next": "notice"}], "otherwise": "bye"});
    let nested = |depth: usize| {
        (1..depth).fold(json!({"known": {"variable": "order"}}), |inner, _| json!({"not": inner}))
    };
    let hello = "/nodes/hello";
    let mut document = good();
    document["nodes"]["hello"] = branch(nested(8));
    assert!(check(&document.to_string(), &names()).is_ok());
    let deep = format!("/nodes/hello/cases/0/when{} too_deep", "/not".repeat(8));
    changed(&[(hello, branch(nested(9)))], &[&deep]);
    changed(
        &[(hello, branch(json!({"is": {"variable": "x"}, "not": 1})))],
        &["/nodes/hello/cases/0/when wrong_type"],
    );
    changed(
        &[(hello, branch(json!({"like": 1})))],
        &["/nodes/hello/cases/0/when/like unknown_type"],
    );
    changed(
        &[(hello, branch(json!({"all": [{"is": {"variable": "ordr", "value": "1"}}]})))],
        &["/nodes/hello/cases/0/when/all/0/is/variable unknown_variable"],
    );
}

#[test]
fn a_secret_is_compared_with_nothing_and_shares_its_name_with_nobody() {
    let collect = |secret: bool, next: &str| {
        json!({"type": "collect", "prompts": ["hello"], "variable": "pin", "label": "PIN",
            "digits_min": 4, "digits_max": 4, "terminator": "#", "timeout_s": 5, "tries": 1,
            "secret": secret, "next": next, "otherwise": "bye"})
    };
    let case = |when: Value| json!([{"when": when, "next": "bye"}]);
    let document = |second: bool, when: Value| {
        json!({"schema": 1, "start": "a", "nodes": {
            "a": collect(true, "b"), "b": collect(second, "c"),
            "c": {"type": "branch", "cases": case(when), "otherwise": "bye"},
            "bye": {"type": "hang_up"}}})
    };
    let known = json!({"known": {"variable": "pin"}});
    assert!(check(&document(true, known.clone()).to_string(), &names()).is_ok());
    let is = json!({"is": {"variable": "pin", "value": "4711"}});
    let faults = faults_of(&document(true, is).to_string());
    assert_eq!(faults, ["/nodes/c/cases/0/when/is/variable secret"]);
    let faults = faults_of(&document(false, known).to_string());
    assert_eq!(faults, ["/nodes/b/variable secret"]);
    changed(&[("/nodes/number/secret", json!(1))], &["/nodes/number/secret wrong_type"]);
}

#[test]
fn circles_that_never_wait() {
    changed(
        &[
            (
                "/nodes/hello",
                json!({"type": "set", "variable": "v", "value": "1", "next": "round"}),
            ),
            (
                "/nodes/round",
                json!({"type": "branch", "cases": [
                {"when": {"known": {"variable": "v"}}, "next": "hello"}], "otherwise": "notice"}),
            ),
        ],
        &["/nodes/hello endless", "/nodes/round endless"],
    );
    // A full queue is left at once, so a queue that leads to itself is a circle; one that speaks
    // between two waits is none.
    changed(&[("/nodes/sales/otherwise", json!("sales"))], &["/nodes/sales endless"]);
    let mut document = good();
    document["nodes"]["again"] = json!({"type": "play", "prompts": ["soon"], "next": "sales"});
    document["nodes"]["sales"]["otherwise"] = json!("again");
    assert!(check(&document.to_string(), &names()).is_ok());
}
