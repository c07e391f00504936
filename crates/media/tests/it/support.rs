//! A plane on loopback and peers that speak RTP to it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use media::rtp::{self, Header};
use media::{MediaConfig, MediaHandle, g711};
use model::id::Id;
use model::media::{
    ClipId, Codec, Direction, Graph, Hears, MediaCommand, MediaDesc, MediaEvent, MediaFault,
    RecordWish,
};
use model::{CallId, LegId, TenantId};
use tokio::sync::mpsc::{Receiver, channel, error::TryRecvError};
use uuid::Uuid;

/// Longest time anything on loopback may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// Time in which something that must not come would have come.
pub(crate) const QUIET: Duration = Duration::from_millis(150);
/// Silence of a peer that is no delay of the machine; a listener that gets nothing is sent silence
/// soon after.
pub(crate) const PAUSE: Duration = Duration::from_millis(60);
/// Payload type of key events in these tests.
pub(crate) const KEYS: u8 = 101;

static IDS: AtomicU64 = AtomicU64::new(1);

/// A new id of any kind.
pub(crate) fn id<T: Id>() -> T {
    T::from_uuid(Uuid::from_u128(u128::from(IDS.fetch_add(1, Ordering::Relaxed))))
}

/// 20 ms of a rising tone that belongs to `voice` alone, number `n`.
pub(crate) fn chirp(voice: u32, n: u32) -> [i16; 160] {
    std::array::from_fn(|sample| {
        let t = f64::from(n * 160 + sample as u32) / 8_000.0;
        let phase = 2.0 * std::f64::consts::PI * (200.0 + 170.0 * f64::from(voice) + 90.0 * t) * t;
        (8_000.0 * phase.sin()) as i16
    })
}

/// The same in a codec.
pub(crate) fn spoken(codec: Codec, voice: u32, n: u32) -> Vec<u8> {
    chirp(voice, n).iter().map(|sample| g711::encode(codec, *sample)).collect()
}

/// A media plane with its events.
pub(crate) struct Plane {
    pub(crate) handle: MediaHandle,
    pub(crate) events: Receiver<MediaEvent>,
    /// Events that were passed over while another was waited for.
    pub(crate) seen: Vec<MediaEvent>,
}

impl Plane {
    pub(crate) fn start() -> Self {
        Self::start_with(|_| {})
    }

    pub(crate) fn start_with(change: impl FnOnce(&mut MediaConfig)) -> Self {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let mut config = MediaConfig {
            bind: loopback,
            advertise: loopback,
            rtp_ports: 0..=0,
            browser: SocketAddr::new(loopback, 0),
            browser_advertise: None,
            threads: 0,
            realtime: false,
        };
        change(&mut config);
        let (sender, events) = channel(1_024);
        let handle = media::start(config, sender).expect("the plane starts");
        Self { handle, events, seen: Vec::new() }
    }

    pub(crate) fn send(&self, command: MediaCommand) {
        self.handle.send(command).expect("room for a command");
    }

    /// The first event that `pick` takes, from now on or passed over before.
    pub(crate) fn wait<T>(&mut self, mut pick: impl FnMut(&MediaEvent) -> Option<T>) -> T {
        if let Some(at) = self.seen.iter().position(|event| pick(event).is_some()) {
            return pick(&self.seen.remove(at)).expect("picked a moment ago");
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.events.try_recv() {
                Ok(event) => match pick(&event) {
                    Some(picked) => return picked,
                    None => self.seen.push(event),
                },
                Err(TryRecvError::Empty) => {
                    assert!(Instant::now() < deadline, "no such event; seen {:?}", self.seen);
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(TryRecvError::Disconnected) => panic!("the plane is gone; {:?}", self.seen),
            }
        }
    }

    /// Waits until everything sent before was carried out: what nobody hears may wait for a tick.
    pub(crate) fn settle(&mut self) {
        let call: CallId = id();
        let graph = Graph::default();
        self.send(MediaCommand::Graph { call, tenant: id(), rev: 1, graph, recording_file: None });
        self.wait(|event| {
            matches!(event, MediaEvent::Applied { call: applied, .. } if *applied == call)
                .then_some(())
        });
        self.send(MediaCommand::CallEnded { call });
    }

    /// All events until now.
    pub(crate) fn drain(&mut self) -> Vec<MediaEvent> {
        while let Ok(event) = self.events.try_recv() {
            self.seen.push(event);
        }
        std::mem::take(&mut self.seen)
    }

    /// A new peer whose leg answered its offer of `codec`.
    pub(crate) fn peer(&mut self, voice: u32, codec: Codec) -> Peer {
        let mut peer = Peer::new(voice, codec);
        let leg = peer.leg;
        let local = loop {
            self.send(MediaCommand::Prepare { leg, remote: Some(peer.desc().into()) });
            let answered = self.wait(|event| match event {
                MediaEvent::Prepared { leg: l, local } if *l == leg => Some(Some(local.clone())),
                // A machine that is busy with many tests sheds load; a caller would ring again.
                MediaEvent::PrepareFailed { leg: l, why: MediaFault::Overloaded } if *l == leg => {
                    Some(None)
                }
                _ => None,
            });
            if let Some(local) = answered {
                break local;
            }
            std::thread::sleep(Duration::from_millis(100));
        };
        assert_eq!(local.codecs, [codec]);
        peer.server = SocketAddr::new(local.address, local.port);
        peer
    }

    pub(crate) fn prepared(&mut self, leg: LegId) -> MediaDesc {
        self.wait(|event| match event {
            MediaEvent::Prepared { leg: prepared, local } if *prepared == leg => {
                Some(local.clone())
            }
            _ => None,
        })
    }

    /// States a graph and waits until it is in force.
    pub(crate) fn graph(&mut self, call: CallId, rev: u64, hears: &[(&Peer, Hears)]) {
        self.graph_recorded(call, rev, hears, None);
    }

    pub(crate) fn graph_recorded(
        &mut self,
        call: CallId,
        rev: u64,
        hears: &[(&Peer, Hears)],
        record: Option<(RecordWish, std::path::PathBuf)>,
    ) {
        let hears = hears.iter().map(|(peer, hears)| (peer.leg, hears.clone())).collect();
        let (record, recording_file) = record.unzip();
        let graph = Graph { hears, record };
        let tenant = TenantId::from_uuid(Uuid::from_u128(7));
        self.send(MediaCommand::Graph { call, tenant, rev, graph, recording_file });
        self.wait(|event| match event {
            MediaEvent::Applied { call: c, rev: r } if (*c, *r) == (call, rev) => Some(()),
            _ => None,
        });
    }

    /// Connects two peers with each other.
    pub(crate) fn connect(&mut self, call: CallId, rev: u64, a: &Peer, b: &Peer) {
        self.graph(call, rev, &[(a, hears(&[b])), (b, hears(&[a]))]);
    }

    /// Makes a sound known and gives its name.
    pub(crate) fn clip(&self, samples: &[i16]) -> ClipId {
        let clip = ClipId::from_digest([IDS.fetch_add(1, Ordering::Relaxed) as u8; 32]);
        self.send(MediaCommand::Clip { clip, samples: Arc::from(samples) });
        clip
    }
}

pub(crate) fn hears(peers: &[&Peer]) -> Hears {
    Hears::Legs(peers.iter().map(|peer| peer.leg).collect())
}

/// One far end.
pub(crate) struct Peer {
    pub(crate) leg: LegId,
    pub(crate) voice: u32,
    pub(crate) codec: Codec,
    pub(crate) socket: UdpSocket,
    pub(crate) server: SocketAddr,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) ssrc: u32,
    /// The next frame of the chirp.
    pub(crate) frame: u32,
    /// When it said the last one.
    said: Instant,
}

/// A packet that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) header: Header,
    pub(crate) payload: Vec<u8>,
}

impl Heard {
    /// Whether it is a frame of silence.
    pub(crate) fn is_silence(&self) -> bool {
        let silence =
            if self.header.payload_type == 8 { g711::A_SILENCE } else { g711::MU_SILENCE };
        self.payload.iter().all(|byte| *byte == silence)
    }
}

impl Peer {
    pub(crate) fn new(voice: u32, codec: Codec) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
        let server = socket.local_addr().expect("an address");
        Self {
            leg: id(),
            voice,
            codec,
            socket,
            server,
            sequence: 65_500 + voice as u16,
            timestamp: u32::MAX - 2_000 * voice,
            ssrc: 0x1000 + voice,
            frame: 0,
            said: Instant::now(),
        }
    }

    pub(crate) fn desc(&self) -> MediaDesc {
        let address = self.socket.local_addr().expect("an address");
        MediaDesc {
            address: address.ip(),
            port: address.port(),
            codecs: vec![self.codec],
            dtmf: Some(KEYS),
            direction: Direction::SendRecv,
            ptime_ms: 20,
        }
    }

    fn header(&self, payload_type: u8, marker: bool) -> Header {
        let (sequence, timestamp, ssrc) = (self.sequence, self.timestamp, self.ssrc);
        Header { marker, payload_type, sequence, timestamp, ssrc }
    }

    pub(crate) fn send_raw(&self, bytes: &[u8]) {
        self.socket.send_to(bytes, self.server).expect("loopback takes it");
    }

    pub(crate) fn send_packet(&mut self, payload_type: u8, marker: bool, payload: &[u8]) {
        let mut bytes = self.header(payload_type, marker).to_bytes().to_vec();
        bytes.extend_from_slice(payload);
        self.send_raw(&bytes);
        self.sequence = self.sequence.wrapping_add(1);
    }

    /// Says the next 20 ms of its chirp and gives what was said, encoded.
    pub(crate) fn say(&mut self) -> Vec<u8> {
        // A telephone's clock goes on while it says nothing.
        let silent = self.said.elapsed();
        if self.frame > 0 && silent > PAUSE {
            let samples = silent.as_millis() as u32 * 8 - 160;
            self.timestamp = self.timestamp.wrapping_add(samples);
        }
        self.said = Instant::now();
        let payload = spoken(self.codec, self.voice, self.frame);
        self.send_packet(self.codec.payload_type(), self.frame == 0, &payload);
        self.frame += 1;
        self.timestamp = self.timestamp.wrapping_add(160);
        payload
    }

    /// Presses a key for 100 ms, all packets at once.
    pub(crate) fn press(&mut self, key: char) {
        self.press_as(KEYS, key);
    }

    /// The same with another payload type.
    pub(crate) fn press_as(&mut self, payload_type: u8, key: char) {
        for (marker, payload) in media::dtmf::Sender::new(key, 100, 20).expect("a key") {
            self.send_packet(payload_type, marker, &payload);
        }
        self.timestamp = self.timestamp.wrapping_add(800);
    }

    /// The next packet, if one comes within `time`.
    pub(crate) fn hear_within(&self, time: Duration) -> Option<Heard> {
        self.socket.set_read_timeout(Some(time.max(Duration::from_millis(1)))).expect("a time");
        let mut buffer = [0; 2_000];
        let (length, source) = self.socket.recv_from(&mut buffer).ok()?;
        assert_eq!(source, self.server, "symmetric RTP");
        let (header, payload) = rtp::parse(&buffer[..length]).expect("RTP");
        Some(Heard { header, payload: payload.to_vec() })
    }

    /// The next packet.
    pub(crate) fn hear(&self) -> Heard {
        self.hear_within(PATIENCE).expect("a packet in time")
    }

    /// The next packet that `wanted` takes; others are passed over.
    pub(crate) fn hear_until(&self, mut wanted: impl FnMut(&Heard) -> bool) -> Heard {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let heard = self.hear();
            if wanted(&heard) {
                return heard;
            }
            assert!(Instant::now() < deadline, "it never came");
        }
    }

    /// Forgets what has come so far.
    pub(crate) fn flush(&self) {
        while self.hear_within(Duration::from_millis(1)).is_some() {}
    }
}
