//! The audio of one call: what is said, paced by the owner's clock, and what is heard.
//!
//! Mouth and ear share nothing but the call. Time is microseconds of the owner's clock.

mod ear;

use std::collections::VecDeque;
use std::sync::Arc;

use crate::chirp::Code;
use crate::wav::RATE;
use media::dtmf::Sender;
use media::{g711, rtp};
use model::media::Codec;

pub use ear::{Ear, Noticed, Quality};

/// Samples of a packet.
pub const FRAME_SAMPLES: usize = 160;
/// Microseconds of a packet.
pub const FRAME_US: i64 = 20_000;

const KEY_MS: u16 = 120;
/// Frames of speech between two keys.
const KEY_PAUSE_FRAMES: u8 = 5;
const PROBE_MARK: [u8; 4] = [0xa7, 0x1f, 0x5c, 0xe3];

/// What a telephone says.
#[derive(Debug, Clone, Default)]
pub enum Sound {
    /// Silence, as packets.
    #[default]
    Silence,
    /// Samples at 8 kHz, once.
    Once(Arc<[i16]>),
    /// Samples at 8 kHz, again and again.
    Loop(Arc<[i16]>),
    /// Packets that carry the time they were sent, for measuring delay through a relay.
    Probe,
}

impl Sound {
    /// A code, repeated for ever.
    #[must_use]
    pub fn chirp(code: Code) -> Self {
        Self::Loop(code.samples(RATE).into())
    }
}

/// The sending half.
#[derive(Debug)]
pub struct Mouth {
    codec: Codec,
    keys_payload_type: Option<u8>,
    sound: Sound,
    at: usize,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    keys: VecDeque<char>,
    press: Option<(Sender, u32)>,
    pause: u8,
    talkspurt: bool,
    /// Whether the sound has begun; until then it is silence.
    pub speaking: bool,
    /// Whether the far side wants to hear us.
    pub open: bool,
    /// Packets sent.
    pub packets: u64,
    /// When the first sample of the sound was sent.
    pub began_us: Option<i64>,
}

impl Mouth {
    /// A mouth that says `sound`. `seed` names the stream.
    #[must_use]
    pub fn new(sound: Sound, seed: u64) -> Self {
        let bytes = seed.to_le_bytes();
        Self {
            codec: Codec::Pcmu,
            keys_payload_type: None,
            sound,
            at: 0,
            ssrc: u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]),
            sequence: u16::from_le_bytes([bytes[4], bytes[5]]),
            timestamp: u32::from(bytes[6]) << 8,
            keys: VecDeque::new(),
            press: None,
            pause: 0,
            talkspurt: true,
            speaking: true,
            open: true,
            packets: 0,
            began_us: None,
        }
    }

    /// What was agreed.
    pub fn agree(&mut self, codec: Codec, keys_payload_type: Option<u8>) {
        self.codec = codec;
        self.keys_payload_type = keys_payload_type;
    }

    /// Presses a key after those that are waiting. False when keys were not agreed.
    pub fn press(&mut self, key: char) -> bool {
        self.keys.push_back(key);
        self.keys_payload_type.is_some()
    }

    /// Writes the next packet into `packet` and tells its length. Called once every `FRAME_US`.
    pub fn frame(&mut self, now_us: i64, packet: &mut [u8; rtp::PACKET_BYTES_MAX]) -> usize {
        let timestamp = self.timestamp;
        self.timestamp = self.timestamp.wrapping_add(FRAME_SAMPLES as u32);
        let length = match self.key(timestamp) {
            Some((marker, payload_type, press_timestamp, payload)) => {
                packet[rtp::HEADER_BYTES..rtp::HEADER_BYTES + payload.len()]
                    .copy_from_slice(&payload);
                self.header(packet, marker, payload_type, press_timestamp);
                // Speech goes on behind the key as it would on a real line.
                if self.began_us.is_some() {
                    self.at += FRAME_SAMPLES;
                }
                self.talkspurt = true;
                payload.len()
            }
            None => {
                let payload = &mut packet[rtp::HEADER_BYTES..rtp::HEADER_BYTES + FRAME_SAMPLES];
                payload.fill(g711::silence(self.codec));
                if self.speaking {
                    Self::speak(&self.sound, self.at, self.codec, now_us, payload);
                    self.began_us.get_or_insert(now_us);
                    self.at += FRAME_SAMPLES;
                }
                let marker = std::mem::take(&mut self.talkspurt);
                self.header(packet, marker, self.codec.payload_type(), timestamp);
                FRAME_SAMPLES
            }
        };
        self.packets += 1;
        rtp::HEADER_BYTES + length
    }

    /// The next packet of a key, if one is being pressed.
    fn key(&mut self, now: u32) -> Option<(bool, u8, u32, [u8; 4])> {
        let payload_type = self.keys_payload_type?;
        if self.press.is_none() {
            if self.pause > 0 {
                self.pause -= 1;
                return None;
            }
            let sender = Sender::new(self.keys.pop_front()?, KEY_MS, 20)?;
            self.press = Some((sender, now));
        }
        let (sender, timestamp) = self.press.as_mut()?;
        let timestamp = *timestamp;
        if let Some((marker, payload)) = sender.next() {
            return Some((marker, payload_type, timestamp, payload));
        }
        self.press = None;
        self.pause = KEY_PAUSE_FRAMES;
        None
    }

    fn header(&mut self, packet: &mut [u8], marker: bool, payload_type: u8, timestamp: u32) {
        self.sequence = self.sequence.wrapping_add(1);
        let (sequence, ssrc) = (self.sequence, self.ssrc);
        let header = rtp::Header { marker, payload_type, sequence, timestamp, ssrc };
        packet[..rtp::HEADER_BYTES].copy_from_slice(&header.to_bytes());
    }

    fn speak(sound: &Sound, at: usize, codec: Codec, now_us: i64, payload: &mut [u8]) {
        match sound {
            Sound::Silence => {}
            Sound::Once(samples) => {
                let rest = samples.get(at..).unwrap_or_default();
                g711::encode_slice(codec, rest, payload);
            }
            Sound::Loop(samples) => {
                for (n, byte) in payload.iter_mut().enumerate().filter(|_| !samples.is_empty()) {
                    *byte = g711::encode(codec, samples[(at + n) % samples.len()]);
                }
            }
            Sound::Probe => {
                payload[..4].copy_from_slice(&PROBE_MARK);
                payload[4..12].copy_from_slice(&now_us.to_be_bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(mouth: &mut Mouth, count: i64) -> Vec<Vec<u8>> {
        let mut packet = [0; rtp::PACKET_BYTES_MAX];
        let one = |n: i64| {
            let length = mouth.frame(n * FRAME_US, &mut packet);
            packet[..length].to_vec()
        };
        (0..count).map(one).collect()
    }

    #[test]
    fn what_is_said_is_heard_in_its_place() {
        let code = Code::new(4).expect("there are sixteen");
        let mut mouth = Mouth::new(Sound::chirp(code), 7);
        mouth.agree(Codec::Pcma, Some(101));
        let mut ear = Ear::new(true);
        ear.agree(Some(101));
        for (n, packet) in frames(&mut mouth, 100).iter().enumerate() {
            if n != 50 {
                ear.take(n as i64 * FRAME_US + 5_000, packet);
            }
        }
        let found = crate::chirp::find(&ear.heard);
        assert!(found.iter().all(|heard| heard.code == code), "{found:?}");
        assert!(found.iter().any(|heard| heard.at % crate::chirp::PERIOD_SAMPLES < 8));
        let quality = ear.quality();
        assert_eq!((quality.packets, quality.lost, quality.reordered), (99, 1, 0));
    }

    #[test]
    fn keys_are_pressed_one_after_the_other() {
        let mut mouth = Mouth::new(Sound::Silence, 1);
        mouth.agree(Codec::Pcmu, Some(96));
        assert!(mouth.press('1') && mouth.press('1') && mouth.press('#'));
        let mut ear = Ear::new(false);
        ear.agree(Some(96));
        let mut keys = String::new();
        for (n, packet) in frames(&mut mouth, 60).iter().enumerate() {
            for noticed in ear.take(n as i64 * FRAME_US, packet).into_iter().flatten() {
                if let Noticed::Key(key) = noticed {
                    keys.push(key);
                }
            }
        }
        assert_eq!(keys, "11#");
        assert_eq!(ear.sound_us, None);
    }

    #[test]
    fn delay_is_measured_per_packet() {
        let mut mouth = Mouth::new(Sound::Probe, 1);
        let mut ear = Ear::new(false);
        for (n, packet) in frames(&mut mouth, 10).iter().enumerate() {
            ear.take(n as i64 * FRAME_US + 1_500, packet);
        }
        assert_eq!(ear.delays_us, [1_500; 10]);
    }

    #[test]
    fn rubbish_is_not_heard() {
        let mut ear = Ear::new(true);
        for bytes in [&[][..], &[0x80; 12], &[0; 200], &[0xff; 1_500]] {
            ear.take(0, bytes);
        }
        assert_eq!((ear.quality().packets, ear.heard.len()), (0, 0));
    }
}
