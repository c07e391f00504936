//! Strangers: junk, floods, spoofed sources, seeded noise.

use std::time::Duration;

use model::sip::{Caller, LegCause, SipCommand, SipEvent};
use sip::{SipConfig, sdp, start};

use crate::peer::{Peer, SDP};
use crate::support::{config, desc, leg_id, next, quick, testdata, until, until_idle};

/// How a good INVITE is spoilt.
type Spoil<'a> = &'a dyn Fn(String) -> String;

/// A small generator, so that a failing run can be repeated (xorshift64*).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit.max(1) as u64).unwrap()
    }

    /// A message with some bytes changed, cut out, doubled or inserted.
    fn mangle(&mut self, message: &[u8]) -> Vec<u8> {
        let mut bytes = message.to_vec();
        for _ in 0..=self.below(4) {
            let place = self.below(bytes.len());
            let length = self.below(24).min(bytes.len() - place);
            match self.below(4) {
                0 if place < bytes.len() => bytes[place] = self.next().to_le_bytes()[0],
                1 => drop(bytes.drain(place..place + length)),
                2 => {
                    let piece = bytes[place..place + length].to_vec();
                    bytes.splice(place..place, piece);
                }
                _ => {
                    let odd = [b"\r\n".as_slice(), b"\"", b"<", b";", b"\0", b"%", b"\xff", b": "];
                    bytes.splice(place..place, odd[self.below(odd.len())].iter().copied());
                }
            }
        }
        bytes
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    for folder in ["sip-torture/rfc4475", "sip-torture/rfc5118"] {
        let mut files: Vec<_> =
            std::fs::read_dir(testdata(folder)).unwrap().map(|f| f.unwrap().path()).collect();
        files.sort();
        messages.extend(files.iter().map(|file| std::fs::read(file).unwrap()));
    }
    messages
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_mangled_messages_break_nothing() {
    let config = SipConfig { rate_per_source: u32::MAX, ..quick() };
    let (plane, mut events) = start(config).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let (seeds, mut noise) = (seeds(), Noise(0x00C0_FFEE));
    for round in 0..10_000 {
        let seed = &seeds[noise.below(seeds.len())];
        let message = noise.mangle(seed);
        let _ = sdp::parse(&message);
        if let Some(place) = message.windows(4).position(|w| w == b"\r\n\r\n") {
            let _ = sdp::session(&message[place + 4..]);
        }
        peer.send_bytes(&message[..message.len().min(60_000)]).await;
        if round % 64 == 0 {
            let sent = round + 1;
            until("junk read", || plane.counters().messages_in >= sent).await;
        }
    }
    while let Ok(event) = events.try_recv() {
        if let SipEvent::Incoming { leg, .. } = event {
            plane.send(SipCommand::Reject { leg, status: 404, retry_after_s: None }).unwrap();
        }
    }
    // Whoever comes now is served.
    let call = peer.call("after");
    call.invite(1, "1", SDP).await;
    loop {
        if let SipEvent::Incoming { sip_call_id, .. } = next(&mut events).await
            && sip_call_id == "after"
        {
            break;
        }
    }
    plane.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_outlives_a_flood() {
    let config = SipConfig { rate_per_source: 200, ..config() };
    let (plane, mut events) = start(config).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let mut call = peer.call("calm");
    call.invite(1, "1", SDP).await;
    let SipEvent::Incoming { leg, .. } = next(&mut events).await else { panic!("no call") };
    plane.send(SipCommand::Answer { leg, local: desc(9000) }).unwrap();
    let ok = peer.status(200).await;
    call.adopt(&ok);
    call.ack(1, "2", "").await;
    next(&mut events).await;
    let flooder = Peer::new(plane.local_addr()).await;
    let (seeds, mut noise) = (seeds(), Noise(7));
    for round in 0..20_000_u32 {
        match round % 4 {
            0 => flooder.send_bytes(&noise.next().to_le_bytes()).await,
            1 => flooder.send_bytes(&seeds[noise.below(seeds.len())]).await,
            2 => {
                flooder
                    .send(&flooder.call(&format!("f{round}")).text("OPTIONS", 1, "x", "", ""))
                    .await;
            }
            _ => {
                let mut forged = flooder.call("calm");
                forged.to_tag = format!("{:032x}", noise.next());
                flooder.send(&forged.text("BYE", 2, &round.to_string(), "", "")).await;
            }
        }
        if round % 2_000 == 1_000 {
            // In the middle of it the call itself is served.
            call.send("INFO", 2 + round, &round.to_string(), "", "").await;
            peer.status(200).await;
        }
    }
    call.send("BYE", 100_000, "bye", "", "").await;
    peer.status(200).await;
    // Some of the flood were calls.
    loop {
        match next(&mut events).await {
            SipEvent::Ended { leg: ended, .. } if ended == leg => break,
            SipEvent::Incoming { leg, .. } => {
                plane.send(SipCommand::Reject { leg, status: 480, retry_after_s: None }).unwrap();
            }
            _ => {}
        }
    }
    until("no leg is left", || plane.counters().legs == 0).await;
    let counters = plane.counters();
    assert!(counters.refused["rate"] > 0, "{counters:?}");
    assert!(counters.transactions < 50, "{counters:?}");
    plane.shutdown().await;
}

#[tokio::test]
async fn a_response_to_nothing_of_ours_goes_no_further() {
    let (plane, _events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let via = format!("SIP/2.0/UDP {};branch=z9hG4bK1", plane.local_addr());
    for (n, tag) in ["", ";tag=a1", ";tag=0123456789abcdef0123456789abcdef"].iter().enumerate() {
        peer.send(&format!(
            "SIP/2.0 200 OK\r\nVia: {via}\r\nFrom: <sip:a@x>{tag}\r\nTo: <sip:b@x>;tag=b\r\n\
             Call-ID: c\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
        ))
        .await;
        until("counted", || plane.counters().refused["not_our_response"] == n as u64 + 1).await;
    }
    plane.shutdown().await;
}

#[tokio::test]
async fn what_belongs_to_a_dialog_has_a_rate_of_its_own() {
    let (plane, mut events) = start(SipConfig { rate_per_source: 10, ..config() }).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let mut call = peer.call("talker");
    call.invite(1, "1", SDP).await;
    let SipEvent::Incoming { leg, .. } = next(&mut events).await else { panic!("no call") };
    plane.send(SipCommand::Answer { leg, local: desc(9000) }).unwrap();
    call.adopt(&peer.status(200).await);
    call.ack(1, "2", "").await;
    // Ten times the rate outside is fair.
    for n in 0..100 {
        call.send("INFO", 2 + n, &n.to_string(), "", "").await;
        peer.status(200).await;
    }
    assert_eq!(plane.counters().refused["rate_inside"], 0);
    let copy = call.text("INFO", 2_000, "copied", "", "");
    for n in 0..4_000 {
        peer.send(&copy).await;
        call.send("INFO", 3_000 + n, &format!("n{n}"), "", "").await;
    }
    until("a flood is cut", || plane.counters().refused["rate_inside"] > 0).await;
    plane.shutdown().await;
}

#[tokio::test]
async fn who_gives_up_while_the_rate_is_used_up_is_heard() {
    let (plane, mut events) = start(SipConfig { rate_per_source: 2, ..config() }).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let call = peer.call("quitter");
    call.invite(1, "1", SDP).await;
    let SipEvent::Incoming { leg, .. } = next(&mut events).await else { panic!("no call") };
    for n in 0..50 {
        peer.call(&format!("o{n}")).send("OPTIONS", 1, "x", "", "").await;
    }
    until("the rate is used up", || plane.counters().refused["rate"] > 0).await;
    call.send("CANCEL", 1, "1", "", "").await;
    let ended = next(&mut events).await;
    assert!(matches!(ended, SipEvent::Ended { leg: of, .. } if of == leg), "{ended:?}");
    plane.shutdown().await;
}

#[tokio::test]
async fn a_source_of_garbage_is_not_listened_to_for_a_while_but_its_call_goes_on() {
    let config = SipConfig {
        trusted: vec!["192.0.2.0/24".parse().unwrap()],
        ban: Duration::from_secs(2),
        ..config()
    };
    let (plane, mut events) = start(config).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let leg = leg_id();
    let (callee, caller) = (crate::support::callee(peer.address), Caller::default());
    plane.send(SipCommand::Dial { leg, callee, caller, local: desc(9000) }).unwrap();
    let invite = peer.request("INVITE").await;
    peer.reply(&invite, "200 OK", "t1", &peer.contact(), SDP).await;
    peer.request("ACK").await;
    next(&mut events).await;
    // Somebody else behind the same address.
    let noisy = Peer::new(plane.local_addr()).await;
    for _ in 0..150 {
        noisy.send("hello\r\n\r\n").await;
    }
    until("banned", || plane.counters().bans == 1 && plane.counters().refused["banned"] > 0).await;
    noisy.call("asks").send("OPTIONS", 1, "1", "", "").await;
    noisy.send("\r\n\r\n").await;
    assert!(noisy.hear_within(Duration::from_millis(300)).await.is_none(), "nothing is said");
    let info = format!(
        "INFO sip:x@{own} SIP/2.0\r\nVia: SIP/2.0/UDP {peer};branch=z9hG4bKi\r\nFrom: {from};tag=t1\r\n\
         To: {to}\r\nCall-ID: {id}\r\nCSeq: 7 INFO\r\nContent-Length: 0\r\n\r\n",
        own = plane.local_addr(),
        peer = peer.address,
        from = invite.header("To"),
        to = invite.header("From"),
        id = invite.header("Call-ID"),
    );
    peer.send(&info).await;
    peer.status(200).await;
    plane.send(SipCommand::Hangup { leg, cause: LegCause::Hangup }).unwrap();
    let bye = peer.request("BYE").await;
    peer.reply(&bye, "200 OK", "", "", "").await;
    until_idle(&plane).await;
    // The ban has an end.
    let deadline = tokio::time::Instant::now() + crate::support::PATIENCE;
    let mut n = 2;
    loop {
        noisy.call("asks").send("OPTIONS", n, &n.to_string(), "", "").await;
        if noisy.hear_within(Duration::from_millis(200)).await.is_some() {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "banned for ever");
        n += 1;
    }
    plane.shutdown().await;
}

#[tokio::test]
async fn a_trusted_source_is_never_banned() {
    let (plane, _events) = start(config()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    for _ in 0..500 {
        peer.send("hello\r\n\r\n").await;
    }
    peer.call("asks").send("OPTIONS", 1, "1", "", "").await;
    peer.status(200).await;
    assert_eq!(plane.counters().bans, 0);
    plane.shutdown().await;
}

#[tokio::test]
async fn strangers_may_ask_but_not_call() {
    let config = SipConfig { trusted: vec!["192.0.2.0/24".parse().unwrap()], ..config() };
    let (plane, mut events) = start(config).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let call = peer.call("stranger");
    call.invite(1, "1", SDP).await;
    peer.status(403).await;
    call.ack(1, "1", "").await;
    call.send("OPTIONS", 2, "2", "", "").await;
    assert_eq!(peer.status(200).await.header("Accept"), "application/sdp");
    // A CANCEL of nothing tells no tag that would open a door.
    call.send("CANCEL", 3, "3", "", "").await;
    let mut inside = peer.call("inside");
    inside.adopt(&peer.status(481).await);
    inside.send("INVITE", 4, "4", &peer.contact(), SDP).await;
    peer.status(481).await;
    assert!(events.try_recv().is_err());
    let counters = plane.counters();
    assert_eq!((counters.refused["untrusted"], counters.transactions), (1, 0));
    plane.shutdown().await;
}

#[tokio::test]
async fn single_faults_get_their_answer() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    let own = format!("{}", plane.local_addr());
    let described = "Content-Type: application/sdp\r\n";
    let cases: &[(&str, u16, Spoil<'_>)] = &[
        ("hops", 483, &|t| t.replace("Max-Forwards: 70", "Max-Forwards: 0")),
        ("extension", 420, &|t| t.replace("Max-Forwards: 70", "Require: 100rel, foo")),
        ("loop", 482, &|t| {
            t.replace(
                "Max-Forwards",
                &format!("Via: SIP/2.0/UDP {own};branch=z9hG4bK9\r\nMax-Forwards"),
            )
        }),
        ("scheme", 416, &|t| t.replace("INVITE sip:", "INVITE tel:")),
        ("version", 505, &|t| t.replacen("SIP/2.0", "SIP/3.0", 1)),
        ("no-contact", 400, &|t| t.replace("Contact:", "X-Contact:")),
        ("codec", 488, &|t| t.replace("AVP 0 101", "AVP 3 101").replace("Content-Length", "X")),
        ("broken-sdp", 400, &|t| t.replace("m=audio", "m=aud=o ")),
        ("kind", 415, &|t| t.replace("application/sdp", "text/plain")),
        ("encoding", 415, &|t| t.replace("Max-Forwards: 70", "Content-Encoding: gzip")),
        ("accept", 406, &|t| t.replace("Max-Forwards: 70", "Accept: text/plain")),
        ("number", 404, &|t| t.replace("INVITE sip:100@", "INVITE sip:a%00b@")),
        ("smuggle", 400, &|t| t.replace("\"Ann\"", "\"An\nn\"")),
        ("dialog", 481, &|t| t.replacen("\r\nCall-ID", ";tag=zz\r\nCall-ID", 1)),
    ];
    for (id, status, change) in cases {
        let text = change(peer.call(id).text("INVITE", 1, "1", described, SDP));
        peer.send(&text).await;
        let reply = peer.hear().await;
        assert_eq!(reply.status(), Some(*status), "{id}: {}", reply.0);
        assert_ne!(reply.to_tag(), "", "{id}");
    }
    assert!(events.try_recv().is_err());
    // Without Max-Forwards, and without Content-Length, a call is a call.
    for (id, gone) in [("free", "Max-Forwards: 70\r\n"), ("bare", "Content-Length: ")] {
        let text = peer.call(id).text("INVITE", 1, "1", described, SDP);
        peer.send(&text.replace(gone, if id == "bare" { "X: " } else { "" })).await;
        assert!(matches!(next(&mut events).await, SipEvent::Incoming { offer: Some(_), .. }));
    }
    plane.shutdown().await;
}

#[tokio::test]
async fn long_short_and_empty_datagrams() {
    let (plane, mut events) = start(quick()).unwrap();
    let peer = Peer::new(plane.local_addr()).await;
    peer.send_bytes(b"\r\n\r\n").await;
    assert_eq!(peer.hear().await.0, "\r\n");
    for quiet in [b"".as_slice(), b"\r\n", b"\0\0\0\0", b"x", &[0xff; 65_000]] {
        peer.send_bytes(quiet).await;
    }
    let padding = format!("X: {}\r\n", "y".repeat(8_100));
    peer.send(
        &peer
            .call("long")
            .text("OPTIONS", 1, "1", "", "")
            .replace("Max-Forwards: 70\r\n", &padding),
    )
    .await;
    assert!(
        peer.hear_within(Duration::from_millis(200)).await.is_none_or(|m| m.status() == Some(513))
    );
    peer.send(&peer.call("big").text("OPTIONS", 1, "1", "", &"b".repeat(7_800))).await;
    assert_eq!(peer.hear().await.status(), Some(513));
    let ack = peer.call("ack").text("ACK", 1, "1", "Require: x\r\n", "");
    peer.send(&ack).await;
    peer.send(&ack.replace("Call-ID", "X-Call-ID")).await;
    assert!(peer.hear_within(Duration::from_millis(200)).await.is_none());
    assert!(events.try_recv().is_err());
    until_idle(&plane).await;
    plane.shutdown().await;
}
