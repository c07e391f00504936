//! The recorder's side on the media thread: puts sound where it belongs in time, cuts blocks.
//!
//! Invariant: a packet costs one copy. Position comes from the RTP timestamp, so order, loss and
//! jitter need no buffer of their own; the anchor between the peer's clock and ours is moved
//! slowly, so a recording of any length keeps to the wall.

use model::limits::FRAME_SAMPLES;
use model::media::Codec;

use super::BLOCK_SAMPLES;
use crate::g711;
use crate::rtp::timestamp_distance;

/// Samples of one side that are open to late sound; a power of two.
const RING: usize = 16_384;
/// How long a block waits for late sound before it is cut, in samples (120 ms).
const LATE: u64 = 960;
/// A difference between the two clocks that makes a new anchor, in samples (160 ms).
const JUMP: i64 = 1_280;
/// A mean difference that is worked off, in samples (20 ms).
const DRIFT: i64 = 160;
/// Weight of the mean: a change is followed within some 64 packets.
const MEAN: i64 = 64;

/// A block on its way to the writer.
#[derive(Debug)]
pub(crate) struct Block {
    /// Samples since the start of the recording.
    pub(crate) start: u64,
    /// Samples per side, at most [`BLOCK_SAMPLES`].
    pub(crate) samples: usize,
    /// One bit per 20 ms that was left out on purpose.
    pub(crate) paused: u64,
    /// What was said in the first half, what was heard in the second, each [`BLOCK_SAMPLES`] long.
    pub(crate) sound: Box<[u8; 2 * BLOCK_SAMPLES]>,
}

impl Block {
    pub(crate) fn empty() -> Self {
        let sound = Box::new([g711::MU_SILENCE; 2 * BLOCK_SAMPLES]);
        Self { start: 0, samples: 0, paused: 0, sound }
    }
}

/// Which side of the leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Said,
    Heard,
}

#[derive(Debug, Clone, Copy)]
struct Anchor {
    ssrc: u32,
    timestamp: u32,
    position: i64,
    /// [`MEAN`] times the mean difference between where packets belong and when they come.
    late_sum: i64,
}

#[derive(Debug)]
struct Track {
    ring: Box<[u8; RING]>,
    anchor: Option<Anchor>,
}

/// One recording in progress.
#[derive(Debug)]
pub(crate) struct Tape {
    /// Our clock when the recording began.
    began: u32,
    /// First sample that was not cut yet.
    cut: u64,
    tracks: [Track; 2],
    /// Pauses that touch what was not cut yet; the last may be open.
    pauses: Vec<(u64, Option<u64>)>,
}

impl Tape {
    /// A recording that begins now.
    pub(crate) fn new(now: u32) -> Self {
        let track = || Track { ring: Box::new([g711::MU_SILENCE; RING]), anchor: None };
        Self { began: now, cut: 0, tracks: [track(), track()], pauses: Vec::new() }
    }

    /// Samples since the beginning.
    fn position(&self, now: u32) -> u64 {
        u64::from(now.wrapping_sub(self.began))
    }

    /// Pauses or goes on. What is said in a pause is never kept.
    pub(crate) fn pause(&mut self, now: u32, paused: bool) {
        let position = self.position(now);
        match self.pauses.last_mut() {
            Some((_, until @ None)) if !paused => *until = Some(position),
            Some((_, None)) => {}
            _ if paused => self.pauses.push((position, None)),
            _ => {}
        }
    }

    /// Lays a packet's sound onto its place.
    pub(crate) fn write(
        &mut self,
        now: u32,
        side: Side,
        (ssrc, timestamp): (u32, u32),
        codec: Codec,
        payload: &[u8],
    ) {
        let arrival = self.position(now);
        let track = &mut self.tracks[side as usize];
        let at = track.place(arrival as i64, ssrc, timestamp);
        let (Ok(at), length) = (u64::try_from(at), payload.len() as u64) else { return };
        let after = at + length;
        if self.pauses.iter().any(|(from, until)| after > *from && until.is_none_or(|u| at < u))
            || after <= self.cut
            || after > self.cut + RING as u64
        {
            return;
        }
        let track = &mut self.tracks[side as usize];
        let late = usize::try_from(self.cut.saturating_sub(at)).unwrap_or(0);
        let from = (at as usize + late) % RING;
        let payload = &payload[late..];
        let head = payload.len().min(RING - from);
        let mu = Codec::Pcmu;
        g711::transcode_slice(codec, &payload[..head], mu, &mut track.ring[from..from + head]);
        let rest = payload.len() - head;
        g711::transcode_slice(codec, &payload[head..], mu, &mut track.ring[..rest]);
    }

    /// Whether a block is due: whole, and late sound has had its time.
    pub(crate) fn due(&self, now: u32) -> bool {
        self.position(now) >= self.cut + BLOCK_SAMPLES as u64 + LATE
    }

    /// Cuts the next whole block into `block`.
    pub(crate) fn cut(&mut self, block: &mut Block) {
        self.cut_samples(block, BLOCK_SAMPLES);
    }

    /// Cuts what is left at the end; false when nothing is.
    pub(crate) fn cut_rest(&mut self, now: u32, block: &mut Block) -> bool {
        let left = self.position(now).saturating_sub(self.cut);
        let samples = usize::try_from(left).unwrap_or(BLOCK_SAMPLES).min(BLOCK_SAMPLES);
        self.cut_samples(block, samples);
        samples > 0
    }

    fn cut_samples(&mut self, block: &mut Block, samples: usize) {
        (block.start, block.samples) = (self.cut, samples);
        let (said, heard) = block.sound.split_at_mut(BLOCK_SAMPLES);
        for (track, out) in self.tracks.iter_mut().zip([said, heard]) {
            let from = self.cut as usize % RING;
            let head = samples.min(RING - from);
            take(&mut track.ring[from..from + head], &mut out[..head]);
            take(&mut track.ring[..samples - head], &mut out[head..samples]);
        }
        block.paused = (0..samples.div_ceil(FRAME_SAMPLES))
            .filter(|frame| self.is_paused(self.cut + (frame * FRAME_SAMPLES) as u64))
            .fold(0, |bits, frame| bits | 1 << frame);
        self.cut += samples as u64;
        let cut = self.cut;
        self.pauses.retain(|(_, until)| until.is_none_or(|until| until > cut));
    }

    /// Whether the frame that begins at `at` touches a pause.
    fn is_paused(&self, at: u64) -> bool {
        let end = at + FRAME_SAMPLES as u64;
        self.pauses.iter().any(|(from, until)| end > *from && until.is_none_or(|u| at < u))
    }
}

/// Moves sound out of the ring and leaves silence.
fn take(ring: &mut [u8], out: &mut [u8]) {
    out.copy_from_slice(ring);
    ring.fill(g711::MU_SILENCE);
}

impl Track {
    /// Where a packet that came at `arrival` belongs.
    fn place(&mut self, arrival: i64, ssrc: u32, timestamp: u32) -> i64 {
        let fresh = Anchor { ssrc, timestamp, position: arrival, late_sum: 0 };
        let anchor = self.anchor.get_or_insert(fresh);
        let distance = i64::from(timestamp_distance(anchor.timestamp, timestamp));
        let mut position = anchor.position + distance;
        let late = arrival - position;
        if anchor.ssrc != ssrc || late.abs() > JUMP {
            *anchor = fresh;
            return arrival;
        }
        anchor.late_sum += late - anchor.late_sum / MEAN;
        let mean = anchor.late_sum / MEAN;
        if mean.abs() > DRIFT {
            position += mean.signum();
            anchor.late_sum -= mean.signum() * MEAN;
        }
        if distance > 0 || mean.abs() > DRIFT {
            (anchor.timestamp, anchor.position) = (timestamp, position);
        }
        position
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::random::Random;

    fn frame(n: u32) -> [u8; FRAME_SAMPLES] {
        [(n % 200) as u8; FRAME_SAMPLES]
    }

    fn run(
        tape: &mut Tape,
        until: u32,
        mut packets: impl Iterator<Item = (u32, u32, u32)>,
        clock: impl Fn(u32) -> u32,
    ) -> (Vec<u8>, Vec<u8>) {
        let (mut said, mut heard) = (Vec::new(), Vec::new());
        let mut block = Block::empty();
        let mut keep = |block: &Block| {
            assert_eq!(block.start as usize, said.len());
            said.extend_from_slice(&block.sound[..block.samples]);
            heard.extend_from_slice(&block.sound[BLOCK_SAMPLES..BLOCK_SAMPLES + block.samples]);
        };
        let mut next = packets.next();
        for now in (0..until).step_by(80) {
            while let Some((_, timestamp, n)) = next.filter(|(at, ..)| *at <= now) {
                tape.write(now, Side::Said, (1, clock(timestamp)), Codec::Pcmu, &frame(n));
                next = packets.next();
            }
            if tape.due(now) {
                tape.cut(&mut block);
                keep(&block);
            }
        }
        while tape.cut_rest(until, &mut block) {
            keep(&block);
        }
        (said, heard)
    }

    #[test]
    fn jitter_loss_and_order_do_not_move_sound() {
        let mut random = Random::new(5);
        // Up to 80 ms late, one in ten lost, clock far from ours.
        let mut packets: Vec<(u32, u32, u32)> = (0..500)
            .filter(|n| n % 10 != 7)
            .map(|n| (n * 160 + random.below(640) as u32, n * 160, n))
            .collect();
        packets.sort_unstable();
        let mut tape = Tape::new(0);
        let (said, heard) = run(&mut tape, 80_000, packets.into_iter(), |t| t.wrapping_sub(9_999));
        assert_eq!((said.len(), heard.len()), (80_000, 80_000));
        assert!(heard.iter().all(|byte| *byte == g711::MU_SILENCE));
        let first = said.iter().position(|byte| *byte == 1).expect("frame 1") - 160;
        for n in (1..490).filter(|n| n % 10 != 7) {
            let at = first + n * 160;
            let place = &said[at + 40..at + 120];
            assert!(place.iter().all(|byte| *byte == (n % 200) as u8), "frame {n} is in its place");
        }
    }

    #[test]
    fn a_clock_that_runs_differently_stays_within_40_ms_in_ten_minutes() {
        for parts in [999_800_u64, 1_000_200] {
            let packets = (0..30_000_u64).map(|n| {
                let at = n * 160 * 1_000_000 / parts;
                (at as u32, (n * 160) as u32, n as u32)
            });
            let mut tape = Tape::new(0);
            let (said, _) = run(&mut tape, 4_800_000, packets, |t| t);
            let n = 29_000_u64;
            let expected = (n * 160 * 1_000_000 / parts) as usize;
            let value = (n % 200) as u8;
            let found = (expected - 1_600..expected + 1_600).find(|at| said[*at] == value);
            let off = found.expect("the frame").abs_diff(expected);
            assert!(off <= 320, "{parts}: {off} samples");
        }
    }

    #[test]
    fn what_is_said_in_a_pause_is_never_kept_and_flagged() {
        let mut tape = Tape::new(0);
        let mut block = Block::empty();
        for n in 0..60_u32 {
            let now = n * 160;
            match n {
                10 => tape.pause(now, true),
                20 => tape.pause(now, false),
                _ => {}
            }
            for side in [Side::Said, Side::Heard] {
                tape.write(now, side, (1, now), Codec::Pcmu, &[7; FRAME_SAMPLES]);
            }
        }
        tape.cut(&mut block);
        for (n, sound) in block.sound.chunks(FRAME_SAMPLES).enumerate() {
            let n = n % (BLOCK_SAMPLES / FRAME_SAMPLES);
            let paused = (10..20).contains(&n);
            let silent = sound.iter().all(|byte| *byte == g711::MU_SILENCE);
            assert_eq!(silent, paused, "frame {n}");
            assert_eq!(block.paused >> n & 1 == 1, paused);
        }
    }

    #[test]
    fn wild_packets_stay_inside() {
        let mut random = Random::new(77);
        let mut tape = Tape::new(u32::MAX - 1_000);
        let mut block = Block::empty();
        let mut now = u32::MAX - 1_000;
        for _ in 0..20_000 {
            now = now.wrapping_add(random.below(400) as u32);
            let length = random.below(1_400) as usize;
            let stream = (random.below(3) as u32, random.next_u64() as u32);
            tape.write(now, Side::Heard, stream, Codec::Pcma, &vec![1; length]);
            if tape.due(now) {
                tape.cut(&mut block);
                assert!(block.samples <= BLOCK_SAMPLES);
            }
        }
    }
}
