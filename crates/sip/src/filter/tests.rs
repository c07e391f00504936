//! What the filter lets through can be answered and can be found again: whatever was spoilt in it.

use std::sync::atomic::AtomicBool;

use model::random::Random;

use super::*;
use crate::config::SipConfig;
use crate::counters::Tally;
use crate::message::Method;
use crate::reply;
use crate::tags::Tags;

const INVITE: &str = "INVITE sip:100@127.0.0.1:5060;user=phone SIP/2.0\r\n\
    Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK776asdhds;rport\r\nMax-Forwards: 70\r\n\
    From: \"Ann \\\" Ex\" <sip:200;par=x@192.0.2.1>;tag=1928301774\r\n\
    To: Bob <sip:100@127.0.0.1>\r\nCall-ID: a84b4c76e66710@pc33\r\nCSeq: 314159 INVITE\r\n\
    Contact: <sip:200@192.0.2.1:5060;transport=udp>\r\nContent-Length: 0\r\n\r\n";
/// What is put somewhere, or in the place of something.
const PIECES: [&[u8]; 32] = [
    "\u{a0}".as_bytes(),
    b" ",
    b"\t",
    b"\r\n ",
    b";",
    b"=",
    b" = ",
    b"\"",
    b"\\",
    b"<",
    b">",
    b",",
    b":",
    b"@",
    b"%",
    b"%41",
    b"/",
    b"?",
    b"[",
    b"]",
    b";tag=2",
    b";transport=tls",
    b";rport=1",
    b";lr",
    b"\r\nTo: <sip:x@y>;tag=3",
    b"\r\nf: <sip:x@y>;tag=4",
    b"tel:+1",
    "é".as_bytes(),
    b"0",
    b"\xff",
    b"\xc3",
    b"\xe9",
];

fn filter() -> Filter {
    let local = "127.0.0.1:5060".parse().unwrap();
    let config = SipConfig {
        trusted: vec!["0.0.0.0/0".parse().unwrap()],
        rate_per_source: u32::MAX,
        ..SipConfig::default()
    };
    Filter::new(Arc::new(Shared {
        config,
        local,
        advertise: local,
        local_tls: None,
        tally: Tally::default(),
        tags: Tags::default(),
        draining: AtomicBool::new(false),
    }))
}

/// A message with some pieces put in, cut out or put in place of others.
fn spoilt(random: &mut Random) -> Vec<u8> {
    let mut text = INVITE.as_bytes().to_vec();
    let below = |random: &mut Random, most: usize| {
        usize::try_from(random.below(most.max(1) as u64)).unwrap()
    };
    for _ in 0..=below(random, 3) {
        let from = below(random, text.len());
        let to = (from + below(random, 4)).min(text.len());
        let piece = PIECES[below(random, PIECES.len())];
        let to = if random.below(2) == 0 { from } else { to };
        text.splice(from..to, piece.iter().copied());
    }
    text
}

#[test]
fn what_passes_can_be_answered() {
    let (mut filter, mut random) = (filter(), Random::new(3261));
    let source = Way::udp("192.0.2.1:5060".parse().unwrap());
    let mut passed = 0;
    for _ in 0..60_000 {
        let datagram = spoilt(&mut random);
        let Verdict::Pass(message) = filter.judge(&datagram, source, false) else { continue };
        passed += 1;
        let told = || String::from_utf8_lossy(&datagram).into_owned();
        assert_eq!(message.method(), Some(Method::Invite), "{}", told());
        let from_tag = message.tag_from().unwrap_or_else(|| panic!("no tag: {}", told()));
        assert!(addr::is_token(from_tag), "{}", told());
        assert_eq!(message.tag_to(), None, "{}", told());
        assert!(message.cseq().is_some() && !message.call_id().is_empty(), "{}", told());
        assert!(addr::sip_uri(message.uri()).is_some(), "{}", told());
        // The answer is a message as well, and leads back to the same call.
        let to = message.peer.address;
        let mut answer = reply::begin(&message.head, (200, "OK"), to, "t").into_bytes();
        answer.extend_from_slice(b"\r\n");
        let read = wire::read(&answer).unwrap_or_else(|| panic!("no answer: {}", told()));
        assert_eq!(read.fault, None, "{}", told());
        assert_eq!(tag(&read, Name::From), Some(from_tag), "{}", told());
        assert_eq!(tag(&read, Name::To), Some("t"), "{}", told());
        assert_eq!(read.only(Name::CallId), Some(message.call_id()), "{}", told());
        assert_eq!(read.only(Name::CSeq).and_then(cseq), Some((message.cseq().unwrap(), "INVITE")));
        assert!(via::top(&read).and_then(via::sent_by).is_some(), "{}", told());
        // What the answer is known by came as it stands there.
        let known_by = [message.via(), message.call_id(), message.uri()];
        assert!(known_by.into_iter().all(wire::is_exact), "{}", told());
    }
    assert!(passed > 5_000, "{passed}");
}
