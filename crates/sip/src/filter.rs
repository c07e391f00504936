//! The stateless judge of every datagram: pass, answer at once, or drop; each refusal is counted.
//!
//! Nothing is allocated for a sender before its datagram is well-formed, wanted and within its
//! rate. The tables kept, of rates and bans, are bounded.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use model::limits;

use crate::addr;
use crate::ban::{Bans, Conduct};
use crate::counters::Why;
use crate::rate::Rates;
use crate::reply::{self, ALLOW, Refusal};
use crate::sdp;
use crate::shared::Shared;
use crate::wire::{self, Head, Name};

/// Methods that exist (RFC 3261 and its extensions) and are not for us.
const UNSUPPORTED: [&str; 7] =
    ["REGISTER", "SUBSCRIBE", "NOTIFY", "MESSAGE", "REFER", "PUBLISH", "PRACK"];
const SUPPORTED: [&str; 7] = ["INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO", "UPDATE"];
/// The keep-alive of RFC 5626 section 4.4.1 and its answer.
const PING: &[u8] = b"\r\n\r\n";
const PONG: &[u8] = b"\r\n";

/// What becomes of a datagram.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Hand on this many bytes of the buffer.
    Pass(usize),
    /// Send this back.
    Reply(Vec<u8>),
    Drop,
}

/// Why a datagram goes no further, and what the sender hears.
enum Stop {
    Silent(Why),
    Answer(Why, Refusal),
}

type Check<T = ()> = Result<T, Stop>;

fn answer<T>(why: Why, status: u16, reason: &'static str) -> Check<T> {
    Err(Stop::Answer(why, Refusal::new(status, reason)))
}

fn malformed<T>(detail: &'static str) -> Check<T> {
    let refusal = Refusal::new(400, "Bad Request").with("Warning", &warning(detail));
    Err(Stop::Answer(Why::Malformed, refusal))
}

/// A Warning header value with the miscellaneous code of RFC 3261 section 20.43.
pub(crate) fn warning(detail: &str) -> String {
    format!("399 antiphon \"{detail}\"")
}

/// A request whose start line was read.
struct Request<'a> {
    head: &'a Head<'a>,
    method: &'a str,
    source: SocketAddr,
    body: &'a [u8],
}

pub(crate) struct Filter {
    shared: Arc<Shared>,
    sources: Mutex<Sources>,
    started: Instant,
}

/// What is known of each source.
struct Sources {
    outside: Rates,
    inside: Rates,
    bans: Bans,
}

impl Filter {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let outside = shared.config.rate_per_source;
        let inside = outside.saturating_mul(limits::SIP_REQUESTS_INSIDE_FACTOR);
        let rates = |per_second| Rates::new(per_second, limits::SIP_SOURCES_MAX);
        let bans = Bans::new(shared.config.ban.as_secs().max(1), limits::SIP_SOURCES_MAX);
        let sources = Sources { outside: rates(outside), inside: rates(inside), bans };
        Self { shared, sources: Mutex::new(sources), started: Instant::now() }
    }

    /// Judges `buf[..length]`. A message without Content-Length gets one, in place. `is_copy` says
    /// that the same datagram passed shortly before.
    pub(crate) fn judge(
        &self,
        buf: &mut [u8],
        length: usize,
        source: SocketAddr,
        is_copy: bool,
    ) -> Verdict {
        let datagram = &buf[..length];
        let second = self.started.elapsed().as_secs();
        let (ip, trusted) = (source.ip().to_canonical(), self.is_trusted(source));
        let banned = !trusted && self.sources().bans.is_banned(ip, second);
        if banned && !self.belongs(datagram) {
            self.shared.tally.refuse(Why::Banned);
            return Verdict::Drop;
        }
        if datagram == PING {
            return Verdict::Reply(PONG.to_vec());
        }
        if datagram.iter().all(|b| matches!(b, b'\r' | b'\n' | b' ' | b'\t' | 0)) {
            return Verdict::Drop;
        }
        let Some(head) = wire::read(datagram) else {
            self.shared.tally.refuse(Why::NotSip);
            self.note(ip, second, trusted, Some(Why::NotSip));
            return Verdict::Drop;
        };
        let judged = if head.start.starts_with("SIP/") {
            self.response(&head, length)
        } else {
            self.request(&head, datagram, source, is_copy)
        };
        let why = match &judged {
            Ok(_) => None,
            Err(Stop::Silent(why) | Stop::Answer(why, _)) => Some(*why),
        };
        self.note(ip, second, trusted, why);
        match judged {
            Ok(Some(end)) => Verdict::Pass(end),
            Ok(None) => {
                let body_at = head.body_at;
                Verdict::Pass(insert_length(buf, body_at, length))
            }
            Err(Stop::Silent(why)) => {
                self.shared.tally.refuse(why);
                Verdict::Drop
            }
            Err(Stop::Answer(why, refusal)) => {
                self.shared.tally.refuse(why);
                self.write(&head, &refusal, source)
            }
        }
    }

    fn sources(&self) -> MutexGuard<'_, Sources> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a message belongs to a dialog of ours: such a one is heard whoever has been using
    /// its source address.
    fn belongs(&self, datagram: &[u8]) -> bool {
        wire::read(datagram).is_some_and(|head| {
            let response = head.start.starts_with("SIP/");
            self.has_our_tag(&head, if response { Name::From } else { Name::To })
        })
    }

    /// Takes note of how a source behaves. A trusted one is never banned: its address is where
    /// the calls come from, and addresses can be forged.
    fn note(&self, ip: IpAddr, second: u64, trusted: bool, why: Option<Why>) {
        if trusted {
            return;
        }
        if self.sources().bans.note(ip, second, why.map_or(Conduct::Fair, conduct)) {
            self.shared.tally.bans.fetch_add(1, Relaxed);
        }
    }

    fn write(&self, head: &Head<'_>, refusal: &Refusal, source: SocketAddr) -> Verdict {
        // Nothing is ever said to an ACK (RFC 3261 section 17).
        if head.start.starts_with("ACK ") {
            return Verdict::Drop;
        }
        let server = &self.shared.config.server_name;
        reply::write(head, refusal, source, &self.shared.tags, server)
            .map_or(Verdict::Drop, Verdict::Reply)
    }

    /// A response is ours when its top Via is (RFC 3261 section 18.1.2) and its numbers fit.
    fn response(&self, head: &Head<'_>, length: usize) -> Check<Option<usize>> {
        let silent = |why| Err(Stop::Silent(why));
        let mut parts = head.start.splitn(3, ' ');
        let (version, code) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        let digits = code.len() == 3 && code.bytes().all(|b| b.is_ascii_digit());
        if version != "SIP/2.0" || !digits || !("100"..="699").contains(&code) {
            return silent(Why::Malformed);
        }
        if head.fault.is_some() || head.only(Name::CSeq).and_then(cseq).is_none() {
            return silent(Why::Malformed);
        }
        // Every request of ours carries a tag of ours in From: who does not know one answers
        // nothing that we asked.
        if !self.has_our_tag(head, Name::From) {
            return silent(Why::NotOurResponse);
        }
        let once = [Name::From, Name::To, Name::CallId];
        if once.iter().any(|name| head.only(*name).is_none()) {
            return silent(Why::Malformed);
        }
        let sent_by =
            head.first(Name::Via).and_then(|via| addr::list(via).next()).and_then(via_sent_by);
        if !sent_by.is_some_and(|(host, port)| self.is_our_address(host, port)) {
            return silent(Why::NotOurResponse);
        }
        body_end(head, length).or_else(|_| silent(Why::Malformed))
    }

    fn is_our_address(&self, host: &str, port: Option<u16>) -> bool {
        let own = self.shared.advertise;
        port.unwrap_or(addr::SIP_PORT) == own.port()
            && host.parse().is_ok_and(|ip: IpAddr| ip == own.ip())
    }

    fn request(
        &self,
        head: &Head<'_>,
        datagram: &[u8],
        source: SocketAddr,
        is_copy: bool,
    ) -> Check<Option<usize>> {
        let ours = self.has_our_tag(head, Name::To);
        self.rate(head, source, ours || is_copy)?;
        if is_copy {
            // Its transaction answers it (RFC 3261 section 17.2.1). A refusal from here, because
            // the house has filled up since, would end a call that is being set up.
            return body_end(head, datagram.len());
        }
        let (method, uri) = start_line(head)?;
        if datagram.len() > limits::SIP_MESSAGE_BYTES_MAX {
            return answer(Why::TooLong, 513, "Message Too Large");
        }
        let end = body_end(head, datagram.len());
        let body =
            &datagram[head.body_at..end.as_ref().ok().copied().flatten().unwrap_or(datagram.len())];
        let request = Request { head, method, source, body };
        known_method(&request)?;
        let end = end?;
        mandatory(&request)?;
        request_uri(uri)?;
        if UNSUPPORTED.contains(&method) {
            let refusal = Refusal::new(405, "Method Not Allowed").with("Allow", ALLOW);
            return Err(Stop::Answer(Why::MethodNotAllowed, refusal));
        }
        extensions(&request)?;
        if tag(head, Name::To).is_some() && !ours {
            return answer(Why::NoDialog, 481, "Call/Transaction Does Not Exist");
        }
        match method {
            "OPTIONS" => return self.options(),
            "BYE" | "INFO" | "UPDATE" if !ours => {
                return answer(Why::NoDialog, 481, "Call/Transaction Does Not Exist");
            }
            "INVITE" if !ours => self.new_call(&request)?,
            _ => {}
        }
        if matches!(method, "INVITE" | "UPDATE") {
            session(&request)?;
        }
        Ok(end)
    }

    /// Whether the tag of this header was minted by us.
    fn has_our_tag(&self, head: &Head<'_>, name: Name) -> bool {
        tag(head, name).is_some_and(|tag| self.shared.tags.is_ours(tag))
    }

    /// A source over its rate is dropped; a trusted one that begins calls hears 503. What belongs
    /// to a dialog of ours, and a copy of what passed, has a rate of its own: a flood of new calls
    /// must not keep anybody from hanging up.
    fn rate(&self, head: &Head<'_>, source: SocketAddr, inside: bool) -> Check {
        let second = self.started.elapsed().as_secs();
        let ip = source.ip().to_canonical();
        let mut rates = self.sources();
        if inside {
            let admitted = rates.inside.admit(ip, second);
            return if admitted { Ok(()) } else { Err(Stop::Silent(Why::RateInside)) };
        }
        if rates.outside.admit(ip, second) {
            return Ok(());
        }
        if head.start.starts_with("INVITE ") && self.is_trusted(source) {
            return Err(Stop::Answer(Why::Rate, busy(1)));
        }
        Err(Stop::Silent(Why::Rate))
    }

    fn is_trusted(&self, source: SocketAddr) -> bool {
        self.shared.config.trusted.iter().any(|block| block.contains(source.ip()))
    }

    fn options(&self) -> Check<Option<usize>> {
        let refusal = if self.shared.draining.load(Relaxed) {
            busy(30)
        } else {
            Refusal::new(200, "OK").with("Allow", ALLOW).with("Accept", "application/sdp")
        };
        // Not a refusal, but answered like one: at once and without state.
        Err(Stop::Answer(Why::Answered, refusal))
    }

    /// What only an INVITE outside a dialog must pass.
    fn new_call(&self, request: &Request<'_>) -> Check {
        if !self.is_trusted(request.source) {
            return answer(Why::Untrusted, 403, "Forbidden");
        }
        if request.head.first(Name::MaxForwards).is_some_and(|v| v.bytes().all(|b| b == b'0')) {
            return answer(Why::Hops, 483, "Too Many Hops");
        }
        let vias = request.head.all(Name::Via).flat_map(addr::list).filter_map(via_sent_by);
        for (host, port) in vias {
            if self.is_our_address(host, port) {
                return answer(Why::Loop, 482, "Loop Detected");
            }
        }
        if request.head.first(Name::Contact).is_none() {
            return malformed("INVITE needs Contact");
        }
        if self.shared.draining.load(Relaxed) {
            return Err(Stop::Answer(Why::ShuttingDown, busy(30)));
        }
        if self.shared.tally.legs.load(Relaxed) >= self.shared.config.legs_max
            || self.shared.tally.events_waiting.load(Relaxed) > 0
        {
            return Err(Stop::Answer(Why::Full, busy(5)));
        }
        Ok(())
    }
}

/// What a refusal says about its sender. An old telephone that asks for what we cannot do, or a
/// proxy whose dialogs did not outlive our restart, is fair.
const fn conduct(why: Why) -> Conduct {
    match why {
        Why::Rate | Why::RateInside => Conduct::Over,
        Why::NotSip
        | Why::Malformed
        | Why::TooLong
        | Why::Version
        | Why::UnknownMethod
        | Why::UriScheme
        | Why::NotOurResponse
        | Why::Untrusted => Conduct::Garbage,
        _ => Conduct::Fair,
    }
}

/// The tag of a From or To header.
fn tag<'a>(head: &'a Head<'_>, name: Name) -> Option<&'a str> {
    head.first(name).and_then(addr::name_addr).and_then(|name| addr::param(name.params, "tag"))
}

fn busy(retry_after_s: u32) -> Refusal {
    Refusal::new(503, "Service Unavailable").with("Retry-After", &retry_after_s.to_string())
}

/// `Method SP Request-URI SP SIP/2.0`, with single spaces.
fn start_line<'a>(head: &Head<'a>) -> Check<(&'a str, &'a str)> {
    let mut parts = head.start.split(' ');
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

fn known_method(request: &Request<'_>) -> Check {
    if SUPPORTED.contains(&request.method) || UNSUPPORTED.contains(&request.method) {
        return Ok(());
    }
    let refusal = Refusal::new(501, "Not Implemented").with("Allow", ALLOW);
    Err(Stop::Answer(Why::UnknownMethod, refusal))
}

/// The headers that every request must have, exactly once and well-formed (RFC 3261 section 8.1.1).
fn mandatory(request: &Request<'_>) -> Check {
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
    if addr::scheme(from.uri).is_none()
        || addr::scheme(to.uri).is_none()
        || addr::param(to.params, "tag").is_some_and(|tag| !addr::is_token(tag))
    {
        return malformed("From or To");
    }
    if !head.only(Name::CallId).is_some_and(|id| !id.is_empty() && !id.contains([' ', '\t'])) {
        return malformed("Call-ID must stand once");
    }
    let Some((_, method)) = head.only(Name::CSeq).and_then(cseq) else {
        return malformed("CSeq");
    };
    if method != request.method {
        return malformed("CSeq names another method");
    }
    vias(head)?;
    if head.first(Name::MaxForwards).is_some_and(|v| !v.bytes().all(|b| b.is_ascii_digit()))
        || head.all(Name::MaxForwards).count() > 1
    {
        return malformed("Max-Forwards");
    }
    let sound = |value: &str| {
        value == "*" || addr::name_addr(value).is_some_and(|c| addr::scheme(c.uri).is_some())
    };
    if !head.all(Name::Contact).flat_map(addr::list).all(sound) {
        return malformed("Contact");
    }
    let routes = head.all(Name::Route).chain(head.all(Name::RecordRoute));
    if !routes.flat_map(addr::list).all(|route| addr::name_addr(route).is_some()) {
        return malformed("Route");
    }
    Ok(())
}

fn vias(head: &Head<'_>) -> Check {
    let mut values = head.all(Name::Via).flat_map(addr::list).peekable();
    if values.peek().is_none() || values.any(|via| via_sent_by(via).is_none()) {
        return malformed("Via");
    }
    let top = head.first(Name::Via).and_then(|via| addr::list(via).next()).unwrap_or("");
    let params = &top[top.find(';').unwrap_or(top.len())..];
    let branch = addr::param(params, "branch").unwrap_or("");
    // The bare cookie identifies nothing (RFC 3261 section 8.1.1.7).
    if branch == "z9hG4bK" { malformed("Via branch") } else { Ok(()) }
}

/// Host and port of `SIP/2.0/UDP host:port;params`, blanks allowed around the slashes.
fn via_sent_by(via: &str) -> Option<(&str, Option<u16>)> {
    let end = via.find(';').unwrap_or(via.len());
    let (sent, params) = via.split_at(end);
    let mut parts = sent.splitn(3, '/').map(str::trim);
    let (name, version) = (parts.next()?, parts.next()?);
    let (transport, sent_by) = parts.next()?.split_once([' ', '\t'])?;
    let sound = name.eq_ignore_ascii_case("SIP")
        && version == "2.0"
        && addr::is_token(transport)
        && via_params_are_sound(params);
    sound.then(|| addr::host_port(sent_by.trim()))?
}

fn via_params_are_sound(params: &str) -> bool {
    let params = params.trim();
    // `received` may hold a bare IPv6 address (RFC 5118 section 4.5).
    params.is_empty()
        || params.starts_with(';')
            && addr::params(params).all(|(name, value)| {
                addr::is_token(name)
                    && value.is_none_or(|v| !v.is_empty() && !v.contains([' ', ',', '<', '>']))
            })
}

/// Number and method of a CSeq header; the number fits 32 bits (RFC 3261 section 8.1.1.5).
pub(crate) fn cseq(value: &str) -> Option<(u32, &str)> {
    let (number, method) = value.split_once([' ', '\t'])?;
    let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    let method = method.trim();
    (digits && addr::is_token(method)).then_some((number.parse().ok()?, method))
}

/// Where the body ends: by Content-Length, which must stand at most once and not exceed the
/// datagram; `None` when the header is missing (RFC 3261 section 18.3).
fn body_end(head: &Head<'_>, length: usize) -> Check<Option<usize>> {
    if head.first(Name::ContentLength).is_none() {
        return Ok(None);
    }
    let value = head.only(Name::ContentLength).filter(|v| v.bytes().all(|b| b.is_ascii_digit()));
    let Some(body) = value.and_then(|v| v.parse::<usize>().ok()) else {
        return malformed("Content-Length");
    };
    match head.body_at.checked_add(body) {
        Some(end) if end <= length => Ok(Some(end)),
        _ => malformed("Content-Length is longer than the datagram"),
    }
}

fn request_uri(uri: &str) -> Check {
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
fn extensions(request: &Request<'_>) -> Check {
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

/// What an INVITE or UPDATE brings as its session description must be one that we can take.
fn session(request: &Request<'_>) -> Check {
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

/// Writes a Content-Length header into the buffer, for the parser behind us that takes a body for
/// absent without it. Returns the new length.
fn insert_length(buf: &mut [u8], body_at: usize, length: usize) -> usize {
    if body_at >= length {
        return length;
    }
    let line = format!("Content-Length: {}\r\n", length - body_at);
    let grown = length + line.len();
    if grown > buf.len() {
        return length;
    }
    let place = body_at - 2;
    buf.copy_within(place..length, place + line.len());
    buf[place..place + line.len()].copy_from_slice(line.as_bytes());
    grown
}
