//! Prompts, music, and mixing on the clock.

use media::g711;
use model::PlayId;
use model::media::{ClipId, Codec, Hears, MediaCommand, MediaEvent};

use crate::support::{Heard, Plane, QUIET, chirp, hears, id};

#[test]
fn a_prompt_is_heard_whole_once_and_its_end_is_told() {
    let mut plane = Plane::start();
    let a = plane.peer(1, Codec::Pcma);
    let samples: Vec<i16> = (0..30).flat_map(|n| chirp(6, n)).collect();
    let (first, second) = (plane.clip(&samples[..1_000]), plane.clip(&samples[1_000..]));
    let unknown = ClipId::from_digest([0xaa; 32]);
    let (call, play): (_, PlayId) = (id(), id());
    let wish = Hears::Play { play, clips: vec![first, unknown, second] };
    plane.graph(call, 1, &[(&a, wish.clone())]);
    let mut heard: Vec<u8> = Vec::new();
    for n in 0..30 {
        if n == 10 {
            // The same play-out in a later revision goes on where it is.
            plane.graph(call, 2, &[(&a, wish.clone())]);
        }
        heard.extend(a.hear().payload);
    }
    let expected: Vec<u8> = samples.iter().map(|sample| g711::encode_a(*sample)).collect();
    assert!(heard == expected, "the prompt came whole");
    let ended = |event: &MediaEvent| match event {
        MediaEvent::PlayEnded { call: c, leg, play: p } => Some((*c, *leg, *p)),
        _ => None,
    };
    assert_eq!(plane.wait(ended), (call, a.leg, play));
    assert_eq!(a.hear().payload, [g711::A_SILENCE; 160], "then silence");
    plane.graph(call, 3, &[(&a, wish.clone())]);
    // Several turns of the clock, and an event behind whatever they told.
    for _ in 0..5 {
        assert!(a.hear().is_silence());
    }
    plane.graph(call, 4, &[(&a, wish)]);
    assert_eq!(plane.drain().iter().filter_map(ended).count(), 0, "it does not end twice");
    assert_eq!(plane.handle.metrics().clips_unknown, 1);
    plane.handle.stop();
}

#[test]
fn all_who_wait_hear_the_same_position_of_the_music() {
    let mut plane = Plane::start();
    let (a, b) = (plane.peer(1, Codec::Pcmu), plane.peer(2, Codec::Pcmu));
    let samples: Vec<i16> = (0..100).flat_map(|n| chirp(5, n)).collect();
    let music = plane.clip(&samples);
    plane.graph(id(), 1, &[(&a, Hears::Music(music))]);
    for _ in 0..7 {
        a.hear();
    }
    // The first packet after the graph is in force is music: whoever waits hears it within a frame.
    plane.graph(id(), 1, &[(&b, Hears::Music(music))]);
    let joined = b.hear();
    assert!(joined.header.marker && !joined.is_silence());
    a.hear_until(|heard| heard.payload == joined.payload);
    for _ in 0..10 {
        assert_eq!(a.hear().payload, b.hear().payload);
    }
    plane.handle.stop();
}

#[test]
fn a_clip_that_is_gone_is_heard_to_its_end_and_then_forgotten() {
    let mut plane = Plane::start();
    let (a, b) = (plane.peer(1, Codec::Pcmu), plane.peer(2, Codec::Pcmu));
    let samples: Vec<i16> = (0..20).flat_map(|n| chirp(4, n)).collect();
    let (music, prompt) = (plane.clip(&samples), plane.clip(&samples));
    // Held twice, let go once: still known.
    plane.send(MediaCommand::Clip { clip: music, samples: samples.clone().into() });
    plane.send(MediaCommand::ClipGone { clip: music });
    let (call, play): (_, PlayId) = (id(), id());
    let wish = Hears::Play { play, clips: vec![prompt] };
    plane.graph(call, 1, &[(&a, Hears::Music(music)), (&b, wish.clone())]);
    assert_eq!(plane.handle.metrics().clips, 2);
    for clip in [music, prompt, prompt, ClipId::from_digest([0xab; 32])] {
        plane.send(MediaCommand::ClipGone { clip });
    }
    // The same wishes in a later revision: both go on with what they have.
    plane.graph(call, 2, &[(&a, Hears::Music(music)), (&b, wish)]);
    assert_eq!(plane.handle.metrics().clips, 0);
    let mut heard: Vec<u8> = Vec::new();
    for _ in 0..20 {
        assert!(!a.hear().is_silence());
        heard.extend(b.hear().payload);
    }
    let expected: Vec<u8> = samples.iter().map(|sample| g711::encode_mu(*sample)).collect();
    assert!(heard == expected, "the prompt came whole");
    plane.graph(call, 3, &[(&a, Hears::Silence)]);
    plane.graph(call, 4, &[(&a, Hears::Music(music))]);
    let last = a.hear_until(Heard::is_silence).header.sequence;
    assert!(a.hear().is_silence(), "forgotten, after {last}");
    assert_eq!(plane.handle.metrics().clips_unknown, 1);
    plane.handle.stop();
}

#[test]
fn three_hear_the_sum_of_the_others_and_not_themselves() {
    let mut plane = Plane::start();
    let mut peers = [1, 2, 3].map(|voice| plane.peer(voice, Codec::Pcmu));
    let levels = [1_000_i16, 3_000, 9_000];
    let [a, b, c] = &peers;
    plane.graph(id(), 1, &[(a, hears(&[b, c])), (b, hears(&[a, c])), (c, hears(&[a, b]))]);
    let exact = levels.map(|level| g711::decode(Codec::Pcmu, g711::encode_mu(level)));
    let wanted = [exact[1] + exact[2], exact[0] + exact[2], exact[0] + exact[1]];
    let mut right = [0; 3];
    for _ in 0..200 {
        for (peer, level) in peers.iter_mut().zip(levels) {
            let payload = [g711::encode_mu(level); 160];
            peer.send_packet(0, false, &payload);
            peer.timestamp = peer.timestamp.wrapping_add(160);
        }
        for ((peer, wanted), right) in peers.iter().zip(wanted).zip(&mut right) {
            let heard = peer.hear().payload;
            *right += usize::from(heard == [g711::encode_mu(wanted); 160]);
        }
        if right.iter().all(|right| *right >= 20) {
            break;
        }
    }
    assert!(right.iter().all(|right| *right >= 20), "{right:?}");
    plane.handle.stop();
}

#[test]
fn a_starved_listener_is_sent_silence_and_an_ended_call_nothing() {
    let mut plane = Plane::start();
    let (a, mut b) = (plane.peer(1, Codec::Pcmu), plane.peer(2, Codec::Pcmu));
    let call = id();
    plane.connect(call, 1, &a, &b);
    for _ in 0..5 {
        assert_eq!(a.hear().payload, [g711::MU_SILENCE; 160]);
    }
    b.say();
    a.hear_until(|heard| heard.payload != [g711::MU_SILENCE; 160]);
    plane.send(MediaCommand::CallEnded { call });
    let other = plane.peer(3, Codec::Pcmu);
    plane.settle();
    a.flush();
    b.say();
    assert_eq!(a.hear_within(QUIET), None);
    plane.send(MediaCommand::Close { leg: other.leg });
    plane.wait(|event| match event {
        MediaEvent::Closed { leg, .. } if *leg == other.leg => Some(()),
        _ => None,
    });
    plane.handle.stop();
}
