//! One leg: its dialog with the far side, where it is in its life, its session descriptions.

use std::net::{IpAddr, SocketAddr};

use tokio::time::Instant;

use super::transact::Asked;
use crate::addr;
use crate::sdp::{Origin, Session};
use crate::tags;
use crate::transaction::Key;

pub(crate) struct Leg {
    pub(crate) dialog: Dialog,
    pub(crate) state: State,
    /// `Ended` was told; the leg only waits for its last message.
    pub(crate) ended: bool,
    /// `Ringing` was told.
    pub(crate) rang: bool,
    pub(crate) deadline: Option<Instant>,
    pub(crate) call_key: Option<(String, String)>,
    /// Our INVITE, for an outgoing call.
    pub(crate) call: Option<Key>,
    pub(crate) origin: Origin,
    /// The newest description of the far side, as it came.
    pub(crate) remote_body: Vec<u8>,
    /// The same, read; `None` until the far side described itself.
    pub(crate) remote: Option<Session>,
    /// The description that we sent last.
    pub(crate) local_body: Vec<u8>,
    /// A re-INVITE or UPDATE that waits for `Reanswer`.
    pub(crate) pending: Option<Pending>,
    /// A re-INVITE whose 200 waits for its ACK.
    pub(crate) reinvited: Option<Reinvited>,
    /// The tags of others who answered as well, and were told that they are too late.
    pub(crate) forks: Vec<String>,
    /// Keys by INFO in the second that began then.
    pub(crate) digits: (Instant, u32),
}

/// Where a leg is in its life.
pub(crate) enum State {
    /// An incoming call without a final response.
    Offered(Asked),
    /// Our 200 was sent and not acknowledged.
    Answered(Answered),
    /// An outgoing call without a final response.
    Calling(Calling),
    /// Both sides know that the session stands.
    Up,
    /// A cancelled outgoing call that waits for its final response.
    Leaving,
}

pub(crate) struct Answered {
    pub(crate) asked: Asked,
    /// The INVITE had no offer: our 200 is one, and ACK brings the answer.
    pub(crate) late_offer: bool,
    /// Send BYE as soon as that is allowed (RFC 3261 section 15).
    pub(crate) leaving: bool,
}

pub(crate) struct Calling {
    /// The branch of the INVITE, which CANCEL must repeat.
    pub(crate) branch: String,
    /// Something provisional came: CANCEL may be sent.
    pub(crate) provisional: bool,
}

/// A session change that waits for our answer. Its CSeq tells it from any other of the leg.
pub(crate) struct Pending {
    pub(crate) asked: Asked,
    pub(crate) cseq: u32,
    /// `None` only in a re-INVITE: it wishes for an offer of ours.
    pub(crate) offer: Option<Session>,
}

/// A re-INVITE that got its 200.
pub(crate) struct Reinvited {
    pub(crate) key: Key,
    pub(crate) cseq: u32,
    /// The 200 was our offer: its ACK brings the answer.
    pub(crate) offered: bool,
}

/// The peer-to-peer relation of RFC 3261 section 12, from our side.
pub(crate) struct Dialog {
    pub(crate) call_id: String,
    pub(crate) local_tag: String,
    pub(crate) remote_tag: String,
    /// Our From in requests, without tag.
    pub(crate) local: String,
    /// Our To in requests, without tag.
    pub(crate) remote: String,
    pub(crate) local_cseq: u32,
    pub(crate) remote_cseq: Option<u32>,
    /// The Contact of the far side.
    pub(crate) target: String,
    /// The route set, next hop first.
    pub(crate) routes: Vec<String>,
    /// Where the far side's last dialog-making message came from.
    pub(crate) peer: SocketAddr,
}

impl Dialog {
    /// Where a request inside the dialog goes: the first route, else the remote target. A target
    /// that cannot be reached from here (a name, or a private address behind a public one) is
    /// replaced by where the far side's messages come from.
    pub(crate) fn next_hop(&self) -> SocketAddr {
        let route = self.routes.first().and_then(|r| addr::name_addr(r)).map(|r| r.uri);
        match addr::socket_addr(route.unwrap_or(&self.target)) {
            Some(hop) if route.is_some() || !is_hidden(hop.ip(), self.peer.ip()) => hop,
            _ => self.peer,
        }
    }

    /// Request-URI and Route headers (RFC 3261 section 12.2.1.1), strict first hops included.
    pub(crate) fn route(&self) -> (String, Vec<String>) {
        let Some(first) = self.routes.first().and_then(|r| addr::name_addr(r)) else {
            return (self.target.clone(), Vec::new());
        };
        let loose = addr::sip_uri(first.uri).is_some_and(|u| addr::param(u.params, "lr").is_some());
        if loose {
            return (self.target.clone(), self.routes.clone());
        }
        let mut routes = self.routes[1..].to_vec();
        routes.push(format!("<{}>", self.target));
        (first.uri.to_owned(), routes)
    }
}

/// Whether `target` is an address of a private network that `peer` is not in.
fn is_hidden(target: IpAddr, peer: IpAddr) -> bool {
    let private = |ip: IpAddr| match ip.to_canonical() {
        IpAddr::V4(ip) => {
            ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_unspecified()
        }
        IpAddr::V6(ip) => {
            ip.is_loopback()
                || ip.is_unspecified()
                || ip.is_unique_local()
                || ip.is_unicast_link_local()
        }
    };
    private(target) && !private(peer)
}

impl Leg {
    pub(crate) fn new(dialog: Dialog, state: State) -> Self {
        Self {
            dialog,
            state,
            ended: false,
            rang: false,
            deadline: None,
            call_key: None,
            call: None,
            origin: Origin::new(tags::session_id()),
            remote_body: Vec::new(),
            remote: None,
            local_body: Vec::new(),
            pending: None,
            reinvited: None,
            forks: Vec::new(),
            digits: (Instant::now(), 0),
        }
    }
}
