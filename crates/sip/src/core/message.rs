//! Building and reading messages: replies inside transactions, requests inside dialogs.

use std::fmt::Write as _;

use model::media::MediaDesc;
use model::sip::LegCause;
use rsipstack::sip::{
    Domain, HasHeaders, Header, HostWithPort, Method, Request, Response, StatusCode, Uri, Version,
};

use super::leg::Dialog;
use crate::addr;
use crate::parts;
use crate::reply::ALLOW;
use crate::sdp::{self, Origin, Session};
use crate::shared::Shared;
use crate::tags;

pub(crate) fn to_tag(message: &impl HasHeaders) -> Option<&str> {
    let to = find(message, |h| if let Header::To(v) = h { Some(v.value()) } else { None })?;
    tag(to)
}

pub(crate) fn from_tag(message: &impl HasHeaders) -> Option<&str> {
    let from = find(message, |h| if let Header::From(v) = h { Some(v.value()) } else { None })?;
    tag(from)
}

fn tag(value: &str) -> Option<&str> {
    addr::param(addr::name_addr(value)?.params, "tag").filter(|tag| !tag.is_empty())
}

fn find<'a>(
    message: &'a impl HasHeaders,
    pick: impl Fn(&'a Header) -> Option<&'a str>,
) -> Option<&'a str> {
    message.headers().0.iter().find_map(pick)
}

pub(crate) fn from_value(request: &Request) -> &str {
    find(request, |h| if let Header::From(v) = h { Some(v.value()) } else { None }).unwrap_or("")
}

pub(crate) fn to_value(request: &Request) -> &str {
    find(request, |h| if let Header::To(v) = h { Some(v.value()) } else { None }).unwrap_or("")
}

pub(crate) fn call_id(message: &impl HasHeaders) -> &str {
    find(message, |h| if let Header::CallId(v) = h { Some(v.value()) } else { None }).unwrap_or("")
}

pub(crate) fn cseq(message: &impl HasHeaders) -> Option<u32> {
    let value = find(message, |h| if let Header::CSeq(v) = h { Some(v.value()) } else { None })?;
    crate::filter::cseq(value).map(|(number, _)| number)
}

pub(crate) fn content_type(request: &Request) -> &str {
    let value =
        find(request, |h| if let Header::ContentType(v) = h { Some(v.value()) } else { None });
    value.and_then(|v| v.split(';').next()).unwrap_or("").trim()
}

/// The session description that a message brings, if it is one that we can take. A body of which
/// no kind is stated is taken for one.
pub(crate) fn session(message: &impl HasHeaders, body: &[u8]) -> Option<Session> {
    let kind =
        find(message, |h| if let Header::ContentType(v) = h { Some(v.value()) } else { None });
    let disposition = find(message, |h| match h {
        Header::ContentDisposition(v) => Some(v.value()),
        _ => None,
    });
    let kind = kind.unwrap_or("application/sdp");
    let found = parts::description(kind, disposition.unwrap_or(""), body);
    sdp::session(found.ok().flatten()?).ok()
}

/// The user part of the request URI. The transaction layer keeps it as it was written, and escapes
/// it once more when it writes the URI.
pub(crate) fn dialled(request: &Request) -> Option<String> {
    match request.uri.user() {
        Some(user) => Some(addr::subscriber(user)),
        None => addr::user(&request.uri.to_string()),
    }
}

/// The URI of the first Contact.
pub(crate) fn contact(message: &impl HasHeaders) -> Option<String> {
    let value = find(message, |h| if let Header::Contact(v) = h { Some(v.value()) } else { None })?;
    let uri = addr::name_addr(addr::list(value).next()?)?.uri;
    addr::sip_uri(uri).is_some().then(|| uri.to_owned())
}

/// The values of Record-Route, in the order of the message.
pub(crate) fn record_routes(message: &impl HasHeaders) -> Vec<String> {
    let values = message.headers().0.iter().filter_map(|h| match h {
        Header::RecordRoute(v) => Some(v.value()),
        _ => None,
    });
    values.flat_map(addr::list).map(str::to_owned).collect()
}

/// A reply in the transaction of `request`; `tag` is our To tag where the request brings none.
pub(crate) fn reply(shared: &Shared, request: &Request, status: u16, tag: &str) -> Response {
    let mut headers: Vec<Header> = Vec::with_capacity(12);
    for header in &request.headers.0 {
        match header {
            Header::Via(_) | Header::From(_) | Header::CallId(_) | Header::CSeq(_) => {
                headers.push(header.clone());
            }
            Header::To(to) if to_tag(request).is_none() => {
                headers.push(Header::To(format!("{};tag={tag}", to.value()).into()));
            }
            Header::To(_) => headers.push(header.clone()),
            Header::RecordRoute(_) if request.method == Method::Invite && status < 300 => {
                headers.push(header.clone());
            }
            _ => {}
        }
    }
    headers.push(Header::Server(shared.config.server_name.as_str().into()));
    headers.push(Header::ContentLength("0".into()));
    let status_code =
        StatusCode::try_from((status, "Refused")).unwrap_or(StatusCode::ServerInternalError);
    Response {
        status_code,
        wire_reason: None,
        version: Version::V2,
        headers: headers.into(),
        body: Vec::new(),
    }
}

pub(crate) trait Extend {
    fn with(self, name: &str, value: impl Into<String>) -> Self;
    /// Contact and Allow: what makes or refreshes a dialog.
    fn with_target(self, shared: &Shared) -> Self;
    fn with_sdp(self, body: &[u8]) -> Self;
}

impl Extend for Response {
    fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push(Header::Other(name.to_owned(), value.into()));
        self
    }

    fn with_target(self, shared: &Shared) -> Self {
        let contact = format!("<sip:{}>", shared.advertise);
        self.with("Contact", contact).with("Allow", ALLOW)
    }

    fn with_sdp(mut self, body: &[u8]) -> Self {
        for header in &mut self.headers.0 {
            if let Header::ContentLength(length) = header {
                *length = body.len().to_string().into();
            }
        }
        self.headers.push(Header::ContentType("application/sdp".into()));
        self.body = body.to_vec();
        self
    }
}

/// The first INVITE of an outgoing call.
pub(crate) fn invite(shared: &Shared, dialog: &Dialog, via: &str, body: Vec<u8>) -> Request {
    let mut request = bare(shared, dialog, Method::Invite, via, 1);
    let contact = format!("<sip:{}>", shared.advertise);
    request.headers.push(Header::Contact(contact.into()));
    request.headers.push(Header::Other("Allow".to_owned(), ALLOW.to_owned()));
    request.headers.push(Header::ContentType("application/sdp".into()));
    request.body = body;
    request
}

/// The CANCEL of that INVITE: same Via, same URI, same CSeq number (RFC 3261 section 9.1).
pub(crate) fn cancel(shared: &Shared, dialog: &Dialog, via: &str, cause: Option<&str>) -> Request {
    let mut request = bare(shared, dialog, Method::Cancel, via, 1);
    if let Some(cause) = cause {
        request.headers.push(Header::Other("Reason".to_owned(), cause.to_owned()));
    }
    request
}

/// A BYE.
pub(crate) fn bye(shared: &Shared, dialog: &mut Dialog, cause: LegCause) -> Request {
    dialog.local_cseq += 1;
    let via = via(shared);
    let mut request = bare(shared, dialog, Method::Bye, &via, dialog.local_cseq);
    request.headers.push(Header::Other("Reason".to_owned(), reason(cause).to_owned()));
    request
}

fn bare(shared: &Shared, dialog: &Dialog, method: Method, via: &str, cseq: u32) -> Request {
    let (uri, routes) = dialog.route();
    let mut headers: Vec<Header> = Vec::with_capacity(14);
    headers.push(Header::Via(via.into()));
    headers.push(Header::MaxForwards("70".into()));
    headers.extend(routes.into_iter().map(|route| Header::Route(route.into())));
    headers.push(Header::From(format!("{};tag={}", dialog.local, dialog.local_tag).into()));
    headers.push(Header::To(remote(dialog).into()));
    headers.push(Header::CallId(dialog.call_id.as_str().into()));
    headers.push(Header::CSeq(format!("{cseq} {method}").into()));
    headers.push(Header::UserAgent(shared.config.server_name.as_str().into()));
    Request {
        method,
        uri: as_written(uri),
        version: Version::V2,
        headers: headers.into(),
        body: Vec::new(),
    }
}

/// A URI that is sent as it is. Read by the transaction layer it would have its escapes escaped
/// again, and one that it cannot read could not be called at all.
fn as_written(uri: String) -> Uri {
    Uri { scheme: None, ..HostWithPort::from(Domain(uri)).into() }
}

fn remote(dialog: &Dialog) -> String {
    if dialog.remote_tag.is_empty() {
        dialog.remote.clone()
    } else {
        format!("{};tag={}", dialog.remote, dialog.remote_tag)
    }
}

/// A Via of ours with a new branch.
pub(crate) fn via(shared: &Shared) -> String {
    format!("SIP/2.0/UDP {};rport;branch={}", shared.advertise, tags::branch())
}

/// The ACK of a 2xx, ready to send: it belongs to no transaction (RFC 3261 section 13.2.2.4).
pub(crate) fn ack(shared: &Shared, dialog: &Dialog, cseq: u32) -> Vec<u8> {
    let (uri, routes) = dialog.route();
    let mut out = String::with_capacity(512);
    let _ = write!(out, "ACK {uri} SIP/2.0\r\nVia: {}\r\nMax-Forwards: 70\r\n", via(shared));
    for route in routes {
        let _ = write!(out, "Route: {route}\r\n");
    }
    let _ = write!(
        out,
        "From: {};tag={}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} ACK\r\nContent-Length: 0\r\n\r\n",
        dialog.local,
        dialog.local_tag,
        remote(dialog),
        dialog.call_id,
    );
    out.into_bytes()
}

/// The Reason header of a cause (RFC 3326, ITU-T Q.850).
pub(crate) const fn reason(cause: LegCause) -> &'static str {
    match cause {
        LegCause::FarHangup | LegCause::Hangup | LegCause::Cancelled => {
            "Q.850;cause=16;text=\"Normal call clearing\""
        }
        LegCause::Busy => "Q.850;cause=17;text=\"User busy\"",
        LegCause::NoAnswer => "Q.850;cause=19;text=\"No answer\"",
        LegCause::Declined | LegCause::Refused => "Q.850;cause=21;text=\"Call rejected\"",
        LegCause::Unreachable => "Q.850;cause=3;text=\"No route to destination\"",
        LegCause::NoAck => "Q.850;cause=102;text=\"Recovery on timer expiry\"",
        LegCause::MediaTimeout => "Q.850;cause=31;text=\"No media\"",
        LegCause::InternalError | LegCause::NodeFailure => {
            "Q.850;cause=41;text=\"Temporary failure\""
        }
    }
}

/// The status of a refusal for a cause.
pub(crate) const fn refusal(cause: LegCause) -> u16 {
    match cause {
        LegCause::Busy => 486,
        LegCause::Declined => 603,
        LegCause::Unreachable => 404,
        LegCause::Refused => 403,
        LegCause::InternalError | LegCause::MediaTimeout => 500,
        LegCause::NodeFailure => 503,
        LegCause::Cancelled => 487,
        LegCause::FarHangup | LegCause::Hangup | LegCause::NoAnswer | LegCause::NoAck => 480,
    }
}

/// What a final refusal of the far side means.
pub(crate) const fn cause(status: u16) -> LegCause {
    match status {
        486 | 600 => LegCause::Busy,
        408 | 480 => LegCause::NoAnswer,
        404 | 410 | 416 | 482..=485 | 300..=399 | 500..=599 | 604 => LegCause::Unreachable,
        _ => LegCause::Declined,
    }
}

/// The description that a leg is told to use, as bytes, in the shape of the far side's if there is
/// one: then it is an answer, or an offer in a running session.
pub(crate) fn describe(
    remote: Option<&Session>,
    local: &MediaDesc,
    origin: &mut Origin,
) -> Vec<u8> {
    match remote {
        Some(remote) => sdp::answer(remote, local, origin),
        None => sdp::offer(local, origin),
    }
}
