//! One browser leg: what comes in from the socket, what goes out, what the page says and hears.
//!
//! Invariant: once a leg has failed or closed it says `Down` exactly once and is deaf and mute.

use std::fmt;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use model::limits;
use model::media::MediaFault;
use str0m::change::SdpOffer;
use str0m::error::RtcError;
use str0m::media::Pt;
use str0m::net::{Protocol, Receive};
use str0m::rtp::{RtpPacket, RtpWrite};
use str0m::{Candidate, Event, IceConnectionState, Input, Output, Rtc};

use super::offer;
use super::stack::{Negotiated, build, negotiated};

const CONNECT_WITHIN: Duration = Duration::from_secs(limits::PHONE_CONNECT_S_MAX);

/// What a leg gives to the media thread while it is polled.
#[derive(Debug)]
pub enum BrowserOut<'a> {
    /// Send these bytes over the shared socket.
    Transmit {
        /// Where to.
        to: SocketAddr,
        /// The datagram.
        bytes: &'a [u8],
    },
    /// The page sent audio. Frames come as they arrive: late, early, doubled ones are left out by
    /// SRTP, order is for the jitter buffer.
    Frame {
        /// RTP timestamp at 8 kHz.
        timestamp: u32,
        /// Sequence number, extended over wraps.
        sequence: u64,
        /// G.711 mu-law, 160 bytes for 20 ms as a rule.
        payload: &'a [u8],
    },
    /// The page sent a packet of a key press (RFC 4733); each press comes as several.
    Key {
        /// The first packet of the press.
        marker: bool,
        /// RTP timestamp of the press at 8 kHz, in the stream of the audio.
        timestamp: u32,
        /// Sequence number in the stream of the audio, extended over wraps.
        sequence: u64,
        /// The event as it came; see [`crate::dtmf::Event::parse`].
        payload: &'a [u8],
    },
    /// Media flows from now on.
    Up,
    /// The leg is over, for the first and only time.
    Down,
}

/// Where a leg is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// ICE and DTLS have this long.
    Connecting { until: Instant },
    /// Media flows.
    Up,
    /// Ended, `Down` not yet told.
    Ending,
    /// Ended and told.
    Over,
}

/// Where media goes: to where the page's newest authenticated packet came from.
///
/// The stack alone would send to the old address for 15 s after a NAT or a network has changed in
/// mid-call, because a lite agent waits for a nomination. An address counts only if it has shown
/// the leg's password too.
#[derive(Debug, Default)]
struct Path {
    to: Option<SocketAddr>,
    newest: u64,
}

impl Path {
    fn heard(&mut self, from: Option<SocketAddr>, sequence: u64) {
        if self.to.is_none() || sequence > self.newest {
            self.newest = sequence;
            self.to = from;
        }
    }

    /// The destination of one datagram; only SRTP and SRTCP (RFC 7983 section 7) are led away.
    fn lead(&self, bytes: &[u8], nominated: SocketAddr) -> SocketAddr {
        let is_media = bytes.first().is_some_and(|first| (128..192).contains(first));
        self.to.filter(|_| is_media).unwrap_or(nominated)
    }
}

/// The media of one browser tab.
///
/// After each [`receive`](Self::receive) or [`send_frame`](Self::send_frame), and when the instant
/// that [`poll`](Self::poll) returned has come, poll: nothing leaves the leg otherwise.
pub struct BrowserLeg {
    rtc: Rtc,
    ufrag: String,
    phase: Phase,
    media: Negotiated,
    next_sequence: u64,
    /// Where the last datagram that was not STUN came from.
    source: Option<SocketAddr>,
    path: Path,
    /// Up to when the stack has seen time pass; `None` when something was queued since.
    clock: Option<Instant>,
}

impl BrowserLeg {
    /// A leg for the page's offer, and our answer: PCMU, and telephone-event if offered.
    ///
    /// `local` is the address that the page shall send to, as advertised; `receive` must be given
    /// the same as destination. Takes more than a millisecond of CPU, most of it self-tests of the
    /// DTLS library: make legs elsewhere and move them to the media thread.
    ///
    /// # Errors
    /// `BadDescription` when the offer is not one audio section with ICE and a fingerprint, at most
    /// 16 kB; `NoCodec` when PCMU is not in it.
    pub fn answer(
        offer_sdp: &str,
        local: SocketAddr,
        now: Instant,
    ) -> Result<(Self, String), MediaFault> {
        // The parser of the stack is guarded: an offer is text from outside.
        catch_unwind(|| {
            let offer = offer::parse(offer_sdp)?;
            Self::accept(offer, local, now)
        })
        .unwrap_or(Err(MediaFault::BadDescription))
    }

    fn accept(
        offer: SdpOffer,
        local: SocketAddr,
        now: Instant,
    ) -> Result<(Self, String), MediaFault> {
        let mut rtc = build(now)?;
        let ufrag = rtc.direct_api().local_ice_credentials().ufrag;
        let candidate = Candidate::host(local, "udp").map_err(|_| MediaFault::BadDescription)?;
        rtc.add_local_candidate(candidate);
        let answer = rtc.sdp_api().accept_offer(offer).map_err(|fault| {
            tracing::debug!(%fault, "a page's offer is refused");
            MediaFault::BadDescription
        })?;
        let answer = answer.to_sdp_string();
        let media = negotiated(&rtc, &answer)?;
        // A random start below 2^15: the roll-over counter of SRTP begins at 0 on both sides.
        let next_sequence = u64::from(*rtc.direct_api().new_ssrc() & 0x7fff);
        let phase = Phase::Connecting { until: now + CONNECT_WITHIN };
        let leg = Self {
            rtc,
            ufrag,
            phase,
            media,
            next_sequence,
            source: None,
            path: Path::default(),
            clock: None,
        };
        Ok((leg, answer))
    }

    /// Our ICE user fragment: binding requests for this leg carry it.
    #[must_use]
    pub fn ufrag(&self) -> &str {
        &self.ufrag
    }

    /// Takes a datagram and tells whether its source has proved itself: by the leg's password
    /// (STUN), or by an address that had done so before. Only then may the caller learn that
    /// datagrams from `source` belong to this leg.
    ///
    /// DTLS, RTP and RTCP from anyone else are ignored, so that nobody can race the page's
    /// handshake (the fault behind CVE-2023-49786).
    pub fn receive(
        &mut self,
        now: Instant,
        source: SocketAddr,
        destination: SocketAddr,
        datagram: &[u8],
    ) -> bool {
        if !self.is_alive() {
            return false;
        }
        let accepted = self.guarded(|rtc| {
            let Ok(received) = Receive::new(Protocol::Udp, source, destination, datagram) else {
                return Ok(false);
            };
            let input = Input::Receive(now, received);
            if !rtc.accepts(&input) {
                return Ok(false);
            }
            rtc.handle_input(input).map(|()| true)
        });
        let accepted = accepted.unwrap_or(false);
        if accepted {
            self.clock = Some(now);
            if datagram.first().is_some_and(|first| *first >= 20) {
                self.source = Some(source);
            }
        }
        accepted
    }

    /// Queues one frame for the page: `timestamp` at 8 kHz, `payload` in mu-law, `marker` on the
    /// first frame after a gap (RFC 3551 section 4.1). Before the leg is up frames are dropped.
    pub fn send_frame(&mut self, now: Instant, timestamp: u32, payload: &[u8], marker: bool) {
        self.send(now, self.media.audio, (timestamp, payload, marker));
    }

    /// Whether the page takes key events.
    #[must_use]
    pub fn takes_keys(&self) -> bool {
        self.media.keys.is_some()
    }

    /// Queues one packet of a key press: `timestamp` is that of the press, `payload` the event,
    /// `marker` is set on the first packet. Dropped when the page takes no keys.
    pub fn send_key(&mut self, now: Instant, timestamp: u32, payload: &[u8], marker: bool) {
        if let Some(keys) = self.media.keys {
            self.send(now, keys, (timestamp, payload, marker));
        }
    }

    fn send(&mut self, now: Instant, pt: Pt, (timestamp, payload, marker): (u32, &[u8], bool)) {
        if self.phase != Phase::Up {
            return;
        }
        let mid = self.media.mid;
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        self.guarded(|rtc| {
            if let Some(stream) = rtc.direct_api().stream_tx_by_mid(mid, None) {
                let frame = RtpWrite::new(pt, sequence.into(), timestamp, now, payload);
                stream.write_rtp(frame.marker(marker));
            }
            Ok(())
        });
        self.clock = None;
    }

    /// Moves the leg to `now`, gives out everything it has to say and returns when to poll again
    /// at the latest.
    pub fn poll(&mut self, now: Instant, out: &mut dyn FnMut(BrowserOut<'_>)) -> Instant {
        // The stack does all its housekeeping at each step of time: once per instant is enough.
        if self.is_alive() && self.clock != Some(now) {
            self.guarded(|rtc| rtc.handle_input(Input::Timeout(now)));
            self.clock = Some(now);
        }
        loop {
            if let Phase::Connecting { until } = self.phase
                && until <= now
            {
                self.phase = Phase::Ending;
            }
            if self.phase == Phase::Ending {
                self.phase = Phase::Over;
                out(BrowserOut::Down);
            }
            if self.phase == Phase::Over {
                return now + CONNECT_WITHIN;
            }
            match self.guarded(Rtc::poll_output) {
                Some(Output::Timeout(at)) if self.is_alive() => {
                    return match self.phase {
                        Phase::Connecting { until } => at.min(until),
                        _ => at,
                    };
                }
                Some(Output::Timeout(_)) | None => {}
                Some(Output::Transmit(datagram)) => out(BrowserOut::Transmit {
                    to: self.path.lead(&datagram.contents, datagram.destination),
                    bytes: &datagram.contents,
                }),
                Some(Output::Event(event)) => self.take(&event, out),
            }
        }
    }

    fn take(&mut self, event: &Event, out: &mut dyn FnMut(BrowserOut<'_>)) {
        match event {
            Event::RtpPacket(packet) => self.take_packet(packet, out),
            Event::Connected => {
                self.phase = Phase::Up;
                out(BrowserOut::Up);
            }
            Event::Closed | Event::IceConnectionStateChange(IceConnectionState::Disconnected) => {
                self.phase = Phase::Ending;
            }
            _ => {}
        }
    }

    fn take_packet(&mut self, packet: &RtpPacket, out: &mut dyn FnMut(BrowserOut<'_>)) {
        let RtpPacket { header, payload, .. } = packet;
        self.path.heard(self.source, *packet.seq_no);
        if header.payload_type == self.media.audio {
            out(BrowserOut::Frame {
                timestamp: header.timestamp,
                sequence: *packet.seq_no,
                payload,
            });
        } else if Some(header.payload_type) == self.media.keys {
            out(BrowserOut::Key {
                marker: header.marker,
                timestamp: header.timestamp,
                sequence: *packet.seq_no,
                payload,
            });
        }
    }

    /// Whether datagrams and frames still matter.
    fn is_alive(&self) -> bool {
        matches!(self.phase, Phase::Connecting { .. } | Phase::Up)
    }

    /// Runs the stack; its error or panic ends this leg and no other.
    fn guarded<T>(&mut self, run: impl FnOnce(&mut Rtc) -> Result<T, RtcError>) -> Option<T> {
        let rtc = &mut self.rtc;
        let fault = match catch_unwind(AssertUnwindSafe(|| run(rtc))) {
            Ok(Ok(value)) if self.rtc.is_alive() => return Some(value),
            Ok(Ok(_)) => "closed".to_owned(),
            Ok(Err(fault)) => fault.to_string(),
            Err(_) => "panic".to_owned(),
        };
        if self.is_alive() {
            tracing::debug!(ufrag = self.ufrag, fault, "a browser leg ends");
            self.phase = Phase::Ending;
        }
        None
    }
}

impl fmt::Debug for BrowserLeg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BrowserLeg")
            .field("ufrag", &self.ufrag)
            .field("phase", &self.phase)
            .finish_non_exhaustive()
    }
}
