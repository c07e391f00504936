//! What is heard: keys, first sounds, losses and delay, and the sound itself if it is kept.

use media::dtmf::{Receiver, Reception};
use media::{g711, rtp};
use model::media::Codec;
use serde::Serialize;

use super::{FRAME_US, PROBE_MARK};
use crate::wav::RATE;

/// Samples that an ear keeps: ten minutes.
const HEARD_SAMPLES_MAX: usize = 600 * RATE as usize;
/// Mean magnitude of a frame from which it is a sound and no idle line.
const LOUD_MIN: i32 = 150;
/// Delays that are kept of one call, one per packet.
const DELAYS_MAX: usize = 100_000;
/// A jump of the stream's clock from here on is a new stream, samples.
const JUMP_SAMPLES: i32 = 5 * RATE as i32;

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
