//! Incoming calls by a hand-made peer: races, lost messages, odd orders.

use std::time::Duration;

use model::LegId;
use model::sip::{LegCause, SipCommand, SipEvent};
use sip::{SipConfig, SipHandle, start};
use tokio::sync::mpsc::Receiver;

use crate::peer::{Peer, SDP};
use crate::support::{config, desc, next, quick, until_idle};

async fn incoming(events: &mut Receiver<SipEvent>) -> LegId {
    match next(events).await {
        SipEvent::Incoming { leg, .. } => leg,
        other => panic!("{other:?}"),
    }
}

async fn ended(events: &mut Receiver<SipEvent>) -> (LegCause, Option<u16>) {
    match next(events).await {
        SipEvent::Ended { cause, status, .. } => (cause, status),
        other => panic!("{other:?}"),
    }
}

fn answer(plane: &SipHandle, leg: LegId) {
    plane.send(SipCommand::Answer { leg, local: desc(9000) }).unwrap();
}

#[tokio::test]
async fn who_calls_whom_is_reported_and_names_are_clean() {
    let (plane, mut events) = start(config()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let call = peer.call("names");
    let text = call
        .text("INVITE", 1, "1", "Content-Type: application/sdp\r\n", SDP)
        .replace("\"Ann\" <sip:200@", "\"A\\\"n\\\x07n\" <sip:%2B302105550142@");
    peer.send(&text).await;
    let SipEvent::Incoming { caller, dialled, source, offer, sip_call_id, .. } =
        next(&mut events).await
    else {
        panic!("no call")
    };
    assert_eq!(caller.name.as_deref(), Some("A\"nn"));
    assert_eq!(caller.number.unwrap().as_str(), "+302105550142");
    assert_eq!((dialled.as_str(), source, sip_call_id.as_str()), ("100", peer.address, "names"));
    assert_eq!(offer.unwrap().dtmf, Some(101));
    plane.shutdown().await;
}

#[tokio::test]
async fn the_host_that_was_called_is_reported_where_it_is_a_name() {
    let (plane, mut events) = start(config()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let named = Some("calls.example.org");
    for (n, (host, expected)) in [
        ("calls.example.org", named),
        ("CALLS.Example.Org:5070;user=phone", named),
        ("calls.example.org.", named),
        ("calls.example.org;maddr=192.0.2.1", named),
        ("other.example.org", Some("other.example.org")),
        ("localhost", None),
        ("no_domain.example.org", None),
        ("-.example.org", None),
        ("192.0.2.1", None),
        ("[2001:db8::1]:5060", None),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("host{n}");
        let text = peer.call(&id).text("INVITE", 1, &id, "Content-Type: application/sdp\r\n", SDP);
        let uri = format!("sip:100@{}", plane.local_addr());
        let (line, rest) = text.split_once("\r\n").unwrap();
        peer.send(&format!("{}\r\n{rest}", line.replace(&uri, &format!("sip:100@{host}")))).await;
        let SipEvent::Incoming { dialled, domain, leg, .. } = next(&mut events).await else {
            panic!("no call to {host}")
        };
        assert_eq!(dialled.as_str(), "100", "{host}");
        assert_eq!(domain.as_ref().map(model::Domain::as_str), expected, "{host}");
        plane.send(SipCommand::Reject { leg, status: 404, retry_after_s: None }).unwrap();
        assert_eq!(ended(&mut events).await, (LegCause::Refused, None));
    }
    plane.shutdown().await;
}

#[tokio::test]
async fn cancel_before_the_answer() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let mut call = peer.call("cancel");
    call.invite(1, "1", SDP).await;
    let leg = incoming(&mut events).await;
    peer.status(100).await;
    call.send("CANCEL", 1, "1", "", "").await;
    let mut seen = [peer.hear().await, peer.hear().await];
    seen.sort_by_key(crate::peer::Message::status);
    assert_eq!((seen[0].status(), seen[1].status()), (Some(200), Some(487)));
    call.adopt(&seen[1]);
    call.ack(1, "1", "").await;
    assert_eq!(ended(&mut events).await, (LegCause::Cancelled, None));
    // Too late: the leg is gone and the command is ignored.
    answer(&plane, leg);
    assert!(peer.hear_within(Duration::from_millis(300)).await.is_none());
    until_idle(&plane).await;
    plane.shutdown().await;
}

#[tokio::test]
async fn cancel_after_the_answer_changes_nothing() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let mut call = peer.call("late-cancel");
    call.invite(1, "1", SDP).await;
    let leg = incoming(&mut events).await;
    answer(&plane, leg);
    let ok = peer.status(200).await;
    call.adopt(&ok);
    let without_tag = peer.call("late-cancel");
    without_tag.send("CANCEL", 1, "1", "", "").await;
    peer.status(200).await;
    call.ack(1, "2", "").await;
    assert_eq!(next(&mut events).await, SipEvent::Confirmed { leg, remote: None });
    call.send("BYE", 2, "3", "", "").await;
    peer.status(200).await;
    assert_eq!(ended(&mut events).await, (LegCause::FarHangup, None));
    until_idle(&plane).await;
    plane.shutdown().await;
}

/// Whatever comes first, both sides agree in the end: 487 and `Cancelled`, or 200 and a call.
#[tokio::test]
async fn cancel_and_answer_at_once_are_consistent() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let mut answered = 0;
    for round in 0..60 {
        let mut call = peer.call(&format!("race{round}"));
        call.invite(1, "1", SDP).await;
        let leg = incoming(&mut events).await;
        if round % 2 == 0 {
            answer(&plane, leg);
            call.send("CANCEL", 1, "1", "", "").await;
        } else {
            call.send("CANCEL", 1, "1", "", "").await;
            if round % 4 == 1 {
                tokio::task::yield_now().await;
            }
            answer(&plane, leg);
        }
        let verdict = loop {
            let message = peer.hear().await;
            if message.header("CSeq") == "1 INVITE" && message.status().unwrap() >= 200 {
                break message;
            }
        };
        call.adopt(&verdict);
        if verdict.status() == Some(487) {
            call.ack(1, "1", "").await;
            assert_eq!(ended(&mut events).await.0, LegCause::Cancelled);
        } else {
            answered += 1;
            call.ack(1, "2", "").await;
            assert!(matches!(next(&mut events).await, SipEvent::Confirmed { .. }));
            call.send("BYE", 2, "3", "", "").await;
            assert_eq!(ended(&mut events).await.0, LegCause::FarHangup);
        }
    }
    assert!(answered > 0, "no round was answered");
    until_idle(&plane).await;
    plane.shutdown().await;
}

#[tokio::test]
async fn a_200_is_repeated_until_its_ack_and_given_up_without() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let call = peer.call("no-ack");
    call.invite(1, "1", SDP).await;
    let leg = incoming(&mut events).await;
    answer(&plane, leg);
    let mut copies = 0;
    let bye = loop {
        let message = peer.hear().await;
        match message.status() {
            Some(200) => copies += 1,
            None => break message,
            _ => {}
        }
    };
    assert!(copies >= 5, "{copies} copies");
    assert!(bye.start().starts_with("BYE "), "{}", bye.0);
    peer.reply(&bye, "200 OK", "", "", "").await;
    assert_eq!(ended(&mut events).await, (LegCause::NoAck, None));
    assert!(plane.counters().retransmissions_out >= 4);
    until_idle(&plane).await;
    plane.shutdown().await;
}

#[tokio::test]
async fn hanging_up_before_the_ack_waits_for_it() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let mut call = peer.call("early-bye");
    call.invite(1, "1", SDP).await;
    let leg = incoming(&mut events).await;
    answer(&plane, leg);
    plane.send(SipCommand::Hangup { leg, cause: LegCause::Hangup }).unwrap();
    let ok = peer.status(200).await;
    assert_eq!(ended(&mut events).await, (LegCause::Hangup, None));
    call.adopt(&ok);
    call.ack(1, "2", "").await;
    let bye = peer.request("BYE").await;
    peer.reply(&bye, "200 OK", "", "", "").await;
    until_idle(&plane).await;
    plane.shutdown().await;
}

#[tokio::test]
async fn a_late_offer_is_answered_in_the_ack() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let mut call = peer.call("late-offer");
    call.invite(1, "1", "").await;
    let SipEvent::Incoming { leg, offer: None, .. } = next(&mut events).await else {
        panic!("no call without offer")
    };
    answer(&plane, leg);
    let ok = peer.status(200).await;
    assert!(ok.body().contains("m=audio 9000 RTP/AVP 0 101"), "{}", ok.0);
    call.adopt(&ok);
    // Our offer is open: an offer of theirs meets it.
    call.send("UPDATE", 2, "2", "Content-Type: application/sdp\r\n", SDP).await;
    peer.status(491).await;
    call.ack(1, "3", SDP).await;
    let SipEvent::Confirmed { remote: Some(remote), .. } = next(&mut events).await else {
        panic!("no answer in the ACK")
    };
    assert_eq!(remote.port, 6000);
    call.send("BYE", 3, "4", "", "").await;
    peer.status(200).await;
    until_idle(&plane).await;
    plane.shutdown().await;
}

#[tokio::test]
async fn a_late_offer_without_a_usable_answer_ends() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let mut call = peer.call("late-none");
    call.invite(1, "1", "").await;
    let leg = incoming(&mut events).await;
    answer(&plane, leg);
    let ok = peer.status(200).await;
    call.adopt(&ok);
    call.ack(1, "3", "").await;
    let bye = peer.request("BYE").await;
    peer.reply(&bye, "200 OK", "", "", "").await;
    assert_eq!(ended(&mut events).await.0, LegCause::Refused);
    until_idle(&plane).await;
    plane.shutdown().await;
}

#[tokio::test]
async fn refusals_carry_what_the_hub_said() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let mut call = peer.call("reject");
    call.invite(1, "1", SDP).await;
    let leg = incoming(&mut events).await;
    plane.send(SipCommand::Reject { leg, status: 503, retry_after_s: Some(7) }).unwrap();
    let refusal = peer.status(503).await;
    assert_eq!(refusal.header("Retry-After"), "7");
    call.adopt(&refusal);
    assert_eq!(ended(&mut events).await, (LegCause::Refused, None));
    // A lost ACK: the refusal is repeated, the call is not.
    peer.status(503).await;
    call.ack(1, "1", "").await;
    // The same call tried again (RFC 3261 section 8.1.3.5).
    let call = peer.call("reject");
    call.invite(2, "again", SDP).await;
    let leg = incoming(&mut events).await;
    plane.send(SipCommand::Reject { leg, status: 480, retry_after_s: None }).unwrap();
    let refusal = loop {
        let message = peer.hear().await;
        if message.status() == Some(480) {
            break message;
        }
    };
    assert_eq!(refusal.header("CSeq"), "2 INVITE");
    until_idle(&plane).await;
    plane.shutdown().await;
}

#[tokio::test]
async fn ten_copies_and_a_merged_branch_are_one_call() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let call = peer.call("copies");
    for _ in 0..10 {
        call.invite(1, "1", SDP).await;
    }
    incoming(&mut events).await;
    call.invite(1, "other", SDP).await;
    assert_eq!(peer.status(482).await.header("CSeq"), "1 INVITE");
    assert!(tokio::time::timeout(Duration::from_millis(200), events.recv()).await.is_err());
    assert_eq!(plane.counters().legs, 1);
    assert!(plane.counters().retransmissions_in >= 9);
    plane.shutdown().await;
}

#[tokio::test]
async fn a_copy_of_a_call_that_was_taken_is_not_refused_when_the_house_is_full() {
    let (plane, mut events) = start(SipConfig { legs_max: 1, ..config() }).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let call = peer.call("patient");
    call.invite(1, "1", SDP).await;
    let leg = incoming(&mut events).await;
    peer.status(100).await;
    peer.call("late").invite(1, "1", SDP).await;
    peer.status(503).await;
    call.invite(1, "1", SDP).await;
    assert_eq!(peer.hear().await.status(), Some(100), "the copy is answered by its transaction");
    answer(&plane, leg);
    peer.status(200).await;
    plane.shutdown().await;
}

#[tokio::test]
async fn nobody_answers() {
    let config = SipConfig { ring_timeout: Duration::from_millis(200), ..quick() };
    let (plane, mut events) = start(config).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let mut call = peer.call("nobody");
    call.invite(1, "1", SDP).await;
    incoming(&mut events).await;
    let refusal = peer.status(480).await;
    call.adopt(&refusal);
    call.ack(1, "1", "").await;
    assert_eq!(ended(&mut events).await, (LegCause::NoAnswer, None));
    until_idle(&plane).await;
    plane.shutdown().await;
}

#[tokio::test]
async fn shutdown_refuses_and_hangs_up() {
    let (plane, mut events) = start(quick()).unwrap();
    let address = plane.local_addr();
    let peer = Peer::new(address).await;
    let mut call = peer.call("shutdown");
    call.invite(1, "1", SDP).await;
    let leg = incoming(&mut events).await;
    answer(&plane, leg);
    let ok = peer.status(200).await;
    call.adopt(&ok);
    call.ack(1, "2", "").await;
    next(&mut events).await;
    let stopping = tokio::spawn(async move { plane.shutdown().await });
    let bye = peer.request("BYE").await;
    let other = peer.call("too-late");
    other.invite(1, "1", SDP).await;
    let refusal = peer.status(503).await;
    assert_eq!(refusal.header("Call-ID"), "too-late");
    peer.reply(&bye, "200 OK", "", "", "").await;
    stopping.await.unwrap();
    // Not a plain hang-up: it was the house, and whoever waited is to be called back.
    assert_eq!(ended(&mut events).await.0, LegCause::NodeFailure);
    // The port is free again.
    std::net::UdpSocket::bind(address).unwrap();
}

#[tokio::test]
async fn a_taken_port_says_what_to_do() {
    let (plane, _events) = start(config()).unwrap();
    let taken = SipConfig { bind: plane.local_addr(), ..config() };
    let error = start(taken).err().unwrap().to_string();
    assert!(error.contains("in use") && error.contains("--sip"), "{error}");
    plane.shutdown().await;
}

#[tokio::test]
async fn a_call_and_a_cancel_over_ipv6() {
    let Ok(_) = std::net::UdpSocket::bind("[::1]:0") else { return };
    let config = SipConfig { bind: "[::1]:0".parse().unwrap(), ..quick() };
    let (plane, mut events) = start(config).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let mut call = peer.call("six");
    call.invite(1, "1", SDP).await;
    let leg = incoming(&mut events).await;
    answer(&plane, leg);
    let ok = peer.status(200).await;
    assert!(ok.header("Contact").starts_with("<sip:[::1]:"), "{}", ok.0);
    call.adopt(&ok);
    call.ack(1, "2", "").await;
    next(&mut events).await;
    plane.send(SipCommand::Hangup { leg, cause: LegCause::Hangup }).unwrap();
    let bye = peer.request("BYE").await;
    assert!(bye.header("Via").starts_with("SIP/2.0/UDP [::1]:"), "{}", bye.0);
    peer.reply(&bye, "200 OK", "", "", "").await;
    assert_eq!(ended(&mut events).await.0, LegCause::Hangup);
    // From behind a translator: the Via names another port, the answer comes back all the same.
    let call = peer.call("six-nat");
    let text = call.text("INVITE", 1, "1", "Content-Type: application/sdp\r\n", SDP);
    let hidden = |text: &str| text.replace(&format!("UDP {}", peer.address), "UDP [2001:db8::7]:9");
    peer.send(&hidden(&text)).await;
    incoming(&mut events).await;
    peer.send(&hidden(&call.text("CANCEL", 1, "1", "", ""))).await;
    let mut seen: Vec<_> = [peer.hear().await, peer.hear().await, peer.hear().await]
        .iter()
        .filter_map(crate::peer::Message::status)
        .collect();
    seen.sort_unstable();
    assert_eq!(seen, [100, 200, 487]);
    assert_eq!(ended(&mut events).await.0, LegCause::Cancelled);
    plane.shutdown().await;
}
