//! Tests of the outward stream.

use std::collections::BTreeSet;

use model::random::Random;

use super::*;

const A: Source = Source::Relay(1, 11);
const B: Source = Source::Relay(2, 22);
/// Key events of the leg behind `A`, on an SSRC of their own.
const KEYS: Source = Source::Relay(1, 12);
const SILENCE: Source = Source::Clock(0);
const FRAME: u32 = FRAME_SAMPLES as u32;

fn packet(sequence: u16, timestamp: u32) -> Header {
    Header { marker: false, payload_type: 0, sequence, timestamp, ssrc: 0 }
}

/// A stream with its sound checked: numbered without a gap, never going back.
struct Checked {
    stream: OutStream,
    last: Option<Stamp>,
}

impl Checked {
    fn new(stream: OutStream) -> Self {
        Self { stream, last: None }
    }

    /// Packet `n` of `A`, 20 ms each. How far its timestamp is ahead of the wall, if it was sent.
    fn relay(&mut self, now: u32, n: u16) -> Option<i32> {
        let sent = packet(n, u32::from(n) * FRAME);
        let stamp = self.stream.relay(now, A, &sent, FRAME)?;
        Some(self.sent(now, stamp))
    }

    fn silence(&mut self, now: u32) -> i32 {
        let stamp = self.stream.clocked(now, SILENCE, FRAME);
        self.sent(now, stamp)
    }

    fn sent(&mut self, now: u32, stamp: Stamp) -> i32 {
        if let Some(last) = self.last.replace(stamp) {
            assert_eq!(sequence_distance(last.sequence, stamp.sequence), 1);
            assert!(timestamp_distance(last.timestamp, stamp.timestamp) > 0, "{last:?} {stamp:?}");
        }
        timestamp_distance(self.stream.clock(now), stamp.timestamp)
    }
}

#[test]
fn switches_between_sources_are_continuous_and_marked() {
    let mut stream = OutStream::new(0, 65_530, u32::MAX - 500);
    let mut last: Option<Stamp> = None;
    let mut now = 0;
    for round in 0..40_u32 {
        for n in 0..7_u16 {
            now += 160;
            let clock = 160 * u32::from(n);
            let stamp = match round % 4 {
                0 => stream.relay(now, A, &packet(round as u16 * 999 + n, clock), 160),
                1 => Some(stream.clocked(now, Source::Clock(1), 160)),
                2 => stream.relay(now, B, &packet(n, 7_000_000 + clock), 160),
                _ => Some(stream.clocked(now, Source::Clock(2), 160)),
            }
            .expect("in order");
            assert_eq!(stamp.marker, n == 0);
            if let Some(last) = last {
                assert_eq!(sequence_distance(last.sequence, stamp.sequence), 1);
                assert_eq!(timestamp_distance(last.timestamp, stamp.timestamp), 160);
            }
            last = Some(stamp);
        }
    }
}

#[test]
fn loss_and_order_of_one_source_are_kept() {
    let mut stream = OutStream::new(0, 100, 0);
    let mut relay = |n: u16| stream.relay(0, A, &packet(n, u32::from(n) * 160), 160);
    let got: Vec<u16> =
        [10, 11, 14, 13, 15].into_iter().filter_map(&mut relay).map(|s| s.sequence).collect();
    assert_eq!(got, [100, 101, 104, 103, 105]);
    assert_eq!(relay(9), None, "from before the beginning");
    assert_eq!(stream.clocked(0, SILENCE, 160).sequence, 106);
}

#[test]
fn what_is_not_passed_on_leaves_no_gap() {
    let mut stream = OutStream::new(0, 5, 0);
    assert!(stream.relay(0, A, &packet(1, 160), 160).is_some());
    for sequence in 2..9 {
        stream.skip(A, sequence);
    }
    assert_eq!(stream.relay(1_280, A, &packet(9, 1_440), 160).map(|s| s.sequence), Some(6));
}

#[test]
fn time_that_passed_in_silence_is_in_the_timestamp() {
    let mut stream = OutStream::new(0, 0, 1_000);
    assert_eq!(stream.clocked(0, SILENCE, 160).timestamp, 1_000);
    let stamp = stream.relay(8_000, A, &packet(77, 5), 160).expect("fresh");
    assert_eq!((stamp.timestamp, stamp.marker), (9_000, true));
}

/// The network holds everything back; the clock fills in after 100 ms; then all of it comes at once
/// or faster than it was spoken. The far side must not hear everything later for ever.
#[test]
fn a_stall_of_the_network_delays_nothing_for_good() {
    // Packets that the stall held back, and the time between two when they come, in samples.
    for (held, apart) in [(15, 0), (15, 80), (90, 0), (90, 40), (300, 0)] {
        let mut stream = Checked::new(OutStream::new(0, 65_530, u32::MAX - 5_000));
        for n in 0..10_u16 {
            assert_eq!(stream.relay(u32::from(n) * FRAME, n), Some(0));
        }
        let mut now = 9 * FRAME;
        for _ in 0..held {
            now += FRAME;
            if now >= 14 * FRAME {
                assert_eq!(stream.silence(now - 50), 0);
            }
        }
        let filled = now + FRAME - 50;
        let mut n = 10;
        // New ones are spoken while the late ones come.
        while u32::from(n) * FRAME <= now {
            let ahead = stream.relay(now, n);
            assert!(ahead.is_none_or(|ahead| ahead <= 0), "{held} {apart}: {n} is {ahead:?} ahead");
            let is_new = u32::from(n + 1) * FRAME > filled;
            assert_eq!(ahead.is_some(), is_new, "{held} {apart}: {n} brings something new");
            (n, now) = (n + 1, now + apart);
        }
        for n in n..n + 200 {
            assert_eq!(stream.relay(u32::from(n) * FRAME, n), Some(0), "{held} {apart}");
        }
    }
}

#[test]
fn lost_packets_and_a_second_stall_keep_the_clock() {
    let mut stream = Checked::new(OutStream::new(0, 0, 0));
    let mut n = 0;
    for gap in [15_u16, 30, 5, 60] {
        for _ in 0..50 {
            // Up to 20 ms of jitter.
            stream.relay(u32::from(n) * FRAME + u32::from(n * 37 % 160), n);
            n += 1;
        }
        for tick in n..n + gap {
            stream.silence(u32::from(tick) * FRAME);
        }
        n += gap;
    }
    assert_eq!(stream.relay(u32::from(n) * FRAME, n), Some(0));
}

/// A path that became longer is no backlog: soon its packets are sent as they come.
#[test]
fn a_source_that_is_late_for_good_is_heard_again_at_once() {
    let mut stream = Checked::new(OutStream::new(0, 0, 0));
    for n in 0..10_u16 {
        stream.relay(u32::from(n) * FRAME, n);
    }
    let late = 15 * FRAME;
    for tick in 10..25 {
        stream.silence(tick * FRAME);
    }
    let lost = (10..100_u16)
        .filter(|n| stream.relay(u32::from(*n) * FRAME + late + 10, *n).is_none())
        .count();
    assert!(lost <= 4, "{lost} packets");
}

/// Voice activity detection: the source's clock goes on, its numbers do not.
#[test]
fn a_spurt_after_a_pause_of_the_source_is_heard_from_its_first_packet() {
    let mut stream = Checked::new(OutStream::new(0, 0, 0));
    for spurt in 0..20_u32 {
        let began = spurt * 100 * FRAME;
        for n in 0..50_u16 {
            let (sequence, clock) = (spurt as u16 * 50 + n, began + u32::from(n) * FRAME);
            // The way takes 0 to 60 ms, another time in each spurt.
            let now = clock + spurt % 4 * FRAME;
            let stamp = stream.stream.relay(now, A, &packet(sequence, clock), FRAME);
            let stamp = stamp.expect("nothing is cut off");
            assert_eq!(stamp.marker, n == 0);
            assert!(stream.sent(now, stamp) < FRAME.cast_signed());
        }
        // Until the next spurt comes.
        for tick in 58..=100 + (spurt + 1) % 4 {
            stream.silence(began + tick * FRAME - 80);
        }
    }
}

/// Packets of 60 ms cannot be cut: none begins before the last frame of silence.
#[test]
fn long_packets_after_silence_never_go_back() {
    let long = 3 * FRAME;
    for jitter in [0, 40, 120, 159] {
        let mut stream = Checked::new(OutStream::new(0, 0, 0));
        let relay = |stream: &mut Checked, now: u32, n: u16| {
            let stamp = stream.stream.relay(now, A, &packet(n, u32::from(n) * long), long);
            stamp.map(|stamp| stream.sent(now, stamp))
        };
        for n in 0..5_u16 {
            relay(&mut stream, u32::from(n) * long, n);
        }
        for tick in 22..35 {
            stream.silence(tick * FRAME + jitter);
        }
        for n in 5..12_u16 {
            relay(&mut stream, 35 * FRAME, n);
        }
        for n in 12..60_u16 {
            assert_eq!(relay(&mut stream, u32::from(n) * long, n), Some(0), "{jitter}");
        }
    }
}

#[test]
fn a_packet_that_is_late_does_not_begin_its_source_anew() {
    let mut stream = OutStream::new(0, 0, 0);
    let relay = |stream: &mut OutStream, at: u32, n: u16| {
        stream.relay(at * FRAME, A, &packet(n, u32::from(n) * FRAME), FRAME)
    };
    for n in [0, 1, 2, 4] {
        assert!(relay(&mut stream, u32::from(n), n).is_some());
    }
    for tick in 10..13 {
        stream.clocked(tick * FRAME, SILENCE, FRAME);
    }
    assert_eq!(relay(&mut stream, 13, 3), None, "overtaken by silence");
    assert_eq!(relay(&mut stream, 13, 13).map(|stamp| stamp.timestamp), Some(13 * FRAME));
    assert_eq!(relay(&mut stream, 13, 12), None);
}

/// All packets of a press, one every `every` samples, with what `between` sends before each.
fn press(
    stream: &mut OutStream,
    (source, first, timestamp): (Source, u16, u32),
    mut between: impl FnMut(&mut OutStream, u32),
) -> Vec<Stamp> {
    let mut sent = Vec::new();
    for n in 0..10_u16 {
        let now = timestamp + u32::from(n) * 400;
        between(stream, now);
        let key = Header { marker: n == 0, ..packet(first + n, timestamp) };
        sent.extend(stream.press(now, source, &key));
    }
    sent
}

fn is_one_press(sent: &[Stamp]) -> bool {
    let first = sent[0];
    sent.len() == 10
        && sent.iter().all(|stamp| stamp.timestamp == first.timestamp)
        && sent.iter().enumerate().all(|(n, stamp)| stamp.marker == (n == 0))
        && sent.windows(2).all(|pair| sequence_distance(pair[0].sequence, pair[1].sequence) > 0)
}

#[test]
fn a_press_with_gaps_that_silence_fills_stays_one_press() {
    let mut stream = OutStream::new(0, 65_500, u32::MAX - 100);
    for n in 0..5_u16 {
        stream.relay(u32::from(n) * FRAME, A, &packet(n, u32::from(n) * FRAME), FRAME);
    }
    let mut two = Vec::new();
    for (first, timestamp) in [(5, 800), (15, 8_000)] {
        let sent = press(&mut stream, (A, first, timestamp), |stream, now| {
            stream.clocked(now - 300, SILENCE, FRAME);
            stream.clocked(now - 140, SILENCE, FRAME);
        });
        assert!(is_one_press(&sent), "{sent:?}");
        two.push(sent[0].timestamp);
    }
    assert_eq!(
        two[1].wrapping_sub(two[0]),
        7_200,
        "two presses are two, as far apart as they were"
    );
}

#[test]
fn a_press_on_its_own_ssrc_amid_sound_stays_one_press_and_leaves_the_sound_alone() {
    let mut stream = OutStream::new(0, 0, 0);
    let mut sound: Vec<Stamp> = Vec::new();
    let mut n = 0;
    for (first, timestamp) in [(700, 160), (710, 8_160)] {
        let sent = press(&mut stream, (KEYS, first, timestamp), |stream, now| {
            while u32::from(n) * FRAME <= now {
                // It comes 40 ms after it was spoken.
                let clock = u32::from(n) * FRAME;
                sound.extend(stream.relay(clock + 320, A, &packet(n, clock), FRAME));
                n += 1;
            }
        });
        assert!(is_one_press(&sent), "{sent:?}");
    }
    assert_eq!(sound.len(), usize::from(n), "nothing is lost");
    assert!(sound[1..].iter().all(|stamp| !stamp.marker));
    let steps = sound.windows(2).map(|pair| pair[1].timestamp.wrapping_sub(pair[0].timestamp));
    assert!(steps.into_iter().all(|step| step == FRAME));
}

#[test]
fn a_key_that_is_held_stays_one_press_though_the_sound_begins_anew() {
    let mut stream = OutStream::new(0, 0, 0);
    assert!(stream.relay(0, A, &packet(0, 0), FRAME).is_some());
    let mut held = BTreeSet::new();
    for n in 1..100_u16 {
        let now = u32::from(n) * 400;
        stream.clocked(now - 160, SILENCE, FRAME);
        held.extend(stream.press(now, A, &packet(2 * n, 160)).map(|stamp| stamp.timestamp));
        // The telephone goes on with a clock that stood still until now.
        let sound = packet(2 * n + 1, 1_000_000 + now);
        assert!(stream.relay(now, A, &sound, FRAME).is_some());
    }
    assert_eq!(held, BTreeSet::from([160]));
}

#[test]
fn what_is_late_of_an_earlier_press_is_no_press() {
    let mut stream = OutStream::new(0, 0, 0);
    assert!(stream.press(0, KEYS, &packet(1, 1_000)).is_some());
    assert!(stream.press(800, KEYS, &packet(3, 1_800)).is_some());
    stream.clocked(960, SILENCE, FRAME);
    assert_eq!(stream.press(1_000, KEYS, &packet(2, 1_000)), None);
    // Long after, it is a source that began anew.
    assert!(stream.press(900_000, KEYS, &packet(9, 900_000_000)).is_some_and(|s| s.marker));
    assert!(stream.press(900_100, KEYS, &packet(10, 5)).is_some_and(|s| s.marker));
}

#[test]
fn wild_packets_never_move_the_stream_backwards_by_more_than_a_reorder() {
    let mut random = Random::new(4);
    let mut stream = OutStream::new(0, 0, 0);
    let mut highest: Option<u16> = None;
    for n in 0..10_000_u32 {
        let wild = packet(random.next_u64() as u16, random.next_u64() as u32);
        let samples = random.below(500) as u32;
        let stamp = if samples == 0 {
            stream.press(n * 20, A, &wild)
        } else {
            stream.relay(n * 20, A, &wild, samples)
        };
        let Some(stamp) = stamp else { continue };
        if let Some(highest) = highest {
            let distance = sequence_distance(highest, stamp.sequence);
            assert!(distance.unsigned_abs() <= SEQUENCE_JUMP + 1, "{distance}");
        }
        highest = Some(highest.map_or(stamp.sequence, |h| later(h, stamp.sequence)));
    }
}
