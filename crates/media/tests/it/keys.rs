//! Keys: one digit per press, passed on to whoever takes them.

use std::time::{Duration, Instant};

use media::dtmf;
use model::media::{Codec, Hears, MediaCommand, MediaDesc, MediaEvent};

use crate::support::{KEYS, PATIENCE, Peer, Plane, id};

fn wait_digit(plane: &mut Plane, peer: &Peer) -> char {
    plane.wait(|event| match event {
        MediaEvent::Digit { leg, digit } if *leg == peer.leg => Some(*digit),
        _ => None,
    })
}

#[test]
fn each_press_is_one_digit() {
    let mut plane = Plane::start();
    let mut a = plane.peer(1, Codec::Pcmu);
    plane.graph(id(), 1, &[(&a, Hears::Silence)]);
    for key in "15#*0D".chars() {
        a.press(key);
        assert_eq!(wait_digit(&mut plane, &a), key);
    }
    // A flash is no key.
    a.send_packet(KEYS, true, &[16, 0x8a, 0, 160]);
    // Events keep their order: a digit too many would come before the next press.
    for key in "78".chars() {
        a.press(key);
        assert_eq!(wait_digit(&mut plane, &a), key);
    }
    assert_eq!(plane.handle.metrics().refused.digit, 1);
    plane.handle.stop();
}

#[test]
fn keys_are_passed_on_with_the_payload_type_of_the_other_side() {
    let mut plane = Plane::start();
    let mut a = plane.peer(1, Codec::Pcmu);
    let mut b = Peer::new(2, Codec::Pcmu);
    let remote = MediaDesc { dtmf: Some(96), ..b.desc() };
    plane.send(MediaCommand::Prepare { leg: b.leg, remote: Some(remote.into()) });
    let local = plane.prepared(b.leg);
    assert_eq!(local.dtmf, Some(96));
    b.server = (local.address, local.port).into();
    plane.connect(id(), 1, &a, &b);
    a.say();
    b.hear_until(|heard| !heard.is_silence());
    a.press('9');
    let events: Vec<_> =
        (0..7).map(|_| b.hear_until(|heard| heard.header.payload_type == 96)).collect();
    let mut receiver = dtmf::Receiver::default();
    let received: Vec<_> = events
        .iter()
        .map(|heard| receiver.receive(0, heard.header.timestamp, &heard.payload))
        .filter(|reception| *reception != dtmf::Reception::Known)
        .collect();
    assert_eq!(received, [dtmf::Reception::Pressed('9')]);
    assert_eq!(wait_digit(&mut plane, &a), '9');
    plane.handle.stop();
}

#[test]
fn a_peer_without_keys_gets_none_and_no_gap() {
    let mut plane = Plane::start();
    let mut a = plane.peer(1, Codec::Pcmu);
    let mut b = Peer::new(2, Codec::Pcmu);
    let remote = MediaDesc { dtmf: None, ..b.desc() };
    plane.send(MediaCommand::Prepare { leg: b.leg, remote: Some(remote.into()) });
    b.server.set_port(plane.prepared(b.leg).port);
    plane.connect(id(), 1, &a, &b);
    a.say();
    let before = b.hear_until(|heard| !heard.is_silence()).header;
    a.press('3');
    a.say();
    assert_eq!(wait_digit(&mut plane, &a), '3');
    let mut last = before;
    let after = b.hear_until(|heard| {
        assert_eq!(
            (heard.header.payload_type, heard.header.sequence),
            (0, last.sequence.wrapping_add(1))
        );
        last = heard.header;
        !heard.is_silence()
    });
    assert_eq!(after.header.ssrc, before.ssrc);
    plane.handle.stop();
}

#[test]
fn a_new_number_for_keys_is_taken_and_the_old_one_for_a_while() {
    let mut plane = Plane::start();
    let mut a = plane.peer(1, Codec::Pcmu);
    plane.graph(id(), 1, &[(&a, Hears::Silence)]);
    a.press('1');
    assert_eq!(wait_digit(&mut plane, &a), '1');
    let renumbered = MediaDesc { dtmf: Some(96), ..a.desc() };
    let local = MediaDesc { port: a.server.port(), ..renumbered.clone() };
    plane.send(MediaCommand::Remote { leg: a.leg, local, remote: renumbered.into() });
    plane.graph(id(), 1, &[(&a, Hears::Silence)]);
    a.press_as(96, '2');
    assert_eq!(wait_digit(&mut plane, &a), '2');
    // Pressed before the telephone had our answer.
    a.press('3');
    assert_eq!(wait_digit(&mut plane, &a), '3');
    let deadline = Instant::now() + PATIENCE;
    while plane.handle.metrics().refused.payload_type == 0 {
        assert!(Instant::now() < deadline, "the old number is taken for ever");
        a.press('4');
        std::thread::sleep(Duration::from_millis(100));
    }
    plane.handle.stop();
}
