//! Replies without a transaction: written from the head of the request and forgotten.

use std::fmt::Write as _;
use std::net::SocketAddr;

use crate::addr;
use crate::tags::Tags;
use crate::wire::{Head, Name};

/// The methods we know, for the Allow header.
pub(crate) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE";

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

/// Writes the reply, or `None` when the request has no Via to answer to.
pub(crate) fn write(
    head: &Head<'_>,
    refusal: &Refusal,
    source: SocketAddr,
    tags: &Tags,
    server: &str,
) -> Option<Vec<u8>> {
    let top = head.first(Name::Via)?;
    let mut out = String::with_capacity(512);
    let _ = write!(out, "SIP/2.0 {} {}\r\n", refusal.status, refusal.reason);
    let _ = write!(out, "Via: {}\r\n", received(top, source));
    for via in head.all(Name::Via).skip(1) {
        let _ = write!(out, "Via: {via}\r\n");
    }
    if let Some(from) = head.first(Name::From) {
        let _ = write!(out, "From: {from}\r\n");
    }
    let call_id = head.first(Name::CallId).unwrap_or("");
    if let Some(to) = head.first(Name::To) {
        let has_tag = addr::name_addr(to).is_some_and(|t| addr::param(t.params, "tag").is_some());
        if has_tag {
            let _ = write!(out, "To: {to}\r\n");
        } else {
            let _ = write!(out, "To: {to};tag={}\r\n", tags.stateless(call_id, top));
        }
    }
    if head.first(Name::CallId).is_some() {
        let _ = write!(out, "Call-ID: {call_id}\r\n");
    }
    if let Some(cseq) = head.first(Name::CSeq) {
        let _ = write!(out, "CSeq: {cseq}\r\n");
    }
    let _ = write!(out, "{}Server: {server}\r\nContent-Length: 0\r\n\r\n", refusal.headers);
    Some(out.into_bytes())
}

/// The top Via with `received` and `rport` of where the datagram came from (RFC 3581 section 4).
fn received(via: &str, source: SocketAddr) -> String {
    let mut values = addr::list(via);
    let top = values.next().unwrap_or("");
    let end = top.find(';').unwrap_or(top.len());
    let (sent, params) = top.split_at(end);
    let mut out = sent.trim_end().to_owned();
    for (name, value) in addr::params(params) {
        if name.eq_ignore_ascii_case("received") || name.eq_ignore_ascii_case("rport") {
            continue;
        }
        let _ = match value {
            Some(value) => write!(out, ";{name}={value}"),
            None => write!(out, ";{name}"),
        };
    }
    let _ = write!(out, ";received={};rport={}", source.ip().to_canonical(), source.port());
    for value in values {
        let _ = write!(out, ", {value}");
    }
    out
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
