//! Replies, written from the head of their request; those without a transaction are forgotten then.

use std::fmt::Write as _;
use std::net::SocketAddr;

use crate::addr;
use crate::tags::Tags;
use crate::via;
use crate::wire::{Head, Name};

/// The methods we know, for the Allow header.
pub(crate) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, REFER, REGISTER";

/// A final status with the headers that belong to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) reason: &'static str,
    /// Whole lines, each ended by CRLF.
    pub(crate) headers: String,
}

impl Refusal {
    pub(crate) fn new(status: u16, reason: &'static str) -> Self {
        Self { status, reason, headers: String::new() }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        let clean: String = value.chars().filter(|c| !c.is_control()).collect();
        let _ = write!(self.headers, "{name}: {clean}\r\n");
        self
    }
}

/// Writes a reply without a transaction, or `None` when the request has no Via to answer to.
pub(crate) fn write(
    head: &Head<'_>,
    refusal: &Refusal,
    source: SocketAddr,
    tags: &Tags,
    server: &str,
) -> Option<Vec<u8>> {
    let tag = tags.stateless(head.first(Name::CallId).unwrap_or(""), head.first(Name::Via)?);
    let mut out = begin(head, (refusal.status, refusal.reason), source, &tag);
    let _ = write!(out, "{}Server: {server}\r\nContent-Length: 0\r\n\r\n", refusal.headers);
    Some(out.into_bytes())
}

/// What every response repeats of its request (RFC 3261 section 8.2.6.2). `tag` is our To tag where
/// the request brings none; the provisional 100 needs none.
pub(crate) fn begin(
    head: &Head<'_>,
    (status, reason): (u16, &str),
    source: SocketAddr,
    tag: &str,
) -> String {
    let mut out = String::with_capacity(1_024);
    let _ = write!(out, "SIP/2.0 {status} {reason}\r\n");
    let mut is_top = true;
    for via in head.all(Name::Via) {
        out.push_str("Via: ");
        match std::mem::take(&mut is_top) {
            true => received(&mut out, via, source),
            false => out.push_str(via),
        }
        out.push_str("\r\n");
    }
    for (name, text) in [(Name::From, "From: "), (Name::To, "To: ")] {
        let Some(value) = head.first(name) else { continue };
        out.extend([text, value]);
        let has_tag =
            || addr::name_addr(value).is_some_and(|n| addr::param(n.params, "tag").is_some());
        if name == Name::To && !tag.is_empty() && !has_tag() {
            out.extend([";tag=", tag]);
        }
        out.push_str("\r\n");
    }
    for (name, text) in [(Name::CallId, "Call-ID: "), (Name::CSeq, "CSeq: ")] {
        if let Some(value) = head.first(name) {
            out.extend([text, value, "\r\n"]);
        }
    }
    out
}

/// The top Via with `received` where the datagram came from another host than it names, and with
/// `rport` where it asks for that (RFC 3261 section 18.2.1, RFC 3581 section 4).
fn received(out: &mut String, via: &str, source: SocketAddr) {
    let mut values = addr::list(via);
    let top = values.next().unwrap_or("");
    let (sent, params) = top.split_at(top.find(';').unwrap_or(top.len()));
    out.push_str(sent.trim_end());
    for (name, value) in addr::params(params) {
        if name.eq_ignore_ascii_case("received") || name.eq_ignore_ascii_case("rport") {
            continue;
        }
        out.extend([";", name]);
        if let Some(value) = value {
            out.extend(["=", value]);
        }
    }
    let asks = addr::param(params, "rport").is_some();
    if asks || via::sent_by(top).is_none_or(|(host, _)| !via::is_source(host, source.ip())) {
        let _ = write!(out, ";received={}", source.ip().to_canonical());
    }
    if asks {
        let _ = write!(out, ";rport={}", source.port());
    }
    for value in values {
        out.extend([", ", value]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire;

    #[test]
    fn a_reply_carries_what_the_request_had() {
        let text = "OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/UDP a;rport;branch=z9hG4bK1, SIP/2.0/TCP b\r\n\
                    Via: SIP/2.0/UDP c\r\nFrom: <sip:f@x>;tag=1\r\nTo: sip:t@x\r\nCall-ID: i\r\nCSeq: 1 OPTIONS\r\n\r\n";
        let head = wire::read(text.as_bytes()).unwrap();
        let refusal = Refusal::new(420, "Bad Extension").with("Unsupported", "a\r\nEvil: b");
        let source = "192.0.2.9:7000".parse().unwrap();
        let reply = write(&head, &refusal, source, &Tags::default(), "S").unwrap();
        let reply = String::from_utf8(reply).unwrap();
        assert!(reply.starts_with("SIP/2.0 420 Bad Extension\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1;received=192.0.2.9;rport=7000, SIP/2.0/TCP b\r\nVia: SIP/2.0/UDP c\r\n"), "{reply}");
        assert!(reply.contains("To: sip:t@x;tag=s"), "{reply}");
        assert!(reply.contains("\r\nUnsupported: aEvil: b\r\n"), "{reply}");
        assert!(reply.ends_with("Content-Length: 0\r\n\r\n"), "{reply}");
    }
}
