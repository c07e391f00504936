//! Session descriptions (RFC 4566) of one audio stream, to and from the vocabulary's `MediaDesc`.
//!
//! We offer one codec and RFC 4733 keys; of what comes we take the first audio stream.

use std::net::IpAddr;

use model::media::{Codec, Direction, MediaDesc};

/// Payload type of our telephone-event/8000.
pub const KEYS_PAYLOAD_TYPE: u8 = 101;

/// Writes a description. `version` grows when the session changes (RFC 3264 section 8).
#[must_use]
pub fn write(desc: &MediaDesc, session: u64, version: u64) -> String {
    let family = if desc.address.is_ipv4() { "IP4" } else { "IP6" };
    let address = desc.address;
    let mut types: Vec<String> = desc.codecs.iter().map(|c| c.payload_type().to_string()).collect();
    let mut maps = String::new();
    for codec in &desc.codecs {
        let name = match codec {
            Codec::Pcmu => "PCMU",
            Codec::Pcma => "PCMA",
        };
        maps.push_str(&format!("a=rtpmap:{} {name}/8000\r\n", codec.payload_type()));
    }
    if let Some(keys) = desc.dtmf {
        types.push(keys.to_string());
        maps.push_str(&format!("a=rtpmap:{keys} telephone-event/8000\r\na=fmtp:{keys} 0-15\r\n"));
    }
    let direction = match desc.direction {
        Direction::SendRecv => "sendrecv",
        Direction::SendOnly => "sendonly",
        Direction::RecvOnly => "recvonly",
        Direction::Inactive => "inactive",
    };
    format!(
        "v=0\r\no=- {session} {version} IN {family} {address}\r\ns=-\r\nc=IN {family} {address}\r\n\
         t=0 0\r\nm=audio {} RTP/AVP {}\r\n{maps}a=ptime:{}\r\na={direction}\r\n",
        desc.port,
        types.join(" "),
        desc.ptime_ms
    )
}

/// Reads the first audio stream; `None` when there is none that we could talk to.
#[must_use]
pub fn parse(sdp: &str) -> Option<MediaDesc> {
    let mut address: Option<IpAddr> = None;
    let mut found: Option<MediaDesc> = None;
    let mut direction = Direction::SendRecv;
    for line in sdp.lines().map(str::trim_end) {
        if let Some(connection) = line.strip_prefix("c=IN IP") {
            let parsed = connection.split(' ').nth(1).and_then(|text| text.parse().ok());
            match &mut found {
                Some(desc) => desc.address = parsed.unwrap_or(desc.address),
                None => address = parsed.or(address),
            }
        } else if let Some(media) = line.strip_prefix("m=") {
            if found.is_some() {
                break;
            }
            found = media.strip_prefix("audio ").and_then(|rest| stream(rest, address));
            if let Some(desc) = &mut found {
                desc.direction = direction;
            }
        } else if let Some(attribute) = line.strip_prefix("a=") {
            let way = match attribute {
                "sendrecv" => Some(Direction::SendRecv),
                "sendonly" => Some(Direction::SendOnly),
                "recvonly" => Some(Direction::RecvOnly),
                "inactive" => Some(Direction::Inactive),
                _ => None,
            };
            match (&mut found, way) {
                (Some(desc), Some(way)) => desc.direction = way,
                (None, Some(way)) => direction = way,
                (Some(desc), None) => stream_attribute(desc, attribute),
                (None, None) => {}
            }
        }
    }
    found.filter(|desc| !desc.codecs.is_empty())
}

/// `49170 RTP/AVP 0 8 101`
fn stream(media: &str, address: Option<IpAddr>) -> Option<MediaDesc> {
    let mut words = media.split(' ');
    let port = words.next()?.split('/').next()?.parse().ok()?;
    let codecs = words
        .skip(1)
        .filter_map(|payload_type| match payload_type {
            "0" => Some(Codec::Pcmu),
            "8" => Some(Codec::Pcma),
            _ => None,
        })
        .collect();
    // A stream may name its address after this line.
    let address = address.unwrap_or(IpAddr::from([0, 0, 0, 0]));
    let direction = Direction::SendRecv;
    Some(MediaDesc { address, port, codecs, dtmf: None, direction, ptime_ms: 20 })
}

fn stream_attribute(desc: &mut MediaDesc, attribute: &str) {
    if let Some((payload_type, name)) =
        attribute.strip_prefix("rtpmap:").and_then(|map| map.split_once(' '))
    {
        if name.eq_ignore_ascii_case("telephone-event/8000") {
            desc.dtmf = payload_type.parse().ok();
        }
    } else if let Some(ptime) = attribute.strip_prefix("ptime:") {
        desc.ptime_ms = ptime.trim().parse().unwrap_or(20);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for (codec, direction) in [
            (Codec::Pcmu, Direction::SendRecv),
            (Codec::Pcma, Direction::SendOnly),
            (Codec::Pcmu, Direction::Inactive),
        ] {
            let desc = MediaDesc {
                address: IpAddr::from([127, 0, 0, 1]),
                port: 4_000,
                codecs: vec![codec],
                dtmf: Some(101),
                direction,
                ptime_ms: 20,
            };
            assert_eq!(parse(&write(&desc, 1, 1)), Some(desc));
        }
    }

    #[test]
    fn streams_of_others() {
        let sdp = "v=0\r\nc=IN IP4 1.2.3.4\r\na=sendonly\r\nm=audio 5000/1 RTP/AVP 18 8 96\r\n\
            c=IN IP4 5.6.7.8\r\na=rtpmap:96 telephone-event/8000\r\nm=video 6000 RTP/AVP 31\r\n";
        let desc = parse(sdp).expect("one audio stream");
        assert_eq!(desc.address, IpAddr::from([5, 6, 7, 8]));
        assert_eq!((desc.port, desc.codecs, desc.dtmf), (5_000, vec![Codec::Pcma], Some(96)));
        assert_eq!(desc.direction, Direction::SendOnly);
        assert_eq!(parse("v=0\r\nm=audio 5000 RTP/AVP 18\r\n"), None);
        assert_eq!(parse(""), None);
    }
}
