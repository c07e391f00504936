//! Keys as RTP events (RFC 4733): one digit per press however often its packets come.
//!
//! Invariant: a press is known by its RTP timestamp; repeated, late and end packets of the same
//! press never make a second digit.

use model::limits::{DIGITS_PER_SECOND_MAX, KEY_PRESS_MS_MAX};

use crate::rtp::timestamp_distance;

/// Bytes of one event payload.
pub const EVENT_BYTES: usize = 4;

const KEYS: &[u8; 16] = b"0123456789*#ABCD";
/// RFC 4733 section 2.5.1.4: the end is sent three times.
const END_PACKETS: u16 = 3;
/// Volume of the tone in -dBm0, as telephones send it.
const VOLUME: u8 = 10;

/// One event payload (RFC 4733 section 2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// 0 to 15 are the keys `0-9 * # A-D`, 16 is a flash.
    pub code: u8,
    /// The key was let go.
    pub end: bool,
    /// -dBm0, 0 to 63.
    pub volume: u8,
    /// Since the press, in samples.
    pub duration: u16,
}

impl Event {
    /// Reads a payload; `None` when it is shorter than an event.
    #[must_use]
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let bytes = payload.first_chunk::<EVENT_BYTES>()?;
        Some(Self {
            code: bytes[0],
            end: bytes[1] & 0x80 != 0,
            volume: bytes[1] & 0x3f,
            duration: u16::from_be_bytes([bytes[2], bytes[3]]),
        })
    }

    /// The four bytes on the wire.
    #[must_use]
    pub fn to_bytes(self) -> [u8; EVENT_BYTES] {
        let duration = self.duration.to_be_bytes();
        [self.code, u8::from(self.end) << 7 | (self.volume & 0x3f), duration[0], duration[1]]
    }

    /// The key, if the event is one.
    #[must_use]
    pub fn key(self) -> Option<char> {
        KEYS.get(usize::from(self.code)).map(|key| char::from(*key))
    }
}

/// What an event packet was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reception {
    /// A key was pressed.
    Pressed(char),
    /// More of a press that is known.
    Known,
    /// Not a key, not an event, or more presses than a person or a fair machine makes.
    Refused,
}

#[derive(Debug, Clone, Copy)]
struct Press {
    timestamp: u32,
    code: u8,
    duration: u16,
    ended: bool,
    /// One too many in its second: none of its packets is taken.
    refused: bool,
    last_ms: u64,
}

/// Receives the events of one stream.
#[derive(Debug, Clone, Default)]
pub struct Receiver {
    press: Option<Press>,
    second: u64,
    pressed_in_second: u32,
}

impl Receiver {
    /// Takes an event packet that came at `now_ms` (milliseconds on any steady clock).
    pub fn receive(&mut self, now_ms: u64, timestamp: u32, payload: &[u8]) -> Reception {
        let Some(event) = Event::parse(payload) else { return Reception::Refused };
        let Some(key) = event.key() else { return Reception::Refused };
        if let Some(press) = &mut self.press {
            let over = press.ended || now_ms.saturating_sub(press.last_ms) >= KEY_PRESS_MS_MAX;
            let distance = timestamp_distance(press.timestamp, timestamp);
            // A press that is longer than its counter goes on as a new segment (2.5.1.3).
            let segment = !over
                && event.code == press.code
                && press.duration == u16::MAX
                && distance == i32::from(u16::MAX);
            // Packets of an earlier press arrive late; a stream that began anew is taken on
            // once the press is long over.
            let late = distance < 0 && now_ms.saturating_sub(press.last_ms) < KEY_PRESS_MS_MAX;
            if distance == 0 || segment {
                press.timestamp = timestamp;
                press.duration =
                    if segment { event.duration } else { event.duration.max(press.duration) };
                press.ended |= event.end;
                press.last_ms = now_ms;
                return if press.refused { Reception::Refused } else { Reception::Known };
            }
            if late {
                return Reception::Known;
            }
        }
        if now_ms.saturating_sub(self.second) >= 1_000 {
            (self.second, self.pressed_in_second) = (now_ms, 0);
        }
        self.pressed_in_second += 1;
        let refused = self.pressed_in_second > DIGITS_PER_SECOND_MAX;
        self.press = Some(Press {
            timestamp,
            code: event.code,
            duration: event.duration,
            ended: event.end,
            refused,
            last_ms: now_ms,
        });
        if refused { Reception::Refused } else { Reception::Pressed(key) }
    }
}

/// One press as its packets, one every frame, all with the RTP timestamp of the press.
#[derive(Debug, Clone)]
pub struct Sender {
    code: u8,
    sent: u16,
    /// Packets until the key is let go, the first end packet included.
    packets: u16,
    step: u16,
    length: u16,
}

impl Sender {
    /// A press of `key` for `length_ms` (at least one packet, at most 8 s), a packet every
    /// `frame_ms`. `None` when there is no such key.
    #[must_use]
    pub fn new(key: char, length_ms: u16, frame_ms: u8) -> Option<Self> {
        let key = u8::try_from(key.to_ascii_uppercase()).ok()?;
        let code = KEYS.iter().position(|known| *known == key)?;
        let step = u16::from(frame_ms.max(1)) * 8;
        let length = length_ms.saturating_mul(8).max(step);
        Some(Self {
            code: u8::try_from(code).ok()?,
            sent: 0,
            packets: length.div_ceil(step),
            step,
            length,
        })
    }
}

impl Iterator for Sender {
    /// Whether the marker bit is set, and the payload.
    type Item = (bool, [u8; EVENT_BYTES]);

    fn next(&mut self) -> Option<Self::Item> {
        if self.sent >= self.packets + END_PACKETS - 1 {
            return None;
        }
        let marker = self.sent == 0;
        self.sent += 1;
        let duration = self.sent.saturating_mul(self.step).min(self.length);
        let end = self.sent >= self.packets;
        Some((marker, Event { code: self.code, end, volume: VOLUME, duration }.to_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(code: u8, end: bool, duration: u16) -> [u8; EVENT_BYTES] {
        Event { code, end, volume: 10, duration }.to_bytes()
    }

    #[test]
    fn a_press_as_sent_is_received_once() {
        for key in "0123456789*#ABCD".chars() {
            let mut receiver = Receiver::default();
            let packets: Vec<_> = Sender::new(key, 100, 20).expect("a key").collect();
            assert_eq!(packets.len(), 4 + 3);
            assert_eq!(packets.iter().filter(|(marker, _)| *marker).count(), 1);
            let got: Vec<_> = packets
                .iter()
                .enumerate()
                .map(|(n, (_, payload))| receiver.receive(20 * n as u64, 4_000, payload))
                .filter(|reception| *reception != Reception::Known)
                .collect();
            assert_eq!(got, [Reception::Pressed(key)]);
        }
        assert!(Sender::new('x', 100, 20).is_none());
        assert_eq!(Sender::new('1', 1, 20).expect("a key").filter(|(m, _)| *m).count(), 1);
    }

    #[test]
    fn the_same_key_twice_is_two_digits_and_late_packets_are_none() {
        let mut receiver = Receiver::default();
        assert_eq!(receiver.receive(0, 1_000, &event(5, false, 160)), Reception::Pressed('5'));
        assert_eq!(receiver.receive(60, 1_000, &event(5, true, 480)), Reception::Known);
        assert_eq!(receiver.receive(200, 2_600, &event(5, false, 160)), Reception::Pressed('5'));
        assert_eq!(receiver.receive(210, 1_000, &event(5, true, 480)), Reception::Known);
        assert_eq!(receiver.receive(220, 2_600, &event(5, true, 480)), Reception::Known);
    }

    #[test]
    fn only_the_end_packet_arriving_still_counts() {
        let mut receiver = Receiver::default();
        assert_eq!(receiver.receive(0, 77, &event(11, true, 800)), Reception::Pressed('#'));
    }

    #[test]
    fn a_press_longer_than_its_counter_is_one_digit() {
        let mut receiver = Receiver::default();
        assert_eq!(receiver.receive(0, 0, &event(1, false, 160)), Reception::Pressed('1'));
        for n in 1..=410_u64 {
            let duration = (160 * n).min(0xffff) as u16;
            assert_eq!(receiver.receive(20 * n, 0, &event(1, false, duration)), Reception::Known);
        }
        assert_eq!(receiver.receive(8_220, 0xffff, &event(1, false, 160)), Reception::Known);
        assert_eq!(receiver.receive(8_240, 0xffff, &event(1, true, 320)), Reception::Known);
    }

    #[test]
    fn a_press_without_end_is_over_after_three_seconds() {
        let mut receiver = Receiver::default();
        assert_eq!(receiver.receive(0, 9_000, &event(1, false, 160)), Reception::Pressed('1'));
        // The stream began anew with a smaller clock: soon it is late, after 3 s it is a press.
        assert_eq!(receiver.receive(1_000, 100, &event(2, false, 160)), Reception::Known);
        assert_eq!(receiver.receive(3_100, 200, &event(2, false, 160)), Reception::Pressed('2'));
    }

    #[test]
    fn what_is_not_a_key_and_what_is_too_much_is_refused() {
        let mut receiver = Receiver::default();
        assert_eq!(receiver.receive(0, 0, &event(16, false, 160)), Reception::Refused);
        assert_eq!(receiver.receive(0, 0, &[1, 0, 0]), Reception::Refused);
        let taken = (0..1_000_u32)
            .filter(|n| {
                let packet = event(3, true, 8);
                receiver.receive(u64::from(*n), n * 8 + 8, &packet) == Reception::Pressed('3')
            })
            .count();
        assert_eq!(taken, 20);
        let again = receiver.receive(1_000, 999 * 8 + 8, &event(3, true, 8));
        assert_eq!(again, Reception::Refused, "nor are the other packets of a press too many");
        assert_eq!(receiver.receive(2_000, 99_000, &event(4, true, 8)), Reception::Pressed('4'));
    }
}
