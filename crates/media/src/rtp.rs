//! RTP packets (RFC 3550 section 5.1): read strictly, written plainly.
//!
//! Invariant: nothing here panics on any bytes; what is not a whole packet of version 2 is refused
//! with the reason.

/// Bytes of a header without contributing sources and extension, the only kind we write.
pub const HEADER_BYTES: usize = 12;
/// Bytes of the largest packet that is taken or sent.
pub const PACKET_BYTES_MAX: usize = 1_500;

/// The fields of a header that we read and write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Begins a talk spurt, or a press of a key.
    pub marker: bool,
    /// 0 to 127.
    pub payload_type: u8,
    /// Grows by one with each packet, wraps.
    pub sequence: u16,
    /// In samples, wraps.
    pub timestamp: u32,
    /// Names the stream.
    pub ssrc: u32,
}

/// Why a datagram is not an RTP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Shorter than its header says.
    #[error("shorter than its header")]
    Short,
    /// The version is not 2.
    #[error("not RTP version 2")]
    Version,
    /// Padding that is zero or longer than the packet.
    #[error("wrong padding")]
    Padding,
    /// No payload.
    #[error("no payload")]
    Empty,
}

/// Reads a packet into its header and payload; contributing sources, extension and padding are
/// passed over.
///
/// # Errors
/// [`Malformed`] when the lengths do not fit the datagram or the version is not 2.
pub fn parse(datagram: &[u8]) -> Result<(Header, &[u8]), Malformed> {
    let Some((fixed, mut rest)) = datagram.split_first_chunk::<HEADER_BYTES>() else {
        return Err(Malformed::Short);
    };
    if fixed[0] >> 6 != 2 {
        return Err(Malformed::Version);
    }
    let sources = usize::from(fixed[0] & 0x0f) * 4;
    rest = rest.get(sources..).ok_or(Malformed::Short)?;
    if fixed[0] & 0x10 != 0 {
        let (extension, after) = rest.split_first_chunk::<4>().ok_or(Malformed::Short)?;
        let words = u16::from_be_bytes([extension[2], extension[3]]);
        rest = after.get(usize::from(words) * 4..).ok_or(Malformed::Short)?;
    }
    if fixed[0] & 0x20 != 0 {
        let padding = usize::from(*rest.last().ok_or(Malformed::Padding)?);
        let length = rest.len().checked_sub(padding).ok_or(Malformed::Padding)?;
        if padding == 0 {
            return Err(Malformed::Padding);
        }
        rest = &rest[..length];
    }
    if rest.is_empty() {
        return Err(Malformed::Empty);
    }
    let header = Header {
        marker: fixed[1] & 0x80 != 0,
        payload_type: fixed[1] & 0x7f,
        sequence: u16::from_be_bytes([fixed[2], fixed[3]]),
        timestamp: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
        ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
    };
    Ok((header, rest))
}

impl Header {
    /// The twelve bytes on the wire.
    #[must_use]
    pub fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[0] = 0x80;
        bytes[1] = u8::from(self.marker) << 7 | (self.payload_type & 0x7f);
        bytes[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        bytes[8..].copy_from_slice(&self.ssrc.to_be_bytes());
        bytes
    }
}

/// Whether a datagram on a shared port is RTCP rather than RTP (RFC 5761 section 4).
#[must_use]
pub fn is_rtcp(datagram: &[u8]) -> bool {
    datagram.len() >= 2 && datagram[0] >> 6 == 2 && (192..=223).contains(&datagram[1])
}

/// How far `to` is after `from` in a sequence that wraps; negative when before.
#[must_use]
pub fn sequence_distance(from: u16, to: u16) -> i16 {
    to.wrapping_sub(from).cast_signed()
}

/// How far `to` is after `from` on a clock that wraps; negative when before.
#[must_use]
pub fn timestamp_distance(from: u32, to: u32) -> i32 {
    to.wrapping_sub(from).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::random::Random;

    const HEADER: Header = Header {
        marker: true,
        payload_type: 101,
        sequence: 0xfffe,
        timestamp: 0x8000_0001,
        ssrc: 0xdead_beef,
    };

    fn packet(first: u8, after_header: &[u8]) -> Vec<u8> {
        let mut bytes = HEADER.to_bytes().to_vec();
        bytes[0] = first;
        bytes.extend_from_slice(after_header);
        bytes
    }

    #[test]
    fn what_is_written_is_read_back() {
        assert_eq!(parse(&packet(0x80, b"sound")), Ok((HEADER, &b"sound"[..])));
    }

    #[test]
    fn sources_extension_and_padding_are_passed_over() {
        let body = [&[1, 2, 3, 4][..], &[0xbe, 0xde, 0, 1, 9, 9, 9, 9], b"ab", &[0, 2]].concat();
        assert_eq!(parse(&packet(0x80 | 0x20 | 0x10 | 1, &body)), Ok((HEADER, &b"ab"[..])));
    }

    #[test]
    fn lies_about_lengths_are_refused() {
        for (bytes, why) in [
            (packet(0x80, b"")[..11].to_vec(), Malformed::Short),
            (packet(0x80, b""), Malformed::Empty),
            (packet(0x40, b"x"), Malformed::Version),
            (packet(0x8f, b"x"), Malformed::Short),
            (packet(0x90, &[0, 0, 0xff, 0xff, 1]), Malformed::Short),
            (packet(0x90, &[0, 0]), Malformed::Short),
            (packet(0xa0, &[1, 0]), Malformed::Padding),
            (packet(0xa0, &[1, 9]), Malformed::Padding),
            (packet(0xa0, &[1, 2]), Malformed::Empty),
        ] {
            assert_eq!(parse(&bytes), Err(why), "{bytes:?}");
        }
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let mut random = Random::new(3_550);
        for _ in 0..10_000 {
            let length = random.below(64) as usize;
            let mut bytes: Vec<u8> = (0..length).map(|_| random.next_u64() as u8).collect();
            if let Some(first) = bytes.first_mut().filter(|_| !length.is_multiple_of(3)) {
                *first = 0x80 | *first & 0x3f;
            }
            if let Ok((_, payload)) = parse(&bytes) {
                assert!(!payload.is_empty() && payload.len() + HEADER_BYTES <= bytes.len());
            }
        }
    }

    #[test]
    fn distances_wrap() {
        assert_eq!(sequence_distance(0xffff, 1), 2);
        assert_eq!(sequence_distance(1, 0xffff), -2);
        assert_eq!(timestamp_distance(u32::MAX, 159), 160);
    }
}
