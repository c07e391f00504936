//! The filter and the transaction layer behind it read a message alike: what one lets through, the
//! other neither drops nor takes for something else.

use std::sync::atomic::AtomicBool;

use model::random::Random;
use rsipstack::sip::SipMessage;
use rsipstack::transaction::key::{TransactionKey, TransactionRole};

use super::*;
use crate::config::SipConfig;
use crate::core::message;
use crate::counters::Tally;
use crate::tags::Tags;

const INVITE: &str = "INVITE sip:100@127.0.0.1:5060;user=phone SIP/2.0\r\n\
    Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK776asdhds;rport\r\nMax-Forwards: 70\r\n\
    From: \"Ann \\\" Ex\" <sip:200;par=x@192.0.2.1>;tag=1928301774\r\n\
    To: Bob <sip:100@127.0.0.1>\r\nCall-ID: a84b4c76e66710@pc33\r\nCSeq: 314159 INVITE\r\n\
    Contact: <sip:200@192.0.2.1:5060;transport=udp>\r\nContent-Length: 0\r\n\r\n";
/// What is put somewhere, or in the place of something.
const PIECES: [&str; 29] = [
    "\u{a0}",
    " ",
    "\t",
    "\r\n ",
    ";",
    "=",
    " = ",
    "\"",
    "\\",
    "<",
    ">",
    ",",
    ":",
    "@",
    "%",
    "%41",
    "/",
    "?",
    "[",
    "]",
    ";tag=2",
    ";transport=tls",
    ";rport=1",
    ";lr",
    "\r\nTo: <sip:x@y>;tag=3",
    "\r\nf: <sip:x@y>;tag=4",
    "tel:+1",
    "é",
    "0",
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
        tally: Tally::default(),
        tags: Tags::default(),
        draining: AtomicBool::new(false),
    }))
}

/// A message with some pieces put in, cut out or put in place of others.
fn spoilt(random: &mut Random) -> Vec<u8> {
    let mut text = INVITE.to_owned();
    let below = |random: &mut Random, most: usize| {
        usize::try_from(random.below(most.max(1) as u64)).unwrap()
    };
    for _ in 0..=below(random, 3) {
        let mut from = below(random, text.len());
        while !text.is_char_boundary(from) {
            from -= 1;
        }
        let mut to = (from + below(random, 4)).min(text.len());
        while !text.is_char_boundary(to) {
            to += 1;
        }
        let piece = PIECES[below(random, PIECES.len())];
        text.replace_range(from..if random.below(2) == 0 { from } else { to }, piece);
    }
    text.into_bytes()
}

#[test]
fn what_passes_is_read_alike_behind() {
    let (filter, mut random) = (filter(), Random::new(3261));
    let source = "192.0.2.1:5060".parse().unwrap();
    let mut passed = 0;
    for _ in 0..60_000 {
        let message = spoilt(&mut random);
        let mut buf = message.clone();
        buf.resize(65_536, 0);
        let Verdict::Pass(length, _) = filter.judge(&mut buf, message.len(), source, false) else {
            continue;
        };
        passed += 1;
        let told = || String::from_utf8_lossy(&message).into_owned();
        let head = wire::read(&message).unwrap();
        let read = SipMessage::try_from(&buf[..length]);
        let Ok(SipMessage::Request(request)) = read else { panic!("not read: {}", told()) };
        assert!(
            TransactionKey::from_request(&request, TransactionRole::Server).is_ok(),
            "no transaction: {}",
            told()
        );
        assert_eq!(message::from_tag(&request), tag(&head, Name::From), "{}", told());
        assert_eq!(message::to_tag(&request), tag(&head, Name::To), "{}", told());
        assert_eq!(Some(message::call_id(&request)), head.only(Name::CallId), "{}", told());
        let number = head.only(Name::CSeq).and_then(cseq).map(|(number, _)| number);
        assert_eq!(message::cseq(&request), number, "{}", told());
        assert_eq!(request.method.to_string(), "INVITE", "{}", told());
    }
    assert!(passed > 5_000, "{passed}");
}
