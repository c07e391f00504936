//! RTCP beside the sound: reports go out, hostile ones change nothing.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use media::rtcp::{self, REPORT_BYTES_MAX, Report, Sender};
use model::media::{Codec, Hears, MediaCommand, MediaEvent};
use model::random::Random;

use crate::support::{PATIENCE, Peer, Plane, id};

/// A peer that has the port above its own for RTCP.
fn peer_with_reports(plane: &mut Plane) -> (Peer, UdpSocket) {
    let found = (0..100).find_map(|_| {
        let peer = Peer::new(1, Codec::Pcmu);
        let above = peer.desc().port.checked_add(1)?;
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, above)).ok()?;
        Some((peer, socket))
    });
    let (mut peer, socket) = found.expect("two ports in a row");
    plane.send(MediaCommand::Prepare { leg: peer.leg, remote: Some(peer.desc().into()) });
    peer.server.set_port(plane.prepared(peer.leg).port);
    socket.set_read_timeout(Some(PATIENCE)).expect("a time");
    (peer, socket)
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4].iter().fold(0, |word, byte| word << 8 | u32::from(*byte))
}

#[test]
fn a_leg_reports_what_it_sends_and_hears_whatever_is_thrown_at_it() {
    let mut plane = Plane::start();
    let (mut a, reports) = peer_with_reports(&mut plane);
    let mut b = plane.peer(2, Codec::Pcmu);
    plane.connect(id(), 1, &a, &b);
    // Hostile datagrams at the port of reports, from the peer's own address and from a stranger's.
    let target = SocketAddr::new(a.server.ip(), a.server.port() + 1);
    let stranger = UdpSocket::bind(("127.0.0.2", 0)).expect("a socket");
    let mut random = Random::new(7);
    for n in 0..2_000_u32 {
        let mut bytes: Vec<u8> = (0..random.below(200)).map(|_| random.next_u64() as u8).collect();
        if let Some(head) = bytes.first_chunk_mut::<4>() {
            *head = [0x80 | head[0] & 0x3f, 200 + head[1] % 6, 0, head[3] % 64];
        }
        let from = if n % 2 == 0 { &reports } else { &stranger };
        from.send_to(&bytes, target).expect("loopback takes it");
    }
    let mut said = [0; REPORT_BYTES_MAX];
    let sender = Sender { ntp: 0x1111_2222_3333_4444, timestamp: 0, packets: 10, octets: 1_600 };
    let ours = Report {
        ssrc: a.ssrc,
        sender: Some(sender),
        block: None,
        cname: *b"0123456789abcdef01234567",
    };
    let length = ours.write(&mut said);
    // Behind what is still under way, so that it is the last that was said.
    let before = plane.handle.metrics().reports_in;
    let deadline = Instant::now() + PATIENCE;
    while plane.handle.metrics().reports_in < before + 20 {
        assert!(Instant::now() < deadline, "reports of the peer are not taken");
        reports.send_to(&said[..length], target).expect("loopback takes it");
        std::thread::sleep(Duration::from_millis(1));
    }
    for _ in 0..10 {
        a.say();
        b.say();
    }
    let heard = a.hear_until(|heard| !heard.is_silence()).header;
    // One packet of ten is lost on the way.
    a.sequence = a.sequence.wrapping_add(1);
    a.say();
    let mut report = [0; 500];
    let (length, from) = reports.recv_from(&mut report).expect("a report in time");
    assert_eq!(from, target, "from the port above that of the sound");
    let time = rtcp::parse(&report[..length]).expect("RTCP").expect("a sender report");
    assert_eq!(time.ssrc, heard.ssrc, "the stream that is heard");
    assert_eq!(report[..2], [0x81, 200]);
    let (clock, packets, octets) = (word(&report, 16), word(&report, 20), word(&report, 24));
    assert!((10..1_000).contains(&packets), "{packets}");
    assert_eq!(octets, packets * 160);
    let ahead = media::rtp::timestamp_distance(heard.timestamp, clock);
    assert!((0..160_000).contains(&ahead), "one clock for sound and report: {ahead}");
    assert_eq!(word(&report, 28), a.ssrc, "what is said about the peer's stream");
    assert_eq!(word(&report, 32) & 0xff_ffff, 1, "one packet was lost");
    assert!(word(&report, 32) >> 24 > 0);
    assert_eq!(word(&report, 44), 0x2222_3333, "the peer's own report is answered");
    let delay = word(&report, 48);
    assert!((1..10 * 65_536).contains(&delay), "{delay}");
    // Figures are published with the next turn of the clock.
    let deadline = Instant::now() + PATIENCE;
    while plane.handle.metrics().reports_out == 0 {
        assert!(Instant::now() < deadline, "the report is not counted");
        std::thread::sleep(Duration::from_millis(1));
    }
    let metrics = plane.handle.metrics();
    assert!(metrics.reports_in >= 1, "{metrics:?}");
    assert!(metrics.refused.stranger >= 50 && metrics.refused.malformed >= 50, "{metrics:?}");
    assert_eq!(metrics.panics, 0);
    plane.handle.stop();
}

#[test]
fn who_reports_is_not_silent() {
    let mut plane = Plane::start();
    let (a, reports) = peer_with_reports(&mut plane);
    plane.graph(id(), 1, &[(&a, Hears::Silence)]);
    let target = SocketAddr::new(a.server.ip(), a.server.port() + 1);
    let mut said = [0; REPORT_BYTES_MAX];
    let cname = *b"0123456789abcdef01234567";
    let length = Report { ssrc: a.ssrc, sender: None, block: None, cname }.write(&mut said);
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(8) {
        reports.send_to(&said[..length], target).expect("loopback takes it");
        std::thread::sleep(Duration::from_millis(500));
    }
    let silent = |event: &MediaEvent| matches!(event, MediaEvent::Silent { .. });
    assert!(!plane.drain().iter().any(silent), "its reports come");
    plane.handle.stop();
}
