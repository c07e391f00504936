//! The reader against descriptions of friends and foes, and the writer against the reader.

use model::media::{Codec, Direction, MediaDesc};

use super::*;

const PLAIN: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
                     m=audio 4000 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\n\
                     a=ptime:30\r\na=sendonly\r\n";

fn parsed(text: &str) -> Result<MediaDesc, SdpFault> {
    parse(text.as_bytes())
}

#[test]
fn a_plain_offer_is_read() {
    let expected = MediaDesc {
        address: "192.0.2.1".parse().unwrap(),
        port: 4000,
        codecs: vec![Codec::Pcma, Codec::Pcmu],
        dtmf: Some(101),
        direction: Direction::SendOnly,
        ptime_ms: 30,
    };
    assert_eq!(parsed(PLAIN), Ok(expected));
}

#[test]
fn names_in_any_alphabet_are_no_fault() {
    let odd = ["o=J\u{f6}rg 1 1 IN IP4 192.0.2.1", "s=Caf\u{e9}", "a=x:\u{ff}", "i=\u{fc}"];
    let lines = odd.iter().map(|line| format!("{line}\r\n")).collect::<String>();
    let text = PLAIN.replace("o=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\n", &lines);
    let latin1: Vec<u8> = text.chars().map(|c| u8::try_from(c).unwrap()).collect();
    assert_eq!(parse(&latin1), parsed(PLAIN));
}

#[test]
fn media_level_lines_win_over_session_level_ones() {
    let text = "v=0\nc=IN IP4 192.0.2.1\na=inactive\nm=video 9 RTP/AVP 31\nc=IN IP6 2001:db8::1\n\
                m=audio 5000 RTP/AVP 0\nc=IN IP4 192.0.2.7\na=recvonly\n";
    let session = session(text.as_bytes()).unwrap();
    assert_eq!(session.media.address, "192.0.2.7".parse::<std::net::IpAddr>().unwrap());
    assert_eq!(session.media.direction, Direction::RecvOnly);
    assert_eq!((session.audio, session.lines.len()), (1, 2));
}

#[test]
fn faults_are_named() {
    let with = |from: &str, to: &str| parsed(&PLAIN.replace(from, to));
    let cases = [
        (with("c=IN IP4 192.0.2.1\r\n", ""), SdpFault::Address),
        (with("c=IN IP4 192.0.2.1", "c=IN IP4 host.example.org"), SdpFault::Address),
        (with("c=IN IP4 192.0.2.1", "c=IN IP4 224.2.1.1/127"), SdpFault::Address),
        (with("c=IN IP4 192.0.2.1", "c=IN IP4"), SdpFault::Malformed),
        (with("c=IN IP4 192.0.2.1", "c=ATM NSAP 1"), SdpFault::Malformed),
        (with("audio 4000", "audio 0"), SdpFault::NoAudio),
        (with("audio 4000", "audio 70000"), SdpFault::Malformed),
        (with("audio 4000", "audio -1"), SdpFault::Malformed),
        (with("RTP/AVP", "RTP/SAVP"), SdpFault::NoAudio),
        (with("8 0 101", "18 101"), SdpFault::NoCodec),
        (with("m=audio", "m=video"), SdpFault::NoAudio),
        (with("v=0", "v=1"), SdpFault::Malformed),
        (with("s=-", "no equals sign"), SdpFault::Line),
        (with("s=-", "s=\0"), SdpFault::Line),
        (parsed(""), SdpFault::NoAudio),
        (parsed(&format!("v=0\r\n{}", "m=audio 1 RTP/AVP 0\r\n".repeat(400))), SdpFault::TooLong),
        (parsed(&format!("{PLAIN}a={}", "x".repeat(70_000))), SdpFault::TooLong),
        (parse(b"v=0\r\n\xff=x\r\n"), SdpFault::Line),
        (parse(b"v=0\r\nm=audio 4000 RTP/AVP\xff 0\r\n"), SdpFault::Malformed),
    ];
    for (place, (result, fault)) in cases.into_iter().enumerate() {
        assert_eq!(result, Err(fault), "case {place}");
    }
}

#[test]
fn odd_attributes_say_nothing() {
    for odd in
        ["a=ptime:0", "a=ptime:-1", "a=ptime:999", "a=ptime:", "a=rtpmap:999999 x/1", "a=", "a=:"]
    {
        let text = PLAIN.replace("a=ptime:30", odd);
        assert_eq!(parsed(&text).unwrap().ptime_ms, 20, "{odd}");
    }
    // A payload type that claims to be something else is not G.711.
    let clash = PLAIN.replace("a=ptime:30", "a=rtpmap:0 opus/48000");
    assert_eq!(parsed(&clash).unwrap().codecs, [Codec::Pcma]);
    let twice = PLAIN.replace("8 0 101", "0 0 8 8 101");
    assert_eq!(parsed(&twice).unwrap().codecs, [Codec::Pcmu, Codec::Pcma]);
}

#[test]
fn the_old_hold_is_a_hold() {
    let text =
        PLAIN.replace("c=IN IP4 192.0.2.1", "c=IN IP4 0.0.0.0").replace("a=sendonly\r\n", "");
    assert_eq!(parsed(&text).unwrap().direction, Direction::SendOnly);
}

#[test]
fn an_answer_mirrors_the_lines_of_the_offer() {
    let text = format!("{PLAIN}m=video 5000 RTP/AVP 31 32\r\nm=image 6000 udptl t38\r\n");
    let remote = session(text.as_bytes()).unwrap();
    let local = MediaDesc {
        address: "192.0.2.9".parse().unwrap(),
        port: 7000,
        codecs: vec![Codec::Pcma],
        dtmf: Some(101),
        direction: Direction::SendRecv,
        ptime_ms: 20,
    };
    let mut origin = Origin::new(7);
    let first = answer(&remote, &local, &mut origin);
    let text = String::from_utf8(first.clone()).unwrap();
    let lines: Vec<&str> = text.lines().filter(|l| l.starts_with("m=")).collect();
    assert_eq!(
        lines,
        ["m=audio 7000 RTP/AVP 8 101", "m=video 0 RTP/AVP 31 32", "m=image 0 udptl t38"]
    );
    assert_eq!(parse(&first), Ok(local.clone()));
    assert!(text.contains("o=- 7 1 IN IP4 192.0.2.9\r\n"), "{text}");
    // Unchanged: the same bytes. Changed: the version grows.
    assert_eq!(answer(&remote, &local, &mut origin), first);
    let held = MediaDesc { direction: Direction::Inactive, ..local };
    let second = String::from_utf8(answer(&remote, &held, &mut origin)).unwrap();
    assert!(second.contains("o=- 7 2 IN IP4"), "{second}");
}
