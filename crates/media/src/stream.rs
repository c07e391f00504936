//! The outward RTP stream of a leg: one SSRC, one sequence, one clock, whatever feeds it.
//!
//! Invariant: after any switch between sources the next packet follows the last one: the sequence
//! grows by one, the timestamp by the time that passed. Within one relayed source its own gaps and
//! order are kept, so that the far side sees a loss as a loss.

use crate::rtp::{sequence_distance, timestamp_distance};

/// Sequence jump of a relayed source that counts as a new beginning.
const SEQUENCE_JUMP: u16 = 200;
/// Difference between a source's clock and ours that counts as a new beginning, in samples (2 s).
const CLOCK_JUMP: u32 = 16_000;
/// The same during a key press, whose packets keep one timestamp, in samples (12 s).
const PRESS_JUMP: u32 = 96_000;
/// How late a clocked frame may be before the timestamp is set by the wall again, in samples.
const CLOCK_LATE: i32 = 480;

/// What feeds the stream. Two sources that are equal continue each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// Packets of another leg: its slot and the SSRC it uses.
    Relay(u32, u32),
    /// Frames made by the clock; the number tells one play-out from the next.
    Clock(u32),
}

/// The header fields of one outward packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Begins a talk spurt.
    pub(crate) marker: bool,
    /// The sequence number.
    pub(crate) sequence: u16,
    /// The timestamp in samples.
    pub(crate) timestamp: u32,
}

/// A packet of a relayed source.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Incoming {
    /// The source's marker bit.
    pub(crate) marker: bool,
    /// The source's sequence number.
    pub(crate) sequence: u16,
    /// The source's timestamp.
    pub(crate) timestamp: u32,
    /// Samples of audio in it; 0 for a key press.
    pub(crate) samples: u32,
}

#[derive(Debug, Clone, Copy)]
struct Relay {
    first: u16,
    sequence_offset: u16,
    timestamp_offset: u32,
}

/// One outward stream.
#[derive(Debug, Clone)]
pub(crate) struct OutStream {
    wall_offset: u32,
    next_sequence: u16,
    next_timestamp: u32,
    source: Option<Source>,
    relay: Relay,
}

impl OutStream {
    /// A stream whose sequence and clock begin at random places (RFC 3550 section 5.1).
    #[must_use]
    pub(crate) fn new(now: u32, sequence: u16, timestamp: u32) -> Self {
        Self {
            wall_offset: timestamp.wrapping_sub(now),
            next_sequence: sequence,
            next_timestamp: timestamp,
            source: None,
            relay: Relay { first: 0, sequence_offset: 0, timestamp_offset: 0 },
        }
    }

    /// Stamps a relayed packet at `now` (our clock in samples). `None` when the packet is older
    /// than the beginning of its source here: it would overtake backwards what was sent before.
    pub(crate) fn relay(&mut self, now: u32, source: Source, packet: Incoming) -> Option<Stamp> {
        let fresh = self.source != Some(source) || self.is_new_beginning(now, &packet);
        if fresh {
            self.source = Some(source);
            self.relay = Relay {
                first: packet.sequence,
                sequence_offset: self.next_sequence.wrapping_sub(packet.sequence),
                timestamp_offset: self.wall(now).wrapping_sub(packet.timestamp),
            };
        } else if sequence_distance(self.relay.first, packet.sequence) < 0 {
            return None;
        }
        let sequence = packet.sequence.wrapping_add(self.relay.sequence_offset);
        let timestamp = packet.timestamp.wrapping_add(self.relay.timestamp_offset);
        if sequence_distance(self.next_sequence, sequence) >= 0 {
            self.next_sequence = sequence.wrapping_add(1);
            // Keeps `first` within half the number space behind, however long the call.
            let reach = packet.sequence.wrapping_sub(SEQUENCE_JUMP);
            self.relay.first = later(reach, self.relay.first);
        }
        let end = timestamp.wrapping_add(packet.samples);
        if timestamp_distance(self.next_timestamp, end) > 0 {
            self.next_timestamp = end;
        }
        Some(Stamp { marker: packet.marker || fresh, sequence, timestamp })
    }

    /// A packet of the relayed source was not passed on on purpose: the far side shall not see
    /// that as a loss.
    pub(crate) fn skip(&mut self, source: Source, sequence: u16) {
        let mapped = sequence.wrapping_add(self.relay.sequence_offset);
        if self.source == Some(source) && mapped == self.next_sequence {
            self.relay.sequence_offset = self.relay.sequence_offset.wrapping_sub(1);
            self.relay.first = sequence.wrapping_add(1);
        }
    }

    /// Stamps a frame of `samples` made by the clock at `now`.
    pub(crate) fn clocked(&mut self, now: u32, source: Source, samples: u32) -> Stamp {
        let marker = self.source != Some(source);
        let late = timestamp_distance(self.next_timestamp, now.wrapping_add(self.wall_offset));
        if marker || late > CLOCK_LATE {
            self.next_timestamp = self.wall(now);
        }
        self.source = Some(source);
        let stamp = Stamp { marker, sequence: self.next_sequence, timestamp: self.next_timestamp };
        self.next_sequence = self.next_sequence.wrapping_add(1);
        self.next_timestamp = self.next_timestamp.wrapping_add(samples);
        stamp
    }

    /// The stream's clock at `now`.
    pub(crate) fn clock(&self, now: u32) -> u32 {
        now.wrapping_add(self.wall_offset)
    }

    /// The stream's clock at `now`, never before the end of what was sent.
    fn wall(&self, now: u32) -> u32 {
        let wall = self.clock(now);
        if timestamp_distance(self.next_timestamp, wall) > 0 { wall } else { self.next_timestamp }
    }

    fn is_new_beginning(&self, now: u32, packet: &Incoming) -> bool {
        let sequence = packet.sequence.wrapping_add(self.relay.sequence_offset);
        let timestamp = packet.timestamp.wrapping_add(self.relay.timestamp_offset);
        let clock = timestamp_distance(now.wrapping_add(self.wall_offset), timestamp);
        let limit = if packet.samples == 0 { PRESS_JUMP } else { CLOCK_JUMP };
        sequence_distance(self.next_sequence, sequence).unsigned_abs() > SEQUENCE_JUMP
            || clock.unsigned_abs() > limit
    }
}

/// The later of two sequence numbers that are near each other.
fn later(a: u16, b: u16) -> u16 {
    if sequence_distance(b, a) > 0 { a } else { b }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::random::Random;

    const A: Source = Source::Relay(1, 11);
    const B: Source = Source::Relay(2, 22);

    fn packet(sequence: u16, timestamp: u32) -> Incoming {
        Incoming { marker: false, sequence, timestamp, samples: 160 }
    }

    #[test]
    fn switches_between_sources_are_continuous_and_marked() {
        let mut stream = OutStream::new(0, 65_530, u32::MAX - 500);
        let mut last: Option<Stamp> = None;
        let mut now = 0;
        for round in 0..40_u32 {
            for n in 0..7_u16 {
                now += 160;
                let stamp = match round % 4 {
                    0 => stream.relay(now, A, packet(round as u16 * 999 + n, 160 * u32::from(n))),
                    1 => Some(stream.clocked(now, Source::Clock(1), 160)),
                    2 => stream.relay(now, B, packet(n, 7_000_000 + 160 * u32::from(n))),
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
        let got: Vec<u16> = [10_u16, 11, 14, 13, 15]
            .iter()
            .filter_map(|n| stream.relay(0, A, packet(*n, u32::from(*n) * 160)))
            .map(|stamp| stamp.sequence)
            .collect();
        assert_eq!(got, [100, 101, 104, 103, 105]);
        assert_eq!(stream.relay(0, A, packet(9, 9 * 160)), None, "from before the beginning");
        assert_eq!(stream.clocked(0, Source::Clock(0), 160).sequence, 106);
    }

    #[test]
    fn what_is_not_passed_on_leaves_no_gap() {
        let mut stream = OutStream::new(0, 5, 0);
        assert!(stream.relay(0, A, packet(1, 160)).is_some());
        for sequence in 2..9 {
            stream.skip(A, sequence);
        }
        assert_eq!(stream.relay(1_280, A, packet(9, 1_440)).map(|s| s.sequence), Some(6));
    }

    #[test]
    fn time_that_passed_in_silence_is_in_the_timestamp() {
        let mut stream = OutStream::new(0, 0, 1_000);
        assert_eq!(stream.clocked(0, Source::Clock(0), 160).timestamp, 1_000);
        let stamp = stream.relay(8_000, A, packet(77, 5)).expect("fresh");
        assert_eq!((stamp.timestamp, stamp.marker), (9_000, true));
    }

    #[test]
    fn wild_packets_never_move_the_stream_backwards_by_more_than_a_reorder() {
        let mut random = Random::new(4);
        let mut stream = OutStream::new(0, 0, 0);
        let mut highest: Option<u16> = None;
        for n in 0..10_000_u32 {
            let wild = Incoming {
                marker: false,
                sequence: random.next_u64() as u16,
                timestamp: random.next_u64() as u32,
                samples: random.below(500) as u32,
            };
            let Some(stamp) = stream.relay(n * 20, A, wild) else { continue };
            if let Some(highest) = highest {
                let distance = sequence_distance(highest, stamp.sequence);
                assert!(distance.unsigned_abs() <= SEQUENCE_JUMP + 1, "{distance}");
            }
            highest = Some(highest.map_or(stamp.sequence, |h| later(h, stamp.sequence)));
        }
    }
}
