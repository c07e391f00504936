//! The frames, as JSON text. See the guide of the API for their order.

use std::collections::BTreeMap;

use model::limits;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::at::At;
use crate::body::{shape, strict};
use crate::problem::Problem;
use crate::ws::topic::TopicView;

/// Characters of the name of a tab.
const TAB_CHARS_MAX: usize = 64;

/// Characters of the name of a topic that are told back; ours are shorter.
const TOPIC_CHARS_MAX: usize = 64;

/// What a page sends. Which it is says `type`.
#[derive(Debug)]
pub(crate) enum ClientFrame {
    /// `hello`: first, and only once.
    Hello(Hello),
    /// `subscribe`
    Subscribe(Subscribe),
    /// `rtc.offer`
    RtcOffer(RtcOffer),
    /// `rtc.close`
    RtcClose,
    /// `ping`
    Ping,
}

/// Who speaks.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hello {
    /// Names the tab.
    pub(crate) tab: String,
    /// Tells one telephone of this tab from its next.
    pub(crate) epoch: u64,
    /// The newest number of each topic that the page still has.
    #[serde(default)]
    pub(crate) since: BTreeMap<String, u64>,
}

/// What the page wants to see.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Subscribe {
    pub(crate) topics: Vec<String>,
}

/// The telephone of the page.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RtcOffer {
    pub(crate) sdp: String,
    /// A higher one than that of `hello`, when the page takes the phone over later.
    #[serde(default)]
    pub(crate) epoch: Option<u64>,
    /// Takes the phone over from the page that has it; without it the answer is `rtc.taken`.
    #[serde(default)]
    pub(crate) take: bool,
}

/// A frame that says nothing but its type.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bare {}

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
        let mut value = strict(text.as_bytes())?;
        let kind = value.as_object_mut().and_then(|frame| frame.remove("type"));
        let frame = match kind.as_ref().and_then(Value::as_str) {
            Some("hello") => Self::Hello(shape(value)?),
            Some("subscribe") => Self::Subscribe(shape(value)?),
            Some("rtc.offer") => Self::RtcOffer(shape(value)?),
            Some("rtc.close") => shape(value).map(|Bare {}| Self::RtcClose)?,
            Some("ping") => shape(value).map(|Bare {}| Self::Ping)?,
            Some(_) | None => {
                let detail = "A frame has the type hello, subscribe, rtc.offer, rtc.close or ping.";
                return Err(Problem::bad_request("bad_value", detail).at("/type"));
            }
        };
        match &frame {
            Self::Hello(Hello { tab, since, .. }) => {
                let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
                if !(1..=TAB_CHARS_MAX).contains(&tab.len()) || !tab.bytes().all(plain) {
                    let detail = "A tab is named by 1 to 64 letters, digits, - and _.";
                    return Err(Problem::bad_request("bad_value", detail).at("/tab"));
                }
                if since.len() > limits::WS_TOPICS_MAX {
                    return Err(too_many("/since"));
                }
            }
            Self::Subscribe(Subscribe { topics }) if topics.len() > limits::WS_TOPICS_MAX => {
                return Err(too_many("/topics"));
            }
            Self::RtcOffer(RtcOffer { sdp, .. }) if sdp.len() > limits::SDP_BYTES_MAX => {
                let detail = format!("At most {} bytes.", limits::SDP_BYTES_MAX);
                return Err(Problem::bad_request("too_long", detail).at("/sdp"));
            }
            Self::Subscribe(_) | Self::RtcOffer(_) | Self::RtcClose | Self::Ping => {}
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
        assert!(matches!(ClientFrame::read(hello), Ok(ClientFrame::Hello(Hello { epoch: 3, .. }))));
        assert!(matches!(ClientFrame::read(r#"{"type":"ping"}"#), Ok(ClientFrame::Ping)));
        let offer = r#"{"type":"rtc.offer","sdp":"v=0","epoch":4}"#;
        assert!(matches!(
            ClientFrame::read(offer),
            Ok(ClientFrame::RtcOffer(RtcOffer { epoch: Some(4), .. }))
        ));
        let many: Vec<String> = (0..201).map(|n| format!("queue:{n}")).collect();
        let many = serde_json::json!({"type": "subscribe", "topics": many}).to_string();
        let sdp = format!(r#"{{"type":"rtc.offer","sdp":"{}"}}"#, "x".repeat(17_000));
        for (text, code, place) in [
            ("", "bad_json", ""),
            ("[]", "bad_value", "/type"),
            (r#"{"type":"fly"}"#, "bad_value", "/type"),
            (r#"{"type":"ping","more":1}"#, "unknown_field", "/more"),
            (r#"{"type":"hello","tab":"a","epoch":-1}"#, "bad_value", "/epoch"),
            (r#"{"type":"hello","tab":"a b","epoch":1}"#, "bad_value", "/tab"),
            (r#"{"type":"subscribe","topics":["me",7]}"#, "bad_value", "/topics/1"),
            (r#"{"type":"ping","type":"ping"}"#, "duplicate_key", ""),
            (&many, "too_many_topics", "/topics"),
            (&sdp, "too_long", "/sdp"),
        ] {
            let refused = ClientFrame::read(text).unwrap_err();
            assert_eq!(
                (refused.code, refused.errors[0].pointer.as_str()),
                (code, place),
                "{text:.60}"
            );
        }
    }
}
