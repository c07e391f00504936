//! Calls and registrations over connections, on the wire.

use std::time::Duration;

use model::LegId;
use model::sip::{Callee, Caller, LegCause, SipCommand, SipEvent};
use sip::{SipConfig, SipHandle, start};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc::Receiver;
use tokio::time::Instant;

use crate::peer::{Call, Message, Peer, SDP};
use crate::registrar::{device, phones, registered, registers, told};
use crate::support::{PATIENCE, config, desc, hang_up, leg_id, next, quick, until, until_idle};

fn own(message: &Message) {
    let via = message.header("Via");
    assert!(via.starts_with("SIP/2.0/TCP "), "{via}");
}

#[tokio::test]
async fn a_call_goes_the_way_that_it_came_however_that_is_cut() {
    let (plane, mut events) = start(quick()).unwrap();
    for size in [1, 7, 100_000] {
        let peer = Peer::connected(plane.local_addr(), size).await;
        let mut call = peer.call(&format!("tcp{size}"));
        call.invite(1, "a", SDP).await;
        let SipEvent::Incoming { leg, .. } = next(&mut events).await else { panic!() };
        plane.send(SipCommand::Answer { leg, local: desc(9000) }).unwrap();
        let answer = peer.status(200).await;
        own(&answer);
        let contact = answer.header("Contact");
        assert_eq!(contact, format!("<sip:{};transport=tcp>", plane.local_addr()));
        call.adopt(&answer);
        call.ack(1, "b", "").await;
        assert!(matches!(next(&mut events).await, SipEvent::Confirmed { .. }));
        let bye = hang_up(&plane, &mut events, &peer, leg).await;
        own(&bye);
        until_idle(&plane).await;
    }
    until("the connections are over", || plane.counters().connections == 0).await;
    let counters = plane.counters();
    assert_eq!((counters.transactions, counters.retransmissions_out), (0, 0), "nothing lingers");
}

/// Where nobody may call in, so that only the telephone that registers is known.
fn wary() -> (SipHandle, Receiver<SipEvent>) {
    let (plane, events) = start(SipConfig { trusted: vec![], ..quick() }).unwrap();
    plane.send(phones("right")).unwrap();
    plane.send(SipCommand::PhonesNamed).unwrap();
    (plane, events)
}

fn ring(plane: &SipHandle) -> LegId {
    let leg = leg_id();
    let (callee, caller) = (Callee::Phone(device()), Caller::default());
    plane.send(SipCommand::Dial { leg, callee, caller, local: desc(9000) }).unwrap();
    leg
}

#[tokio::test]
async fn a_telephone_is_rung_over_its_connection_and_gone_with_it() {
    let (plane, mut events) = wary();
    let peer = Peer::connected(plane.local_addr(), 100).await;
    registered(&peer).await;
    assert_eq!(told(&mut events).await, 1);
    let leg = ring(&plane);
    let invite = peer.request("INVITE").await;
    own(&invite);
    assert!(invite.header("Contact").ends_with(";transport=tcp>"));
    peer.reply(&invite, "200 OK", "t1", &peer.contact(), SDP).await;
    assert!(matches!(next(&mut events).await, SipEvent::Answered { .. }));
    peer.request("ACK").await;
    hang_up(&plane, &mut events, &peer, leg).await;

    // It vanishes while it is asked.
    let leg = ring(&plane);
    peer.request("INVITE").await;
    drop(peer);
    assert_eq!(told(&mut events).await, 0);
    let ended = SipEvent::Ended { leg, cause: LegCause::Unreachable, status: None };
    assert_eq!(next(&mut events).await, ended);
    until_idle(&plane).await;
}

#[tokio::test]
async fn a_call_goes_on_over_another_connection() {
    let (plane, mut events) = start(quick()).unwrap();
    let first = Peer::connected(plane.local_addr(), 100).await;
    let mut call = first.call("moved");
    call.invite(1, "a", SDP).await;
    let SipEvent::Incoming { leg, .. } = next(&mut events).await else { panic!() };
    plane.send(SipCommand::Answer { leg, local: desc(9000) }).unwrap();
    call.adopt(&first.status(200).await);
    call.ack(1, "b", "").await;
    assert!(matches!(next(&mut events).await, SipEvent::Confirmed { .. }));
    let (id, to_tag) = (call.id, call.to_tag);
    drop(first);
    until("the connection is over", || plane.counters().connections == 0).await;

    let second = Peer::connected(plane.local_addr(), 100).await;
    let moved = Call { peer: &second, id, to_tag };
    moved.invite(2, "c", SDP).await;
    own(&second.status(200).await);
    moved.ack(2, "d", "").await;
    hang_up(&plane, &mut events, &second, leg).await;
    until_idle(&plane).await;
}

#[tokio::test]
async fn keep_alives_are_answered_and_what_has_no_end_is_refused() {
    let (plane, _events) = start(quick()).unwrap();
    let mut stream = TcpStream::connect(plane.local_addr()).await.unwrap();
    stream.write_all(b"\r\n\r\n").await.unwrap();
    let mut pong = [0; 2];
    tokio::time::timeout(PATIENCE, stream.read_exact(&mut pong)).await.unwrap().unwrap();
    assert_eq!(&pong, b"\r\n");

    let peer = Peer::connected(plane.local_addr(), 100).await;
    let options = peer.call("broken").text("OPTIONS", 1, "a", "", "");
    peer.send(&options.replace("Content-Length: 0", "Content-Length: 1x")).await;
    assert_eq!(peer.status(400).await.header("Call-ID"), "broken");
    peer.until_closed().await;

    let peer = Peer::connected(plane.local_addr(), 100).await;
    let options = peer.call("bare").text("OPTIONS", 1, "a", "", "");
    peer.send(&options.replace("Content-Length: 0\r\n", "")).await;
    peer.status(400).await;
    peer.send(&peer.call("next").text("OPTIONS", 1, "b", "", "")).await;
    assert_eq!(peer.status(200).await.header("Call-ID"), "next", "what follows is heard");
    let long = peer.call("long").text("OPTIONS", 1, "c", "", &"x".repeat(9_000));
    peer.send(&long).await;
    peer.status(513).await;
}

#[tokio::test]
async fn a_telephone_that_changed_its_network_in_a_call_is_hung_up_on_where_it_is() {
    let (plane, mut events) = wary();
    let first = Peer::connected(plane.local_addr(), 100).await;
    registered(&first).await;
    assert_eq!(told(&mut events).await, 1);
    let leg = ring(&plane);
    let invite = first.request("INVITE").await;
    first.reply(&invite, "200 OK", "t1", &first.contact(), SDP).await;
    assert!(matches!(next(&mut events).await, SipEvent::Answered { .. }));
    first.request("ACK").await;
    drop(first);
    assert_eq!(told(&mut events).await, 0);

    let second = Peer::connected(plane.local_addr(), 100).await;
    registered(&second).await;
    assert_eq!(told(&mut events).await, 1);
    let bye = hang_up(&plane, &mut events, &second, leg).await;
    assert!(bye.start().starts_with(&format!("BYE sip:peer@{};", second.address)));
    until_idle(&plane).await;
}

#[tokio::test]
async fn a_caller_whose_connection_ends_has_left() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::connected(plane.local_addr(), 100).await;
    peer.call("left").invite(1, "a", SDP).await;
    let SipEvent::Incoming { leg, .. } = next(&mut events).await else { panic!() };
    drop(peer);
    let ended = SipEvent::Ended { leg, cause: LegCause::Cancelled, status: None };
    assert_eq!(next(&mut events).await, ended);
    until_idle(&plane).await;
}

#[tokio::test]
async fn whoever_says_nothing_has_to_go_and_a_telephone_may_rest() {
    let (plane, mut events) = wary();
    let telephone = Peer::connected(plane.local_addr(), 100).await;
    registered(&telephone).await;
    assert_eq!(told(&mut events).await, 1);
    let began = Instant::now();
    let silent = Peer::connected(plane.local_addr(), 100).await;
    let pinging = Peer::connected(plane.local_addr(), 100).await;
    pinging.send("\r\n\r\n").await;
    let amid = Peer::connected(plane.local_addr(), 1).await;
    amid.send("REGISTER sip:a SIP/2.0\r\nVia: ").await;
    let patience = quick().t1 * 64;
    for peer in [&silent, &amid] {
        peer.until_closed().await;
        assert!(began.elapsed() >= patience.saturating_sub(Duration::from_millis(50)));
    }
    drop(pinging);
    until("only the telephone is left", || plane.counters().connections == 1).await;
    let alone = telephone.call("rested").text("OPTIONS", 1, "a", "", "");
    telephone.send(&alone).await;
    telephone.status(200).await;
    // What it begins it has to end.
    telephone.send("OPTIONS sip:a SIP/2.0\r\n").await;
    telephone.until_closed().await;
    assert_eq!(told(&mut events).await, 0);
}

#[tokio::test]
async fn strangers_by_the_hundred_keep_nobody_out() {
    let (plane, mut events) = wary();
    let peer = Peer::connected(plane.local_addr(), 100).await;
    registered(&peer).await;
    assert_eq!(told(&mut events).await, 1);
    let (mut strangers, most) = (Vec::new(), model::limits::SIP_STREAMS_NEW_PER_SOURCE_MAX);
    for n in 0..3 * most {
        let mut stream = TcpStream::connect(plane.local_addr()).await.unwrap();
        if n % 2 == 0 {
            _ = stream.write_all(b"REGISTER sip:a SIP/2.0\r\n").await;
        }
        strangers.push(stream);
        assert!(plane.counters().connections <= most + 1);
    }
    // A new one is heard as well, within a second or two: so many may come in each.
    let again = async {
        loop {
            let again = Peer::connected(plane.local_addr(), 100).await;
            again.send(&again.call("after").text("OPTIONS", 1, "a", "", "")).await;
            match again.hear_within(PATIENCE).await.and_then(|message| message.status()) {
                Some(200) => break,
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, again).await.expect("an answer");
    assert!(plane.counters().refused["rate"] > 0, "and too many at once are not let in");
    // The telephone is where it was.
    ring(&plane);
    let invite = peer.request("INVITE").await;
    peer.reply(&invite, "486 Busy Here", "t1", "", "").await;
    peer.request("ACK").await;
    assert!(matches!(next(&mut events).await, SipEvent::Ended { cause: LegCause::Busy, .. }));
}

/// It may come back over the connection that it has, for as long as a stranger has.
#[tokio::test]
async fn a_telephone_that_left_is_a_stranger_again() {
    let (plane, mut events) = wary();
    let peer = Peer::connected(plane.local_addr(), 100).await;
    let (here, patience) = (peer.contact(), quick().t1 * 64);
    let away = here.replace("\r\n", ";expires=0\r\n");
    let mut left = Instant::now();
    for (cseq, contact, places) in [(1, &here, 1), (3, &away, 0), (5, &here, 1), (7, &away, 0)] {
        // All four take longer than a stranger has, and none of them alone.
        tokio::time::sleep(patience / 3).await;
        left = Instant::now();
        registers(&peer, cseq, contact).await;
        assert_eq!(told(&mut events).await, places);
    }
    peer.until_closed().await;
    assert!(left.elapsed() >= patience.saturating_sub(Duration::from_millis(50)));
}

/// More than any connection could hold one by one while nobody reads.
#[tokio::test]
async fn a_stop_hangs_up_every_call_of_a_trunk() {
    const CALLS: usize = 400;
    let (plane, mut events) = start(config()).unwrap();
    let peer = Peer::connected(plane.local_addr(), 100_000).await;
    for n in 0..CALLS {
        let mut call = peer.call(&format!("trunk{n}"));
        call.invite(1, "a", SDP).await;
        let SipEvent::Incoming { leg, .. } = next(&mut events).await else { panic!() };
        plane.send(SipCommand::Answer { leg, local: desc(9000) }).unwrap();
        call.adopt(&peer.status(200).await);
        call.ack(1, "b", "").await;
        assert!(matches!(next(&mut events).await, SipEvent::Confirmed { .. }));
    }
    let hung_up = async {
        for _ in 0..CALLS {
            let bye = peer.request("BYE").await;
            peer.reply(&bye, "200 OK", "", "", "").await;
        }
    };
    tokio::join!(plane.shutdown(), hung_up);
    assert_eq!(plane.counters().unanswered, 0);
}
