//! The jitter buffer: packets in at any time and order, one frame out every 20 ms.
//!
//! Invariant: at most 200 ms of sound wait here. The buffer is a ring of samples addressed by RTP
//! timestamp, so packet length, order and duplicates need no bookkeeping of their own.

use model::limits::{FRAME_SAMPLES, JITTER_FRAMES_MAX};
use model::media::Codec;

use crate::g711;
use crate::rtp::timestamp_distance;

/// Samples that may wait.
const CAPACITY: usize = FRAME_SAMPLES * JITTER_FRAMES_MAX;
/// Samples that wait at the beginning of a stream.
const DELAY_FIRST: i32 = 2 * FRAME_SAMPLES as i32;
/// The longest delay that lateness can bring about.
const DELAY_MAX: i32 = 8 * FRAME_SAMPLES as i32;
/// Frames over which the least depth is watched before the delay is shortened (2 s).
const WATCH_FRAMES: u32 = 100;
/// Frames that are concealed with the fading last one; then silence.
const CONCEAL_FRAMES: i32 = 3;

/// Smooths one incoming stream.
#[derive(Debug, Clone)]
pub struct JitterBuffer {
    samples: Box<[i16; CAPACITY]>,
    filled: Box<[bool; CAPACITY]>,
    play: Option<Play>,
    last: [i16; FRAME_SAMPLES],
    concealed: i32,
}

#[derive(Debug, Clone, Copy)]
struct Play {
    ssrc: u32,
    /// Timestamp of the next sample to come out.
    next: u32,
    /// Timestamp after the newest sample that came in.
    newest: u32,
    /// Delay kept at a new beginning.
    delay: i32,
    /// Least depth seen while watching.
    depth_min: i32,
    watched: u32,
}

impl Default for JitterBuffer {
    fn default() -> Self {
        Self {
            samples: Box::new([0; CAPACITY]),
            filled: Box::new([false; CAPACITY]),
            play: None,
            last: [0; FRAME_SAMPLES],
            concealed: CONCEAL_FRAMES,
        }
    }
}

impl JitterBuffer {
    /// Takes the sound of one packet. Late and excess sound is dropped.
    pub fn push(&mut self, ssrc: u32, timestamp: u32, codec: Codec, payload: &[u8]) {
        let length = payload.len() as i32;
        if length > CAPACITY as i32 / 2 {
            return;
        }
        let mut play = match self.play {
            Some(play) if play.ssrc == ssrc => play,
            _ => self.begin(ssrc, timestamp, DELAY_FIRST),
        };
        let ahead = timestamp_distance(play.next, timestamp);
        if ahead + length > CAPACITY as i32 || ahead < -(CAPACITY as i32) {
            // A jump of the clock, or a burst after a stall: begin anew at the newest sound.
            play = self.begin(ssrc, timestamp, play.delay);
        } else if ahead < 0 && timestamp_distance(play.newest, timestamp) >= 0 {
            // New sound that is already late: the delay was too short for this network.
            let delay = (play.delay - ahead).clamp(DELAY_FIRST, DELAY_MAX);
            play = self.begin(ssrc, timestamp, delay);
        } else if ahead + length <= 0 {
            return;
        }
        for (n, byte) in payload.iter().enumerate() {
            let at = timestamp.wrapping_add(n as u32);
            if timestamp_distance(play.next, at) >= 0 {
                let slot = at as usize % CAPACITY;
                self.samples[slot] = g711::decode(codec, *byte);
                self.filled[slot] = true;
            }
        }
        let end = timestamp.wrapping_add(payload.len() as u32);
        if timestamp_distance(play.newest, end) > 0 {
            play.newest = end;
        }
        self.play = Some(play);
    }

    /// The next 20 ms, concealed where nothing came.
    pub fn pop(&mut self) -> [i16; FRAME_SAMPLES] {
        let Some(mut play) = self.play else { return [0; FRAME_SAMPLES] };
        let depth = timestamp_distance(play.next, play.newest);
        play.depth_min = play.depth_min.min(depth);
        play.watched += 1;
        if play.watched >= WATCH_FRAMES {
            // More than the wanted delay has waited all the time: our clock is slower, or a burst
            // left it behind. One frame is dropped; sound goes on nearer to the present.
            if play.depth_min > DELAY_FIRST + FRAME_SAMPLES as i32 {
                play.next = self.clear(play.next);
                play.delay = (play.delay - FRAME_SAMPLES as i32).max(DELAY_FIRST);
            }
            (play.watched, play.depth_min) = (0, i32::MAX);
        }
        let mut frame = [0; FRAME_SAMPLES];
        let mut whole = true;
        for (n, sample) in frame.iter_mut().enumerate() {
            let slot = play.next.wrapping_add(n as u32) as usize % CAPACITY;
            whole &= self.filled[slot];
            *sample = if self.filled[slot] { self.samples[slot] } else { 0 };
        }
        play.next = self.clear(play.next);
        self.play = Some(play);
        if whole {
            (self.last, self.concealed) = (frame, 0);
            return frame;
        }
        if depth <= -(CAPACITY as i32) {
            // Nothing for long: the next packet begins anew with the usual delay.
            self.play = None;
        }
        self.conceal(frame)
    }

    /// Repeats the last whole frame, fading, under what little came.
    fn conceal(&mut self, mut frame: [i16; FRAME_SAMPLES]) -> [i16; FRAME_SAMPLES] {
        if self.concealed < CONCEAL_FRAMES {
            self.concealed += 1;
            if frame.iter().all(|sample| *sample == 0) {
                for (sample, last) in frame.iter_mut().zip(&self.last) {
                    *sample = last >> self.concealed;
                }
            }
        }
        frame
    }

    fn begin(&mut self, ssrc: u32, timestamp: u32, delay: i32) -> Play {
        self.filled.fill(false);
        let next = timestamp.wrapping_sub(delay.unsigned_abs());
        Play { ssrc, next, newest: timestamp, delay, depth_min: i32::MAX, watched: 0 }
    }

    /// Forgets one frame from `next` on and gives what follows it.
    fn clear(&mut self, next: u32) -> u32 {
        for n in 0..FRAME_SAMPLES as u32 {
            self.filled[next.wrapping_add(n) as usize % CAPACITY] = false;
        }
        next.wrapping_add(FRAME_SAMPLES as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::random::Random;

    /// 20 ms whose decoded value tells which frame it is.
    fn frame(n: u32) -> [u8; FRAME_SAMPLES] {
        [g711::encode_mu(value(n)); FRAME_SAMPLES]
    }

    /// A level that mu-law keeps exactly.
    fn value(n: u32) -> i16 {
        g711::decode(Codec::Pcmu, 0x80 + (n % 100) as u8)
    }

    fn push(buffer: &mut JitterBuffer, n: u32) {
        buffer.push(1, 5_000_u32.wrapping_add(n * 160), Codec::Pcmu, &frame(n));
    }

    #[test]
    fn a_steady_stream_comes_out_whole_after_two_frames() {
        let mut buffer = JitterBuffer::default();
        let mut heard = Vec::new();
        for n in 0..200 {
            push(&mut buffer, n);
            heard.push(buffer.pop()[0]);
        }
        assert_eq!(heard[..2], [0, 0]);
        let expected: Vec<i16> = (0..198).map(value).collect();
        assert_eq!(heard[2..], expected);
    }

    #[test]
    fn reorder_and_duplicates_within_the_delay_are_invisible() {
        let mut buffer = JitterBuffer::default();
        let mut heard = Vec::new();
        for pair in 0..50 {
            for n in [pair * 2 + 1, pair * 2, pair * 2] {
                if pair > 0 || n < 2 {
                    push(&mut buffer, if pair == 0 { n ^ 1 } else { n });
                }
            }
            heard.push(buffer.pop()[0]);
            heard.push(buffer.pop()[0]);
        }
        let first = heard.iter().position(|v| *v == value(0)).expect("frame 0");
        let expected: Vec<i16> = (0..90).map(value).collect();
        assert_eq!(heard[first..first + 90], expected);
    }

    #[test]
    fn a_loss_is_concealed_and_long_silence_is_silent() {
        let mut buffer = JitterBuffer::default();
        for n in 0..5 {
            push(&mut buffer, n);
            buffer.pop();
        }
        buffer.pop();
        buffer.pop();
        assert_eq!(buffer.pop()[0], value(4) >> 1);
        for _ in 0..3 {
            buffer.pop();
        }
        assert_eq!(buffer.pop(), [0; FRAME_SAMPLES]);
    }

    #[test]
    fn lateness_lengthens_the_delay_once_and_then_it_flows() {
        let mut buffer = JitterBuffer::default();
        let mut random = Random::new(8);
        // Each packet is up to 100 ms late: (arrival in ticks, number).
        let mut packets: Vec<(u32, u32)> =
            (0..500).map(|n| (n + random.below(6) as u32, n)).collect();
        packets.sort_unstable();
        let mut heard = Vec::new();
        let mut next = packets.into_iter().peekable();
        for tick in 0..500 {
            while let Some((_, n)) = next.next_if(|(at, _)| *at <= tick) {
                push(&mut buffer, n);
            }
            heard.push(buffer.pop()[0]);
        }
        // After it settled every frame follows the one before.
        let settled = &heard[100..];
        let breaks = settled.windows(2).filter(|w| {
            let order = |v: i16| (0..100).find(|n| value(*n) == v);
            order(w[0]).map(|n| (n + 1) % 100) != order(w[1])
        });
        assert!(breaks.count() <= 6);
    }

    #[test]
    fn no_more_than_the_limit_ever_waits() {
        let mut buffer = JitterBuffer::default();
        let mut random = Random::new(9);
        for n in 0..10_000_u32 {
            let timestamp = if random.below(50) == 0 { random.next_u64() as u32 } else { n * 160 };
            let length = random.below(2_000) as usize;
            let ssrc = (random.below(100) / 99) as u32;
            buffer.push(ssrc, timestamp, Codec::Pcma, &vec![0x55; length]);
            if random.below(3) == 0 {
                buffer.pop();
            }
            if let Some(play) = buffer.play {
                assert!(timestamp_distance(play.next, play.newest) <= CAPACITY as i32);
            }
        }
    }
}
