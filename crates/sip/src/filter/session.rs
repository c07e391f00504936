//! The session description of an INVITE or UPDATE: one that we can take, or a refusal.

use super::{Check, Request, Stop, answer, warning};
use crate::addr;
use crate::counters::Why;
use crate::reply::Refusal;
use crate::sdp;
use crate::wire::Name;

/// What an INVITE or UPDATE brings as its session description must be one that we can take.
pub(super) fn check(request: &Request<'_>) -> Check {
    let head = request.head;
    let takes_sdp = |value: &str| {
        let kind = value.split(';').next().unwrap_or("").trim();
        ["application/sdp", "application/*", "*/*"].iter().any(|k| kind.eq_ignore_ascii_case(k))
    };
    let mut accepts = head.all(Name::Accept).flat_map(addr::list).peekable();
    if accepts.peek().is_some() && !accepts.any(takes_sdp) {
        return answer(Why::NotAcceptable, 406, "Not Acceptable");
    }
    if request.body.is_empty() {
        return Ok(());
    }
    let kind = head.first(Name::ContentType).and_then(|v| v.split(';').next()).unwrap_or("").trim();
    let plain =
        head.first(Name::ContentEncoding).is_none_or(|v| v.eq_ignore_ascii_case("identity"));
    if !kind.eq_ignore_ascii_case("application/sdp") || !plain {
        let refusal = Refusal::new(415, "Unsupported Media Type")
            .with("Accept", "application/sdp")
            .with("Accept-Encoding", "identity");
        return Err(Stop::Answer(Why::ContentType, refusal));
    }
    if let Err(fault) = sdp::parse(request.body) {
        let refusal = if fault.is_malformed() {
            Refusal::new(400, "Bad Request")
        } else {
            Refusal::new(488, "Not Acceptable Here")
        };
        return Err(Stop::Answer(
            Why::BadSdp,
            refusal.with("Warning", &warning(&fault.to_string())),
        ));
    }
    Ok(())
}
