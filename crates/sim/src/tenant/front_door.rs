//! The flows of the example tenant.
//!
//! Invariant: they are flows that the checker lets an administrator publish.

use model::flow::{Case, Choice, Condition, FLOW_SCHEMA, Flow, Node};

/// Straight into the queue.
pub(super) fn plain(wait_s_max: u32) -> Flow {
    let nodes = [("wait", wait("orders", 0, &[], &[], wait_s_max)), ("bye", hang_up(&[]))];
    flow("wait", nodes)
}

/// A greeting, opening hours, a menu with a way to each queue, and every other kind of node.
pub(super) fn full(queues: &[&str], wait_s_max: u32) -> Flow {
    let technical = if queues.contains(&"repairs") { "repairs" } else { "orders" };
    let welcome = Node::Play { prompts: texts(&["welcome"]), next: "hours".to_owned() };
    let hours = Node::Hours {
        calendar: "always".to_owned(),
        open: "menu".to_owned(),
        closed: "bye".to_owned(),
    };
    let greek = Node::Set {
        variable: "language".to_owned(),
        value: "el-GR".to_owned(),
        next: "menu".to_owned(),
    };
    let mut urgent = wait("orders", 10, &[], &["hold_on"], wait_s_max);
    if let Node::Queue { otherwise, .. } = &mut urgent {
        "technical".clone_into(otherwise);
    }
    let mut front_door = flow(
        "welcome",
        [
            ("welcome", welcome),
            ("hours", hours),
            ("menu", menu(queues)),
            ("greek", greek),
            ("number", number()),
            ("which", which()),
            ("notice", consent("orders")),
            ("technical", consent(technical)),
            ("urgent", urgent),
            ("orders", wait("orders", 0, &[("orders", 1)], &[], wait_s_max)),
            ("bye", hang_up(&["bye"])),
        ],
    );
    for name in queues.iter().filter(|name| **name != "orders") {
        let node = wait(name, 0, &[], &["hold_on"], wait_s_max);
        front_door.nodes.insert((*name).to_owned(), node);
    }
    front_door
}

fn menu(queues: &[&str]) -> Node {
    let ways = [
        ('1', "Orders", "notice"),
        ('2', "Repairs", "number"),
        ('3', "Urgent", "urgent"),
        ('4', "Sales", "sales"),
        ('5', "Returns", "returns"),
        ('8', "Greek", "greek"),
    ];
    let is_there = |next: &str| !["sales", "returns"].contains(&next) || queues.contains(&next);
    let choices = ways
        .into_iter()
        .filter(|(_, _, next)| is_there(next))
        .map(|(key, label, next)| (key, Choice { label: label.to_owned(), next: next.to_owned() }));
    Node::Menu {
        prompts: texts(&["menu"]),
        choices: choices.collect(),
        timeout_s: 4,
        tries: 2,
        invalid: texts(&["invalid"]),
        otherwise: "bye".to_owned(),
    }
}

fn number() -> Node {
    Node::Collect {
        prompts: texts(&["number"]),
        variable: "order".to_owned(),
        label: "Order number".to_owned(),
        digits_min: 3,
        digits_max: 6,
        terminator: '#',
        timeout_s: 3,
        secret: false,
        tries: 2,
        next: "which".to_owned(),
        otherwise: "technical".to_owned(),
    }
}

/// Every kind of condition.
fn which() -> Node {
    let variable = |name: &str| name.to_owned();
    let nine = Condition::StartsWith { variable: variable("order"), value: "9".to_owned() };
    let greek = Condition::Is { variable: variable("language"), value: "el-GR".to_owned() };
    let known = Condition::Known { variable: variable("caller") };
    let refused = Condition::Is { variable: variable("consent"), value: "refused".to_owned() };
    let urgent = Condition::All(vec![greek, known.clone()]);
    let nobody = Condition::Any(vec![refused, Condition::Not(Box::new(known))]);
    let case = |when, next: &str| Case { when, next: next.to_owned() };
    Node::Branch {
        cases: vec![case(nine, "urgent"), case(urgent, "urgent"), case(nobody, "notice")],
        otherwise: "technical".to_owned(),
    }
}

fn flow<const N: usize>(start: &str, nodes: [(&str, Node); N]) -> Flow {
    let nodes = nodes.into_iter().map(|(name, node)| (name.to_owned(), node)).collect();
    Flow { schema: FLOW_SCHEMA, start: start.to_owned(), nodes }
}

fn texts(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn consent(next: &str) -> Node {
    Node::Consent {
        prompts: texts(&["notice"]),
        refuse_key: Some('*'),
        timeout_s: 1,
        next: next.to_owned(),
    }
}

fn hang_up(prompts: &[&str]) -> Node {
    Node::HangUp { prompts: texts(prompts) }
}

fn wait(
    queue: &str,
    priority: i32,
    skills: &[(&str, u8)],
    prompts: &[&str],
    wait_s_max: u32,
) -> Node {
    Node::Queue {
        queue: queue.to_owned(),
        skills: skills.iter().map(|(skill, level)| ((*skill).to_owned(), *level)).collect(),
        priority,
        prompts: texts(prompts),
        wait_s_max,
        otherwise: "bye".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use crate::scenario::Scenario;
    use crate::tenant::{QUEUES_MAX, tenant};
    use floor::flow::{Names, check};

    #[test]
    fn an_administrator_may_publish_them() {
        for queues in 1..=QUEUES_MAX {
            let mut scenario = Scenario::swarm(0);
            scenario.company.queues = queues;
            for plain_queue in [false, true] {
                let config = tenant(&Scenario { plain_queue, ..scenario.clone() }, 1);
                let names = Names::of(&config);
                for published in config.flows.values() {
                    let document = serde_json::to_string(&*published.flow).unwrap();
                    assert_eq!(check(&document, &names).as_ref(), Ok(&*published.flow));
                }
            }
        }
    }
}
