//! One leg: its dialog with the far side, where it is in its life, its session descriptions.

use std::net::IpAddr;

use model::DeviceId;
use tokio::time::Instant;

use super::transact::Asked;
use crate::addr;
use crate::message::Message;
use crate::sdp::{Origin, Session};
use crate::tags;
use crate::transaction::Key;
use crate::way::Way;

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
    /// The telephone that was called, or calls.
    pub(crate) device: Option<DeviceId>,
    pub(crate) origin: Origin,
    /// The newest description of the far side, as it came.
    pub(crate) remote_body: Vec<u8>,
    /// The same, read; `None` until the far side described itself.
    pub(crate) remote: Option<Session>,
    /// The description that we sent last.
    pub(crate) local_body: Vec<u8>,
    /// `local_body` was made as the answer to `remote_body`, and not as an offer of ours.
    pub(crate) answers: bool,
    /// A re-INVITE or UPDATE that waits for `Reanswer`.
    pub(crate) pending: Option<Pending>,
    /// A re-INVITE whose 200 waits for its ACK.
    pub(crate) reinvited: Option<Reinvited>,
    /// The tags of others who answered as well, and were told that they are too late.
    pub(crate) forks: Vec<String>,
    /// The wish of the far side's whose end was not told.
    pub(crate) referral: Option<Referral>,
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
    /// `None` in a re-INVITE that wishes for an offer of ours, and in an UPDATE that only tells
    /// where its sender is now.
    pub(crate) offer: Option<Session>,
}

/// A wish to go elsewhere.
pub(crate) struct Referral {
    pub(crate) refer: u32,
    /// The far side wants to know what becomes of it.
    pub(crate) wants: bool,
    pub(crate) since: Instant,
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
    pub(crate) peer: Way,
    /// That message came through an address translation: only the way it came leads back.
    pub(crate) is_translated: bool,
}

impl Dialog {
    /// Where a request inside the dialog goes: along the connection that the far side uses, and as
    /// a datagram to the first route, else to the remote target. A target
    /// that cannot be reached from here (a name, or an address behind a translation) is replaced
    /// by where the far side's messages come from.
    pub(crate) fn next_hop(&self) -> Way {
        if self.peer.is_stream() {
            return self.peer;
        }
        let route = self.routes.first().and_then(|r| addr::name_addr(r)).map(|r| r.uri);
        let is_hidden = |ip| self.is_translated || is_hidden(ip, self.peer.ip());
        match addr::socket_addr(route.unwrap_or(&self.target)) {
            Some(hop) if route.is_some() || !is_hidden(hop.ip()) => Way::udp(hop),
            _ => self.peer,
        }
    }

    /// Takes the target and the way there from a request of the far side that we accept (RFC 3261
    /// section 12.2.2).
    pub(crate) fn refresh(&mut self, request: &Message) {
        if let Some(contact) = request.contact() {
            self.target = contact;
        }
        self.peer = request.peer;
        self.is_translated = request.is_translated();
    }

    /// Completes our dialog with what the 2xx to our INVITE says (RFC 3261 section 12.1.2). Its
    /// Via is ours, so whether it came through a translation must be told from its Contact.
    pub(crate) fn adopt(&mut self, response: &Message, tag: String) {
        self.remote_tag = tag;
        if let Some(contact) = response.contact() {
            self.target = contact;
        }
        self.routes = response.record_routes();
        self.routes.reverse();
        self.peer = response.peer;
        let target = addr::socket_addr(&self.target);
        self.is_translated = target.is_some_and(|to| is_elsewhere(to.ip(), response.peer.ip()));
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

/// Whether `target` is an address of a private network while `peer` is in none, or no address of
/// a host at all.
fn is_hidden(target: IpAddr, peer: IpAddr) -> bool {
    target.to_canonical().is_unspecified() || is_private(target) && !is_private(peer)
}

/// Whether `target` is an address of a private network that `peer` shows no sign of being in: a
/// container behind its host, a telephone behind the router of its site. Both are private then,
/// and which private networks lead to each other only their owner knows; those that differ in
/// the part that sites are told apart by are taken for two.
fn is_elsewhere(target: IpAddr, peer: IpAddr) -> bool {
    let same = match (target.to_canonical(), peer.to_canonical()) {
        (target, peer) if target.is_loopback() && peer.is_loopback() => true,
        (IpAddr::V4(target), IpAddr::V4(peer)) => target.octets()[..2] == peer.octets()[..2],
        (IpAddr::V6(target), IpAddr::V6(peer)) => target.segments()[..3] == peer.segments()[..3],
        _ => false,
    };
    is_private(target) && !same
}

/// Whether an address means something only where it was given out; those that a carrier shares
/// among its customers (RFC 6598) do not lead to one from outside either.
fn is_private(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [first, second, ..] = ip.octets();
            ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || (first, second & 0xc0) == (100, 64)
        }
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
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
            device: None,
            origin: Origin::new(tags::session_id()),
            remote_body: Vec::new(),
            remote: None,
            local_body: Vec::new(),
            answers: false,
            pending: None,
            reinvited: None,
            forks: Vec::new(),
            referral: None,
            digits: (Instant::now(), 0),
        }
    }

    /// Whether both sides have described themselves and neither is about to do so anew.
    pub(crate) fn stands(&self) -> bool {
        let is_up = matches!(self.state, State::Answered(_) | State::Up);
        let offers = self.reinvited.as_ref().is_some_and(|of| of.offered);
        is_up && self.remote.is_some() && self.pending.is_none() && !offers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Target, peer, whether the one is hidden from the other, whether the two are apart.
    const PLACES: [(&str, &str, bool, bool); 18] = [
        ("192.0.2.1", "192.0.2.2", false, false),
        ("192.0.2.1", "10.0.0.1", false, false),
        ("10.0.0.5", "192.0.2.2", true, true),
        ("100.64.0.1", "192.0.2.2", true, true),
        ("100.127.255.255", "192.0.2.2", true, true),
        ("100.63.0.1", "192.0.2.2", false, false),
        ("100.128.0.1", "192.0.2.2", false, false),
        ("169.254.1.1", "192.0.2.2", true, true),
        // A container on a host of the site, and a site behind its router.
        ("172.17.0.2", "192.168.1.5", false, true),
        ("192.168.5.7", "10.0.0.1", false, true),
        ("127.0.0.1", "192.168.1.5", false, true),
        // Another host of the same network, named on purpose.
        ("127.0.0.2", "127.0.0.1", false, false),
        ("10.1.200.2", "10.1.3.4", false, false),
        ("192.168.1.9", "::ffff:192.168.1.5", false, false),
        ("0.0.0.0", "10.0.0.1", true, false),
        ("fd00:0:0:1::1", "fd00:0:0:2::1", false, false),
        ("fd00:0:1::1", "fd00:0:2::1", false, true),
        ("fe80::1", "2001:db8::1", true, true),
    ];

    #[test]
    fn private_addresses_are_hidden_or_apart() {
        for (target, peer, hidden, elsewhere) in PLACES {
            let (to, from) = (target.parse().unwrap(), peer.parse().unwrap());
            assert_eq!(is_hidden(to, from), hidden, "{target} from {peer}");
            assert_eq!(is_elsewhere(to, from), elsewhere, "{target} from {peer}");
        }
    }
}
