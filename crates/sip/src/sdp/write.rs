//! The writer: our offers and answers, with an o= line whose version grows with each change.

use std::fmt::Write as _;
use std::net::IpAddr;

use model::media::{Codec, Direction, MediaDesc};

use super::Session;

/// The o= line of one leg (RFC 4566 section 5.2, RFC 3264 section 8): one id for the life of the
/// leg, a version that grows exactly when the description changes.
#[derive(Debug, Clone)]
pub struct Origin {
    id: u64,
    version: u64,
    last: Vec<u8>,
}

impl Origin {
    /// A new session, version 1.
    #[must_use]
    pub const fn new(id: u64) -> Self {
        Self { id, version: 0, last: Vec::new() }
    }

    /// Puts the o= line on top of `tail`. The same tail as before gives the same bytes.
    fn seal(&mut self, address: IpAddr, tail: Vec<u8>) -> Vec<u8> {
        if self.version == 0 || self.last != tail {
            self.version += 1;
            self.last = tail;
        }
        let (id, version) = (self.id, self.version);
        let mut out = format!("v=0\r\no=- {id} {version} IN {}\r\n", net(address)).into_bytes();
        out.extend_from_slice(&self.last);
        out
    }
}

/// Our offer of one audio stream.
#[must_use]
pub fn offer(local: &MediaDesc, origin: &mut Origin) -> Vec<u8> {
    let mut tail = String::with_capacity(256);
    session_lines(&mut tail, local);
    audio(&mut tail, local);
    origin.seal(local.address, tail.into_bytes())
}

/// Our answer: as many m= lines as the offer had, in its order, all refused but the audio stream.
#[must_use]
pub fn answer(remote: &Session, local: &MediaDesc, origin: &mut Origin) -> Vec<u8> {
    let mut tail = String::with_capacity(256);
    session_lines(&mut tail, local);
    for (place, line) in remote.lines.iter().enumerate() {
        if place == remote.audio {
            audio(&mut tail, local);
        } else {
            let _ = write!(tail, "m={} 0 {} {}\r\n", line.media, line.protocol, line.formats);
        }
    }
    origin.seal(local.address, tail.into_bytes())
}

fn net(address: IpAddr) -> String {
    match address {
        IpAddr::V4(ip) => format!("IP4 {ip}"),
        IpAddr::V6(ip) => format!("IP6 {ip}"),
    }
}

fn session_lines(out: &mut String, local: &MediaDesc) {
    let _ = write!(out, "s=-\r\nc=IN {}\r\nt=0 0\r\n", net(local.address));
}

fn audio(out: &mut String, local: &MediaDesc) {
    let _ = write!(out, "m=audio {} RTP/AVP", local.port);
    for codec in &local.codecs {
        let _ = write!(out, " {}", codec.payload_type());
    }
    if let Some(dtmf) = local.dtmf {
        let _ = write!(out, " {dtmf}");
    }
    out.push_str("\r\n");
    for codec in &local.codecs {
        let name = match codec {
            Codec::Pcmu => "PCMU",
            Codec::Pcma => "PCMA",
        };
        let _ = write!(out, "a=rtpmap:{} {name}/8000\r\n", codec.payload_type());
    }
    if let Some(dtmf) = local.dtmf {
        let _ = write!(out, "a=rtpmap:{dtmf} telephone-event/8000\r\na=fmtp:{dtmf} 0-16\r\n");
    }
    let direction = match local.direction {
        Direction::SendRecv => "sendrecv",
        Direction::SendOnly => "sendonly",
        Direction::RecvOnly => "recvonly",
        Direction::Inactive => "inactive",
    };
    let _ = write!(out, "a=ptime:{}\r\na={direction}\r\n", local.ptime_ms);
}
