//! Writing messages: responses in transactions, requests inside dialogs.

use std::fmt::Write as _;

use bytes::Bytes;
use model::media::MediaDesc;
use model::sip::{LegCause, Transport};

use super::leg::Dialog;
use crate::message::{Message, Method};
use crate::reply::{self, ALLOW};
use crate::sdp::{self, Origin, Session};
use crate::shared::Shared;
use crate::tags;
use crate::way;
use crate::wire::{self, Name};

/// For how long we say that we are going to tell what becomes of a REFER, in seconds.
pub(crate) const REFER_S: u64 = 120;

/// A message that is being written: its head so far, and its body.
pub(crate) struct Draft {
    head: String,
    body: Vec<u8>,
}

impl Draft {
    /// Adds a header.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.head.extend([name, ": ", value, "\r\n"]);
        self
    }

    /// Contact and Allow: what makes or refreshes a dialog.
    pub(crate) fn with_target(mut self, shared: &Shared, transport: Transport) -> Self {
        let (own, param) = (shared.own(transport), way::uri_param(transport));
        let _ = write!(self.head, "Contact: <sip:{own}{param}>\r\n");
        self.with("Allow", ALLOW)
    }

    pub(crate) fn with_sdp(self, body: &[u8]) -> Self {
        self.with_body("application/sdp", body)
    }

    fn with_body(mut self, kind: &str, body: &[u8]) -> Self {
        self.body = body.to_vec();
        self.with("Content-Type", kind)
    }

    /// The whole message, ready to send.
    pub(crate) fn finish(self) -> Bytes {
        let Self { mut head, body } = self;
        let _ = write!(head, "Content-Length: {}\r\n\r\n", body.len());
        let mut message = head.into_bytes();
        message.extend_from_slice(&body);
        message.into()
    }
}

/// A response of ours.
pub(crate) struct Reply {
    pub(crate) status: u16,
    transport: Transport,
    draft: Draft,
}

impl Reply {
    /// In the transaction of `request`; `tag` is our To tag where the request brings none.
    pub(crate) fn new(shared: &Shared, request: &Message, status: u16, tag: &str) -> Self {
        let (said, source) = ((status, phrase(status)), request.peer.address);
        let mut head = reply::begin(&request.head, said, source, tag);
        if request.method() == Some(Method::Invite) && (101..300).contains(&status) {
            for route in request.head.all(Name::RecordRoute) {
                head.extend(["Record-Route: ", route, "\r\n"]);
            }
        }
        let draft = Draft { head, body: Vec::new() };
        let transport = request.peer.transport;
        Self { status, transport, draft: draft.with("Server", &shared.config.server_name) }
    }

    /// See [`Draft::with`].
    pub(crate) fn with(self, name: &str, value: &str) -> Self {
        Self { draft: self.draft.with(name, value), ..self }
    }

    /// See [`Draft::with_target`].
    pub(crate) fn with_target(self, shared: &Shared) -> Self {
        Self { draft: self.draft.with_target(shared, self.transport), ..self }
    }

    /// With a session description.
    pub(crate) fn with_sdp(self, body: &[u8]) -> Self {
        Self { draft: self.draft.with_sdp(body), ..self }
    }

    /// The whole message, ready to send.
    pub(crate) fn finish(self) -> Bytes {
        self.draft.finish()
    }
}

/// What a status is called (RFC 3261 section 21).
const fn phrase(status: u16) -> &'static str {
    match status {
        100 => "Trying",
        180 => "Ringing",
        200 => "OK",
        202 => "Accepted",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        408 => "Request Timeout",
        415 => "Unsupported Media Type",
        416 => "Unsupported URI Scheme",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        491 => "Request Pending",
        500 => "Server Internal Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        600 => "Busy Everywhere",
        603 => "Decline",
        _ => "Refused",
    }
}

/// A request of ours and what its transaction is found by.
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) branch: String,
    pub(crate) message: Bytes,
}

/// The first INVITE of an outgoing call.
pub(crate) fn invite(shared: &Shared, dialog: &Dialog, branch: String, body: &[u8]) -> Request {
    let transport = dialog.peer.transport;
    let draft = bare(shared, dialog, Method::Invite, &branch, 1).with_target(shared, transport);
    Request { method: Method::Invite, branch, message: draft.with_sdp(body).finish() }
}

/// The CANCEL of that INVITE: same Via, same URI, same CSeq number (RFC 3261 section 9.1).
pub(crate) fn cancel(shared: &Shared, dialog: &Dialog, branch: String, reason: &str) -> Request {
    let draft = bare(shared, dialog, Method::Cancel, &branch, 1).with("Reason", reason);
    Request { method: Method::Cancel, branch, message: draft.finish() }
}

/// A BYE.
pub(crate) fn bye(shared: &Shared, dialog: &mut Dialog, cause: LegCause) -> Request {
    dialog.local_cseq += 1;
    let branch = tags::branch();
    let draft = bare(shared, dialog, Method::Bye, &branch, dialog.local_cseq);
    let message = draft.with("Reason", reason(cause)).finish();
    Request { method: Method::Bye, branch, message }
}

/// A NOTIFY of what has become of a REFER: `said` is a status line, in a body of its own kind
/// (RFC 3515 section 2.4.5).
pub(crate) fn notify(shared: &Shared, dialog: &mut Dialog, (refer, status): (u32, u16)) -> Request {
    dialog.local_cseq += 1;
    let branch = tags::branch();
    let draft = bare(shared, dialog, Method::Notify, &branch, dialog.local_cseq)
        .with_target(shared, dialog.peer.transport)
        .with("Event", &format!("refer;id={refer}"));
    let draft = match status < 200 {
        true => draft.with("Subscription-State", &format!("active;expires={REFER_S}")),
        false => draft.with("Subscription-State", "terminated;reason=noresource"),
    };
    let said = format!("SIP/2.0 {status} {}\r\n", phrase(status));
    let message = draft.with_body("message/sipfrag;version=2.0", said.as_bytes()).finish();
    Request { method: Method::Notify, branch, message }
}

/// The ACK of a 2xx: it belongs to no transaction (RFC 3261 section 13.2.2.4).
pub(crate) fn ack(shared: &Shared, dialog: &Dialog, cseq: u32) -> Bytes {
    bare(shared, dialog, Method::Ack, &tags::branch(), cseq).finish()
}

fn bare(shared: &Shared, dialog: &Dialog, method: Method, branch: &str, cseq: u32) -> Draft {
    let (uri, routes) = dialog.route();
    let mut head = String::with_capacity(1_024);
    let transport = dialog.peer.transport;
    let (name, via, own) = (method.name(), way::via_name(transport), shared.own(transport));
    let _ = write!(
        head,
        "{name} {uri} SIP/2.0\r\nVia: SIP/2.0/{via} {own};rport;branch={branch}\r\n\
         Max-Forwards: 70\r\n"
    );
    for route in routes {
        head.extend(["Route: ", &route, "\r\n"]);
    }
    head.extend(["From: ", &dialog.local, ";tag=", &dialog.local_tag, "\r\nTo: ", &dialog.remote]);
    if !dialog.remote_tag.is_empty() {
        head.extend([";tag=", &dialog.remote_tag]);
    }
    let _ = write!(head, "\r\nCall-ID: {}\r\nCSeq: {cseq} {name}\r\n", dialog.call_id);
    let draft = Draft { head, body: Vec::new() };
    draft.with("User-Agent", &shared.config.server_name)
}

/// The ACK of a refusal: its transaction's own (RFC 3261 section 17.1.1.3), so it repeats what the
/// INVITE said, and the To of the refusal.
pub(crate) fn ack_refusal(invite: &[u8], refusal: &Message) -> Option<Bytes> {
    let invite = wire::read(invite)?;
    let uri = invite.start().split(' ').nth(1)?;
    let mut head = format!("ACK {uri} SIP/2.0\r\n");
    let same = [
        (Name::Via, "Via: "),
        (Name::MaxForwards, "Max-Forwards: "),
        (Name::Route, "Route: "),
        (Name::From, "From: "),
        (Name::CallId, "Call-ID: "),
    ];
    for (name, text) in same {
        invite.all(name).for_each(|value| head.extend([text, value, "\r\n"]));
    }
    let (number, _) = crate::filter::cseq(invite.first(Name::CSeq)?)?;
    let _ = write!(head, "To: {}\r\nCSeq: {number} ACK\r\n", refusal.to());
    Some(Draft { head, body: Vec::new() }.finish())
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
