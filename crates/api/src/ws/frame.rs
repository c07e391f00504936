//! The frames, as JSON text. See the guide of the API for their order.

use std::collections::BTreeMap;

use model::limits;
use serde::{Deserialize, Serialize};

use crate::at::At;
use crate::body::parse;
use crate::problem::Problem;
use crate::ws::topic::TopicView;

/// Characters of the name of a tab.
const TAB_CHARS_MAX: usize = 64;

/// Characters of the name of a topic that are told back; ours are shorter.
const TOPIC_CHARS_MAX: usize = 64;

/// What a page sends.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", deny_unknown_fields)]
pub(crate) enum ClientFrame {
    /// First, and only once.
    #[serde(rename = "hello")]
    Hello {
        /// Names the tab.
        tab: String,
        /// Tells one telephone of this tab from its next.
        epoch: u64,
        /// The newest number of each topic that the page still has.
        #[serde(default)]
        since: BTreeMap<String, u64>,
    },
    #[serde(rename = "subscribe")]
    Subscribe { topics: Vec<String> },
    #[serde(rename = "rtc.offer")]
    RtcOffer {
        sdp: String,
        /// A higher one than that of `hello`, when the page takes the phone over later.
        #[serde(default)]
        epoch: Option<u64>,
        /// Takes the phone over from the page that has it; without it the answer is `rtc.taken`.
        #[serde(default)]
        take: bool,
    },
    #[serde(rename = "rtc.close")]
    RtcClose {},
    #[serde(rename = "ping")]
    Ping {},
}

/// What a page is sent.
#[derive(Debug, Serialize)]
#[serde(tag = "type")]
pub(crate) enum ServerFrame {
    #[serde(rename = "welcome")]
    Welcome { server_at: At, build: &'static str },
    #[serde(rename = "update")]
    Update { topic: String, seq: u64, data: TopicView },
    #[serde(rename = "rtc.answer")]
    RtcAnswer { sdp: String },
    #[serde(rename = "rtc.state")]
    RtcState { up: bool },
    /// Another page has the phone: what was offered is refused, or what was held is lost.
    #[serde(rename = "rtc.taken")]
    RtcTaken,
    #[serde(rename = "pong")]
    Pong,
    #[serde(rename = "error")]
    Error {
        code: String,
        detail: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        place: Option<String>,
    },
}

impl ClientFrame {
    /// Reads a frame and checks what its form can tell.
    pub(crate) fn read(text: &str) -> Result<Self, Problem> {
        let frame: Self = parse(text.as_bytes())?;
        match &frame {
            Self::Hello { tab, since, .. } => {
                let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
                if !(1..=TAB_CHARS_MAX).contains(&tab.len()) || !tab.bytes().all(plain) {
                    let detail = "A tab is named by 1 to 64 letters, digits, - and _.";
                    return Err(Problem::bad_request("bad_value", detail).at("/tab"));
                }
                if since.len() > limits::WS_TOPICS_MAX {
                    return Err(too_many("/since"));
                }
            }
            Self::Subscribe { topics } if topics.len() > limits::WS_TOPICS_MAX => {
                return Err(too_many("/topics"));
            }
            Self::RtcOffer { sdp, .. } if sdp.len() > limits::SDP_BYTES_MAX => {
                let detail = format!("At most {} bytes.", limits::SDP_BYTES_MAX);
                return Err(Problem::bad_request("too_long", detail).at("/sdp"));
            }
            Self::Subscribe { .. } | Self::RtcOffer { .. } | Self::RtcClose {} | Self::Ping {} => {}
        }
        Ok(frame)
    }
}

/// More topics than a connection may watch.
pub(crate) fn too_many(pointer: &str) -> Problem {
    let detail = format!("At most {} topics.", limits::WS_TOPICS_MAX);
    Problem::bad_request("too_many_topics", detail).at(pointer)
}

impl ServerFrame {
    pub(crate) fn refused(problem: Problem) -> Self {
        let place = problem.errors.into_iter().next().map(|fault| fault.pointer);
        Self::Error { code: problem.code.to_owned(), detail: problem.detail, place }
    }

    /// The page may not watch this topic, or no more.
    pub(crate) fn forbidden_topic(topic: &str) -> Self {
        let detail = "You may not watch this.".to_owned();
        // What the page asked for is told back, but not at any length.
        let place = Some(topic.chars().take(TOPIC_CHARS_MAX).collect());
        Self::Error { code: "forbidden_topic".to_owned(), detail, place }
    }

    /// An offer of the phone was refused; the page offers again later.
    pub(crate) fn offer_refused(problem: Problem) -> Self {
        let place = Some("rtc.offer".to_owned());
        Self::Error { code: problem.code.to_owned(), detail: problem.detail, place }
    }

    pub(crate) fn text(&self) -> String {
        serde_json::to_string(self).expect("frames are plain data with text keys")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_strictly() {
        let hello = r#"{"type":"hello","tab":"a-1","epoch":3,"since":{"me":7}}"#;
        assert!(matches!(ClientFrame::read(hello), Ok(ClientFrame::Hello { epoch: 3, .. })));
        assert!(matches!(ClientFrame::read(r#"{"type":"ping"}"#), Ok(ClientFrame::Ping {})));
        let offer = r#"{"type":"rtc.offer","sdp":"v=0","epoch":4}"#;
        assert!(matches!(
            ClientFrame::read(offer),
            Ok(ClientFrame::RtcOffer { epoch: Some(4), .. })
        ));
        let many: Vec<String> = (0..201).map(|n| format!("queue:{n}")).collect();
        let many = serde_json::json!({"type": "subscribe", "topics": many}).to_string();
        let sdp = format!(r#"{{"type":"rtc.offer","sdp":"{}"}}"#, "x".repeat(17_000));
        for (text, code) in [
            ("", "bad_json"),
            ("[]", "bad_value"),
            (r#"{"type":"fly"}"#, "bad_value"),
            (r#"{"type":"ping","more":1}"#, "unknown_field"),
            (r#"{"type":"hello","tab":"a","epoch":-1}"#, "bad_value"),
            (r#"{"type":"hello","tab":"a b","epoch":1}"#, "bad_value"),
            (r#"{"type":"ping","type":"ping"}"#, "duplicate_key"),
            (&many, "too_many_topics"),
            (&sdp, "too_long"),
        ] {
            assert_eq!(ClientFrame::read(text).unwrap_err().code, code, "{text:.60}");
        }
    }
}
