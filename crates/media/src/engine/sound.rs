//! Clips ready to send, and where a play-out is in them.
//!
//! Invariant: a clip is encoded once per codec, outside the media threads, and shared by everyone
//! who hears it.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::limits::FRAME_SAMPLES;
use model::media::{ClipId, Codec};
use model::{LegId, PlayId};

use crate::g711;

/// A clip in both codecs.
#[derive(Debug)]
pub(crate) struct Sound {
    mu: Box<[u8]>,
    a: Box<[u8]>,
}

impl Sound {
    pub(crate) fn encode(samples: &[i16]) -> Self {
        let all = |codec| samples.iter().map(|sample| g711::encode(codec, *sample)).collect();
        Self { mu: all(Codec::Pcmu), a: all(Codec::Pcma) }
    }

    pub(crate) fn bytes(&self, codec: Codec) -> &[u8] {
        match codec {
            Codec::Pcmu => &self.mu,
            Codec::Pcma => &self.a,
        }
    }

    /// Fills one frame from sample `at` on, around the end.
    pub(crate) fn looped(&self, codec: Codec, at: u64, frame: &mut [u8; FRAME_SAMPLES]) {
        let bytes = self.bytes(codec);
        if bytes.is_empty() {
            frame.fill(g711::silence(codec));
            return;
        }
        let mut from = usize::try_from(at % bytes.len() as u64).unwrap_or(0);
        let mut filled = 0;
        while filled < FRAME_SAMPLES {
            let length = (bytes.len() - from).min(FRAME_SAMPLES - filled);
            frame[filled..filled + length].copy_from_slice(&bytes[from..from + length]);
            filled += length;
            from = 0;
        }
    }
}

/// One play-out of clips to one leg.
#[derive(Debug)]
pub(crate) struct Playing {
    pub(crate) play: PlayId,
    pub(crate) leg: LegId,
    clips: Vec<Arc<Sound>>,
    clip: usize,
    at: usize,
    /// Its end was reported; only silence follows.
    pub(crate) ended: bool,
}

impl Playing {
    pub(crate) fn new(play: PlayId, leg: LegId, clips: Vec<Arc<Sound>>) -> Self {
        Self { play, leg, clips, clip: 0, at: 0, ended: false }
    }

    /// Fills the next frame, silence after the end. True when it was the last with sound in it.
    pub(crate) fn next(&mut self, codec: Codec, frame: &mut [u8; FRAME_SAMPLES]) -> bool {
        let mut filled = 0;
        while let Some(clip) = self.clips.get(self.clip).filter(|_| filled < FRAME_SAMPLES) {
            let rest = &clip.bytes(codec)[self.at..];
            let length = rest.len().min(FRAME_SAMPLES - filled);
            frame[filled..filled + length].copy_from_slice(&rest[..length]);
            filled += length;
            self.at += length;
            if length == rest.len() {
                (self.clip, self.at) = (self.clip + 1, 0);
            }
        }
        frame[filled..].fill(g711::silence(codec));
        let last = !self.ended && self.clip >= self.clips.len();
        self.ended |= last;
        last
    }
}

/// Clips by name, each as long as somebody holds it.
#[derive(Debug, Default)]
pub(crate) struct Sounds(BTreeMap<ClipId, Held>);

#[derive(Debug)]
struct Held {
    sound: Arc<Sound>,
    holders: u32,
}

impl Sounds {
    /// One holder more.
    pub(crate) fn hold(&mut self, clip: ClipId, sound: Arc<Sound>) {
        self.0.entry(clip).or_insert(Held { sound, holders: 0 }).holders += 1;
    }

    /// One holder less. Play-outs keep their own share of the sound.
    pub(crate) fn release(&mut self, clip: ClipId) {
        let Some(held) = self.0.get_mut(&clip) else { return };
        held.holders -= 1;
        if held.holders == 0 {
            self.0.remove(&clip);
        }
    }

    pub(crate) fn get(&self, clip: ClipId) -> Option<Arc<Sound>> {
        self.0.get(&clip).map(|held| Arc::clone(&held.sound))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::id::Id as _;

    #[test]
    fn clips_follow_each_other_without_a_gap_and_end_once() {
        let clip = |value: i16, length: usize| Arc::new(Sound::encode(&vec![value; length]));
        let id = uuid::Uuid::from_u128(1);
        let mut playing = Playing::new(
            PlayId::from_uuid(id),
            LegId::from_uuid(id),
            vec![clip(1_000, 200), clip(0, 0), clip(-1_000, 100)],
        );
        let mut heard = Vec::new();
        let mut ends = 0;
        for _ in 0..4 {
            let mut frame = [0; FRAME_SAMPLES];
            ends += usize::from(playing.next(Codec::Pcma, &mut frame));
            heard.extend_from_slice(&frame);
        }
        let (up, down) = (g711::encode_a(1_000), g711::encode_a(-1_000));
        assert!(heard[..200].iter().all(|byte| *byte == up));
        assert!(heard[200..300].iter().all(|byte| *byte == down));
        assert!(heard[300..].iter().all(|byte| *byte == g711::A_SILENCE));
        assert_eq!(ends, 1);
    }

    #[test]
    fn a_loop_goes_around_its_end() {
        let sound = Sound::encode(&(0..100).map(|n| n * 200).collect::<Vec<i16>>());
        let mut frame = [0; FRAME_SAMPLES];
        sound.looped(Codec::Pcmu, 1_050, &mut frame);
        for (n, byte) in frame.iter().enumerate() {
            assert_eq!(*byte, g711::encode_mu(((1_050 + n as i16) % 100) * 200));
        }
        Sound::encode(&[]).looped(Codec::Pcmu, 7, &mut frame);
        assert_eq!(frame, [g711::MU_SILENCE; FRAME_SAMPLES]);
    }
}
