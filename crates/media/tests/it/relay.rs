//! Relay: what one says arrives at the other, at once, in order, and nowhere else.

use std::net::{Ipv4Addr, Ipv6Addr, UdpSocket};
use std::time::{Duration, Instant};

use media::{g711, rtp};
use model::CallId;
use model::media::{Codec, Direction, Hears, MediaCommand, MediaDesc, MediaEvent, Peer as Remote};
use model::random::Random;

use crate::support::{Heard, PATIENCE, Peer, Plane, QUIET, hears, id, spoken};

/// Both say `frames` frames in turns; gives what each heard of the other. Silence that filled a
/// pause of this test is passed over.
fn talk(a: &mut Peer, b: &mut Peer, frames: u32) -> (Vec<Heard>, Vec<Heard>) {
    let (mut at_a, mut at_b) = (Vec::new(), Vec::new());
    for _ in 0..frames {
        a.say();
        at_b.push(b.hear_until(|heard| !heard.is_silence()));
        b.say();
        at_a.push(a.hear_until(|heard| !heard.is_silence()));
    }
    (at_a, at_b)
}

/// Whether `heard` is, without a break, what `voice` said from frame `from` on.
fn is_voice(heard: &[Heard], codec: Codec, voice: u32, from: u32) -> bool {
    let mut said = (from..).map(|n| spoken(codec, voice, n));
    !heard.is_empty() && heard.iter().all(|heard| Some(&heard.payload) == said.next().as_ref())
}

fn is_continuous(heard: &[Heard]) -> bool {
    heard.windows(2).all(|pair| {
        let (last, next) = (pair[0].header, pair[1].header);
        rtp::sequence_distance(last.sequence, next.sequence) == 1
            && (1..=4_000).contains(&rtp::timestamp_distance(last.timestamp, next.timestamp))
            && last.ssrc == next.ssrc
    })
}

#[test]
fn both_hear_each_other_in_order_and_nobody_else_does() {
    let mut plane = Plane::start();
    let (mut a, mut b) = (plane.peer(1, Codec::Pcmu), plane.peer(2, Codec::Pcmu));
    let (mut c, mut d) = (plane.peer(3, Codec::Pcmu), plane.peer(4, Codec::Pcmu));
    let (first, second): (CallId, CallId) = (id(), id());
    plane.connect(first, 1, &a, &b);
    plane.connect(second, 1, &c, &d);
    let began = Instant::now();
    let (at_a, at_b) = talk(&mut a, &mut b, 60);
    // Sixty exchanges by relay take milliseconds; on a 20 ms clock they would take 2.4 s.
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    let (at_c, at_d) = talk(&mut c, &mut d, 20);
    for (heard, voice, frames) in [(&at_a, 2, 60), (&at_b, 1, 60), (&at_c, 4, 20), (&at_d, 3, 20)] {
        assert!(heard.len() == frames && is_voice(heard, Codec::Pcmu, voice, 0), "voice {voice}");
    }
    assert_ne!(at_b[0].header.ssrc, a.ssrc, "the stream is ours");
    plane.handle.stop();
}

#[test]
fn a_direction_that_is_cut_is_noticed_by_this_very_test() {
    let mut plane = Plane::start();
    let (mut a, mut b) = (plane.peer(1, Codec::Pcmu), plane.peer(2, Codec::Pcmu));
    plane.graph(id(), 1, &[(&a, hears(&[&b])), (&b, Hears::Silence)]);
    let mut at_b = Vec::new();
    for _ in 0..10 {
        a.say();
        at_b.push(b.hear());
        b.say();
        a.hear_until(|heard| heard.payload == spoken(Codec::Pcmu, 2, b.frame - 1));
    }
    assert!(!is_voice(&at_b, Codec::Pcmu, 1, 0), "b hears silence");
    assert!(at_b.iter().all(|heard| heard.payload.iter().all(|byte| *byte == g711::MU_SILENCE)));
    plane.handle.stop();
}

#[test]
fn different_laws_are_translated() {
    let mut plane = Plane::start();
    let (mut a, mut b) = (plane.peer(1, Codec::Pcmu), plane.peer(2, Codec::Pcma));
    plane.connect(id(), 1, &a, &b);
    let (at_a, at_b) = talk(&mut a, &mut b, 20);
    for (n, heard) in at_b.iter().enumerate() {
        let mut expected = [0; 160];
        let said = spoken(Codec::Pcmu, 1, n as u32);
        g711::transcode_slice(Codec::Pcmu, &said, Codec::Pcma, &mut expected);
        assert_eq!((&heard.payload[..], heard.header.payload_type), (&expected[..], 8));
    }
    assert!(at_a.iter().all(|heard| heard.header.payload_type == 0));
    plane.handle.stop();
}

#[test]
fn the_stream_stays_one_stream_across_hold_music_and_another_partner() {
    let mut plane = Plane::start();
    let (mut a, mut b) = (plane.peer(1, Codec::Pcmu), plane.peer(2, Codec::Pcmu));
    let mut c = plane.peer(3, Codec::Pcmu);
    let music = plane.clip(&[4_000; 8_000]);
    let call = id();
    let mut heard = Vec::new();
    plane.connect(call, 1, &a, &b);
    for _ in 0..5 {
        b.say();
        let said = spoken(Codec::Pcmu, 2, b.frame - 1);
        while heard.last().is_none_or(|last: &Heard| last.payload != said) {
            heard.push(a.hear());
        }
    }
    plane.graph(call, 2, &[(&a, Hears::Music(music)), (&b, Hears::Silence)]);
    let tone = [g711::encode_mu(4_000); 160];
    while heard.last().is_none_or(|last| last.payload != tone) {
        heard.push(a.hear());
    }
    assert!(heard.last().is_some_and(|last| last.header.marker));
    b.say();
    for _ in 0..5 {
        heard.push(a.hear());
        assert!(heard.last().is_some_and(|last| last.payload == tone && !last.header.marker));
    }
    plane.graph(call, 3, &[(&a, hears(&[&c])), (&c, hears(&[&a])), (&b, Hears::Silence)]);
    c.say();
    while heard.last().is_none_or(|last| last.payload != spoken(Codec::Pcmu, 3, c.frame - 1)) {
        heard.push(a.hear());
    }
    assert!(heard.last().is_some_and(|last| last.header.marker), "a new source is marked");
    // An older wish that arrives late changes nothing.
    plane.send(MediaCommand::Graph {
        call,
        tenant: id(),
        rev: 2,
        graph: model::Graph::default(),
        recording_file: None,
    });
    for _ in 0..5 {
        c.say();
        let said = spoken(Codec::Pcmu, 3, c.frame - 1);
        while heard.last().is_none_or(|last| last.payload != said) {
            heard.push(a.hear());
        }
    }
    assert!(is_continuous(&heard), "{heard:?}");
    a.say();
    c.hear_until(|heard| heard.payload == spoken(Codec::Pcmu, 1, a.frame - 1));
    plane.handle.stop();
}

#[test]
fn loss_and_reorder_pass_as_they_are() {
    let mut plane = Plane::start();
    let (mut a, b) = (plane.peer(1, Codec::Pcmu), plane.peer(2, Codec::Pcmu));
    plane.connect(id(), 1, &a, &b);
    let mut at_b = Vec::new();
    let (sequence, timestamp) = (a.sequence, a.timestamp);
    for n in [0_u16, 1, 4, 3, 5] {
        a.sequence = sequence.wrapping_add(n);
        a.timestamp = timestamp.wrapping_add(u32::from(n) * 160);
        a.send_packet(0, false, &[n as u8; 160]);
        at_b.push(b.hear_until(|heard| !heard.is_silence()));
    }
    let first = at_b[0].header;
    for (heard, n) in at_b.iter().zip([0_u32, 1, 4, 3, 5]) {
        assert_eq!(heard.payload, [n as u8; 160]);
        assert_eq!(heard.header.sequence, first.sequence.wrapping_add(n as u16));
        assert_eq!(heard.header.timestamp, first.timestamp.wrapping_add(n * 160));
    }
    plane.send(MediaCommand::Close { leg: a.leg });
    let quality = plane.wait(|event| match event {
        MediaEvent::Closed { leg, quality } if *leg == a.leg => Some(*quality),
        _ => None,
    });
    assert_eq!((quality.packets_in, quality.packets_lost), (5, 1));
    plane.handle.stop();
}

#[test]
fn a_stranger_is_neither_heard_nor_sent_to() {
    let mut plane = Plane::start();
    let (mut a, b) = (plane.peer(1, Codec::Pcmu), plane.peer(2, Codec::Pcmu));
    let mut stranger = Peer::new(9, Codec::Pcmu);
    plane.connect(id(), 1, &a, &b);
    stranger.server = a.server;
    let mut at_b = Vec::new();
    for _ in 0..30 {
        // Worst case: it copies the real peer's numbers.
        (stranger.sequence, stranger.ssrc) = (a.sequence, a.ssrc);
        a.say();
        stranger.say();
        at_b.push(b.hear_until(|heard| !heard.is_silence()));
    }
    assert!(is_voice(&at_b, Codec::Pcmu, 1, 0), "not one injected frame");
    assert!(b.hear_within(Duration::from_millis(50)).is_none_or(|heard| heard.is_silence()));
    assert_eq!(stranger.hear_within(Duration::from_millis(50)), None);
    assert!(plane.handle.metrics().refused.stranger >= 30);
    plane.handle.stop();
}

/// Its description names an address that nobody can reach; its SIP messages and its RTP come from
/// the address of the translation.
#[test]
fn a_peer_behind_address_translation_is_learned_and_answered_there() {
    let mut plane = Plane::start();
    let mut b = plane.peer(2, Codec::Pcmu);
    let mut real = Peer::new(5, Codec::Pcmu);
    let hidden = MediaDesc { address: Ipv4Addr::new(192, 0, 2, 1).into(), ..real.desc() };
    let remote = Remote { desc: hidden, signalled_from: Some(real.desc().address) };
    plane.send(MediaCommand::Prepare { leg: real.leg, remote: Some(remote) });
    real.server.set_port(plane.prepared(real.leg).port);
    plane.connect(id(), 1, &real, &b);
    for _ in 0..8 {
        real.say();
    }
    let heard = b.hear_until(|heard| !heard.is_silence());
    assert_eq!(heard.payload, spoken(Codec::Pcmu, 5, 4), "the fifth packet is the first heard");
    b.say();
    real.hear_until(|heard| heard.payload == spoken(Codec::Pcmu, 2, 0));
    // It held the call, its translation forgot the port, and it comes back from another.
    b.flush();
    real.socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    let deadline = Instant::now() + PATIENCE;
    loop {
        real.say();
        let heard = b.hear_within(Duration::from_millis(20));
        if heard.is_some_and(|heard| !heard.is_silence()) {
            break;
        }
        assert!(Instant::now() < deadline, "the new port is never learned");
    }
    b.say();
    real.hear_until(|heard| heard.payload == spoken(Codec::Pcmu, 2, 1));
    plane.handle.stop();
}

#[test]
fn ten_thousand_malformed_packets_change_nothing() {
    let mut plane = Plane::start();
    let (mut a, mut b) = (plane.peer(1, Codec::Pcmu), plane.peer(2, Codec::Pcmu));
    plane.connect(id(), 1, &a, &b);
    talk(&mut a, &mut b, 1);
    let mut random = Random::new(6_263);
    let mut sent = 0;
    while sent < 10_000 {
        for _ in 0..50 {
            let length = random.below(80) as usize;
            let mut bytes: Vec<u8> = (0..length).map(|_| random.next_u64() as u8).collect();
            match random.below(4) {
                // Version 2 with lies about extension, sources and padding.
                0 if length > 1 => (bytes[0], bytes[1]) = (0x80 | bytes[0] & 0x3f, 77),
                1 if length > 1 => bytes[0] &= 0x7f,
                _ if length > 1 => (bytes[0], bytes[1]) = (0x80, 2 + bytes[1] % 5),
                _ => {}
            }
            a.send_raw(&bytes);
            sent += 1;
        }
        talk(&mut a, &mut b, 1);
    }
    let refused = plane.handle.metrics().refused;
    assert!(refused.malformed > 1_000 && refused.payload_type > 1_000, "{refused:?}");
    let (_, at_b) = talk(&mut a, &mut b, 5);
    assert!(is_voice(&at_b, Codec::Pcmu, 1, a.frame - 5));
    plane.handle.stop();
}

#[test]
fn our_offer_takes_the_answer_and_hold_stops_the_stream() {
    let mut plane = Plane::start();
    let mut b = plane.peer(2, Codec::Pcmu);
    let mut a = Peer::new(1, Codec::Pcma);
    plane.send(MediaCommand::Prepare { leg: a.leg, remote: None });
    let offer = plane.prepared(a.leg);
    assert_eq!((&offer.codecs[..], offer.dtmf), (&[Codec::Pcmu, Codec::Pcma][..], Some(101)));
    a.server = (offer.address, offer.port).into();
    plane.send(MediaCommand::Remote { leg: a.leg, local: offer, remote: a.desc().into() });
    let call = id();
    plane.connect(call, 1, &a, &b);
    let (at_a, _) = talk(&mut a, &mut b, 5);
    assert!(at_a.iter().all(|heard| heard.header.payload_type == 8));
    let held = MediaDesc { direction: Direction::SendOnly, ..a.desc() };
    plane.send(MediaCommand::Prepare { leg: a.leg, remote: Some(held.into()) });
    assert_eq!(plane.prepared(a.leg).direction, Direction::RecvOnly);
    a.flush();
    b.say();
    assert_eq!(a.hear_within(QUIET), None, "it asked us not to send");
    plane.handle.stop();
}

#[test]
fn an_answer_that_cannot_be_reached_is_told_and_changes_nothing() {
    let mut plane = Plane::start();
    let (mut a, mut b) = (plane.peer(1, Codec::Pcmu), plane.peer(2, Codec::Pcmu));
    plane.connect(id(), 1, &a, &b);
    talk(&mut a, &mut b, 3);
    let local = MediaDesc { port: a.server.port(), ..a.desc() };
    let moved = MediaDesc { address: Ipv6Addr::LOCALHOST.into(), ..a.desc() };
    plane.send(MediaCommand::Remote { leg: a.leg, local, remote: moved.into() });
    let why = plane.wait(|event| match event {
        MediaEvent::PrepareFailed { leg, why } if *leg == a.leg => Some(*why),
        _ => None,
    });
    assert_eq!(why, model::media::MediaFault::BadDescription);
    let (at_a, _) = talk(&mut a, &mut b, 3);
    assert!(is_voice(&at_a, Codec::Pcmu, 2, 3), "the session stands");
    plane.handle.stop();
}

#[test]
fn a_plane_of_both_families_reaches_both() {
    if UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        println!("skipped: this machine has no IPv6");
        return;
    }
    let everywhere = Ipv6Addr::UNSPECIFIED.into();
    let mut plane = Plane::start_with(|config| config.bind = everywhere);
    let (mut a, mut b) = (plane.peer(1, Codec::Pcmu), Peer::new(2, Codec::Pcmu));
    b.socket = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).expect("a socket");
    plane.send(MediaCommand::Prepare { leg: b.leg, remote: Some(b.desc().into()) });
    b.server = (Ipv6Addr::LOCALHOST, plane.prepared(b.leg).port).into();
    plane.connect(id(), 1, &a, &b);
    let (at_a, at_b) = talk(&mut a, &mut b, 3);
    assert!(is_voice(&at_a, Codec::Pcmu, 2, 0) && is_voice(&at_b, Codec::Pcmu, 1, 0));
    plane.handle.stop();
}

/// An even port and the three above it, all free a moment ago.
fn four_free_ports() -> (u16, u16) {
    let bind = |port| UdpSocket::bind((Ipv4Addr::LOCALHOST, port));
    loop {
        let port = bind(0).and_then(|socket| socket.local_addr()).expect("a socket").port() & !1;
        if let Some(last) = port.checked_add(3)
            && (port..=last).all(|port| bind(port).is_ok())
        {
            return (port, last);
        }
    }
}

#[test]
fn what_cannot_be_prepared_is_told() {
    let (first_port, last_port) = four_free_ports();
    let mut plane = Plane::start_with(|config| config.rtp_ports = first_port..=last_port);
    let peer = Peer::new(1, Codec::Pcmu);
    for (remote, why) in [
        (MediaDesc { codecs: Vec::new(), ..peer.desc() }, model::media::MediaFault::NoCodec),
        (MediaDesc { port: 0, ..peer.desc() }, model::media::MediaFault::BadDescription),
        (
            MediaDesc { address: Ipv6Addr::LOCALHOST.into(), ..peer.desc() },
            model::media::MediaFault::BadDescription,
        ),
    ] {
        plane.send(MediaCommand::Prepare { leg: peer.leg, remote: Some(remote.into()) });
        let told = plane.wait(|event| match event {
            MediaEvent::PrepareFailed { leg, why } if *leg == peer.leg => Some(*why),
            _ => None,
        });
        assert_eq!(told, why);
    }
    let (first, second) = (Peer::new(1, Codec::Pcmu), Peer::new(2, Codec::Pcmu));
    for peer in [&first, &second, &Peer::new(3, Codec::Pcmu)] {
        plane.send(MediaCommand::Prepare { leg: peer.leg, remote: None });
    }
    let ports = [plane.prepared(first.leg).port, plane.prepared(second.leg).port];
    assert!(ports.contains(&first_port) && ports.contains(&(first_port + 2)), "{ports:?}");
    let why = plane.wait(|event| match event {
        MediaEvent::PrepareFailed { why, .. } => Some(*why),
        _ => None,
    });
    assert_eq!(why, model::media::MediaFault::NoPort);
    // A freed port can be had again.
    plane.send(MediaCommand::Close { leg: first.leg });
    let again = Peer::new(4, Codec::Pcmu);
    plane.send(MediaCommand::Prepare { leg: again.leg, remote: None });
    assert_eq!(plane.prepared(again.leg).port, ports[0]);
    plane.handle.stop();
}

#[test]
fn a_leg_that_moves_to_another_call_leaves_the_first_behind() {
    let mut plane = Plane::start();
    let (mut a, mut b) = (plane.peer(1, Codec::Pcmu), plane.peer(2, Codec::Pcmu));
    let mut c = plane.peer(3, Codec::Pcmu);
    let (first, second): (CallId, CallId) = (id(), id());
    plane.connect(first, 1, &a, &b);
    talk(&mut a, &mut b, 3);
    plane.connect(second, 1, &b, &c);
    let (_, at_c) = talk(&mut b, &mut c, 5);
    assert!(is_voice(&at_c, Codec::Pcmu, 2, 3));
    plane.send(MediaCommand::CallEnded { call: first });
    plane.settle();
    let (at_b, _) = talk(&mut b, &mut c, 5);
    assert!(is_voice(&at_b, Codec::Pcmu, 3, 5), "the end of the first call is not b's concern");
    a.say();
    a.flush();
    b.say();
    assert_eq!(a.hear_within(QUIET), None, "whoever was left behind hears nothing any more");
    c.flush();
    c.say();
    let heard = b.hear_until(|heard| !heard.is_silence());
    assert_eq!(heard.payload, spoken(Codec::Pcmu, 3, c.frame - 1), "and is not heard");
    plane.handle.stop();
}

#[test]
fn a_graph_may_name_a_leg_before_it_is_there() {
    let mut plane = Plane::start();
    let mut a = plane.peer(1, Codec::Pcmu);
    let mut b = Peer::new(2, Codec::Pcmu);
    plane.connect(id(), 1, &a, &b);
    plane.send(MediaCommand::Prepare { leg: b.leg, remote: Some(b.desc().into()) });
    let local = plane.prepared(b.leg);
    b.server = (local.address, local.port).into();
    plane.settle();
    let (at_a, at_b) = talk(&mut a, &mut b, 5);
    assert!(is_voice(&at_a, Codec::Pcmu, 2, 0) && is_voice(&at_b, Codec::Pcmu, 1, 0));
    plane.handle.stop();
}
