//! What a request must look like: the start line and the headers that every request has.
//!
//! Each check reads the head alone. What breaks the grammar gets 400, what is well-formed and not
//! for us the status that says so.

use super::{Check, Request, Stop, answer, malformed};
use crate::addr;
use crate::counters::Why;
use crate::message::Method;
use crate::reply::{ALLOW, Refusal};
use crate::via;
use crate::way::Way;
use crate::wire::{Head, Name, is_exact};

/// Methods that exist (RFC 3261 and its extensions) and are not for us.
const UNSUPPORTED: [&str; 5] = ["SUBSCRIBE", "NOTIFY", "MESSAGE", "PUBLISH", "PRACK"];

/// `Method SP Request-URI SP SIP/2.0`, with single spaces.
pub(super) fn start_line<'a>(head: &'a Head<'_>) -> Check<(&'a str, &'a str)> {
    let mut parts = head.start().split(' ');
    let (Some(method), Some(uri), Some(version), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return malformed("request line");
    };
    if !addr::is_token(method) || uri.is_empty() {
        return malformed("request line");
    }
    if !version.eq_ignore_ascii_case("SIP/2.0") {
        return answer(Why::Version, 505, "Version Not Supported");
    }
    Ok((method, uri))
}

pub(super) fn known_method(request: &Request<'_>) -> Check {
    if Method::read(request.method).is_some() || UNSUPPORTED.contains(&request.method) {
        return Ok(());
    }
    let refusal = Refusal::new(501, "Not Implemented").with("Allow", ALLOW);
    Err(Stop::Answer(Why::UnknownMethod, refusal))
}

/// A method that is for us.
pub(super) fn served_method(request: &Request<'_>) -> Check {
    if Method::served(request.method).is_some() {
        return Ok(());
    }
    let refusal = Refusal::new(405, "Method Not Allowed").with("Allow", ALLOW);
    Err(Stop::Answer(Why::MethodNotAllowed, refusal))
}

/// The headers that every request must have, exactly once and well-formed (RFC 3261 section 8.1.1).
pub(super) fn mandatory(request: &Request<'_>) -> Check {
    let head = request.head;
    if let Some(fault) = head.fault {
        return malformed(fault);
    }
    let (Some(from), Some(to)) = (head.only(Name::From), head.only(Name::To)) else {
        return malformed("From and To must stand once");
    };
    let (Some(from), Some(to)) = (addr::name_addr(from), addr::name_addr(to)) else {
        return malformed("From or To");
    };
    if !addr::param(from.params, "tag").is_some_and(addr::is_token) {
        return malformed("From needs a tag");
    }
    if !is_uri(from.uri)
        || !is_uri(to.uri)
        || addr::param(to.params, "tag").is_some_and(|tag| !addr::is_token(tag))
    {
        return malformed("From or To");
    }
    if !head
        .only(Name::CallId)
        .is_some_and(|id| !id.is_empty() && !id.contains(char::is_whitespace) && is_exact(id))
    {
        return malformed("Call-ID must stand once");
    }
    let Some((_, method)) = head.only(Name::CSeq).and_then(cseq) else {
        return malformed("CSeq");
    };
    if method != request.method {
        return malformed("CSeq names another method");
    }
    vias(head)?;
    let number = |v: &str| !v.is_empty() && v.bytes().all(|b| b.is_ascii_digit());
    if !head.all(Name::MaxForwards).all(number) || head.all(Name::MaxForwards).count() > 1 {
        return malformed("Max-Forwards");
    }
    let sound = |value: &str| value == "*" || addr::name_addr(value).is_some_and(|c| is_uri(c.uri));
    if !head.all(Name::Contact).flat_map(addr::list).all(sound) {
        return malformed("Contact");
    }
    let routes = head.all(Name::Route).chain(head.all(Name::RecordRoute));
    if !routes.flat_map(addr::list).all(|r| addr::name_addr(r).is_some() && is_exact(r)) {
        return malformed("Route");
    }
    Ok(())
}

fn is_uri(uri: &str) -> bool {
    addr::scheme(uri).is_some() && is_exact(uri)
}

fn vias(head: &Head<'_>) -> Check {
    let mut values = head.all(Name::Via).flat_map(addr::list).peekable();
    let sound = |via: &str| via::sent_by(via).is_some() && is_exact(via);
    if values.peek().is_none() || !values.all(sound) {
        return malformed("Via");
    }
    let top = via::top(head).unwrap_or("");
    let branch = addr::param(via::params(top), "branch").unwrap_or("");
    // The bare cookie identifies nothing (RFC 3261 section 8.1.1.7).
    if branch == "z9hG4bK" { malformed("Via branch") } else { Ok(()) }
}

/// In a stream every message says how long it is (RFC 3261 section 20.14).
pub(super) fn length(head: &Head<'_>, source: Way) -> Check {
    if source.is_stream() && head.first(Name::ContentLength).is_none() {
        return malformed("Content-Length must stand in a stream");
    }
    Ok(())
}

/// Number and method of a CSeq header; the number fits 32 bits (RFC 3261 section 8.1.1.5).
pub(crate) fn cseq(value: &str) -> Option<(u32, &str)> {
    let (number, method) = value.split_once([' ', '\t'])?;
    let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    let method = method.trim();
    (digits && addr::is_token(method)).then_some((number.parse().ok()?, method))
}

/// Where the body ends: by Content-Length, which must stand at most once and not exceed the
/// datagram; with the datagram when the header is missing (RFC 3261 section 18.3).
pub(super) fn body_end(head: &Head<'_>, length: usize) -> Check<usize> {
    if head.first(Name::ContentLength).is_none() {
        return Ok(length);
    }
    let value = head.only(Name::ContentLength).filter(|v| v.bytes().all(|b| b.is_ascii_digit()));
    let Some(body) = value.and_then(|v| v.parse::<usize>().ok()) else {
        return malformed("Content-Length");
    };
    match head.body_at.checked_add(body) {
        Some(end) if end <= length => Ok(end),
        _ => malformed("Content-Length is longer than the datagram"),
    }
}

pub(super) fn request_uri(uri: &str) -> Check {
    let Some(scheme) = addr::scheme(uri) else {
        return malformed("Request-URI");
    };
    if !scheme.eq_ignore_ascii_case("sip") && !scheme.eq_ignore_ascii_case("sips") {
        return answer(Why::UriScheme, 416, "Unsupported URI Scheme");
    }
    match addr::sip_uri(uri) {
        Some(parsed) if parsed.headers.is_empty() => Ok(()),
        Some(_) => malformed("Request-URI must not carry headers"),
        None => malformed("Request-URI"),
    }
}

/// No extension is required of us that we would have to know (RFC 3261 section 8.2.2.3).
pub(super) fn extensions(request: &Request<'_>) -> Check {
    if matches!(request.method, "ACK" | "CANCEL") {
        return Ok(());
    }
    let wanted: Vec<&str> =
        request.head.all(Name::Require).flat_map(addr::list).filter(|o| !o.is_empty()).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let refusal = Refusal::new(420, "Bad Extension").with("Unsupported", &wanted.join(", "));
    Err(Stop::Answer(Why::Extension, refusal))
}
