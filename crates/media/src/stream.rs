//! The outward RTP stream of a leg: one SSRC, one sequence, one clock, whatever feeds it.
//!
//! Invariant: after any switch between sources the next packet follows the last one: the sequence
//! grows by one, the timestamp by the time that passed. Within one relayed source its own gaps and
//! order are kept, so that the far side sees a loss as a loss. A source that was interrupted goes
//! on by the clock it had here: what a stall held back is left out where silence has filled its
//! time, and nothing is later afterwards than before. All packets of a key press have one
//! timestamp, whatever is sent between them (RFC 4733 section 2.5.1.2).

use model::limits::FRAME_SAMPLES;

use crate::rtp::{Header, sequence_distance, timestamp_distance};

/// Sequence jump of a relayed source that counts as a new beginning.
const SEQUENCE_JUMP: u16 = 200;
/// Difference between a source's clock and ours that counts as a new beginning, in samples (2 s).
const CLOCK_JUMP: u32 = 16_000;
/// The same after an interruption, in samples (10 s): a stall may have held packets back for long.
const STALL_JUMP: u32 = 80_000;
/// How much older than the newest press one of the same source is when its packets are late, in
/// samples (12 s).
const PRESS_LATE: i32 = 96_000;
/// How late a clocked frame may be before the timestamp is set by the wall again, in samples.
const CLOCK_LATE: i32 = 480;
/// Time in which late packets are not yet asked to come faster than they were spoken, in samples
/// (60 ms).
const BACKLOG: i32 = 480;

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

/// How the sequence of the source that sent last becomes ours.
#[derive(Debug, Clone, Copy)]
struct Numbers {
    source: Source,
    /// What is older than this comes from before the source's turn.
    first: u16,
    offset: u16,
}

/// How the clock of the sound that was relayed last becomes ours, and its last packet.
#[derive(Debug, Clone, Copy)]
struct Sound {
    source: Source,
    offset: u32,
    sequence: u16,
    timestamp: u32,
}

impl Sound {
    /// Whether the source itself was silent before `packet`: its clock went on further than its
    /// numbers tell.
    fn paused_before(&self, packet: &Header, samples: u32) -> bool {
        let steps = i32::from(sequence_distance(self.sequence, packet.sequence)) + 1;
        let spoken = steps.saturating_mul(samples.cast_signed());
        timestamp_distance(self.timestamp, packet.timestamp) > spoken
    }
}

/// The newest key press that was passed on.
#[derive(Debug, Clone, Copy)]
struct Press {
    source: Source,
    timestamp: u32,
    offset: u32,
}

/// One outward stream.
#[derive(Debug, Clone)]
pub(crate) struct OutStream {
    wall_offset: u32,
    next_sequence: u16,
    /// The end of the sound that was sent.
    next_timestamp: u32,
    numbers: Option<Numbers>,
    /// What sound came from last. It may be interrupted by keys of another source.
    heard: Option<Source>,
    sound: Option<Sound>,
    press: Option<Press>,
    /// Since when packets come too late to be sent, and the timestamp of the first, by its source.
    late: Option<(u32, u32)>,
}

impl OutStream {
    /// A stream whose sequence and clock begin at random places (RFC 3550 section 5.1).
    #[must_use]
    pub(crate) fn new(now: u32, sequence: u16, timestamp: u32) -> Self {
        Self {
            wall_offset: timestamp.wrapping_sub(now),
            next_sequence: sequence,
            next_timestamp: timestamp,
            numbers: None,
            heard: None,
            sound: None,
            press: None,
            late: None,
        }
    }

    /// Stamps a relayed packet of `samples` of sound at `now` (our clock in samples). `None` when
    /// it comes too late: what was sent since has taken its place.
    pub(crate) fn relay(
        &mut self,
        now: u32,
        source: Source,
        packet: &Header,
        samples: u32,
    ) -> Option<Stamp> {
        let numbers = self.numbers_for(source, packet.sequence)?;
        let (offset, fresh) = self.offset_for(now, source, packet, samples)?;
        let marker = packet.marker || fresh || self.heard != Some(source);
        let timestamp = packet.timestamp.wrapping_add(offset);
        let end = timestamp.wrapping_add(samples);
        if timestamp_distance(self.next_timestamp, end) > 0 {
            self.next_timestamp = end;
        }
        let (sequence, last) = (packet.sequence, packet.timestamp);
        self.sound = Some(Sound { source, offset, sequence, timestamp: last });
        (self.heard, self.late) = (Some(source), None);
        Some(Stamp { marker, sequence: self.number(numbers, sequence), timestamp })
    }

    /// Stamps a relayed packet of a key press at `now`. `None` when it is of an earlier press than
    /// the newest.
    pub(crate) fn press(&mut self, now: u32, source: Source, packet: &Header) -> Option<Stamp> {
        let numbers = self.numbers_for(source, packet.sequence)?;
        let newest = self.press.filter(|press| press.source == source);
        let distance = newest.map(|press| timestamp_distance(press.timestamp, packet.timestamp));
        let offset = match (newest, distance) {
            (Some(press), Some(0)) => press.offset,
            (_, Some(distance)) if (-PRESS_LATE..0).contains(&distance) => return None,
            _ => self.press_offset(now, source, packet.timestamp),
        };
        let marker = packet.marker || distance != Some(0);
        self.press = Some(Press { source, timestamp: packet.timestamp, offset });
        let timestamp = packet.timestamp.wrapping_add(offset);
        Some(Stamp { marker, sequence: self.number(numbers, packet.sequence), timestamp })
    }

    /// A packet of the relayed source was not passed on on purpose: the far side shall not see
    /// that as a loss.
    pub(crate) fn skip(&mut self, source: Source, sequence: u16) {
        let next = self.next_sequence;
        if let Some(numbers) = self.numbers.as_mut().filter(|numbers| numbers.source == source)
            && sequence.wrapping_add(numbers.offset) == next
        {
            numbers.offset = numbers.offset.wrapping_sub(1);
            numbers.first = sequence.wrapping_add(1);
        }
    }

    /// Stamps a frame of `samples` made by the clock at `now`.
    pub(crate) fn clocked(&mut self, now: u32, source: Source, samples: u32) -> Stamp {
        let marker = self.heard != Some(source);
        let late = timestamp_distance(self.next_timestamp, self.clock(now));
        if marker || late > CLOCK_LATE {
            self.next_timestamp = self.wall(now);
        }
        (self.heard, self.numbers, self.late) = (Some(source), None, None);
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

    /// How numbers of `source` become ours. `None` for one from before the source's turn: it would
    /// overtake backwards what was sent before.
    fn numbers_for(&self, source: Source, sequence: u16) -> Option<Numbers> {
        let next = self.next_sequence;
        let goes_on = self.numbers.filter(|numbers| {
            let mapped = sequence.wrapping_add(numbers.offset);
            numbers.source == source
                && sequence_distance(next, mapped).unsigned_abs() <= SEQUENCE_JUMP
        });
        let fresh = Numbers { source, first: sequence, offset: next.wrapping_sub(sequence) };
        let numbers = goes_on.unwrap_or(fresh);
        (sequence_distance(numbers.first, sequence) >= 0).then_some(numbers)
    }

    /// Gives a packet its number and the source its turn.
    fn number(&mut self, numbers: Numbers, sequence: u16) -> u16 {
        let mapped = sequence.wrapping_add(numbers.offset);
        let mut first = numbers.first;
        if sequence_distance(self.next_sequence, mapped) >= 0 {
            self.next_sequence = mapped.wrapping_add(1);
            // Keeps `first` within half the number space behind, however long the call.
            first = later(sequence.wrapping_sub(SEQUENCE_JUMP), first);
        }
        self.numbers = Some(Numbers { first, ..numbers });
        mapped
    }

    /// From the clock of `source` to ours, and whether that begins anew with this packet. `None`
    /// for one that a stall held back and whose time others have filled.
    fn offset_for(
        &mut self,
        now: u32,
        source: Source,
        packet: &Header,
        samples: u32,
    ) -> Option<(u32, bool)> {
        let fresh = (self.wall(now).wrapping_sub(packet.timestamp), true);
        let is_heard = self.heard == Some(source);
        let limit = if is_heard { CLOCK_JUMP } else { STALL_JUMP };
        let known = self.sound.filter(|sound| {
            sound.source == source
                && (is_heard || !sound.paused_before(packet, samples))
                && self.is_near(now, packet.timestamp, sound.offset, limit)
        });
        let Some(sound) = known else { return Some(fresh) };
        let timestamp = packet.timestamp.wrapping_add(sound.offset);
        let overlap = timestamp_distance(timestamp, self.next_timestamp);
        // Uninterrupted, or it brings something new and begins after the last frame that was sent.
        if is_heard && self.numbers.is_some_and(|numbers| numbers.source == source)
            || overlap < samples.min(FRAME_SAMPLES as u32).cast_signed()
        {
            return Some((sound.offset, false));
        }
        if self.is_backlog(now, packet.timestamp) { None } else { Some(fresh) }
    }

    /// Whether late packets come faster than they were spoken: what a stall held back, which soon
    /// ends. Otherwise they are late for good, or their clock stood still while the source was
    /// silent.
    fn is_backlog(&mut self, now: u32, timestamp: u32) -> bool {
        let (since, first) = *self.late.get_or_insert((now, timestamp));
        let took = timestamp_distance(since, now);
        took < BACKLOG || timestamp_distance(first, timestamp) > took + took / 4
    }

    /// From the clock of `source` to ours, for a new press.
    fn press_offset(&self, now: u32, source: Source, timestamp: u32) -> u32 {
        let sound = self.sound.filter(|sound| sound.source == source).map(|sound| sound.offset);
        let press = self.press.filter(|press| press.source == source).map(|press| press.offset);
        sound
            .or(press)
            .filter(|offset| self.is_near(now, timestamp, *offset, CLOCK_JUMP))
            .unwrap_or_else(|| self.wall(now).wrapping_sub(timestamp))
    }

    /// Whether a source's timestamp is at most `limit` samples away from the wall.
    fn is_near(&self, now: u32, timestamp: u32, offset: u32, limit: u32) -> bool {
        let away = timestamp_distance(self.clock(now), timestamp.wrapping_add(offset));
        away.unsigned_abs() <= limit
    }
}

/// The later of two sequence numbers that are near each other.
fn later(a: u16, b: u16) -> u16 {
    if sequence_distance(b, a) > 0 { a } else { b }
}

#[cfg(test)]
mod tests;
