//! Outgoing calls to a hand-made peer: forks, crossing messages, routes, refusals.

use std::time::Duration;

use model::LegId;
use model::sip::{Caller, LegCause, SipCommand, SipEvent};
use sip::{SipConfig, SipHandle, start};

use crate::peer::{Peer, SDP};
use crate::support::{callee, desc, hang_up, leg_id, next, quick, until, until_idle};

fn dial(plane: &SipHandle, peer: &Peer) -> LegId {
    let leg = leg_id();
    let caller =
        Caller { number: "+302105550142".parse().ok(), name: Some("A\r\nEvil: \"x\"".into()) };
    let command = SipCommand::Dial { leg, callee: callee(peer.address), caller, local: desc(9000) };
    plane.send(command).unwrap();
    leg
}

fn hangup(plane: &SipHandle, leg: LegId) {
    plane.send(SipCommand::Hangup { leg, cause: LegCause::Hangup }).unwrap();
}

#[tokio::test]
async fn an_answered_call_follows_contact_and_routes() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let leg = dial(&plane, &peer);
    let invite = peer.request("INVITE").await;
    assert!(invite.start().contains(&format!("sip:100@{}", peer.address)), "{}", invite.0);
    assert!(
        invite.header("From").starts_with("\"AEvil: \\\"x\\\"\" <sip:+302105550142@"),
        "{}",
        invite.0
    );
    assert_eq!(invite.header("Evil"), "");
    peer.reply(&invite, "180 Ringing", "t1", "", "").await;
    assert_eq!(next(&mut events).await, SipEvent::Ringing { leg });
    peer.reply(&invite, "183 Session Progress", "t1", "", SDP).await;
    // Longer than any message may be: it was never sent.
    let padding = format!("X: {}\r\n", "y".repeat(9_000));
    peer.reply(&invite, "486 Busy Here", "t1", &padding, "").await;
    let routes = format!(
        "{}Record-Route: <sip:r2.invalid;lr>\r\nRecord-Route: <sip:{};lr>\r\n",
        "Contact: <sip:deep@192.0.2.77;x=y>\r\n", peer.address
    );
    peer.reply(&invite, "200 OK", "t1", &routes, SDP).await;
    assert!(matches!(next(&mut events).await, SipEvent::Answered { remote, source, .. }
            if remote.port == 6000 && source == peer.address));
    let ack = peer.request("ACK").await;
    assert!(ack.start().starts_with("ACK sip:deep@192.0.2.77;x=y SIP/2.0"), "{}", ack.0);
    let listed: Vec<String> = ack.headers("Route").map(str::to_owned).collect();
    assert_eq!(listed, [format!("<sip:{};lr>", peer.address), "<sip:r2.invalid;lr>".to_owned()]);
    // A copy of the 2xx gets its ACK again, and nothing else happens.
    peer.reply(&invite, "200 OK", "t1", &routes, SDP).await;
    peer.request("ACK").await;
    hangup(&plane, leg);
    let bye = peer.request("BYE").await;
    assert!(bye.start().starts_with("BYE sip:deep@192.0.2.77;x=y"), "{}", bye.0);
    assert_eq!(bye.headers("Route").count(), 2);
    peer.reply(&bye, "200 OK", "", "", "").await;
    assert!(matches!(next(&mut events).await, SipEvent::Ended { cause: LegCause::Hangup, .. }));
    until_idle(&plane).await;
    plane.shutdown().await;
}

#[tokio::test]
async fn what_comes_before_the_answer_is_answered_in_order() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let leg = dial(&plane, &peer);
    let invite = peer.request("INVITE").await;
    peer.reply(&invite, "180 Ringing", "t1", &peer.contact(), "").await;
    assert_eq!(next(&mut events).await, SipEvent::Ringing { leg });
    let request = |method: &str, cseq: u32, more: &str, body: &str| {
        format!(
            "{method} sip:x@{own} SIP/2.0\r\nVia: SIP/2.0/UDP {peer};branch=z9hG4bKe{cseq}\r\n\
             Max-Forwards: 70\r\nFrom: {from};tag=t1\r\nTo: {to}\r\nCall-ID: {id}\r\n\
             CSeq: {cseq} {method}\r\n{more}Content-Length: {length}\r\n\r\n{body}",
            own = plane.local_addr(),
            peer = peer.address,
            from = invite.header("To"),
            to = invite.header("From"),
            id = invite.header("Call-ID"),
            length = body.len(),
        )
    };
    // Our offer is open: another one meets it (RFC 3311 section 5.2).
    peer.send(&request("UPDATE", 1, "Content-Type: application/sdp\r\n", SDP)).await;
    assert_eq!(peer.status(491).await.header("CSeq"), "1 UPDATE");
    peer.send(&request("UPDATE", 2, "", "")).await;
    assert_eq!(peer.status(200).await.header("CSeq"), "2 UPDATE");
    peer.reply(&invite, "200 OK", "t1", &peer.contact(), SDP).await;
    assert!(matches!(next(&mut events).await, SipEvent::Answered { .. }));
    peer.request("ACK").await;
    hang_up(&plane, &mut events, &peer, leg).await;
    until_idle(&plane).await;
    plane.shutdown().await;
}

#[tokio::test]
async fn a_number_with_a_hash_is_escaped_once() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let leg = leg_id();
    let target = model::sip::SipTarget { user: "*21#".parse().unwrap(), address: peer.address };
    let callee = model::sip::Callee::At(target);
    let caller = Caller { number: "#31#200".parse().ok(), name: None };
    plane.send(SipCommand::Dial { leg, callee, caller, local: desc(9000) }).unwrap();
    let invite = peer.request("INVITE").await;
    assert_eq!(invite.start(), format!("INVITE sip:*21%23@{} SIP/2.0", peer.address));
    assert!(invite.header("From").starts_with("<sip:%2331%23200@"), "{}", invite.0);
    peer.reply(&invite, "486 Busy Here", "t1", "", "").await;
    let ack = peer.request("ACK").await;
    assert_eq!(ack.start(), format!("ACK sip:*21%23@{} SIP/2.0", peer.address));
    next(&mut events).await;
    plane.shutdown().await;
}

#[tokio::test]
async fn the_second_answer_of_a_fork_is_thanked_and_sent_home() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let leg = dial(&plane, &peer);
    let invite = peer.request("INVITE").await;
    peer.reply(&invite, "200 OK", "t1", &peer.contact(), SDP).await;
    assert!(matches!(next(&mut events).await, SipEvent::Answered { .. }));
    assert!(peer.request("ACK").await.header("To").ends_with("tag=t1"));
    peer.reply(&invite, "200 OK", "t2", &peer.contact(), SDP).await;
    assert!(peer.request("ACK").await.header("To").ends_with("tag=t2"));
    let bye = peer.request("BYE").await;
    assert!(bye.header("To").ends_with("tag=t2"), "{}", bye.0);
    peer.reply(&bye, "200 OK", "", "", "").await;
    // A copy of that answer is acknowledged, and no more: the next BYE is our own call's.
    until("the BYE is answered", || plane.counters().unanswered == 0).await;
    peer.reply(&invite, "200 OK", "t2", &peer.contact(), SDP).await;
    assert!(peer.request("ACK").await.header("To").ends_with("tag=t2"));
    assert!(events.try_recv().is_err());
    let bye = hang_up(&plane, &mut events, &peer, leg).await;
    assert!(bye.header("To").ends_with("tag=t1"), "{}", bye.0);
    until_idle(&plane).await;
    plane.shutdown().await;
}

#[tokio::test]
async fn cancel_waits_for_something_provisional() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let leg = dial(&plane, &peer);
    let invite = peer.request("INVITE").await;
    hangup(&plane, leg);
    assert!(matches!(next(&mut events).await, SipEvent::Ended { cause: LegCause::Hangup, .. }));
    while let Some(early) = peer.hear_within(Duration::from_millis(120)).await {
        assert!(early.start().starts_with("INVITE "), "{}", early.0);
    }
    peer.reply(&invite, "100 Trying", "", "", "").await;
    let cancel = peer.request("CANCEL").await;
    assert_eq!(cancel.header("Via"), invite.header("Via"));
    assert_eq!(cancel.header("CSeq"), "1 CANCEL");
    peer.reply(&cancel, "200 OK", "t1", "", "").await;
    peer.reply(&invite, "487 Request Terminated", "t1", "", "").await;
    peer.request("ACK").await;
    until_idle(&plane).await;
    assert!(events.try_recv().is_err());
    plane.shutdown().await;
}

#[tokio::test]
async fn an_answer_that_crosses_with_cancel_is_hung_up() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let leg = dial(&plane, &peer);
    let invite = peer.request("INVITE").await;
    peer.reply(&invite, "180 Ringing", "t1", "", "").await;
    next(&mut events).await;
    hangup(&plane, leg);
    peer.reply(&invite, "200 OK", "t1", &peer.contact(), SDP).await;
    let cancel = peer.request("CANCEL").await;
    peer.reply(&cancel, "481 Gone", "t1", "", "").await;
    peer.request("ACK").await;
    let bye = peer.request("BYE").await;
    peer.reply(&bye, "200 OK", "", "", "").await;
    assert!(matches!(next(&mut events).await, SipEvent::Ended { cause: LegCause::Hangup, .. }));
    until_idle(&plane).await;
    assert!(events.try_recv().is_err());
    plane.shutdown().await;
}

#[tokio::test]
async fn refusals_have_a_cause() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    for (line, cause) in [
        ("486 Busy Here", LegCause::Busy),
        ("600 Busy Everywhere", LegCause::Busy),
        ("480 Temporarily Unavailable", LegCause::NoAnswer),
        ("408 Request Timeout", LegCause::NoAnswer),
        ("603 Decline", LegCause::Declined),
        ("403 Forbidden", LegCause::Declined),
        ("404 Not Found", LegCause::Unreachable),
        ("503 Service Unavailable", LegCause::Unreachable),
        ("302 Moved", LegCause::Unreachable),
        ("401 Unauthorized", LegCause::Declined),
    ] {
        let leg = dial(&plane, &peer);
        let invite = peer.request("INVITE").await;
        // The second is a copy: our ACK was lost.
        for _ in 0..2 {
            peer.reply(&invite, line, "t1", "", "").await;
            peer.request("ACK").await;
        }
        let status = line[..3].parse().ok();
        assert_eq!(next(&mut events).await, SipEvent::Ended { leg, cause, status }, "{line}");
    }
    until_idle(&plane).await;
    plane.shutdown().await;
}

#[tokio::test]
async fn nobody_there() {
    let (plane, mut events) =
        start(SipConfig { t1: Duration::from_millis(10), ..quick() }).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let leg = dial(&plane, &peer);
    let unreachable = SipEvent::Ended { leg, cause: LegCause::Unreachable, status: None };
    assert_eq!(next(&mut events).await, unreachable);
    until_idle(&plane).await;
    plane.shutdown().await;
}

/// A 2xx that answers nothing of ours neither ends the call nor keeps it for ever.
#[tokio::test]
async fn a_wrong_answer_is_no_answer() {
    let (plane, mut events) =
        start(SipConfig { t1: Duration::from_millis(10), ..quick() }).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let leg = dial(&plane, &peer);
    let invite = peer.request("INVITE").await;
    // Without a tag there is no dialog to be in.
    let (call_id, cseq) = (invite.header("Call-ID"), invite.header("CSeq"));
    let wrong = format!(
        "SIP/2.0 200 OK\r\nVia: {}\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {call_id}\r\n\
         CSeq: {cseq}\r\nContent-Length: 0\r\n\r\n",
        invite.header("Via"),
        invite.header("From"),
        invite.header("To"),
    );
    peer.send(&wrong).await;
    let unreachable = SipEvent::Ended { leg, cause: LegCause::Unreachable, status: None };
    assert_eq!(next(&mut events).await, unreachable);
    // One that was given up before anything came goes as well.
    let leg = dial(&plane, &peer);
    hangup(&plane, leg);
    next(&mut events).await;
    until_idle(&plane).await;
    plane.shutdown().await;
}

/// An answer in another transaction than ours is one all the same, and the INVITE is quiet then.
#[tokio::test]
async fn an_answer_with_a_branch_of_its_own_stands() {
    let (plane, mut events) =
        start(SipConfig { t1: Duration::from_millis(10), ..quick() }).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let leg = dial(&plane, &peer);
    let mut invite = peer.request("INVITE").await;
    let branch = invite.header("Via").split("branch=").nth(1).unwrap().to_owned();
    invite.0 = invite.0.replace(&branch, "z9hG4bKother");
    peer.reply(&invite, "200 OK", "t1", &peer.contact(), SDP).await;
    peer.request("ACK").await;
    assert!(matches!(next(&mut events).await, SipEvent::Answered { .. }));
    // Nothing is left that could time out and take the call with it.
    until("the INVITE is forgotten", || plane.counters().transactions == 0).await;
    assert!(events.try_recv().is_err(), "the call stands");
    hang_up(&plane, &mut events, &peer, leg).await;
    until_idle(&plane).await;
    plane.shutdown().await;
}

#[tokio::test]
async fn ringing_has_an_end() {
    let config = SipConfig { ring_timeout: Duration::from_millis(200), ..quick() };
    let (plane, mut events) = start(config).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let leg = dial(&plane, &peer);
    let invite = peer.request("INVITE").await;
    peer.reply(&invite, "180 Ringing", "t1", "", "").await;
    next(&mut events).await;
    let no_answer = SipEvent::Ended { leg, cause: LegCause::NoAnswer, status: None };
    assert_eq!(next(&mut events).await, no_answer);
    let cancel = peer.request("CANCEL").await;
    peer.reply(&cancel, "200 OK", "t1", "", "").await;
    // The far side never ends the INVITE: the leg goes all the same.
    until_idle(&plane).await;
    plane.shutdown().await;
}

#[tokio::test]
async fn an_answer_without_a_usable_description_is_hung_up() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let leg = dial(&plane, &peer);
    let invite = peer.request("INVITE").await;
    peer.reply(&invite, "200 OK", "t1", &peer.contact(), "").await;
    peer.request("ACK").await;
    let bye = peer.request("BYE").await;
    peer.reply(&bye, "200 OK", "", "", "").await;
    let refused = SipEvent::Ended { leg, cause: LegCause::Refused, status: Some(200) };
    assert_eq!(next(&mut events).await, refused);
    until_idle(&plane).await;
    plane.shutdown().await;
}

#[tokio::test]
async fn over_the_limit_of_legs_nothing_is_dialled() {
    let (plane, mut events) = start(SipConfig { legs_max: 1, ..quick() }).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let first = dial(&plane, &peer);
    let invite = peer.request("INVITE").await;
    peer.reply(&invite, "180 Ringing", "t1", "", "").await;
    assert_eq!(next(&mut events).await, SipEvent::Ringing { leg: first });
    let second = dial(&plane, &peer);
    let full = SipEvent::Ended { leg: second, cause: LegCause::InternalError, status: None };
    assert_eq!(next(&mut events).await, full);
    let call = peer.call("full");
    call.invite(1, "1", SDP).await;
    assert_ne!(peer.status(503).await.header("Retry-After"), "");
    plane.shutdown().await;
}

/// Who called learns that it was the house; the legs that it dialled are of no more use then.
#[tokio::test]
async fn a_stop_tells_callers_first_and_why() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    dial(&plane, &peer);
    let invite = peer.request("INVITE").await;
    peer.reply(&invite, "200 OK", "t1", &peer.contact(), SDP).await;
    peer.request("ACK").await;
    next(&mut events).await;
    let mut call = peer.call("caller");
    call.invite(1, "1", SDP).await;
    let SipEvent::Incoming { leg, .. } = next(&mut events).await else { panic!("no call") };
    plane.send(SipCommand::Answer { leg, local: desc(9000) }).unwrap();
    call.adopt(&peer.status(200).await);
    call.ack(1, "2", "").await;
    next(&mut events).await;
    let hear = async {
        for cause in ["cause=41", "cause=16"] {
            let bye = peer.request("BYE").await;
            assert!(bye.header("Reason").contains(cause), "{}", bye.0);
            peer.reply(&bye, "200 OK", "", "", "").await;
        }
    };
    tokio::join!(plane.shutdown(), hear);
}
