//! RTCP (RFC 3550 section 6): our reports as bytes, a peer's reports read strictly.
//!
//! Invariant: nothing here panics on any bytes; a datagram is taken whole or refused with the
//! reason (RFC 3550 appendix A.2).

/// Characters of our canonical name: 96 random bits in hexadecimal (RFC 7022 section 4.2).
pub const CNAME_BYTES: usize = 24;
/// Bytes of the longest report that we write.
pub const REPORT_BYTES_MAX: usize = SENDER_BYTES + BLOCK_BYTES + NAME_BYTES;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const DESCRIPTION: u8 = 202;
/// Header, our SSRC and the sender's figures.
const SENDER_BYTES: usize = 28;
/// What is said about one stream that we receive.
const BLOCK_BYTES: usize = 24;
/// Header, SSRC, one item and its end, in whole words.
const NAME_BYTES: usize = 8 + (2 + CNAME_BYTES).next_multiple_of(4);
/// The item of a description that names its source.
const CNAME: u8 = 1;

/// What we send, so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sender {
    /// The wall clock: seconds since 1900 in the upper half, their fraction in the lower.
    pub ntp: u64,
    /// The same instant on the clock of our stream, in samples.
    pub timestamp: u32,
    /// Packets.
    pub packets: u32,
    /// Bytes of payload.
    pub octets: u32,
}

/// What we receive of one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// The stream.
    pub ssrc: u32,
    /// Lost since the last report, in 1/256 of what was expected.
    pub fraction_lost: u8,
    /// Lost since the beginning; 24 bits are told.
    pub lost: u32,
    /// The highest sequence number, extended over wraps.
    pub highest: u32,
    /// Interarrival jitter, in samples.
    pub jitter: u32,
    /// The middle of the wall clock in the peer's last sender report; 0 without one.
    pub last_report: u32,
    /// How long ago that came, in 1/65,536 s.
    pub delay: u32,
}

/// One report of ours: a sender report where something was sent, else a receiver report, and who
/// we are.
#[derive(Debug, Clone, Copy)]
pub struct Report {
    /// Our stream.
    pub ssrc: u32,
    /// Absent when nothing was sent since the report before the last.
    pub sender: Option<Sender>,
    /// Absent while nothing is received.
    pub block: Option<Block>,
    /// Who we are.
    pub cname: [u8; CNAME_BYTES],
}

/// A buffer that is filled from the front.
struct Ink<'a> {
    bytes: &'a mut [u8; REPORT_BYTES_MAX],
    length: usize,
}

impl Ink<'_> {
    fn put(&mut self, bytes: &[u8]) {
        self.bytes[self.length..self.length + bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len();
    }

    fn words(&mut self, words: &[u32]) {
        words.iter().for_each(|word| self.put(&word.to_be_bytes()));
    }

    /// `bytes` is the whole length of the packet; all of ours are whole words.
    fn header(&mut self, count: u8, kind: u8, bytes: usize) {
        let [high, low] = ((bytes / 4 - 1) as u16).to_be_bytes();
        self.put(&[0x80 | count, kind, high, low]);
    }
}

impl Report {
    /// Writes the compound packet to the front of `bytes` and gives its length.
    pub fn write(&self, bytes: &mut [u8; REPORT_BYTES_MAX]) -> usize {
        bytes.fill(0);
        let mut ink = Ink { bytes, length: 0 };
        let (kind, head) = match self.sender {
            Some(_) => (SENDER_REPORT, SENDER_BYTES),
            None => (RECEIVER_REPORT, 8),
        };
        let blocks = usize::from(self.block.is_some());
        ink.header(blocks as u8, kind, head + blocks * BLOCK_BYTES);
        ink.words(&[self.ssrc]);
        if let Some(Sender { ntp, timestamp, packets, octets }) = self.sender {
            ink.put(&ntp.to_be_bytes());
            ink.words(&[timestamp, packets, octets]);
        }
        if let Some(block) = &self.block {
            let lost = block.lost.min(0x7f_ffff) | u32::from(block.fraction_lost) << 24;
            let Block { ssrc, highest, jitter, last_report, delay, .. } = *block;
            ink.words(&[ssrc, lost, highest, jitter, last_report, delay]);
        }
        ink.header(1, DESCRIPTION, NAME_BYTES);
        ink.words(&[self.ssrc]);
        ink.put(&[CNAME, CNAME_BYTES as u8]);
        ink.put(&self.cname);
        // The list of items ends with a zero, and the packet with a whole word.
        ink.length.next_multiple_of(4)
    }
}

/// The instant of a sender report of the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerTime {
    /// The peer's stream.
    pub ssrc: u32,
    /// The middle 32 bits of its wall clock.
    pub middle: u32,
}

/// Why a datagram is not RTCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Shorter than its lengths say, or with something behind them.
    #[error("lengths that do not fit")]
    Length,
    /// The version of a packet in it is not 2.
    #[error("not RTCP version 2")]
    Version,
    /// It does not begin with a report.
    #[error("does not begin with a report")]
    Kind,
    /// Padding before the last packet.
    #[error("padding before the end")]
    Padding,
}

/// Reads a compound packet; what it says beside the time of the last sender report is passed over.
///
/// # Errors
/// [`Malformed`] when it is not a whole compound packet that begins with a report.
pub fn parse(datagram: &[u8]) -> Result<Option<PeerTime>, Malformed> {
    let mut rest = datagram;
    let mut time = None;
    let mut first = true;
    while first || !rest.is_empty() {
        let head = rest.first_chunk::<4>().ok_or(Malformed::Length)?;
        let (count, kind) = (usize::from(head[0] & 0x1f), head[1]);
        if head[0] >> 6 != 2 {
            return Err(Malformed::Version);
        }
        if first && !matches!(kind, SENDER_REPORT | RECEIVER_REPORT) {
            return Err(Malformed::Kind);
        }
        let length = (usize::from(u16::from_be_bytes([head[2], head[3]])) + 1) * 4;
        let (packet, after) = rest.split_at_checked(length).ok_or(Malformed::Length)?;
        if head[0] & 0x20 != 0 && !after.is_empty() {
            return Err(Malformed::Padding);
        }
        let fixed = match kind {
            SENDER_REPORT => SENDER_BYTES,
            RECEIVER_REPORT => 8,
            _ => 4,
        };
        let reports = matches!(kind, SENDER_REPORT | RECEIVER_REPORT);
        let blocks = if reports { count * BLOCK_BYTES } else { 0 };
        if packet.len() < fixed + blocks {
            return Err(Malformed::Length);
        }
        if kind == SENDER_REPORT {
            let word = |at: usize| packet[at..at + 4].iter().fold(0, |w, b| w << 8 | u32::from(*b));
            time = Some(PeerTime { ssrc: word(4), middle: word(8) << 16 | word(12) >> 16 });
        }
        (rest, first) = (after, false);
    }
    Ok(time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::random::Random;

    const SENDER: Sender =
        Sender { ntp: 0xeb31_2233_4455_6677, timestamp: 0x8000_0001, packets: 50, octets: 8_000 };
    const BLOCK: Block = Block {
        ssrc: 7,
        fraction_lost: 64,
        lost: 0xffff_ffff,
        highest: 0x1_0005,
        jitter: 9,
        last_report: 0x2233_4455,
        delay: 65_536,
    };
    const CNAME: [u8; CNAME_BYTES] = *b"0123456789abcdef01234567";

    fn written(sender: Option<Sender>, block: Option<Block>) -> Vec<u8> {
        let mut bytes = [0xaa; REPORT_BYTES_MAX];
        let report = Report { ssrc: 0xdead_beef, sender, block, cname: CNAME };
        let length = report.write(&mut bytes);
        bytes[..length].to_vec()
    }

    #[test]
    fn a_full_report_is_as_the_standard_draws_it() {
        let bytes = written(Some(SENDER), Some(BLOCK));
        assert_eq!(bytes.len(), REPORT_BYTES_MAX);
        assert_eq!(bytes[..8], [0x81, 200, 0, 12, 0xde, 0xad, 0xbe, 0xef]);
        assert_eq!(bytes[8..16], 0xeb31_2233_4455_6677_u64.to_be_bytes());
        assert_eq!(bytes[20..28], [0, 0, 0, 50, 0, 0, 0x1f, 0x40]);
        assert_eq!(bytes[28..36], [0, 0, 0, 7, 64, 0x7f, 0xff, 0xff], "24 bits of loss");
        assert_eq!(bytes[52..60], [0x81, 202, 0, 8, 0xde, 0xad, 0xbe, 0xef]);
        assert_eq!(bytes[60..62], [1, 24]);
        assert_eq!(bytes[62..86], CNAME);
        assert_eq!(bytes[86..], [0, 0], "the end of the items, in whole words");
    }

    #[test]
    fn what_is_written_is_read_back() {
        let time = PeerTime { ssrc: 0xdead_beef, middle: 0x2233_4455 };
        for (sender, block, told) in [
            (Some(SENDER), Some(BLOCK), Some(time)),
            (Some(SENDER), None, Some(time)),
            (None, Some(BLOCK), None),
            (None, None, None),
        ] {
            assert_eq!(parse(&written(sender, block)), Ok(told));
        }
    }

    #[test]
    fn packets_of_other_kinds_behind_the_report_are_passed_over() {
        // RFC 5450: jitter of each stream, in one word each.
        let jitter = [0x81, 195, 0, 1, 0, 0, 0, 9];
        let mut bytes = written(Some(SENDER), None);
        bytes.extend(jitter);
        let time = PeerTime { ssrc: 0xdead_beef, middle: 0x2233_4455 };
        assert_eq!(parse(&bytes), Ok(Some(time)));
    }

    #[test]
    fn lies_are_refused() {
        let good = written(Some(SENDER), Some(BLOCK));
        let bent = |at: usize, value: u8| {
            let mut bytes = good.clone();
            bytes[at] = value;
            bytes
        };
        for (bytes, why) in [
            (Vec::new(), Malformed::Length),
            (good[..3].to_vec(), Malformed::Length),
            (good[..good.len() - 1].to_vec(), Malformed::Length),
            (good[52..].to_vec(), Malformed::Kind),
            (bent(0, 0x41), Malformed::Version),
            (bent(0, 0xa1), Malformed::Padding),
            (bent(0, 0x9f), Malformed::Length),
            (bent(2, 0xff), Malformed::Length),
            (bent(3, 0), Malformed::Length),
            (bent(52, 0x01), Malformed::Version),
        ] {
            assert_eq!(parse(&bytes), Err(why), "{bytes:?}");
        }
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let mut random = Random::new(3_550);
        let good = written(Some(SENDER), Some(BLOCK));
        for round in 0..20_000_u32 {
            let mut bytes = if round % 2 == 0 {
                good.clone()
            } else {
                (0..random.below(120)).map(|_| random.next_u64() as u8).collect()
            };
            for _ in 0..random.below(4) {
                let at = random.below(bytes.len() as u64) as usize;
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = random.next_u64() as u8;
                }
            }
            bytes.truncate(random.below(bytes.len() as u64 + 1) as usize);
            let _ = parse(&bytes);
        }
    }
}
