//! The audio of one call: what is said, paced by the owner's clock, and what is heard.
//!
//! Mouth and ear share nothing but the call. Time is microseconds of the owner's clock.

use std::collections::VecDeque;
use std::sync::Arc;

use media::dtmf::{Receiver, Reception, Sender};
use media::{g711, rtp};
use model::media::Codec;
use serde::Serialize;

use crate::chirp::Code;
use crate::wav::RATE;

/// Samples of a packet.
pub const FRAME_SAMPLES: usize = 160;
/// Microseconds of a packet.
pub const FRAME_US: i64 = 20_000;
/// Samples that an ear keeps: ten minutes.
pub const HEARD_SAMPLES_MAX: usize = 600 * RATE as usize;

const KEY_MS: u16 = 120;
/// Frames of speech between two keys.
const KEY_PAUSE_FRAMES: u8 = 5;
/// Mean magnitude of a frame from which it is a sound and no idle line.
const LOUD_MIN: i32 = 150;
const PROBE_MARK: [u8; 4] = [0xa7, 0x1f, 0x5c, 0xe3];
/// Delays that are kept of one call, one per packet.
const DELAYS_MAX: usize = 100_000;
/// A jump of the stream's clock from here on is a new stream, samples.
const JUMP_SAMPLES: i32 = 5 * RATE as i32;

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

/// What was measured on the incoming stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Quality {
    /// Audio packets taken.
    pub packets: u64,
    /// Packets that never came, by sequence number.
    pub lost: u64,
    /// Packets that came after a later one.
    pub reordered: u64,
    /// Highest time between two packets, microseconds.
    pub gap_us_max: i64,
    /// Interarrival jitter at the end (RFC 3550 section 6.4.1), microseconds.
    pub jitter_us: i64,
}

/// Something that an ear noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noticed {
    /// The first packet came.
    FirstPacket,
    /// The first packet that was not silence came.
    FirstSound,
    /// A key was pressed at the far side.
    Key(char),
}

/// The receiving half.
#[derive(Debug, Default)]
pub struct Ear {
    keys_payload_type: Option<u8>,
    keys: Receiver,
    ssrc: Option<u32>,
    highest: u16,
    expected: u64,
    last_us: i64,
    transit: Option<i64>,
    quality: Quality,
    /// Timestamp and place of an anchor packet of the stream.
    anchor: (u32, usize),
    keep: bool,
    /// What was heard at 8 kHz, where it belongs in time.
    pub heard: Vec<i16>,
    /// When the first sample of `heard` came.
    pub heard_from_us: Option<i64>,
    /// When the first packet that was not silence came.
    pub sound_us: Option<i64>,
    /// When the last one came.
    pub loud_us: Option<i64>,
    /// Delays of probe packets, microseconds.
    pub delays_us: Vec<u32>,
}

impl Ear {
    /// An ear; with `keep` it remembers what it hears.
    #[must_use]
    pub fn new(keep: bool) -> Self {
        Self { keep, ..Self::default() }
    }

    /// What was agreed.
    pub fn agree(&mut self, keys_payload_type: Option<u8>) {
        self.keys_payload_type = keys_payload_type;
    }

    /// What was measured.
    #[must_use]
    pub fn quality(&self) -> Quality {
        Quality { lost: self.expected.saturating_sub(self.quality.packets), ..self.quality }
    }

    /// Takes a datagram; at most two things can be noticed at once.
    pub fn take(&mut self, now_us: i64, datagram: &[u8]) -> [Option<Noticed>; 2] {
        let Ok((header, payload)) = rtp::parse(datagram) else { return [None; 2] };
        if rtp::is_rtcp(datagram) {
            return [None; 2];
        }
        self.count(now_us, header.ssrc, header.sequence, header.timestamp);
        let first = (self.quality.packets == 1).then_some(Noticed::FirstPacket);
        if Some(header.payload_type) == self.keys_payload_type {
            let now_ms = u64::try_from(now_us / 1_000).unwrap_or(0);
            let key = match self.keys.receive(now_ms, header.timestamp, payload) {
                Reception::Pressed(key) => Some(Noticed::Key(key)),
                Reception::Known | Reception::Refused => None,
            };
            return [first, key];
        }
        let codec = match header.payload_type {
            0 => Codec::Pcmu,
            8 => Codec::Pcma,
            _ => return [first, None],
        };
        [first, self.hear(now_us, codec, header.timestamp, payload)]
    }

    fn count(&mut self, now_us: i64, ssrc: u32, sequence: u16, timestamp: u32) {
        if self.ssrc != Some(ssrc) {
            self.ssrc = Some(ssrc);
            self.highest = sequence.wrapping_sub(1);
            self.transit = None;
            self.anchor = (timestamp, self.place(now_us));
        }
        match rtp::sequence_distance(self.highest, sequence) {
            ahead @ 1.. => {
                self.expected += u64::from(ahead.unsigned_abs());
                self.highest = sequence;
            }
            _ => self.quality.reordered += 1,
        }
        if self.quality.packets > 0 {
            self.quality.gap_us_max = self.quality.gap_us_max.max(now_us - self.last_us);
        }
        let transit = now_us - i64::from(timestamp) * 125;
        if let Some(before) = self.transit.replace(transit) {
            let step = (transit - before).abs().min(FRAME_US * 50);
            self.quality.jitter_us += (step - self.quality.jitter_us) / 16;
        }
        self.last_us = now_us;
        self.quality.packets += 1;
    }

    /// The sample at which something that comes now belongs.
    fn place(&mut self, now_us: i64) -> usize {
        let from = *self.heard_from_us.get_or_insert(now_us);
        usize::try_from((now_us - from) / 125).unwrap_or(0)
    }

    fn hear(
        &mut self,
        now_us: i64,
        codec: Codec,
        timestamp: u32,
        payload: &[u8],
    ) -> Option<Noticed> {
        if payload.starts_with(&PROBE_MARK)
            && let Some(stamp) = payload.get(4..12).and_then(|bytes| bytes.try_into().ok())
        {
            let delay = u32::try_from(now_us - i64::from_be_bytes(stamp)).unwrap_or(0);
            if self.delays_us.len() < DELAYS_MAX {
                self.delays_us.push(delay);
            }
        }
        let magnitude = |byte: &u8| i32::from(g711::decode(codec, *byte)).abs();
        let loud = payload.iter().map(magnitude).sum::<i32>()
            >= LOUD_MIN * i32::try_from(payload.len()).unwrap_or(i32::MAX);
        if self.keep {
            self.remember(now_us, codec, timestamp, payload);
        }
        if !loud {
            return None;
        }
        self.loud_us = Some(now_us);
        let first = self.sound_us.is_none();
        self.sound_us.get_or_insert(now_us);
        first.then_some(Noticed::FirstSound)
    }

    fn remember(&mut self, now_us: i64, codec: Codec, timestamp: u32, payload: &[u8]) {
        let (anchor, place) = self.anchor;
        let mut distance = rtp::timestamp_distance(anchor, timestamp);
        let arrival = self.place(now_us);
        let by_clock = i64::try_from(place).unwrap_or(0) + i64::from(distance);
        let drift = by_clock - i64::try_from(arrival).unwrap_or(0);
        if drift.abs() > i64::from(JUMP_SAMPLES) {
            self.anchor = (timestamp, arrival);
            distance = 0;
        }
        let Some(at) = self.anchor.1.checked_add_signed(isize::try_from(distance).unwrap_or(0))
        else {
            return;
        };
        if at + payload.len() > HEARD_SAMPLES_MAX {
            return;
        }
        if self.heard.len() < at + payload.len() {
            self.heard.resize(at + payload.len(), 0);
        }
        for (sample, byte) in self.heard[at..].iter_mut().zip(payload) {
            *sample = g711::decode(codec, *byte);
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
