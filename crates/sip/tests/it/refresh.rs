//! What a refresh of the session or of its target changes, and what it leaves alone.

use std::time::Duration;

use model::LegId;
use model::sip::{Caller, LegCause, SipCommand, SipEvent};
use sip::{SipConfig, SipHandle, start};

use crate::peer::{Message, Peer, SDP};
use crate::session::up;
use crate::support::{callee, desc, hang_up, leg_id, next, quick, until_idle};

const DESCRIBED: &str = "Content-Type: application/sdp\r\n";

async fn dialled(plane: &SipHandle, peer: &Peer) -> (LegId, Message) {
    let (leg, callee) = (leg_id(), callee(peer.address));
    let caller = Caller::default();
    plane.send(SipCommand::Dial { leg, callee, caller, local: desc(9000) }).unwrap();
    (leg, peer.request("INVITE").await)
}

/// A request of whom we called, inside the dialog that the tag `t1` makes.
fn back(peer: &Peer, invite: &Message, (method, cseq): (&str, u32), body: &str) -> String {
    let kind = if body.is_empty() { "" } else { DESCRIBED };
    format!(
        "{method} sip:x@{plane} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bKb{cseq}{method}\r\n\
         From: {from};tag=t1\r\nTo: {to}\r\nCall-ID: {id}\r\nCSeq: {cseq} {method}\r\n\
         {contact}{kind}Content-Length: {length}\r\n\r\n{body}",
        plane = peer.plane,
        own = peer.address,
        from = invite.header("To"),
        to = invite.header("From"),
        id = invite.header("Call-ID"),
        contact = peer.contact(),
        length = body.len(),
    )
}

/// CANCEL repeats the INVITE (RFC 3261 section 9.1), whoever else is told of meanwhile.
#[tokio::test]
async fn an_early_refresh_does_not_turn_the_cancel_aside() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let other = Peer::new(plane.local_addr()).await;
    let (leg, invite) = dialled(&plane, &peer).await;
    peer.reply(&invite, "180 Ringing", "t1", &peer.contact(), "").await;
    assert_eq!(next(&mut events).await, SipEvent::Ringing { leg });
    other.send(&back(&other, &invite, ("UPDATE", 1), "")).await;
    other.status(200).await;
    plane.send(SipCommand::Hangup { leg, cause: LegCause::Hangup }).unwrap();
    let cancel = peer.request("CANCEL").await;
    assert_eq!(cancel.start(), invite.start().replace("INVITE", "CANCEL"));
    peer.reply(&cancel, "200 OK", "t1", "", "").await;
    peer.reply(&invite, "487 Request Terminated", "t1", "", "").await;
    peer.request("ACK").await;
    until_idle(&plane).await;
    plane.shutdown().await;
}

#[tokio::test]
async fn the_target_moves_with_a_change_that_is_taken_and_with_no_other() {
    let config = SipConfig { reanswer_timeout: Duration::from_millis(100), ..quick() };
    let (plane, mut events) = start(config).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let other = Peer::new(plane.local_addr()).await;
    for is_taken in [false, true] {
        let (call, leg, _) = up(&peer, &plane, &mut events, &format!("target-{is_taken}")).await;
        let moved = SDP.replace("6000", "6002");
        let text = call.text("INVITE", 2, "3", DESCRIBED, &moved);
        let own = format!("Contact: <sip:200@{}>\r\n", peer.address);
        peer.send(&text.replace(&own, &other.contact())).await;
        assert!(matches!(next(&mut events).await, SipEvent::Reoffered { .. }));
        if is_taken {
            plane.send(SipCommand::Reanswer { leg, change: 2, local: desc(9000) }).unwrap();
        }
        peer.status(if is_taken { 200 } else { 500 }).await;
        call.ack(2, if is_taken { "4" } else { "3" }, "").await;
        let ended = SipEvent::ChangeEnded { leg, change: 2, taken: is_taken };
        assert_eq!(next(&mut events).await, ended);
        hang_up(&plane, &mut events, if is_taken { &other } else { &peer }, leg).await;
    }
    until_idle(&plane).await;
    plane.shutdown().await;
}

/// What the far side said last was its answer to an offer of ours: when it offers the same, our
/// offer is no answer to it.
#[tokio::test]
async fn an_answer_that_comes_back_as_an_offer_is_answered_anew() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let mut call = peer.call("late-offer");
    call.invite(1, "1", "").await;
    let SipEvent::Incoming { leg, .. } = next(&mut events).await else { panic!("no call") };
    plane.send(SipCommand::Answer { leg, local: desc(9000) }).unwrap();
    call.adopt(&peer.status(200).await);
    call.ack(1, "2", SDP).await;
    assert!(matches!(next(&mut events).await, SipEvent::Confirmed { remote: Some(_), .. }));
    call.send("UPDATE", 2, "3", DESCRIBED, SDP).await;
    assert!(matches!(next(&mut events).await, SipEvent::Reoffered { leg: of, .. } if of == leg));
    plane.send(SipCommand::Reanswer { leg, change: 2, local: desc(9002) }).unwrap();
    let answer = peer.status(200).await;
    assert!(answer.body().contains("m=audio 9002"), "{}", answer.0);
    assert!(matches!(next(&mut events).await, SipEvent::ChangeEnded { taken: true, .. }));
    // From now on it is a refresh.
    call.send("UPDATE", 3, "4", DESCRIBED, SDP).await;
    assert_eq!(peer.status(200).await.body(), answer.body());
    // We offer once more, and it answers as before.
    call.invite(4, "5", "").await;
    assert!(matches!(next(&mut events).await, SipEvent::Reoffered { offer: None, .. }));
    plane.send(SipCommand::Reanswer { leg, change: 4, local: desc(9002) }).unwrap();
    peer.status(200).await;
    assert!(matches!(next(&mut events).await, SipEvent::ChangeEnded { taken: true, .. }));
    call.ack(4, "6", SDP).await;
    assert!(matches!(next(&mut events).await, SipEvent::Confirmed { remote: Some(_), .. }));
    call.send("UPDATE", 5, "7", DESCRIBED, SDP).await;
    assert!(matches!(next(&mut events).await, SipEvent::Reoffered { change: 5, .. }));
    plane.send(SipCommand::Reanswer { leg, change: 5, local: desc(9002) }).unwrap();
    peer.status(200).await;
    next(&mut events).await;
    hang_up(&plane, &mut events, &peer, leg).await;
    until_idle(&plane).await;
    plane.shutdown().await;
}

#[tokio::test]
async fn whom_we_called_may_offer_what_it_answered() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let (leg, invite) = dialled(&plane, &peer).await;
    peer.reply(&invite, "200 OK", "t1", &peer.contact(), SDP).await;
    peer.request("ACK").await;
    assert!(matches!(next(&mut events).await, SipEvent::Answered { .. }));
    peer.send(&back(&peer, &invite, ("INVITE", 1), SDP)).await;
    assert!(matches!(next(&mut events).await, SipEvent::Reoffered { leg: of, .. } if of == leg));
    plane.send(SipCommand::Reanswer { leg, change: 1, local: desc(9002) }).unwrap();
    assert!(peer.status(200).await.body().contains("m=audio 9002"));
    peer.send(&back(&peer, &invite, ("ACK", 1), "")).await;
    assert!(matches!(next(&mut events).await, SipEvent::ChangeEnded { taken: true, .. }));
    hang_up(&plane, &mut events, &peer, leg).await;
    until_idle(&plane).await;
    plane.shutdown().await;
}

/// Media takes packets from where the signalling comes from: a refresh from another address is
/// news, whatever it says.
#[tokio::test]
async fn a_far_side_that_moved_is_told_of() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let other = Peer::at("127.0.0.3".parse().unwrap(), plane.local_addr()).await;
    let (call, leg, _) = up(&peer, &plane, &mut events, "moved").await;
    let mut moved = other.call("moved");
    moved.to_tag.clone_from(&call.to_tag);
    moved.invite(2, "3", SDP).await;
    let SipEvent::Reoffered { offer: Some(_), source, .. } = next(&mut events).await else {
        panic!("not told")
    };
    assert_eq!(source, other.address);
    plane.send(SipCommand::Reanswer { leg, change: 2, local: desc(9000) }).unwrap();
    assert_eq!(next(&mut events).await, SipEvent::ChangeEnded { leg, change: 2, taken: true });
    assert!(other.status(200).await.body().contains("m=audio 9000"));
    moved.ack(2, "4", "").await;
    // And back, without a description: what stands is told again, and none is sent.
    call.send("UPDATE", 3, "5", "", "").await;
    let SipEvent::Reoffered { offer: Some(offer), source, .. } = next(&mut events).await else {
        panic!("not told")
    };
    assert_eq!((offer.port, source), (6000, peer.address));
    plane.send(SipCommand::Reanswer { leg, change: 3, local: desc(9000) }).unwrap();
    assert_eq!(next(&mut events).await, SipEvent::ChangeEnded { leg, change: 3, taken: true });
    let ok = peer.status(200).await;
    assert_eq!((ok.body(), ok.header("Content-Type").as_str()), ("", ""), "{}", ok.0);
    // From the same place it is no news.
    call.send("UPDATE", 4, "6", "", "").await;
    peer.status(200).await;
    call.send("UPDATE", 5, "7", DESCRIBED, SDP).await;
    peer.status(200).await;
    assert!(events.try_recv().is_err());
    hang_up(&plane, &mut events, &peer, leg).await;
    until_idle(&plane).await;
    plane.shutdown().await;
}
