//! Where messages go: by Via, by Contact, by the routes of a dialog.

use std::time::Duration;

use model::LegId;
use model::sip::{Caller, LegCause, SipCommand, SipEvent};
use sip::{SipHandle, start};
use tokio::sync::mpsc::Receiver;

use crate::peer::{Call, Message, Peer, SDP};
use crate::support::{callee, desc, hang_up, leg_id, next, quick, until_idle};

const DESCRIBED: &str = "Content-Type: application/sdp\r\n";

async fn incoming(events: &mut Receiver<SipEvent>) -> LegId {
    match next(events).await {
        SipEvent::Incoming { leg, .. } => leg,
        other => panic!("{other:?}"),
    }
}

fn dial(plane: &SipHandle, peer: &Peer) -> LegId {
    let (leg, callee) = (leg_id(), callee(peer.address));
    let caller = Caller::default();
    plane.send(SipCommand::Dial { leg, callee, caller, local: desc(9000) }).unwrap();
    leg
}

/// Answers the call that waits; gives the 200 as `ear` hears it.
async fn answered(plane: &SipHandle, events: &mut Receiver<SipEvent>, ear: &Peer) -> Message {
    let leg = incoming(events).await;
    plane.send(SipCommand::Answer { leg, local: desc(9000) }).unwrap();
    ear.status(200).await
}

/// A gateway that sends from one port and listens on another, as its Via says.
#[tokio::test]
async fn responses_go_to_the_port_of_the_via_unless_rport_asks_otherwise() {
    let (plane, mut events) = start(quick()).unwrap();
    let (mouth, ear) = (Peer::new(plane.local_addr()).await, Peer::new(plane.local_addr()).await);
    let at = |text: &str, port: &str| {
        text.replace(&format!("UDP {}", mouth.address), &format!("UDP {port}"))
            .replace(&format!("Contact: <sip:200@{}>", mouth.address), ear.contact().trim_end())
    };
    let named = ear.address.to_string();
    mouth.send(&at(&mouth.call("ask").text("OPTIONS", 1, "1", "", ""), &named)).await;
    let ok = ear.status(200).await;
    assert!(ok.header("Via").starts_with(&format!("SIP/2.0/UDP {named};")), "{}", ok.0);
    let mut call = mouth.call("gateway");
    let invite = at(&call.text("INVITE", 1, "1", DESCRIBED, SDP), &named);
    mouth.send(&invite).await;
    ear.status(100).await;
    // A copy is answered there as well.
    mouth.send(&invite).await;
    call.adopt(&answered(&plane, &mut events, &ear).await);
    mouth.send(&at(&call.text("ACK", 1, "2", "", ""), &named)).await;
    assert!(matches!(next(&mut events).await, SipEvent::Confirmed { .. }));
    mouth.send(&at(&call.text("BYE", 2, "3", "", ""), &named)).await;
    assert_eq!(ear.status(200).await.header("CSeq"), "2 BYE");
    assert!(mouth.hear_within(Duration::from_millis(100)).await.is_none());
    next(&mut events).await;
    // The same with rport, and from behind a translator: back where it came from.
    let rport = format!("received=127.0.0.1;rport={}", mouth.address.port());
    for (n, (port, told)) in [
        (format!("{named};rport"), rport.as_str()),
        ("10.9.8.7:5060".to_owned(), "received=127.0.0.1"),
    ]
    .iter()
    .enumerate()
    {
        let call = mouth.call(&format!("back{n}"));
        mouth.send(&at(&call.text("INVITE", 1, "1", DESCRIBED, SDP), port)).await;
        let ok = answered(&plane, &mut events, &mouth).await;
        assert!(ok.header("Via").contains(told), "{}", ok.0);
    }
    plane.shutdown().await;
}

#[tokio::test]
async fn every_via_and_every_route_of_a_call_comes_back() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let mut call = peer.call("chain");
    let routes = format!("Record-Route: <sip:{};lr>, <sip:r2.invalid;lr>\r\n", peer.address);
    let vias = "Via: SIP/2.0/TCP 192.0.2.2;branch=z9hG4bKb, SIP/2.0/TLS c.invalid\r\n\
                v: SIP/2.0/UDP 192.0.2.3:9;branch=z9hG4bKd;received=192.0.2.4\r\n";
    let more = format!("Route: <sip:{};lr>\r\n{routes}{DESCRIBED}", plane.local_addr());
    let text = call
        .text("INVITE", 1, "1", &more, SDP)
        .replace("branch=z9hG4bKchain1\r\n", "branch=z9hG4bKchain1, SIP/2.0/UDP a.invalid\r\n")
        .replace("Max-Forwards", &format!("{vias}Max-Forwards"));
    peer.send(&text).await;
    let ok = answered(&plane, &mut events, &peer).await;
    let listed: Vec<&str> = ok.headers("Via").collect();
    let top = format!("SIP/2.0/UDP {};branch=z9hG4bKchain1, SIP/2.0/UDP a.invalid", peer.address);
    assert_eq!(
        listed,
        [
            top.as_str(),
            "SIP/2.0/TCP 192.0.2.2;branch=z9hG4bKb, SIP/2.0/TLS c.invalid",
            "SIP/2.0/UDP 192.0.2.3:9;branch=z9hG4bKd;received=192.0.2.4",
        ]
    );
    assert!(ok.0.contains(&routes), "{}", ok.0);
    call.adopt(&ok);
    call.ack(1, "2", "").await;
    let SipEvent::Confirmed { leg, .. } = next(&mut events).await else { panic!("not confirmed") };
    let bye = hang_up(&plane, &mut events, &peer, leg).await;
    let expected = [format!("<sip:{};lr>", peer.address), "<sip:r2.invalid;lr>".to_owned()];
    assert!(bye.headers("Route").eq(expected.iter().map(String::as_str)), "{}", bye.0);
    assert!(bye.start().starts_with(&format!("BYE sip:200@{}", peer.address)), "{}", bye.0);
    until_idle(&plane).await;
    plane.shutdown().await;
}

/// A strict router is the target itself, and the far side comes last (RFC 3261 section 12.2.1.1).
#[tokio::test]
async fn a_strict_router_gets_the_request_uri() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let mut call = peer.call("strict");
    let routes = format!("Record-Route: <sip:strict@{}>\r\n{DESCRIBED}", peer.address);
    call.send("INVITE", 1, "1", &routes, SDP).await;
    call.adopt(&answered(&plane, &mut events, &peer).await);
    call.ack(1, "2", "").await;
    let SipEvent::Confirmed { leg, .. } = next(&mut events).await else { panic!("not confirmed") };
    plane.send(SipCommand::Hangup { leg, cause: LegCause::Hangup }).unwrap();
    let bye = peer.request("BYE").await;
    assert!(bye.start().starts_with(&format!("BYE sip:strict@{} ", peer.address)), "{}", bye.0);
    assert_eq!(bye.header("Route"), format!("<sip:200@{}>", peer.address));
    plane.shutdown().await;
}

/// The target of a dialog is called as it was written, whatever our libraries make of it.
#[tokio::test]
async fn a_contact_is_called_as_it_was_written() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    for (n, (user, params)) in [
        ("gw%2B30%40example.org", ""),
        ("*55%23", ";ob;x=%22y%22"),
        ("a;b=c", ";transport=DTLS-UDP"),
        ("200", ";transport=tcp;maddr=127.0.0.1"),
    ]
    .iter()
    .enumerate()
    {
        let uri = format!("sip:{user}@{}{params}", peer.address);
        let mut call = peer.call(&format!("contact{n}"));
        let text = call.text("INVITE", 1, "1", DESCRIBED, SDP);
        let plain = format!("Contact: <sip:200@{}>", peer.address);
        peer.send(&text.replace(&plain, &format!("m: \"x, y\"<{uri}>;+sip.ice"))).await;
        call.adopt(&answered(&plane, &mut events, &peer).await);
        call.ack(1, "2", "").await;
        let SipEvent::Confirmed { leg, .. } = next(&mut events).await else {
            panic!("not confirmed")
        };
        plane.send(SipCommand::Hangup { leg, cause: LegCause::Hangup }).unwrap();
        let bye = peer.request("BYE").await;
        assert_eq!(bye.start(), format!("BYE {uri} SIP/2.0"));
        peer.reply(&bye, "200 OK", "", "", "").await;
        next(&mut events).await;
    }
    until_idle(&plane).await;
    plane.shutdown().await;
}

/// A container behind its host, a telephone behind the router of its site: both addresses are
/// private, and only the way that the call came leads back (RFC 3261 section 12.2.1.1 knows of no
/// translators).
#[tokio::test]
async fn who_calls_from_behind_a_translator_is_hung_up_through_it() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    for (n, hidden) in ["172.17.0.2:5060", "192.168.5.7:5060", "100.64.3.4"].iter().enumerate() {
        let mut call = peer.call(&format!("hidden{n}"));
        let own = peer.address.to_string();
        let behind = |text: String| {
            text.replace(&format!("UDP {own}"), &format!("UDP {hidden}"))
                .replace(&format!("Contact: <sip:200@{own}>"), &format!("m: <sip:200@{hidden}>"))
        };
        peer.send(&behind(call.text("INVITE", 1, "1", DESCRIBED, SDP))).await;
        call.adopt(&answered(&plane, &mut events, &peer).await);
        peer.send(&behind(call.text("ACK", 1, "2", "", ""))).await;
        let SipEvent::Confirmed { leg, .. } = next(&mut events).await else {
            panic!("not confirmed")
        };
        let bye = hang_up(&plane, &mut events, &peer, leg).await;
        // What it is called stays its own affair.
        assert_eq!(bye.start(), format!("BYE sip:200@{hidden} SIP/2.0"));
    }
    until_idle(&plane).await;
    plane.shutdown().await;
}

#[tokio::test]
async fn who_answers_from_behind_a_translator_is_acknowledged_through_it() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    for hidden in ["172.17.0.2:5060", "192.168.5.7", "100.64.3.4:5062"] {
        let leg = dial(&plane, &peer);
        let invite = peer.request("INVITE").await;
        let contact = format!("Contact: <sip:peer@{hidden}>\r\n");
        peer.reply(&invite, "200 OK", "t1", &contact, SDP).await;
        let ack = peer.request("ACK").await;
        assert_eq!(ack.start(), format!("ACK sip:peer@{hidden} SIP/2.0"));
        assert!(matches!(next(&mut events).await, SipEvent::Answered { .. }));
        hang_up(&plane, &mut events, &peer, leg).await;
    }
    until_idle(&plane).await;
    plane.shutdown().await;
}

/// Who signals from one address and wishes to be called at another is called there.
#[tokio::test]
async fn a_contact_on_another_host_of_the_network_is_called_there() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let other = Peer::at("127.0.0.2".parse().unwrap(), plane.local_addr()).await;
    let mut call = peer.call("elsewhere");
    let text = call.text("INVITE", 1, "1", DESCRIBED, SDP);
    let own = format!("Contact: <sip:200@{}>\r\n", peer.address);
    peer.send(&text.replace(&own, &other.contact())).await;
    call.adopt(&answered(&plane, &mut events, &peer).await);
    call.ack(1, "2", "").await;
    let SipEvent::Confirmed { leg, .. } = next(&mut events).await else { panic!("not confirmed") };
    hang_up(&plane, &mut events, &other, leg).await;
    let leg = dial(&plane, &peer);
    let invite = peer.request("INVITE").await;
    peer.reply(&invite, "200 OK", "t1", &other.contact(), SDP).await;
    other.request("ACK").await;
    next(&mut events).await;
    hang_up(&plane, &mut events, &other, leg).await;
    until_idle(&plane).await;
    plane.shutdown().await;
}

#[tokio::test]
async fn a_far_side_that_asks_whether_its_dialog_stands_is_told() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let mut call: Call<'_> = peer.call("alive");
    call.send("INVITE", 1, "1", DESCRIBED, SDP).await;
    call.adopt(&answered(&plane, &mut events, &peer).await);
    call.ack(1, "2", "").await;
    next(&mut events).await;
    call.send("OPTIONS", 2, "3", "", "").await;
    assert!(peer.status(200).await.header("Allow").contains("INVITE"));
    call.send("BYE", 3, "4", "", "").await;
    peer.status(200).await;
    call.send("OPTIONS", 4, "5", "", "").await;
    peer.status(481).await;
    next(&mut events).await;
    until_idle(&plane).await;
    plane.shutdown().await;
}
