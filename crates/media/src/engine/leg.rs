//! One leg: what it takes from its peer and what it sends.
//!
//! Invariant: taking and sending a packet neither allocates nor locks nor logs.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use model::limits::{FRAME_SAMPLES, SILENT_LISTENING_MS_MAX};
use model::media::{Codec, Direction, KEYS_PAYLOAD_TYPE, LegQuality, MediaDesc, MediaFault, Peer};
use model::{CallId, LegId};

use super::page::{Kind, Page};
use super::plan::Plan;
use super::ports::PortPair;
use super::reception::Reception;
use super::record::Recorder;
use super::report::Reporter;
use crate::dtmf;
use crate::g711;
use crate::jitter::JitterBuffer;
use crate::lock::SourceLock;
use crate::metrics::{Count, Counters};
use crate::recording::tape::Side;
use crate::rtcp::{self, REPORT_BYTES_MAX};
use crate::rtp::{self, HEADER_BYTES, Header, PACKET_BYTES_MAX};
use crate::stream::{OutStream, Source, Stamp};

/// How long the key events of the session before a change are still taken, milliseconds: what is
/// under way when the answer arrives, and the rest of a press.
const OLD_KEYS_MS: u64 = 2_000;
/// Turns of the clock without a packet that a leg waits beyond the length of the last one before it
/// is sent silence (80 ms).
const STARVED_TURNS: u32 = 4;
/// How often silence of a peer in a conversation is told, milliseconds.
const SILENT_TOLD_MS: u64 = 5_000;

/// One point in time in the units the plane works with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    pub(crate) instant: Instant,
    /// Milliseconds since the plane started.
    pub(crate) ms: u64,
    /// 8 kHz samples since the plane started, wrapping.
    pub(crate) samples: u32,
}

impl Now {
    pub(crate) fn read(start: Instant) -> Self {
        let instant = Instant::now();
        let micros = instant.saturating_duration_since(start).as_micros();
        Self { instant, ms: (micros / 1_000) as u64, samples: (micros * 8 / 1_000) as u32 }
    }
}

/// What a datagram brought.
#[derive(Debug)]
pub(crate) enum Taken<'a> {
    Nothing,
    Audio {
        header: Header,
        codec: Codec,
        payload: &'a [u8],
    },
    Key {
        header: Header,
        payload: &'a [u8],
        reception: dtmf::Reception,
    },
    /// A packet of the peer that nobody can use, comfort noise for one (RFC 3389).
    Other {
        header: Header,
    },
}

/// How a leg reaches its peer.
#[derive(Debug)]
pub(crate) enum Wire {
    /// Sockets of its own, plain RTP.
    Rtp(PortPair),
    /// The shared socket of all pages.
    Browser(Box<Page>),
}

/// One leg of either kind.
#[derive(Debug)]
pub(crate) struct Leg {
    pub(crate) id: LegId,
    pub(crate) call: Option<CallId>,
    pub(crate) wire: Wire,
    pub(crate) plan: Plan,
    /// Slots of the legs that hear this one by relay.
    pub(crate) listeners: Vec<u32>,
    /// There while somebody mixes this leg.
    pub(crate) jitter: Option<Box<JitterBuffer>>,
    /// What this leg said in this tick, while somebody mixes it.
    pub(crate) said: [i16; FRAME_SAMPLES],
    /// There while this leg is recorded.
    pub(crate) recorder: Option<Box<Recorder>>,
    /// Turns of the clock for which what was relayed last is enough.
    fed_turns: u32,
    local: MediaDesc,
    lock: SourceLock,
    /// Codecs the peer may send, by payload type.
    accepts: Vec<Codec>,
    /// The codec we send.
    codec: Codec,
    /// Payload type of the key events of the session before, and until when it is taken.
    old_keys: Option<(u8, u64)>,
    /// Payload type of key events that we send, if the peer takes them.
    dtmf_out: Option<u8>,
    sends: bool,
    expects: bool,
    keys: dtmf::Receiver,
    reception: Reception,
    reporter: Reporter,
    /// Bytes of payload sent.
    octets: u64,
    out: OutStream,
    ssrc: u32,
    heard_ms: u64,
    silent_told_ms: u64,
}

impl Leg {
    /// A plain RTP leg on `pair`; answers `remote` where there is one, else describes our offer.
    pub(crate) fn rtp(
        id: LegId,
        pair: PortPair,
        advertise: IpAddr,
        remote: Option<&Peer>,
        now: Now,
    ) -> Result<Self, MediaFault> {
        let local = MediaDesc {
            address: advertise,
            port: pair.port(),
            codecs: Codec::ALL.to_vec(),
            dtmf: Some(KEYS_PAYLOAD_TYPE),
            direction: Direction::SendRecv,
            ptime_ms: 20,
        };
        let mut leg = Self::new(id, Wire::Rtp(pair), local, now)?;
        if let Some(remote) = remote {
            leg.answer(remote, now)?;
            // There is no session before the first.
            leg.old_keys = None;
        }
        Ok(leg)
    }

    /// A browser leg; it sends once its page is up.
    pub(crate) fn browser(
        id: LegId,
        page: Page,
        local: SocketAddr,
        now: Now,
    ) -> Result<Self, MediaFault> {
        let local = MediaDesc {
            address: local.ip(),
            port: local.port(),
            codecs: vec![Codec::Pcmu],
            dtmf: None,
            direction: Direction::SendRecv,
            ptime_ms: 20,
        };
        let keys = page.takes_keys().then_some(KEYS_PAYLOAD_TYPE);
        let leg = Self::new(id, Wire::Browser(Box::new(page)), local, now)?;
        Ok(Self { dtmf_out: keys, ..leg })
    }

    fn new(id: LegId, wire: Wire, local: MediaDesc, now: Now) -> Result<Self, MediaFault> {
        let mut random = [0; 18];
        getrandom::fill(&mut random).map_err(|_| MediaFault::Overloaded)?;
        let word = |at: usize| u32::from_be_bytes([0, 1, 2, 3].map(|n| random[at + n]));
        let sequence = u16::from_be_bytes([random[8], random[9]]);
        let seed = u64::from(word(10)) << 32 | u64::from(word(14));
        Ok(Self {
            id,
            call: None,
            wire,
            plan: Plan::Idle,
            listeners: Vec::new(),
            jitter: None,
            said: [0; FRAME_SAMPLES],
            recorder: None,
            fed_turns: STARVED_TURNS,
            local,
            lock: SourceLock::default(),
            accepts: Vec::new(),
            codec: Codec::Pcmu,
            old_keys: None,
            dtmf_out: None,
            sends: false,
            expects: false,
            keys: dtmf::Receiver::default(),
            reception: Reception::default(),
            reporter: Reporter::new(seed, now),
            octets: 0,
            out: OutStream::new(now.samples, sequence, word(4)),
            ssrc: word(0),
            heard_ms: now.ms,
            silent_told_ms: 0,
        })
    }

    /// Takes the peer's offer and narrows our description to the answer.
    pub(crate) fn answer(&mut self, remote: &Peer, now: Now) -> Result<(), MediaFault> {
        if remote.desc.codecs.is_empty() {
            return Err(MediaFault::NoCodec);
        }
        if remote.desc.port == 0 {
            return Err(MediaFault::BadDescription);
        }
        self.remote(self.local.answering(&remote.desc), remote, now)
    }

    /// Our description as last told.
    pub(crate) fn local(&self) -> &MediaDesc {
        &self.local
    }

    /// The codec we send.
    pub(crate) fn codec(&self) -> Codec {
        self.codec
    }

    /// Takes the session as it was agreed on. Unlocks the source lock where the peer's place is
    /// another.
    ///
    /// # Errors
    /// `BadDescription` when our socket cannot send to the peer's family of addresses; the session
    /// stays as it was.
    pub(crate) fn remote(
        &mut self,
        local: MediaDesc,
        peer: &Peer,
        now: Now,
    ) -> Result<(), MediaFault> {
        let remote = &peer.desc;
        let address = SocketAddr::new(remote.address.to_canonical(), remote.port);
        let reachable = remote.port != 0 && !address.ip().is_unspecified();
        if let Wire::Rtp(pair) = &self.wire
            && reachable
            && !pair.reaches(address.ip())
        {
            return Err(MediaFault::BadDescription);
        }
        if local.dtmf != self.local.dtmf {
            self.old_keys = self.local.dtmf.map(|number| (number, now.ms + OLD_KEYS_MS));
        }
        self.local = local;
        self.lock.signal(now.ms, reachable.then_some(address), peer.signalled_from);
        self.accepts =
            self.local.codecs.iter().copied().filter(|c| remote.codecs.contains(c)).collect();
        // A re-INVITE may bring another codec than the one agreed on first.
        if let Some(first) = remote.codecs.first() {
            self.codec = *first;
            if !self.accepts.contains(first) {
                self.accepts.push(*first);
            }
        }
        self.dtmf_out = remote.dtmf;
        let from_us = matches!(remote.direction, Direction::SendRecv | Direction::RecvOnly);
        let usable = remote.port != 0 && !remote.codecs.is_empty();
        self.sends = usable && reachable && from_us;
        // Who holds us may send music or nothing (RFC 3264 section 8.4).
        self.expects = usable && reachable && remote.direction == Direction::SendRecv;
        self.hear_from(now);
        Ok(())
    }

    /// A sign of life of the peer: the silence watchdog begins anew.
    pub(crate) fn hear_from(&mut self, now: Now) {
        (self.heard_ms, self.silent_told_ms) = (now.ms, 0);
    }

    /// Reads one datagram: refuses what is not ours, keeps the figures.
    pub(crate) fn take<'a>(
        &mut self,
        now: Now,
        source: SocketAddr,
        datagram: &'a [u8],
        counters: &Counters,
    ) -> Taken<'a> {
        let refuse = |reception: &mut Reception, why| {
            reception.refused += 1;
            counters.count(why);
            Taken::Nothing
        };
        let Ok((header, payload)) = rtp::parse(datagram) else {
            // What keeps a translation's port open is often no whole packet (RFC 6263 section 4).
            if self.lock.hear(now.ms, source) {
                self.hear_from(now);
            }
            return refuse(&mut self.reception, Count::Malformed);
        };
        let codec = self.accepts.iter().copied().find(|c| c.payload_type() == header.payload_type);
        if codec.is_none() && !self.is_key(now, header.payload_type) {
            if self.lock.hear(now.ms, source) {
                return self.take_other(now, header, counters);
            }
            return refuse(&mut self.reception, Count::PayloadType);
        }
        // At 8 kHz a millisecond is 8 bytes of G.711; a key press has no length of its own.
        let packet_ms = codec.map_or(0, |_| payload.len() as u64 / 8);
        if !self.lock.admit(now.ms, source, &header, packet_ms) {
            return refuse(&mut self.reception, Count::Stranger);
        }
        counters.count(Count::PacketsIn);
        self.hear_from(now);
        self.reception.take(now.samples, &header, codec.is_some());
        match codec {
            Some(codec) => {
                self.keep_said(now, &header, codec, payload);
                Taken::Audio { header, codec, payload }
            }
            None => {
                let reception = self.receive_key(now, &header, payload, counters);
                Taken::Key { header, payload, reception }
            }
        }
    }

    /// A packet of a payload type that was not agreed on: a sign of life, and no loss where it is
    /// part of the stream that is heard.
    fn take_other<'a>(&mut self, now: Now, header: Header, counters: &Counters) -> Taken<'a> {
        self.hear_from(now);
        counters.count(Count::PayloadType);
        self.reception.refused += 1;
        if self.reception.heard().is_none_or(|heard| heard.ssrc != header.ssrc) {
            return Taken::Nothing;
        }
        self.reception.take(now.samples, &header, false);
        Taken::Other { header }
    }

    fn is_key(&self, now: Now, payload_type: u8) -> bool {
        self.local.dtmf == Some(payload_type)
            || self.old_keys.is_some_and(|(old, until)| old == payload_type && now.ms < until)
    }

    fn receive_key(
        &mut self,
        now: Now,
        header: &Header,
        payload: &[u8],
        counters: &Counters,
    ) -> dtmf::Reception {
        let reception = self.keys.receive(now.ms, header.timestamp, payload);
        if reception == dtmf::Reception::Refused {
            counters.count(Count::Digit);
        }
        reception
    }

    /// Takes a frame of its page. `header` names the page's present stream.
    pub(crate) fn take_frame(
        &mut self,
        now: Now,
        header: &Header,
        payload: &[u8],
        counters: &Counters,
    ) {
        counters.count(Count::PacketsIn);
        self.reception.take(now.samples, header, true);
        self.keep_said(now, header, Codec::Pcmu, payload);
    }

    /// Takes a packet of a key press of its page.
    pub(crate) fn take_key(
        &mut self,
        now: Now,
        header: &Header,
        payload: &[u8],
        counters: &Counters,
    ) -> dtmf::Reception {
        counters.count(Count::PacketsIn);
        self.reception.take(now.samples, header, false);
        self.receive_key(now, header, payload, counters)
    }

    /// Keeps what was said for whoever mixes and for the recorder.
    fn keep_said(&mut self, now: Now, header: &Header, codec: Codec, payload: &[u8]) {
        if let Some(jitter) = &mut self.jitter {
            jitter.push(header.ssrc, header.timestamp, codec, payload);
        }
        if let Some(recorder) = &mut self.recorder {
            let at = (header.ssrc, header.timestamp);
            recorder.tape.write(now.samples, Side::Said, at, codec, payload);
        }
    }

    /// The page was loaded anew: nothing can be sent before it is up.
    ///
    /// # Errors
    /// `BadDescription` when this is no browser leg.
    pub(crate) fn renew_page(&mut self, page: Page) -> Result<(), MediaFault> {
        let Wire::Browser(old) = &mut self.wire else { return Err(MediaFault::BadDescription) };
        self.dtmf_out = page.takes_keys().then_some(KEYS_PAYLOAD_TYPE);
        // The presses of the new page have a clock of their own.
        self.keys = dtmf::Receiver::default();
        **old = page;
        self.sends = false;
        Ok(())
    }

    /// Whether anything can be sent: the page came up or went down.
    pub(crate) fn page_is_up(&mut self, up: bool) {
        self.sends = up;
    }

    /// Passes on another leg's packet of sound at once.
    pub(crate) fn relay_audio(
        &mut self,
        now: Now,
        source: Source,
        (header, codec, payload): (Header, Codec, &[u8]),
        counters: &Counters,
    ) {
        self.fed_turns = STARVED_TURNS + payload.len().div_ceil(FRAME_SAMPLES) as u32;
        if !self.sends {
            return;
        }
        let samples = payload.len() as u32;
        let Some(stamp) = self.out.relay(now.samples, source, &header, samples) else { return };
        let mut datagram = [0; PACKET_BYTES_MAX];
        let end = HEADER_BYTES + payload.len().min(PACKET_BYTES_MAX - HEADER_BYTES);
        g711::transcode_slice(codec, payload, self.codec, &mut datagram[HEADER_BYTES..end]);
        self.send(now, stamp, Kind::Sound, &mut datagram[..end], counters);
        self.record_heard(now, stamp, &datagram[HEADER_BYTES..end]);
    }

    /// Passes on another leg's key event, if the peer takes such events.
    pub(crate) fn relay_key(
        &mut self,
        now: Now,
        source: Source,
        (header, payload): (Header, &[u8]),
        counters: &Counters,
    ) {
        let (true, true, Some(payload)) =
            (self.dtmf_out.is_some(), self.sends, payload.first_chunk::<{ dtmf::EVENT_BYTES }>())
        else {
            self.out.skip(source, header.sequence);
            return;
        };
        self.fed_turns = STARVED_TURNS + 1;
        let Some(stamp) = self.out.press(now.samples, source, &header) else { return };
        let mut datagram = [0; HEADER_BYTES + dtmf::EVENT_BYTES];
        datagram[HEADER_BYTES..].copy_from_slice(payload);
        self.send(now, stamp, Kind::Key, &mut datagram, counters);
    }

    /// A packet of another leg that is not passed on.
    pub(crate) fn skip(&mut self, source: Source, sequence: u16) {
        self.out.skip(source, sequence);
    }

    /// One turn of the clock. Whether what was relayed last is over, and nothing came since. A turn
    /// counts once however late it is: what came during a stall of ours waits in the socket.
    pub(crate) fn starves(&mut self) -> bool {
        let starves = self.fed_turns == 0;
        self.fed_turns = self.fed_turns.saturating_sub(1);
        starves
    }

    /// Sends one frame made by the clock, in our codec. It was due at `due` (our clock in samples).
    pub(crate) fn send_frame(
        &mut self,
        (now, due): (Now, u32),
        source: Source,
        frame: &[u8; FRAME_SAMPLES],
        counters: &Counters,
    ) {
        if !self.sends {
            return;
        }
        let stamp = self.out.clocked(due, source, FRAME_SAMPLES as u32);
        let mut datagram = [0; HEADER_BYTES + FRAME_SAMPLES];
        datagram[HEADER_BYTES..].copy_from_slice(frame);
        self.send(now, stamp, Kind::Sound, &mut datagram, counters);
        self.record_heard(now, stamp, frame);
    }

    fn record_heard(&mut self, now: Now, stamp: Stamp, sound: &[u8]) {
        if let Some(recorder) = &mut self.recorder {
            let at = (self.ssrc, stamp.timestamp);
            recorder.tape.write(now.samples, Side::Heard, at, self.codec, sound);
        }
    }

    /// Sends what is in `datagram` behind the room for a header.
    fn send(
        &mut self,
        now: Now,
        stamp: Stamp,
        kind: Kind,
        datagram: &mut [u8],
        counters: &Counters,
    ) {
        let sent = match &mut self.wire {
            Wire::Browser(page) => page.send(now, stamp, kind, &datagram[HEADER_BYTES..]),
            Wire::Rtp(pair) => {
                let Some(target) = self.lock.target() else { return };
                let payload_type = match kind {
                    Kind::Sound => self.codec.payload_type(),
                    Kind::Key => self.dtmf_out.unwrap_or(KEYS_PAYLOAD_TYPE),
                };
                let header = Header {
                    marker: stamp.marker,
                    payload_type,
                    sequence: stamp.sequence,
                    timestamp: stamp.timestamp,
                    ssrc: self.ssrc,
                };
                datagram[..HEADER_BYTES].copy_from_slice(&header.to_bytes());
                pair.rtp().send_to(datagram, target).is_ok()
            }
        };
        if sent {
            self.reception.sent += 1;
            self.octets += (datagram.len() - HEADER_BYTES) as u64;
            counters.count(Count::PacketsOut);
        } else {
            counters.count(Count::SendFailed);
        }
    }

    /// Reports to the peer of a plain leg when it is time. The stack of a page does so itself.
    pub(crate) fn report(&mut self, now: Now, counters: &Counters) {
        let Wire::Rtp(pair) = &self.wire else { return };
        if !self.reporter.is_due(now) || self.call.is_none() {
            return;
        }
        let (Some(rtcp), Some(target)) = (pair.rtcp(), self.lock.target()) else { return };
        let above = target.port().checked_add(1).map(|port| SocketAddr::new(target.ip(), port));
        // A peer behind an address translation is told where its own reports come from.
        let known = self.reporter.peer.filter(|peer| peer.ip() == target.ip());
        let Some(to) = known.or(above) else { return };
        let stream = (self.ssrc, self.out.clock(now.samples));
        let sent = (self.reception.sent, self.octets);
        let report = self.reporter.report(now, stream, sent, self.reception.heard());
        let Some(report) = report else { return };
        let mut bytes = [0; REPORT_BYTES_MAX];
        let length = report.write(&mut bytes);
        if rtcp.send_to(&bytes[..length], to).is_ok() {
            counters.count(Count::ReportsOut);
        }
    }

    /// Takes a report of the peer, from its address alone.
    pub(crate) fn take_report(
        &mut self,
        now: Now,
        source: SocketAddr,
        datagram: &[u8],
        counters: &Counters,
    ) {
        if self.lock.target().is_none_or(|target| target.ip() != source.ip()) {
            return counters.count(Count::Stranger);
        }
        let Ok(time) = rtcp::parse(datagram) else { return counters.count(Count::Malformed) };
        counters.count(Count::ReportsIn);
        self.hear_from(now);
        self.reporter.take(now, source, time);
    }

    /// Milliseconds without a packet, while the peer should send: every few seconds in a
    /// conversation, after minutes where the leg only listens.
    pub(crate) fn silent(&mut self, now: Now) -> Option<u64> {
        let every_ms = if self.plan.is_conversation() {
            SILENT_TOLD_MS
        } else {
            SILENT_LISTENING_MS_MAX.unsigned_abs()
        };
        let silent = now.ms.saturating_sub(self.heard_ms);
        if !self.expects || silent < self.silent_told_ms + every_ms {
            return None;
        }
        self.silent_told_ms = silent - silent % every_ms;
        Some(silent)
    }

    /// The figures so far.
    pub(crate) fn quality(&self) -> LegQuality {
        self.reception.quality()
    }
}
