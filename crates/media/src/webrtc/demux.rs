//! Which leg a datagram on the shared browser socket belongs to.
//!
//! The first packet from a new address is always a STUN binding request (RFC 8489) whose USERNAME
//! is `ours:theirs` (RFC 8445 section 7.2.2). Invariant: any bytes are answered, hostile ones by
//! `None`, in time linear in their number and without allocation.

/// Bytes of a STUN header.
const HEADER_BYTES: usize = 20;
/// Message type of a binding request.
const BINDING_REQUEST: [u8; 2] = [0x00, 0x01];
/// Bytes 4 to 7 of every STUN message (RFC 8489 section 5).
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
/// Attribute type USERNAME (RFC 8489 section 14.3).
const USERNAME: [u8; 2] = [0x00, 0x06];
/// Longest ICE user fragment (RFC 8839 section 5.4).
const UFRAG_BYTES_MAX: usize = 256;

/// The local user fragment that a STUN binding request is addressed to.
///
/// It only says for whom the datagram claims to be: whether the sender knows the password is
/// checked by [`BrowserLeg::receive`](super::BrowserLeg::receive). `None` for anything that is not
/// a well-formed binding request with a user name of ICE characters.
#[must_use]
pub fn stun_ufrag(datagram: &[u8]) -> Option<&str> {
    let (header, mut attributes) = datagram.split_at_checked(HEADER_BYTES)?;
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if header[..2] != BINDING_REQUEST
        || header[4..8] != MAGIC_COOKIE
        || length != attributes.len()
        || length % 4 != 0
    {
        return None;
    }
    while let Some((head, rest)) = attributes.split_at_checked(4) {
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let value = rest.get(..length)?;
        if head[..2] == USERNAME {
            return local_part(value);
        }
        attributes = rest.get(length.next_multiple_of(4)..)?;
    }
    None
}

/// What stands before the colon, if it is an ICE user fragment.
fn local_part(user_name: &[u8]) -> Option<&str> {
    let colon = user_name.iter().position(|byte| *byte == b':')?;
    let ufrag = &user_name[..colon];
    let is_ice_char = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let fits = (1..=UFRAG_BYTES_MAX).contains(&ufrag.len()) && ufrag.iter().all(is_ice_char);
    if fits { std::str::from_utf8(ufrag).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use model::random::Random;

    use super::*;

    fn request(attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut body = Vec::new();
        for (kind, value) in attributes {
            body.extend(kind.to_be_bytes());
            body.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
            body.extend(*value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        let mut datagram = vec![0, 1];
        datagram.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
        datagram.extend(MAGIC_COOKIE);
        datagram.extend([7; 12]);
        datagram.extend(body);
        datagram
    }

    #[test]
    fn the_local_part_is_found_behind_other_attributes() {
        let datagram = request(&[(0x8022, b"agent"), (6, b"ab+/1:theirs"), (0x24, &[0; 4])]);
        assert_eq!(stun_ufrag(&datagram), Some("ab+/1"));
    }

    #[test]
    fn what_is_no_request_for_a_leg_is_none() {
        let good = request(&[(6, b"abcd:efgh")]);
        for cut in 0..good.len() {
            assert_eq!(stun_ufrag(&good[..cut]), None, "{cut} bytes");
        }
        for place in [0, 1, 3, 5] {
            let mut bad = good.clone();
            bad[place] ^= 0x41;
            assert_eq!(stun_ufrag(&bad), None, "byte {place}");
        }
        let long = [b'a'; 300];
        for name in [&b"abcd"[..], b":efgh", b"a b:c", b"\xff\xfe:x", b"", &long] {
            assert_eq!(stun_ufrag(&request(&[(6, name)])), None);
        }
        let mut overlong = good;
        overlong[22..24].copy_from_slice(&u16::MAX.to_be_bytes());
        assert_eq!(stun_ufrag(&overlong), None);
    }

    #[test]
    fn hostile_bytes_never_panic() {
        let mut random = Random::new(1);
        let good = request(&[(0x8022, b"xyz"), (6, b"abcd:efgh")]);
        for _ in 0..50_000 {
            let mut bytes = good.clone();
            for _ in 0..=random.below(6) {
                let at = usize::try_from(random.below(bytes.len() as u64)).unwrap();
                bytes[at] = u8::try_from(random.below(256)).unwrap();
            }
            bytes.truncate(usize::try_from(random.below(bytes.len() as u64 + 1)).unwrap());
            let _ = stun_ufrag(&bytes);
        }
    }
}
