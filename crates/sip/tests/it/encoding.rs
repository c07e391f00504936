//! Bytes that are no UTF-8: what people read may hold them, what messages are known by may not.

use model::sip::{Caller, SipCommand, SipEvent};
use sip::start;

use crate::peer::{Peer, SDP};
use crate::support::{callee, desc, hang_up, leg_id, next, quick, until, until_idle};

const DESCRIBED: &str = "Content-Type: application/sdp\r\n";

/// A byte for each character, as old telephones write.
fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(c).unwrap()).collect()
}

/// The same message with one letter each in the names of its description, as long as before.
fn named(text: &str) -> String {
    text.replace("\no=-", "\no=\u{f6}").replace("\ns=-", "\ns=\u{e9}")
}

#[tokio::test]
async fn names_in_any_alphabet_keep_nobody_from_calling() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    for (n, name) in ["\"J\u{f6}rg K\"", "J\u{f6}rg K"].iter().enumerate() {
        let mut call = peer.call(&format!("names{n}"));
        let unread = "Subject: \u{fc}ber\r\nContent-Disposition: session;x=\u{e9}\r\n";
        let more = format!("{unread}{DESCRIBED}");
        let text = call.text("INVITE", 1, "1", &more, SDP).replace("\"Ann\"", name);
        peer.send_bytes(&latin1(&named(&text))).await;
        let SipEvent::Incoming { leg, caller, offer, .. } = next(&mut events).await else {
            panic!("no call from {name}")
        };
        assert_eq!(caller.name.as_deref(), Some("J\u{fffd}rg K"), "{name}");
        assert_eq!(offer.unwrap().port, 6000, "{name}");
        plane.send(SipCommand::Answer { leg, local: desc(9000) }).unwrap();
        call.adopt(&peer.status(200).await);
        call.ack(1, "2", "").await;
        assert!(matches!(next(&mut events).await, SipEvent::Confirmed { .. }));
        hang_up(&plane, &mut events, &peer, leg).await;
    }
    until_idle(&plane).await;
    plane.shutdown().await;
}

#[tokio::test]
async fn an_answer_in_any_alphabet_is_an_answer() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let leg = leg_id();
    let (callee, caller) = (callee(peer.address), Caller::default());
    plane.send(SipCommand::Dial { leg, callee, caller, local: desc(9000) }).unwrap();
    let invite = peer.request("INVITE").await;
    let reply = |status: &str, more: &str, tag: &str, body: &str| {
        latin1(&named(&format!(
            "SIP/2.0 {status}\r\nVia: {}\r\nFrom: {}\r\nTo: J\u{f6}rg {};tag={tag}\r\n\
             Call-ID: {}\r\nCSeq: 1 INVITE\r\nServer: \u{fc}\r\n{more}Content-Length: {}\r\n\r\n{body}",
            invite.header("Via"),
            invite.header("From"),
            invite.header("To"),
            invite.header("Call-ID"),
            body.len(),
        )))
    };
    peer.send_bytes(&reply("180 \u{e7}a sonne\t\u{7}", "", "t1", "")).await;
    assert_eq!(next(&mut events).await, SipEvent::Ringing { leg });
    // A tag is not for people: nobody could say it back.
    peer.send_bytes(&reply("200 OK", DESCRIBED, "t\u{e9}", SDP)).await;
    until("refused", || plane.counters().refused["malformed"] == 1).await;
    // A Contact that cannot be said back is none: whom we called is called on.
    let more = format!("Contact: \"J\u{f6}rg\" <sip:j\u{f6}rg@127.0.0.3>\r\n{DESCRIBED}");
    peer.send_bytes(&reply("200 C'est \u{e7}a", &more, "t1", SDP)).await;
    assert!(matches!(next(&mut events).await, SipEvent::Answered { .. }));
    let ack = peer.request("ACK").await;
    assert_eq!(ack.start(), format!("ACK sip:100@{} SIP/2.0", peer.address));
    hang_up(&plane, &mut events, &peer, leg).await;
    until_idle(&plane).await;
    plane.shutdown().await;
}

#[tokio::test]
async fn what_a_call_is_known_by_must_be_exact() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let odd = "\u{ff}";
    for (n, (from, to)) in [
        (";branch=", ";x=\u{ff};branch="),
        ("Max-Forwards", "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK\u{ff}\r\nMax-Forwards"),
        (";tag=", ";tag=\u{ff}"),
        ("Call-ID: ", "Call-ID: \u{ff}"),
        ("CSeq: 1 INVITE", "CSeq: 1 INVITE\u{ff}"),
        ("<sip:200@", "<sip:\u{ff}@"),
        ("To: <sip:", "To: <sip:\u{ff}"),
        ("Contact: <sip:", "Contact: <sip:\u{ff}"),
        ("Max-Forwards", "Record-Route: <sip:192.0.2.1;lr;x=\u{ff}>\r\nMax-Forwards"),
    ]
    .into_iter()
    .enumerate()
    {
        let text = peer.call(&format!("odd{n}")).text("INVITE", 1, "1", DESCRIBED, SDP);
        let text = text.replacen(from, to, 1);
        assert!(text.contains(odd), "{from}");
        peer.send_bytes(&latin1(&text)).await;
        assert_eq!(peer.hear().await.status(), Some(400), "{to}");
    }
    // Whom it is for is not even asked back.
    let text = peer.call("odd").text("INVITE", 1, "1", DESCRIBED, SDP);
    peer.send_bytes(&latin1(&text.replace("INVITE sip:", "INVITE sip:\u{ff}"))).await;
    until("dropped", || plane.counters().refused["not_sip"] == 1).await;
    assert!(events.try_recv().is_err());
    plane.shutdown().await;
}
