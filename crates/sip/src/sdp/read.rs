//! The reader: one pass over the lines, then the choice of the audio stream.

use std::net::IpAddr;

use model::limits;
use model::media::{Codec, Direction, MediaDesc};

use super::{Line, SdpFault, Session};

/// Packet time when none is told, in milliseconds (RFC 3551 section 4.5).
const PTIME_MS: u8 = 20;

/// What a section of the description says; session level values are the default of each stream.
#[derive(Debug, Clone, Default)]
struct Section<'a> {
    address: Option<Address>,
    direction: Option<Direction>,
    ptime_ms: Option<u8>,
    rtpmaps: Vec<(u8, &'a str)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Address {
    Unicast(IpAddr),
    /// 0.0.0.0 or `::`: the hold of RFC 2543.
    Nowhere(IpAddr),
    /// A host name or a multicast group.
    Unusable,
}

struct Stream<'a> {
    media: &'a str,
    port: u16,
    protocol: &'a str,
    formats: &'a str,
    section: Section<'a>,
}

pub(super) fn session(body: &[u8]) -> Result<Session, SdpFault> {
    if body.len() > limits::SDP_BYTES_MAX {
        return Err(SdpFault::TooLong);
    }
    // Who speaks and about what may be said in any alphabet: nothing that is read holds but ASCII.
    let text = String::from_utf8_lossy(body);
    let mut common = Section::default();
    let mut streams: Vec<Stream<'_>> = Vec::new();
    let mut first = true;
    for line in text.split('\n') {
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.is_empty() {
            continue;
        }
        let (kind, value) = line.split_once('=').ok_or(SdpFault::Line)?;
        if kind.len() != 1 || value.bytes().any(|b| b == 0 || b == b'\r') {
            return Err(SdpFault::Line);
        }
        if first && (kind, value.trim()) != ("v", "0") {
            return Err(SdpFault::Malformed);
        }
        first = false;
        if kind == "m" {
            if streams.len() == limits::SDP_STREAMS_MAX {
                return Err(SdpFault::TooLong);
            }
            streams.push(stream(value)?);
            continue;
        }
        let section = streams.last_mut().map_or(&mut common, |stream| &mut stream.section);
        match kind {
            "c" => section.address = Some(address(value)?),
            "a" => attribute(section, value),
            _ => {}
        }
    }
    choose(&common, &streams)
}

/// `audio 49170 RTP/AVP 0 8 101`, with an optional `/count` behind the port.
fn stream(value: &str) -> Result<Stream<'_>, SdpFault> {
    let mut parts = value.trim().splitn(4, ' ');
    let (Some(media), Some(port), Some(protocol), Some(formats)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(SdpFault::Malformed);
    };
    let port = port.split_once('/').map_or(port, |(port, _)| port);
    let token = |text: &str| text.split('/').all(crate::addr::is_token);
    if !token(media) || !token(protocol) || !formats.split_ascii_whitespace().all(token) {
        return Err(SdpFault::Malformed);
    }
    let port = port.parse().map_err(|_| SdpFault::Malformed)?;
    Ok(Stream { media, port, protocol, formats, section: Section::default() })
}

/// `IN IP4 192.0.2.1`, with an optional `/ttl` behind the address.
fn address(value: &str) -> Result<Address, SdpFault> {
    let mut parts = value.split_ascii_whitespace();
    let (Some(net), Some(kind), Some(host), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(SdpFault::Malformed);
    };
    if net != "IN" || !matches!(kind, "IP4" | "IP6") {
        return Err(SdpFault::Malformed);
    }
    let host = host.split_once('/').map_or(host, |(host, _)| host);
    let Ok(ip) = host.parse::<IpAddr>() else {
        return Ok(Address::Unusable);
    };
    let ip = ip.to_canonical();
    let broadcast = ip == IpAddr::V4(std::net::Ipv4Addr::BROADCAST);
    Ok(match ip {
        _ if ip.is_unspecified() => Address::Nowhere(ip),
        _ if ip.is_multicast() || broadcast => Address::Unusable,
        _ => Address::Unicast(ip),
    })
}

/// Attributes that are unknown or out of range say nothing.
fn attribute<'a>(section: &mut Section<'a>, value: &'a str) {
    let (name, value) = value.split_once(':').unwrap_or((value, ""));
    match name.trim() {
        "sendrecv" => section.direction = Some(Direction::SendRecv),
        "sendonly" => section.direction = Some(Direction::SendOnly),
        "recvonly" => section.direction = Some(Direction::RecvOnly),
        "inactive" => section.direction = Some(Direction::Inactive),
        "ptime" => {
            let ms = value.trim().parse().ok();
            section.ptime_ms =
                ms.filter(|ms| (1..=limits::PTIME_MS_MAX).contains(ms)).or(section.ptime_ms);
        }
        "rtpmap" if section.rtpmaps.len() < limits::MEDIA_PAYLOADS_MAX => {
            let Some((kind, encoding)) = value.trim().split_once(' ') else { return };
            if let Some(kind) = kind.parse().ok().filter(|kind| *kind < 128) {
                section.rtpmaps.push((kind, encoding.trim()));
            }
        }
        _ => {}
    }
}

/// The first audio stream over plain RTP with a codec of ours; otherwise the nearest fault.
fn choose(common: &Section<'_>, streams: &[Stream<'_>]) -> Result<Session, SdpFault> {
    let mut fault = SdpFault::NoAudio;
    for (place, stream) in streams.iter().enumerate() {
        if stream.media != "audio" || stream.protocol != "RTP/AVP" || stream.port == 0 {
            continue;
        }
        match describe(common, stream) {
            Ok(media) => {
                let lines = streams.iter().map(Stream::line).collect();
                return Ok(Session { media, lines, audio: place });
            }
            Err(why) => fault = why,
        }
    }
    Err(fault)
}

fn describe(common: &Section<'_>, stream: &Stream<'_>) -> Result<MediaDesc, SdpFault> {
    let section = &stream.section;
    let (codecs, dtmf) = payloads(stream.formats, &section.rtpmaps);
    if codecs.is_empty() {
        return Err(SdpFault::NoCodec);
    }
    let stated = section.direction.or(common.direction).unwrap_or_default();
    let (address, direction) = match section.address.or(common.address) {
        Some(Address::Unicast(ip)) => (ip, stated),
        Some(Address::Nowhere(ip)) => (ip, held(stated)),
        Some(Address::Unusable) | None => return Err(SdpFault::Address),
    };
    let ptime_ms = section.ptime_ms.or(common.ptime_ms).unwrap_or(PTIME_MS);
    Ok(MediaDesc { address, port: stream.port, codecs, dtmf, direction, ptime_ms })
}

/// A stream that nothing can be sent to.
const fn held(stated: Direction) -> Direction {
    match stated {
        Direction::SendRecv | Direction::SendOnly => Direction::SendOnly,
        Direction::RecvOnly | Direction::Inactive => Direction::Inactive,
    }
}

/// The codecs of ours in the order of the formats, and the payload type of telephone-event/8000.
/// A static number whose rtpmap names something else is not ours.
fn payloads(formats: &str, rtpmaps: &[(u8, &str)]) -> (Vec<Codec>, Option<u8>) {
    let (mut codecs, mut dtmf) = (Vec::new(), None);
    let kinds = formats.split_ascii_whitespace().filter_map(|f| f.parse::<u8>().ok());
    for kind in kinds.take(limits::MEDIA_PAYLOADS_MAX) {
        let encoding = rtpmaps.iter().find(|(mapped, _)| *mapped == kind).map(|(_, e)| *e);
        let is = |name: &str| {
            encoding.is_some_and(|e| {
                let e = e.strip_suffix("/1").unwrap_or(e);
                e.eq_ignore_ascii_case(name)
            })
        };
        let codec = match kind {
            0 if encoding.is_none() || is("PCMU/8000") => Some(Codec::Pcmu),
            8 if encoding.is_none() || is("PCMA/8000") => Some(Codec::Pcma),
            _ => None,
        };
        if let Some(codec) = codec.filter(|codec| !codecs.contains(codec)) {
            codecs.push(codec);
        } else if codec.is_none() && kind >= 96 && dtmf.is_none() && is("telephone-event/8000") {
            dtmf = Some(kind);
        }
    }
    (codecs, dtmf)
}

impl Stream<'_> {
    fn line(&self) -> Line {
        Line {
            media: self.media.to_owned(),
            protocol: self.protocol.to_owned(),
            formats: self.formats.trim().to_owned(),
        }
    }
}
