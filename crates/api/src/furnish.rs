//! What a new company begins with: one queue, a flow that leads to it, a few results and reasons,
//! and the administrator at a desk. Only the number is left to be told.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::config::{Agent, Device, EVERY_LANGUAGE, Queue, Strategy};
use model::flow::{FLOW_SCHEMA, Flow, Node};
use model::{AgentId, FlowId, QueueId, Timestamp};
use store::{ConfigDraft, FlowDraft, User, fresh_id};

use crate::app::StarterSound;
use crate::found::FlowCheck;

/// A first wait of fifteen minutes is long enough for anybody.
const WAIT_S_MAX: u32 = 900;
/// The shipped notice speaks of this key.
const REFUSE_KEY: char = '9';

/// What things are called at first. People rename them as they like.
struct Words {
    queue: &'static str,
    flow: &'static str,
    results: [(&'static str, &'static str); 2],
    reasons: [(&'static str, &'static str); 3],
}

const EN: Words = Words {
    queue: "Support",
    flow: "Main line",
    results: [("answered", "Answered"), ("follow_up", "Follow-up needed")],
    reasons: [("lunch", "Lunch"), ("pause", "Short break"), ("meeting", "Meeting")],
};

const FA: Words = Words {
    queue: "پشتیبانی",
    flow: "خط اصلی",
    results: [("answered", "پاسخ داده شد"), ("follow_up", "نیازمند پیگیری")],
    reasons: [("lunch", "ناهار"), ("pause", "استراحت کوتاه"), ("meeting", "جلسه")],
};

fn words(language: &str) -> &'static Words {
    match language.split('-').next() {
        Some("fa") => &FA,
        _ => &EN,
    }
}

/// One queue, the administrator who serves it, and the short lists.
pub(crate) fn furnish(
    draft: &mut ConfigDraft,
    user: &User,
    sounds: &[StarterSound],
    now: Timestamp,
) {
    let words = words(&user.language);
    let queue: QueueId = fresh_id(now);
    draft.users.insert(user.id, user.clone());
    draft.config.queues.insert(queue, first_queue(words, sounds));
    draft.config.agents.insert(
        AgentId::of_user(user.id),
        Agent {
            name: user.name.clone(),
            queues: [queue].into(),
            skills: BTreeMap::new(),
            device: Device::Browser,
            extension: None,
        },
    );
    let list = |pairs: &[(&str, &str)]| {
        let owned = |(code, label): &(&str, &str)| ((*code).to_owned(), (*label).to_owned());
        pairs.iter().map(owned).collect()
    };
    draft.config.dispositions = list(&words.results);
    draft.config.break_reasons = list(&words.reasons);
}

fn first_queue(words: &Words, sounds: &[StarterSound]) -> Queue {
    let music = sounds.iter().find(|sound| sound.language == EVERY_LANGUAGE);
    Queue {
        name: words.queue.to_owned(),
        strategy: Strategy::LongestReady,
        skills: BTreeMap::new(),
        ring_ms: 20_000,
        wrap_up_ms: 60_000,
        music: music.map_or("music", |sound| sound.name.as_str()).to_owned(),
        service_level_ms: 20_000,
        short_abandon_ms: 5_000,
        length_max: 200,
    }
}

/// Publishes the first flow: a greeting, the notice of the recording, the queue. Without the
/// shipped sounds there is none: a flow that says nothing helps nobody.
pub(crate) fn first_flow(
    draft: &mut ConfigDraft,
    sound: FlowCheck<'_>,
    language: &str,
    now: Timestamp,
) {
    let words = words(language);
    let flow = main_line(words.queue);
    let Ok(document) = serde_json::to_string(&flow) else { return };
    if !sound(&document, &draft.config) {
        return;
    }
    let id: FlowId = fresh_id(now);
    let entry = FlowDraft { name: words.flow.to_owned(), draft: Arc::new(flow), published: None };
    draft.flows.insert(id, entry);
    draft.publish(id);
}

fn main_line(queue: &str) -> Flow {
    let say = |name: &str| vec![name.to_owned()];
    let to = str::to_owned;
    let nodes = [
        ("welcome", Node::Play { prompts: say("welcome"), next: to("notice") }),
        (
            "notice",
            Node::Consent {
                prompts: say("recording_notice"),
                refuse_key: Some(REFUSE_KEY),
                timeout_s: 2,
                next: to("wait"),
            },
        ),
        (
            "wait",
            Node::Queue {
                queue: to(queue),
                skills: BTreeMap::new(),
                priority: 0,
                prompts: say("please_wait"),
                wait_s_max: WAIT_S_MAX,
                otherwise: to("bye"),
            },
        ),
        ("bye", Node::HangUp { prompts: say("goodbye") }),
    ];
    let nodes = nodes.into_iter().map(|(name, node)| (name.to_owned(), node)).collect();
    Flow { schema: FLOW_SCHEMA, start: to("welcome"), nodes }
}
