//! The stateless judge of every datagram: pass, answer at once, or drop; each refusal is counted.
//!
//! Nothing is allocated for a sender before its datagram is well-formed, wanted and within its
//! rate. The tables kept, of rates and bans, are bounded.

mod check;
mod session;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use model::limits;

use crate::addr;
use crate::ban::{Bans, Conduct};
use crate::counters::Why;
use crate::homes::Homes;
use crate::message::Message;
use crate::rate::Rates;
use crate::reply::{self, ALLOW, Refusal};
use crate::shared::Shared;
use crate::via;
use crate::way::Way;
use crate::wire::{self, Head, Name};

use check::body_end;
pub(crate) use check::cseq;

/// The keep-alive of RFC 5626 section 4.4.1 and its answer.
const PING: &[u8] = b"\r\n\r\n";
const PONG: &[u8] = b"\r\n";

/// What becomes of a datagram.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Hand it on, with where responses to it go.
    Pass(Box<Message>),
    /// Send this back, to this address.
    Reply(Vec<u8>, Way),
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
    source: Way,
    body: &'a [u8],
}

pub(crate) struct Filter {
    shared: Arc<Shared>,
    pub(crate) homes: Homes,
    sources: Sources,
    started: Instant,
}

/// What is known of each source.
struct Sources {
    outside: Rates,
    inside: Rates,
    connections: Rates,
    bans: Bans,
}

impl Filter {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let outside = shared.config.rate_per_source;
        let inside = outside.saturating_mul(limits::SIP_REQUESTS_INSIDE_FACTOR);
        let rates = |per_second| Rates::new(per_second, limits::SIP_SOURCES_MAX);
        let bans = Bans::new(shared.config.ban.as_secs().max(1), limits::SIP_SOURCES_MAX);
        let connections = rates(limits::SIP_STREAMS_PER_SOURCE_PER_SECOND_MAX);
        let sources = Sources { outside: rates(outside), inside: rates(inside), connections, bans };
        Self { shared, homes: Homes::default(), sources, started: Instant::now() }
    }

    /// Judges a datagram. `is_copy` says that the same one passed shortly before.
    pub(crate) fn judge(&mut self, datagram: &[u8], source: Way, is_copy: bool) -> Verdict {
        let second = self.started.elapsed().as_secs();
        let ip = source.ip().to_canonical();
        let spared = self.is_trusted(source) || self.homes.has(ip);
        if self.is_banned(source) && !self.belongs(datagram) {
            self.shared.tally.refuse(Why::Banned);
            return Verdict::Drop;
        }
        if datagram == PING {
            return Verdict::Reply(PONG.to_vec(), source);
        }
        if datagram.iter().all(|b| matches!(b, b'\r' | b'\n' | b' ' | b'\t' | 0)) {
            return Verdict::Drop;
        }
        let Some(head) = wire::read(datagram) else {
            self.shared.tally.refuse(Why::NotSip);
            self.note(ip, second, spared, Some(Why::NotSip));
            return Verdict::Drop;
        };
        let (judged, reply_to) = if head.start().starts_with("SIP/") {
            (self.response(&head, datagram.len(), source), source)
        } else {
            let judged = self.request(&head, datagram, source, is_copy);
            (judged, via::reply_to(&head, source))
        };
        let why = match &judged {
            Ok(_) => None,
            Err(Stop::Silent(why) | Stop::Answer(why, _)) => Some(*why),
        };
        self.note(ip, second, spared, why);
        match judged {
            Ok(end) => {
                let body = datagram[head.body_at..end].to_vec();
                Verdict::Pass(Box::new(Message { head: head.into_owned(), body, peer: reply_to }))
            }
            Err(Stop::Silent(why)) => {
                self.shared.tally.refuse(why);
                Verdict::Drop
            }
            Err(Stop::Answer(why, refusal)) => {
                self.shared.tally.refuse(why);
                self.write(&head, &refusal, reply_to)
            }
        }
    }

    /// Whether a source is not listened to now.
    pub(crate) fn is_banned(&self, source: Way) -> bool {
        let ip = source.ip().to_canonical();
        let second = self.started.elapsed().as_secs();
        let spared = || self.is_trusted(source) || self.homes.has(ip);
        self.sources.bans.is_banned(ip, second) && !spared()
    }

    /// Whether a new connection is let in: a handshake costs more than a message does.
    pub(crate) fn admits(&mut self, source: Way) -> bool {
        if self.is_banned(source) {
            self.shared.tally.refuse(Why::Banned);
            return false;
        }
        let second = self.started.elapsed().as_secs();
        let admitted = self.is_trusted(source)
            || self.sources.connections.admit(source.ip().to_canonical(), second);
        if !admitted {
            self.shared.tally.refuse(Why::Rate);
        }
        admitted
    }

    /// Whether a message belongs to a dialog of ours: such a one is heard whoever has been using
    /// its source address.
    fn belongs(&self, datagram: &[u8]) -> bool {
        wire::read(datagram).is_some_and(|head| {
            let response = head.start().starts_with("SIP/");
            self.has_our_tag(&head, if response { Name::From } else { Name::To })
        })
    }

    /// Takes note of how a source behaves. A trusted one is never banned, nor one where telephones
    /// are registered: its address is where the calls come from, and addresses can be forged.
    fn note(&mut self, ip: IpAddr, second: u64, spared: bool, why: Option<Why>) {
        if spared {
            return;
        }
        if self.sources.bans.note(ip, second, why.map_or(Conduct::Fair, conduct)) {
            self.shared.tally.bans.fetch_add(1, Relaxed);
        }
    }

    fn write(&self, head: &Head<'_>, refusal: &Refusal, to: Way) -> Verdict {
        // Nothing is ever said to an ACK (RFC 3261 section 17).
        if head.start().starts_with("ACK ") {
            return Verdict::Drop;
        }
        let server = &self.shared.config.server_name;
        reply::write(head, refusal, to.address, &self.shared.tags, server)
            .map_or(Verdict::Drop, |reply| Verdict::Reply(reply, to))
    }

    /// A response is ours when its top Via is (RFC 3261 section 18.1.2) and its numbers fit.
    fn response(&self, head: &Head<'_>, length: usize, source: Way) -> Check<usize> {
        let silent = |why| Err(Stop::Silent(why));
        let mut parts = head.start().splitn(3, ' ');
        let (version, code) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        let digits = code.len() == 3 && code.bytes().all(|b| b.is_ascii_digit());
        if version != "SIP/2.0" || !digits || !("100"..="699").contains(&code) {
            return silent(Why::Malformed);
        }
        if length > limits::SIP_MESSAGE_BYTES_MAX {
            return silent(Why::TooLong);
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
        // What our next requests will say.
        let mut said = head.all(Name::RecordRoute).chain(tag(head, Name::To));
        if !said.all(wire::is_exact) {
            return silent(Why::Malformed);
        }
        let sent_by = via::top(head).and_then(via::sent_by);
        if !sent_by.is_some_and(|(host, port)| self.is_our_address(host, port)) {
            return silent(Why::NotOurResponse);
        }
        let end = check::length(head, source).and_then(|()| body_end(head, length));
        end.or_else(|_| silent(Why::Malformed))
    }

    fn is_our_address(&self, host: &str, port: Option<u16>) -> bool {
        let is_own = |own: SocketAddr| {
            port.unwrap_or(addr::SIP_PORT) == own.port()
                && host.parse().is_ok_and(|ip: IpAddr| ip == own.ip())
        };
        self.shared.own_addresses().any(is_own)
    }

    fn request(
        &mut self,
        head: &Head<'_>,
        datagram: &[u8],
        source: Way,
        is_copy: bool,
    ) -> Check<usize> {
        let ours = self.has_our_tag(head, Name::To);
        // What ends a call or a refusal has no tag of ours yet.
        let ends = ["CANCEL ", "ACK "].iter().any(|method| head.start().starts_with(method));
        self.rate(head, source, ours || is_copy || ends && self.is_trusted(source))?;
        if is_copy {
            // Its transaction answers it (RFC 3261 section 17.2.1). A refusal from here, because
            // the house has filled up since, would end a call that is being set up.
            return body_end(head, datagram.len());
        }
        let (method, uri) = check::start_line(head)?;
        if datagram.len() > limits::SIP_MESSAGE_BYTES_MAX {
            return answer(Why::TooLong, 513, "Message Too Large");
        }
        let end = body_end(head, datagram.len());
        let body = &datagram[head.body_at..end.as_ref().ok().copied().unwrap_or(datagram.len())];
        let request = Request { head, method, source, body };
        check::known_method(&request)?;
        let end = end?;
        check::length(head, source)?;
        check::mandatory(&request)?;
        check::request_uri(uri)?;
        check::served_method(&request)?;
        check::extensions(&request)?;
        if tag(head, Name::To).is_some() && !ours {
            return answer(Why::NoDialog, 481, "Call/Transaction Does Not Exist");
        }
        match method {
            "OPTIONS" if !ours => return self.options(),
            "BYE" | "INFO" | "UPDATE" | "REFER" if !ours => {
                return answer(Why::NoDialog, 481, "Call/Transaction Does Not Exist");
            }
            "INVITE" if !ours => self.new_call(&request)?,
            // A registration is no part of a dialog (RFC 3261 section 10.2).
            "REGISTER" if ours => {
                return answer(Why::NoDialog, 481, "Call/Transaction Does Not Exist");
            }
            "REGISTER" => self.registration()?,
            _ => {}
        }
        if matches!(method, "INVITE" | "UPDATE") {
            session::check(&request)?;
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
    fn rate(&mut self, head: &Head<'_>, source: Way, inside: bool) -> Check {
        let second = self.started.elapsed().as_secs();
        let ip = source.ip().to_canonical();
        if inside {
            let admitted = self.sources.inside.admit(ip, second);
            return if admitted { Ok(()) } else { over(Why::RateInside, source.is_stream()) };
        }
        if self.sources.outside.admit(ip, second) {
            return Ok(());
        }
        let calls = head.start().starts_with("INVITE ") && self.is_trusted(source);
        over(Why::Rate, calls || source.is_stream())
    }

    fn is_trusted(&self, source: Way) -> bool {
        self.shared.is_trusted(source.ip())
    }

    fn options(&self) -> Check<usize> {
        let refusal = if self.shared.draining.load(Relaxed) {
            busy(30)
        } else {
            Refusal::new(200, "OK").with("Allow", ALLOW).with("Accept", "application/sdp")
        };
        // Not a refusal, but answered like one: at once and without state.
        Err(Stop::Answer(Why::Answered, refusal))
    }

    /// Whether there is room for a registration; who it is from is proven later.
    fn registration(&self) -> Check {
        if self.shared.draining.load(Relaxed) {
            return Err(Stop::Answer(Why::ShuttingDown, busy(30)));
        }
        if self.shared.tally.events_waiting.load(Relaxed) > 0 {
            return Err(Stop::Answer(Why::Full, busy(5)));
        }
        Ok(())
    }

    /// What only an INVITE outside a dialog must pass.
    fn new_call(&self, request: &Request<'_>) -> Check {
        // Who calls from where telephones are registered has to prove to be one of them.
        let may_be_telephone = self.homes.has(request.source.ip().to_canonical());
        if !self.is_trusted(request.source) && !may_be_telephone {
            return answer(Why::Untrusted, 403, "Forbidden");
        }
        if request.head.first(Name::MaxForwards).is_some_and(|v| v.bytes().all(|b| b == b'0')) {
            return answer(Why::Hops, 483, "Too Many Hops");
        }
        let vias = request.head.all(Name::Via).flat_map(addr::list).filter_map(via::sent_by);
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

/// Too much at once. Who sends datagrams repeats them; over a stream nobody does.
fn over<T>(why: Why, is_told: bool) -> Check<T> {
    Err(if is_told { Stop::Answer(why, busy(1)) } else { Stop::Silent(why) })
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

/// 503, and when to try again.
pub(crate) fn busy(retry_after_s: u32) -> Refusal {
    Refusal::new(503, "Service Unavailable").with("Retry-After", &retry_after_s.to_string())
}

#[cfg(test)]
mod tests;
