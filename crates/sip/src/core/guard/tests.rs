//! A fault in the handling of one call, while another call goes on.

use std::time::Duration;

use model::media::{Codec, Direction, MediaDesc};
use model::sip::{Callee, Caller, LegCause, SipCommand, SipEvent, SipTarget};
use tokio::net::UdpSocket;
use tokio::sync::mpsc::Receiver;

use crate::{SipConfig, SipHandle, start};

const PATIENCE: Duration = Duration::from_secs(20);
const SDP: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
    m=audio 6000 RTP/AVP 0\r\n";

struct Peer {
    socket: UdpSocket,
    plane: std::net::SocketAddr,
}

impl Peer {
    async fn new(handle: &SipHandle) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
        Self { socket, plane: handle.local_addr() }
    }

    /// A request of the call `id`; `to` is empty or the tag of the far side.
    async fn send(&self, (method, cseq): (&str, u32), id: &str, to: &str, kind: &str, body: &str) {
        let (plane, own) = (self.plane, self.socket.local_addr().expect("an address"));
        let to = if to.is_empty() { String::new() } else { format!(";tag={to}") };
        let length = body.len();
        let text = format!(
            "{method} sip:100@{plane} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {own};branch=z9hG4bK-{id}-{method}-{cseq}\r\nMax-Forwards: 70\r\n\
             From: <sip:200@{own}>;tag={id}\r\nTo: <sip:100@{plane}>{to}\r\nCall-ID: {id}\r\n\
             CSeq: {cseq} {method}\r\nContact: <sip:200@{own}>\r\nContent-Type: {kind}\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        self.socket.send_to(text.as_bytes(), self.plane).await.expect("sent");
    }

    async fn invite(&self, id: &str, body: &str) {
        self.send(("INVITE", 1), id, "", "application/sdp", body).await;
    }

    /// The first line of the next final response or request, and the To tag.
    async fn hear(&self) -> (String, String) {
        let mut buffer = vec![0; 65_536];
        loop {
            let read = tokio::time::timeout(PATIENCE, self.socket.recv_from(&mut buffer)).await;
            let (length, _) = read.expect("something in time").expect("readable");
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            let first = text.lines().next().unwrap_or_default().to_owned();
            let to = text.lines().find(|line| line.starts_with("To:")).unwrap_or_default();
            let tag = to.split("tag=").nth(1).unwrap_or_default().to_owned();
            if !first.starts_with("SIP/2.0 1") {
                return (first, tag);
            }
        }
    }
}

/// A plane and somebody to speak to it, slow enough that nothing is repeated while a test runs.
async fn plane() -> (SipHandle, Receiver<SipEvent>, Peer) {
    let bind = "127.0.0.1:0".parse().expect("an address");
    let config = SipConfig { bind, t1: PATIENCE, ..SipConfig::default() };
    let (handle, events) = start(config).expect("the plane starts");
    let peer = Peer::new(&handle).await;
    (handle, events, peer)
}

async fn next(events: &mut Receiver<SipEvent>) -> SipEvent {
    tokio::time::timeout(PATIENCE, events.recv()).await.expect("in time").expect("a live plane")
}

fn local(port: u16) -> MediaDesc {
    MediaDesc {
        address: "127.0.0.1".parse().expect("an address"),
        port,
        codecs: vec![Codec::Pcmu],
        dtmf: None,
        direction: Direction::SendRecv,
        ptime_ms: 20,
    }
}

/// A call that is up, and its To tag.
async fn up(
    handle: &SipHandle,
    events: &mut Receiver<SipEvent>,
    peer: &Peer,
    id: &str,
) -> (model::LegId, String) {
    peer.invite(id, SDP).await;
    let SipEvent::Incoming { leg, .. } = next(events).await else { panic!("no call") };
    handle.send(SipCommand::Answer { leg, local: local(9_000) }).expect("taken");
    let (first, tag) = peer.hear().await;
    assert_eq!(first, "SIP/2.0 200 OK");
    peer.send(("ACK", 1), id, &tag, "application/sdp", "").await;
    assert!(matches!(next(events).await, SipEvent::Confirmed { .. }));
    (leg, tag)
}

#[tokio::test]
async fn a_fault_ends_the_call_that_it_is_about_and_no_other() {
    let (handle, mut events, peer) = plane().await;
    let (good, good_tag) = up(&handle, &mut events, &peer, "good").await;

    // Before there is a leg: the caller hears 500, also to a copy, and nobody else hears anything.
    let poison = format!("{SDP}s=poison\r\n");
    for _ in 0..2 {
        peer.invite("early", &poison).await;
        assert_eq!(peer.hear().await.0, "SIP/2.0 500 Server Internal Error");
    }
    assert_eq!(handle.counters().legs, 1);

    // In the middle of a call: the caller hears 500 and BYE, the house hears the end.
    let (bad, bad_tag) = up(&handle, &mut events, &peer, "late").await;
    peer.send(("INFO", 2), "late", &bad_tag, "application/dtmf", "poison\r\n").await;
    let said = [peer.hear().await.0, peer.hear().await.0];
    assert!(said.iter().any(|line| line.starts_with("BYE ")), "{said:?}");
    assert!(said.iter().any(|line| line.starts_with("SIP/2.0 500")), "{said:?}");
    let ended = next(&mut events).await;
    let whose = matches!(&ended, SipEvent::Ended { leg, cause: LegCause::InternalError, .. }
        if *leg == bad);
    assert!(whose, "{ended:?}");

    // The other call goes on, and the plane takes new ones.
    peer.send(("INFO", 2), "good", &good_tag, "application/dtmf", "5").await;
    assert_eq!(peer.hear().await.0, "SIP/2.0 200 OK");
    assert_eq!(next(&mut events).await, SipEvent::Digit { leg: good, digit: '5' });
    up(&handle, &mut events, &peer, "after").await;
    let counters = handle.counters();
    assert_eq!((counters.panics, counters.legs, handle.fault()), (3, 2, None));
    handle.shutdown().await;
}

/// A command that fails ends its leg too, and whoever asked for a change hears of it.
#[tokio::test]
async fn a_command_that_fails_ends_its_leg_alone() {
    let (handle, mut events, peer) = plane().await;

    let leg = model::id::IdMint::new(7).mint(model::Timestamp::from_micros(1));
    let caller = Caller { number: None, name: Some("poison".to_owned()) };
    let address = peer.socket.local_addr().expect("an address");
    let callee = Callee::At(SipTarget { user: "1".parse().expect("dialable"), address });
    let local = local(9_000);
    handle.send(SipCommand::Dial { leg, callee, caller, local: local.clone() }).expect("taken");
    let ended = SipEvent::Ended { leg, cause: LegCause::InternalError, status: None };
    assert_eq!(next(&mut events).await, ended);

    let (up, tag) = up(&handle, &mut events, &peer, "up").await;
    let other = SDP.replace("6000", "6002");
    peer.send(("INVITE", 2), "up", &tag, "application/sdp", &other).await;
    let SipEvent::Reoffered { change, .. } = next(&mut events).await else { panic!("no change") };
    let local = MediaDesc { port: 666, ..local };
    handle.send(SipCommand::Reanswer { leg: up, change, local }).expect("taken");
    let said = [peer.hear().await.0, peer.hear().await.0];
    assert!(said.iter().any(|line| line.starts_with("BYE ")), "{said:?}");
    assert!(said.iter().any(|line| line == "SIP/2.0 487 Request Terminated"), "{said:?}");
    let ended = SipEvent::Ended { leg: up, cause: LegCause::InternalError, status: None };
    assert_eq!(next(&mut events).await, ended);
    assert_eq!((handle.counters().panics, handle.fault()), (2, None));
    handle.shutdown().await;
}
