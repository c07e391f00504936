//! What is measured on an incoming stream.
//!
//! Invariant: figures only grow; a stream that begins anew keeps the losses of the one before.

use model::media::LegQuality;

use crate::rtp::{self, Header};

/// Figures of the incoming stream (RFC 3550 sections 6.4.1 and A.3).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reception {
    stream: Option<Stream>,
    /// Packets of the streams before this one.
    taken: u64,
    lost: u64,
    pub(crate) refused: u64,
    pub(crate) sent: u64,
    jitter_samples_max: u32,
}

#[derive(Debug, Clone, Copy)]
struct Stream {
    ssrc: u32,
    first: u64,
    /// Extended highest sequence number.
    highest: u64,
    taken: u64,
    transit: u32,
    /// Sixteen times the jitter, in samples.
    jitter16: u32,
}

/// The present stream as a report tells of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Heard {
    pub(crate) ssrc: u32,
    /// Packets that should have come.
    pub(crate) expected: u64,
    /// Packets that came, doubled ones included.
    pub(crate) taken: u64,
    /// The highest sequence number, extended over wraps.
    pub(crate) highest: u32,
    /// In samples.
    pub(crate) jitter: u32,
}

impl Stream {
    fn lost(&self) -> u64 {
        (self.highest - self.first + 1).saturating_sub(self.taken)
    }
}

impl Reception {
    /// A jump of the sequence of more than this is a new beginning.
    const JUMP: u16 = 3_000;
    /// One turn of the sequence counter.
    const TURN: u64 = 0x1_0000;

    /// Counts a packet that came at `now` (our clock in samples).
    pub(crate) fn take(&mut self, now: u32, header: &Header, audio: bool) {
        self.taken += 1;
        let transit = now.wrapping_sub(header.timestamp);
        let known = self.stream.filter(|stream| {
            let jump = rtp::sequence_distance(stream.highest as u16, header.sequence);
            stream.ssrc == header.ssrc && jump.unsigned_abs() <= Self::JUMP
        });
        let Some(mut stream) = known else {
            self.lost += self.stream.map_or(0, |stream| stream.lost());
            // One turn of the counter ahead, so that packets from before the first can be counted.
            let first = Self::TURN + u64::from(header.sequence);
            let ssrc = header.ssrc;
            self.stream =
                Some(Stream { ssrc, first, highest: first, taken: 1, transit, jitter16: 0 });
            return;
        };
        let ahead = rtp::sequence_distance(stream.highest as u16, header.sequence);
        stream.taken += 1;
        if ahead > 0 {
            stream.highest += u64::from(ahead.unsigned_abs());
        }
        if audio {
            let change = rtp::timestamp_distance(stream.transit, transit).unsigned_abs();
            stream.transit = transit;
            // A jump of the clock (longer than 5 s) is no jitter.
            if change < 40_000 {
                stream.jitter16 = stream.jitter16 + change - ((stream.jitter16 + 8) >> 4);
                self.jitter_samples_max = self.jitter_samples_max.max(stream.jitter16 >> 4);
            }
        }
        self.stream = Some(stream);
    }

    /// The present stream, if there is one.
    pub(crate) fn heard(&self) -> Option<Heard> {
        self.stream.map(|stream| Heard {
            ssrc: stream.ssrc,
            expected: stream.highest - stream.first + 1,
            taken: stream.taken,
            // Without the turn that the count begins with; it wraps on the wire.
            highest: (stream.highest - Self::TURN) as u32,
            jitter: stream.jitter16 >> 4,
        })
    }

    /// The figures so far.
    pub(crate) fn quality(&self) -> LegQuality {
        LegQuality {
            packets_in: self.taken,
            packets_out: self.sent,
            packets_lost: self.lost + self.stream.map_or(0, |stream| stream.lost()),
            packets_refused: self.refused,
            jitter_us_max: self.jitter_samples_max.saturating_mul(125),
        }
    }
}
