//! Silence: who should speak and does not is told, who gives a sign of life is not.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use model::LegId;
use model::media::{Codec, Direction, Hears, MediaCommand, MediaDesc, MediaEvent};

use crate::support::{PATIENCE, Peer, Plane, hears, id};

#[test]
fn a_silent_peer_is_told_again_and_again() {
    let mut plane = Plane::start();
    let (a, b) = (plane.peer(1, Codec::Pcmu), plane.peer(2, Codec::Pcmu));
    plane.connect(id(), 1, &a, &b);
    let deadline = Instant::now() + PATIENCE;
    let told = plane.wait(|event| match event {
        MediaEvent::Silent { leg, silent_ms } if *leg == a.leg => Some(*silent_ms),
        _ => None,
    });
    assert!((5_000..9_000).contains(&told) && Instant::now() < deadline, "{told}");
    plane.handle.stop();
}

/// Who is told to be silent within 8 s, while `sign` is done ten times a second.
fn silent_legs(plane: &mut Plane, mut sign: impl FnMut(u32)) -> BTreeSet<LegId> {
    let began = Instant::now();
    for n in 0.. {
        sign(n);
        std::thread::sleep(Duration::from_millis(100));
        if began.elapsed() > Duration::from_secs(8) {
            break;
        }
    }
    let silent = plane.drain().into_iter().filter_map(|event| match event {
        MediaEvent::Silent { leg, .. } => Some(leg),
        _ => None,
    });
    silent.collect()
}

#[test]
fn whoever_gives_a_sign_of_life_or_holds_us_is_not_called_silent() {
    let mut plane = Plane::start();
    let (mut a, b) = (plane.peer(1, Codec::Pcmu), plane.peer(2, Codec::Pcmu));
    let held = [Direction::SendOnly, Direction::RecvOnly, Direction::Inactive];
    let holding: Vec<Peer> = held.iter().map(|_| plane.peer(3, Codec::Pcmu)).collect();
    for (peer, direction) in holding.iter().zip(held) {
        let remote = MediaDesc { direction, ..peer.desc() };
        plane.send(MediaCommand::Prepare { leg: peer.leg, remote: Some(remote.into()) });
    }
    let [first, second, third] = &holding[..] else { panic!("three hold us") };
    let round = [(first, hears(&[second])), (second, hears(&[third])), (third, hears(&[first]))];
    plane.graph(id(), 1, &round);
    let (mut sparing, waiting) = (plane.peer(4, Codec::Pcmu), plane.peer(5, Codec::Pcmu));
    let music = plane.clip(&[4_000; 8_000]);
    plane.graph(id(), 1, &[(&waiting, Hears::Music(music))]);
    let talk = [(&a, hears(&[&b])), (&b, hears(&[&a])), (&sparing, hears(&[&b]))];
    plane.graph(id(), 1, &talk);
    a.say();
    let silent = silent_legs(&mut plane, |n| {
        // Comfort noise and a payload type that nobody agreed on, from its own address.
        a.send_packet(if n % 2 == 0 { 13 } else { 77 }, false, &[40]);
        // Nothing but what keeps the port of a translation open (RFC 6263 section 4.6).
        sparing.send_packet(77, false, &[]);
    });
    assert_eq!(silent, BTreeSet::from([b.leg]), "of those only this one should have spoken");
    plane.send(MediaCommand::Close { leg: a.leg });
    let quality = plane.wait(|event| match event {
        MediaEvent::Closed { leg, quality } if *leg == a.leg => Some(*quality),
        _ => None,
    });
    assert_eq!(quality.packets_lost, 0, "what is not passed on is not lost");
    plane.handle.stop();
}
