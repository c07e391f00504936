//! Lawful messages in forms that few send: short names, folded lines, bodies of several parts,
//! numbers in every spelling, extensions that we do not speak.

use model::LegId;
use model::media::{Direction, MediaDesc};
use model::sip::{Caller, LegCause, SipCommand, SipEvent};
use sip::{SipHandle, start};
use tokio::sync::mpsc::Receiver;

use crate::peer::{Message, Peer, SDP};
use crate::support::{callee, desc, hang_up, leg_id, next, quick, testdata, until_idle};

const DESCRIBED: &str = "Content-Type: application/sdp\r\n";

async fn offered(events: &mut Receiver<SipEvent>) -> (LegId, Option<MediaDesc>) {
    match next(events).await {
        SipEvent::Incoming { leg, offer, .. } => (leg, offer),
        other => panic!("{other:?}"),
    }
}

/// The refusal with this status; what else comes is passed over.
async fn refused(peer: &Peer, status: u16) -> Message {
    loop {
        let message = peer.hear().await;
        if message.status() == Some(status) {
            return message;
        }
    }
}

fn reject(plane: &SipHandle, leg: LegId) {
    plane.send(SipCommand::Reject { leg, status: 480, retry_after_s: None }).unwrap();
}

/// The same message with every name that has a short form in it.
fn short(text: &str) -> String {
    let names = [
        ("Via:", "v:"),
        ("From:", "f:"),
        ("To:", "t:"),
        ("Call-ID:", "i:"),
        ("Contact:", "m:"),
        ("Content-Type:", "c:"),
        ("Content-Length:", "l:"),
    ];
    names.iter().fold(text.to_owned(), |text, (long, short)| {
        text.replace(&format!("\r\n{long}"), &format!("\r\n{short}"))
    })
}

/// The same message with every header on several lines and blanks wherever they may stand.
fn loose(text: &str) -> String {
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let (start, headers) = head.split_once("\r\n").unwrap();
    let fold = |line: &str| {
        let (name, value) = line.split_once(':').unwrap();
        let tail = value.replace(";branch=", " ;\r\n branch =\r\n\t").replace(";tag=", " ; tag = ");
        format!("\r\n{}  :\r\n {}", name.to_uppercase(), tail.trim_start())
    };
    let headers: String = headers.split("\r\n").map(fold).collect();
    format!("{start}{headers}\r\n\r\n{body}")
}

#[tokio::test]
async fn short_names_and_folded_lines_make_a_whole_call() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    for (id, form) in [("short", short as fn(&str) -> String), ("loose", loose)] {
        let mut call = peer.call(id);
        peer.send(&form(&call.text("INVITE", 1, "1", DESCRIBED, SDP))).await;
        let (leg, offer) = offered(&mut events).await;
        assert_eq!(offer.unwrap().port, 6000, "{id}");
        plane.send(SipCommand::Answer { leg, local: desc(9000) }).unwrap();
        call.adopt(&peer.status(200).await);
        peer.send(&form(&call.text("ACK", 1, "2", "", ""))).await;
        assert!(matches!(next(&mut events).await, SipEvent::Confirmed { .. }), "{id}");
        let relay = "Content-Type: application/dtmf-relay\r\n";
        peer.send(&form(&call.text("INFO", 2, "3", relay, "Signal=7\r\n"))).await;
        peer.status(200).await;
        assert!(matches!(next(&mut events).await, SipEvent::Digit { digit: '7', .. }), "{id}");
        peer.send(&form(&call.text("BYE", 3, "4", "", ""))).await;
        peer.status(200).await;
        assert!(matches!(next(&mut events).await, SipEvent::Ended { .. }), "{id}");
        let mut call = peer.call(&format!("{id}-cancelled"));
        peer.send(&form(&call.text("INVITE", 1, "1", DESCRIBED, SDP))).await;
        offered(&mut events).await;
        peer.send(&form(&call.text("CANCEL", 1, "1", "", ""))).await;
        let ended = next(&mut events).await;
        assert!(matches!(ended, SipEvent::Ended { cause: LegCause::Cancelled, .. }), "{id}");
        call.adopt(&refused(&peer, 487).await);
        call.ack(1, "1", "").await;
    }
    // The torture message that RFC 4475 begins with, as the call that it would be without To tag.
    let wsinv = std::fs::read_to_string(testdata("sip-torture/rfc4475/wsinv.dat")).unwrap();
    peer.send(&wsinv.replace(" ;   tag    = 1918181833n", "")).await;
    let (leg, _) = offered(&mut events).await;
    reject(&plane, leg);
    refused(&peer, 480).await;
    plane.shutdown().await;
}

#[tokio::test]
async fn answers_in_odd_forms_are_answers() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    for form in [short as fn(&str) -> String, loose] {
        let leg = leg_id();
        let command = SipCommand::Dial {
            leg,
            callee: callee(peer.address),
            caller: Caller::default(),
            local: desc(9000),
        };
        plane.send(command).unwrap();
        let invite = peer.request("INVITE").await;
        let reply = |status: &str, more: &str, body: &str| {
            form(&format!(
                "SIP/2.0 {status}\r\nVia: {}\r\nFrom: {}\r\nTo: {};tag=t1\r\nCall-ID: {}\r\n\
                 CSeq: 1 INVITE\r\n{more}Content-Length: {}\r\n\r\n{body}",
                invite.header("Via"),
                invite.header("From"),
                invite.header("To"),
                invite.header("Call-ID"),
                body.len(),
            ))
        };
        // It was not asked to be reliable, and is not acknowledged (RFC 3262 section 4).
        peer.send(&reply("183 Session Progress", "Require: 100rel\r\nRSeq: 1\r\n", "")).await;
        assert_eq!(next(&mut events).await, SipEvent::Ringing { leg });
        let more = format!("{}{DESCRIBED}", peer.contact());
        peer.send(&reply("200 OK", &more, SDP)).await;
        assert!(matches!(next(&mut events).await, SipEvent::Answered { remote, .. }
            if remote.port == 6000));
        let ack = peer.request("ACK").await;
        assert!(ack.header("To").ends_with(";tag=t1"), "{}", ack.0);
        hang_up(&plane, &mut events, &peer, leg).await;
    }
    until_idle(&plane).await;
    plane.shutdown().await;
}

#[tokio::test]
async fn numbers_are_read_in_every_spelling() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let plain = format!("sip:100@{}", plane.local_addr());
    let host = plane.local_addr();
    for (n, (to, from, dialled, number)) in [
        (
            "%2B302105550100",
            "sip:+30-210-555-0142;cpc=payphone@x",
            "+302105550100",
            "+302105550142",
        ),
        ("*21%23", "tel:+30(210)5550142;phone-context=x", "*21#", "+302105550142"),
        ("100;phone-context=x.org;npdi", "sips:%23200:pw@x:5061;user=phone", "100", "#200"),
        ("100", "sip:anonymous@anonymous.invalid", "100", ""),
        ("100", "sip:Unavailable@10.0.0.1:5060", "100", ""),
        ("100", "sip:anonymous.caller@x", "100", "anonymous.caller"),
        ("100", "urn:service:sos", "100", ""),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("spelt{n}");
        let text = peer.call(&id).text("INVITE", 1, &id, DESCRIBED, SDP);
        let text = text
            .replace(&format!("INVITE {plain}"), &format!("INVITE sip:{to}@{host};user=phone"))
            .replace(&format!("<sip:200@{}>;tag", peer.address), &format!("<{from}>;tag"));
        peer.send(&text).await;
        let SipEvent::Incoming { leg, caller, dialled: seen, .. } = next(&mut events).await else {
            panic!("no call from {from} to {to}")
        };
        assert_eq!(seen.as_str(), dialled, "{to}");
        assert_eq!(caller.number.as_ref().map_or("", |n| n.as_str()), number, "{from}");
        reject(&plane, leg);
        next(&mut events).await;
    }
    plane.shutdown().await;
}

#[tokio::test]
async fn a_description_among_other_parts_is_an_offer() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let mixed = "Content-Type: multipart/mixed;boundary=\"b 1\"\r\nMIME-Version: 1.0\r\n";
    let body = |handling: &str| {
        format!(
            "--b 1\r\nContent-Type: application/ISUP;version=itu-t92+\r\n\
             Content-Disposition: signal;handling={handling}\r\n\r\n\x01\x02\r\n\
             --b 1\r\nContent-Type: application/sdp\r\n\r\n{SDP}\r\n--b 1--\r\n"
        )
    };
    let mut call = peer.call("parts");
    call.send("INVITE", 1, "1", mixed, &body("optional")).await;
    let (leg, offer) = offered(&mut events).await;
    assert_eq!(offer.unwrap().port, 6000);
    plane.send(SipCommand::Answer { leg, local: desc(9000) }).unwrap();
    let ok = peer.status(200).await;
    assert_eq!(ok.header("Content-Type"), "application/sdp");
    call.adopt(&ok);
    call.ack(1, "2", "").await;
    next(&mut events).await;
    let moved = body("optional").replace("6000", "6002");
    call.send("UPDATE", 2, "3", mixed, &moved).await;
    let SipEvent::Reoffered { offer: Some(offer), .. } = next(&mut events).await else {
        panic!("no offer")
    };
    assert_eq!(offer.port, 6002);
    plane.send(SipCommand::Reanswer { leg, change: 2, local: desc(9000) }).unwrap();
    peer.status(200).await;
    // What we may pass over is no offer: the call asks us to offer.
    let other = peer.call("optional");
    let more = "Content-Type: text/plain\r\nContent-Disposition: render;handling=optional\r\n";
    other.send("INVITE", 1, "1", more, "hello").await;
    next(&mut events).await;
    let (leg, offer) = offered(&mut events).await;
    assert_eq!(offer, None);
    reject(&plane, leg);
    peer.status(480).await;
    let strict = peer.call("required");
    strict.send("INVITE", 1, "1", mixed, &body("required")).await;
    assert!(peer.status(415).await.header("Accept").contains("application/sdp"));
    plane.shutdown().await;
}

#[tokio::test]
async fn of_several_streams_all_but_the_audio_are_refused() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let (head, audio) = SDP.split_at(SDP.find("m=audio").unwrap());
    let video = "m=video 6100 RTP/AVP 96 97\r\nc=IN IP6 2001:db8::1\r\na=rtpmap:96 H264/90000\r\n";
    let secure = "m=audio 6200 RTP/SAVP 0\r\n";
    let mut call = peer.call("streams");
    let body = format!("{head}{video}{secure}{audio}m=application 9 UDP/BFCP *\r\n");
    call.send("INVITE", 1, "1", DESCRIBED, &body).await;
    let (leg, offer) = offered(&mut events).await;
    assert_eq!(offer.unwrap().port, 6000);
    plane.send(SipCommand::Answer { leg, local: desc(9000) }).unwrap();
    let ok = peer.status(200).await;
    let lines: Vec<&str> = ok.body().lines().filter(|line| line.starts_with("m=")).collect();
    let expected = [
        "m=video 0 RTP/AVP 96 97",
        "m=audio 0 RTP/SAVP 0",
        "m=audio 9000 RTP/AVP 0 101",
        "m=application 0 UDP/BFCP *",
    ];
    assert_eq!(lines, expected, "{}", ok.0);
    call.adopt(&ok);
    call.ack(1, "2", "").await;
    next(&mut events).await;
    plane.shutdown().await;
}

#[tokio::test]
async fn a_hold_is_read_in_all_its_forms() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let mut call = peer.call("hold");
    call.invite(1, "1", SDP).await;
    let (leg, _) = offered(&mut events).await;
    plane.send(SipCommand::Answer { leg, local: desc(9000) }).unwrap();
    call.adopt(&peer.status(200).await);
    call.ack(1, "2", "").await;
    next(&mut events).await;
    let nowhere = SDP.replace("c=IN IP4 127.0.0.1", "c=IN IP4 0.0.0.0");
    for (n, (body, expected)) in [
        (format!("{SDP}a=sendonly\r\n"), Direction::SendOnly),
        (format!("{SDP}a=inactive\r\n"), Direction::Inactive),
        (nowhere.clone(), Direction::SendOnly),
        (format!("{nowhere}a=recvonly\r\n"), Direction::Inactive),
        (SDP.replace("m=audio", "a=sendonly\r\nm=audio"), Direction::SendOnly),
        (SDP.to_owned(), Direction::SendRecv),
    ]
    .into_iter()
    .enumerate()
    {
        let change = u32::try_from(n).unwrap() + 2;
        call.invite(change, &format!("h{n}"), &body).await;
        let SipEvent::Reoffered { offer: Some(offer), .. } = next(&mut events).await else {
            panic!("no change to {body}")
        };
        assert_eq!(offer.direction, expected, "{body}");
        let local = MediaDesc { direction: expected.mirrored(), ..desc(9000) };
        plane.send(SipCommand::Reanswer { leg, change, local }).unwrap();
        let word = match expected.mirrored() {
            Direction::SendRecv => "a=sendrecv",
            Direction::SendOnly => "a=sendonly",
            Direction::RecvOnly => "a=recvonly",
            Direction::Inactive => "a=inactive",
        };
        let ok = peer.status(200).await;
        assert!(ok.body().lines().any(|line| line == word), "{}", ok.0);
        call.ack(change, &format!("a{n}"), "").await;
        assert!(matches!(next(&mut events).await, SipEvent::ChangeEnded { taken: true, .. }));
    }
    plane.shutdown().await;
}

/// Extensions that a far side offers are passed over; those it insists on are named in the refusal.
#[tokio::test]
async fn extensions_are_passed_over_or_refused_by_name() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    for (n, insisted) in ["100rel", "timer", "precondition, 100rel", "replaces"].iter().enumerate()
    {
        let call = peer.call(&format!("must{n}"));
        call.send("INVITE", 1, "1", &format!("Require: {insisted}\r\n{DESCRIBED}"), SDP).await;
        assert_eq!(peer.status(420).await.header("Unsupported"), *insisted);
        call.ack(1, "1", "").await;
    }
    let mut call = peer.call("may");
    let more = format!(
        "k: timer, 100rel, replaces\r\nx: 1800;refresher=uac\r\nMin-SE: 90\r\n\
         Allow: INVITE, ACK, BYE, UPDATE, PRACK\r\nExpires: 180\r\nProxy-Require: foo\r\n\
         {DESCRIBED}"
    );
    call.send("INVITE", 1, "1", &more, SDP).await;
    let (leg, _) = offered(&mut events).await;
    peer.status(100).await;
    plane.send(SipCommand::Answer { leg, local: desc(9000) }).unwrap();
    let ok = peer.status(200).await;
    // Without the header in the 2xx nothing expires (RFC 4028 section 7.2).
    assert_eq!((ok.header("Session-Expires"), ok.header("Require")), Default::default());
    call.adopt(&ok);
    call.ack(1, "2", "").await;
    next(&mut events).await;
    // A far side that refreshes all the same is answered.
    call.send("UPDATE", 2, "3", "Session-Expires: 1800;refresher=uac\r\nk: timer\r\n", "").await;
    peer.status(200).await;
    call.send("INVITE", 3, "4", &more, SDP).await;
    assert_eq!(peer.status(200).await.body(), ok.body());
    call.ack(3, "5", "").await;
    call.send("PRACK", 4, "6", "RAck: 1 1 INVITE\r\n", "").await;
    peer.status(405).await;
    assert!(events.try_recv().is_err());
    plane.shutdown().await;
}

/// What does not concern us may be odd.
#[tokio::test]
async fn odd_parameters_keep_nobody_from_calling() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let own = plane.local_addr();
    for (n, (from, to)) in [
        ("SIP/2.0/UDP", "SIP/2.0/CARRIER-PIGEON"),
        ("<sip:200@", "<sip:200@x:99999;x="),
        (";branch", ";rport=70000;branch"),
        (&format!("To: <sip:100@{own}>"), "To: <sip:100@x;transport=pigeon>"),
        (&format!("INVITE sip:100@{own}"), "INVITE sip:100@x;transport=pigeon"),
    ]
    .into_iter()
    .enumerate()
    {
        let text = peer.call(&format!("odd{n}")).text("INVITE", 1, "1", DESCRIBED, SDP);
        assert!(text.contains(from), "{from}");
        peer.send(&text.replacen(from, to, 1)).await;
        let reply = peer.hear().await;
        assert_eq!(reply.status(), Some(100), "{to}: {}", reply.0);
        assert!(matches!(next(&mut events).await, SipEvent::Incoming { .. }), "{to}");
    }
    plane.shutdown().await;
}
