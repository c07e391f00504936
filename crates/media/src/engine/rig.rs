//! A worker without its loop: tests turn its clock and its time by hand.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::id::Id as _;
use model::media::{
    Codec, Direction, Graph, Hears, KEYS_PAYLOAD_TYPE, MediaCommand, MediaDesc, MediaEvent,
};
use model::{CallId, LegId, TenantId};
use tokio::sync::mpsc::{Receiver, channel};
use uuid::Uuid;

use super::MediaConfig;
use super::leg::Now;
use super::maker::Maker;
use super::outbox::Outbox;
use super::page::Pages;
use super::record::Tray;
use super::worker::Worker;
use crate::metrics::Counters;
use crate::recording::writer::Writer;
use crate::rtp::{self, Header};
use crate::sys::Waker;
use crate::vital::Vitals;

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

pub(crate) fn leg(n: u128) -> LegId {
    LegId::from_uuid(Uuid::from_u128(n))
}

pub(crate) fn call(n: u128) -> CallId {
    CallId::from_uuid(Uuid::from_u128(n))
}

/// See the module.
pub(crate) struct Rig {
    pub(crate) worker: Worker,
    pub(crate) events: Receiver<MediaEvent>,
    pub(crate) writer: Writer,
}

impl Rig {
    pub(crate) fn new() -> Self {
        let config = MediaConfig {
            bind: LOOPBACK,
            advertise: LOOPBACK,
            rtp_ports: 0..=0,
            browser: (LOOPBACK, 0).into(),
            browser_advertise: None,
            threads: 1,
            realtime: false,
        };
        let (sender, events) = channel(100);
        let (writer, link) = Writer::start(sender.clone(), &Vitals::new()).expect("threads");
        let counters = Arc::new(Counters::default());
        let maker = Arc::new(Maker::new(&config, Arc::clone(&counters)));
        let socket = UdpSocket::bind((LOOPBACK, 0)).expect("a socket");
        let pages = Pages::new(socket, (LOOPBACK, 1).into()).expect("pages");
        // Nobody gives orders.
        let (_, inbox) = std::sync::mpsc::sync_channel(1);
        let waker = Arc::new(Waker::new().expect("a waker"));
        let ends = (Outbox::new(sender, Arc::clone(&counters)), Tray::new(link));
        let worker = Worker::new(config, (maker, pages), inbox, waker, counters, ends);
        Self { worker: worker.expect("a worker"), events, writer }
    }

    /// The far end of leg `n`.
    pub(crate) fn peer(&mut self, n: u128) -> Peer {
        let socket = UdpSocket::bind((LOOPBACK, 0)).expect("a socket");
        socket.set_nonblocking(true).expect("a mode");
        let desc = MediaDesc {
            address: LOOPBACK,
            port: socket.local_addr().expect("an address").port(),
            codecs: vec![Codec::Pcmu],
            dtmf: Some(KEYS_PAYLOAD_TYPE),
            direction: Direction::SendRecv,
            ptime_ms: 20,
        };
        self.worker.command(MediaCommand::Prepare { leg: leg(n), remote: Some(desc.into()) });
        let slot = self.worker.slot(leg(n)).expect("a leg");
        let local = self.worker.leg(slot).expect("a leg").local().clone();
        Peer { socket, slot, server: (local.address, local.port).into(), said: 0 }
    }

    /// States what the legs of call 1 hear.
    pub(crate) fn graph(&mut self, rev: u64, hears: impl IntoIterator<Item = (u128, Hears)>) {
        let hears: BTreeMap<_, _> = hears.into_iter().map(|(n, what)| (leg(n), what)).collect();
        let graph = Graph { hears, record: None };
        self.worker.apply(call(1), TenantId::from_uuid(Uuid::nil()), rev, graph, None);
    }

    pub(crate) fn now(&self) -> Now {
        Now::read(self.worker.start)
    }

    /// Time passes in which the thread does nothing.
    pub(crate) fn stall(&mut self, time: Duration) {
        let start: Instant = self.worker.start;
        self.worker.start = start.checked_sub(time).expect("the machine runs for longer");
    }

    /// The next packet of `peer`, `samples` of sound, as the thread takes it.
    pub(crate) fn say(&mut self, peer: &mut Peer, samples: u16) {
        let (sequence, timestamp) = (peer.said, u32::from(peer.said) * u32::from(samples));
        let header = Header { marker: false, payload_type: 0, sequence, timestamp, ssrc: 5 };
        let mut bytes = header.to_bytes().to_vec();
        bytes.resize(bytes.len() + usize::from(samples), 0x11);
        peer.said += 1;
        self.send(peer, &bytes);
    }

    /// A datagram of `peer`, as the thread takes it.
    pub(crate) fn send(&mut self, peer: &Peer, bytes: &[u8]) {
        peer.socket.send_to(bytes, peer.server).expect("loopback takes it");
        let now = self.now();
        self.worker.packet(now, peer.slot, &mut [0; 2_048]);
    }
}

/// See [`Rig::peer`].
pub(crate) struct Peer {
    socket: UdpSocket,
    slot: u32,
    server: SocketAddr,
    said: u16,
}

impl Peer {
    /// The headers of all packets that have come.
    pub(crate) fn heard(&self) -> Vec<Header> {
        let mut buffer = [0; 2_048];
        let next = || {
            let (length, _) = self.socket.recv_from(&mut buffer).ok()?;
            rtp::parse(&buffer[..length]).ok().map(|(header, _)| header)
        };
        std::iter::from_fn(next).collect()
    }
}
