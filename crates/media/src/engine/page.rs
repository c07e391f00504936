//! Browser legs on the one socket that all pages share.
//!
//! Invariant: a page that comes, goes or is loaded anew changes nothing for the call its leg is in;
//! what a leg hears is the graph's business alone.

use std::collections::BTreeSet;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::Instant;

use model::LegId;
use model::media::{Codec, KEYS_PAYLOAD_TYPE, MediaEvent, MediaFault};

use super::leg::{Leg, Now, Wire};
use super::worker::Worker;
use crate::metrics::Count;
use crate::rtp::{self, Header};
use crate::stream::Stamp;
use crate::webrtc::{BrowserLeg, BrowserOut, Routes};

/// Datagrams taken from the shared socket before others have their turn.
const DATAGRAMS_PER_TURN: usize = 64;
/// Bytes of the longest frame a page may send: 60 ms.
const FRAME_BYTES_MAX: usize = 480;

/// The page behind a leg.
#[derive(Debug)]
pub(crate) struct Page {
    /// `None` once it is gone; the leg waits for the page to offer anew.
    stack: Option<BrowserLeg>,
    /// Tells the streams of one page from those of the page before it.
    generation: u32,
    /// When the stack wants to be polled at the latest.
    deadline: Instant,
    /// Something was queued since the last poll.
    due: bool,
    last_sound: Option<u32>,
    last_key: Option<u32>,
}

impl Page {
    fn new(stack: BrowserLeg, generation: u32, now: Now) -> Self {
        Self {
            stack: Some(stack),
            generation,
            deadline: now.instant,
            due: true,
            last_sound: None,
            last_key: None,
        }
    }

    /// Whether the page takes key events.
    pub(crate) fn takes_keys(&self) -> bool {
        self.stack.as_ref().is_some_and(BrowserLeg::takes_keys)
    }

    /// Queues a packet. The stack numbers packets itself, so what comes late is left out; the
    /// packets of one press share their timestamp.
    pub(crate) fn send(&mut self, now: Now, stamp: Stamp, kind: Kind, payload: &[u8]) -> bool {
        let Some(stack) = &mut self.stack else { return false };
        let Stamp { timestamp, marker, .. } = stamp;
        let (last, ahead_min) = match kind {
            Kind::Sound => (&mut self.last_sound, 1),
            Kind::Key => (&mut self.last_key, 0),
        };
        if last.is_some_and(|last| rtp::timestamp_distance(last, timestamp) < ahead_min) {
            return false;
        }
        *last = Some(timestamp);
        match kind {
            Kind::Sound => stack.send_frame(now.instant, timestamp, payload, marker),
            Kind::Key => stack.send_key(now.instant, timestamp, payload, marker),
        }
        self.due = true;
        true
    }

    /// Lets the stack send what it has, and collects what it received.
    fn poll(&mut self, now: Now, socket: &UdpSocket, frames: &mut Vec<Frame>) -> News {
        let mut news = News::default();
        let Some(stack) = &mut self.stack else { return news };
        let ssrc = self.generation;
        self.due = false;
        self.deadline = stack.poll(now.instant, &mut |out| match out {
            // What the socket does not take is lost as on the wire; the stack repeats what matters.
            BrowserOut::Transmit { to, bytes } => drop(socket.send_to(bytes, to)),
            BrowserOut::Frame { timestamp, sequence, payload } => {
                let sequence = sequence as u16;
                let payload_type = Codec::Pcmu.payload_type();
                let header = Header { marker: false, payload_type, sequence, timestamp, ssrc };
                frames.extend(Frame::new(Kind::Sound, header, payload));
            }
            BrowserOut::Key { marker, timestamp, sequence, payload } => {
                let (sequence, payload_type) = (sequence as u16, KEYS_PAYLOAD_TYPE);
                let header = Header { marker, payload_type, sequence, timestamp, ssrc };
                frames.extend(Frame::new(Kind::Key, header, payload));
            }
            BrowserOut::Up => news.up = true,
            BrowserOut::Down => news.down = true,
        });
        news
    }

    fn is_due(&self, now: Now) -> bool {
        self.stack.is_some() && (self.due || self.deadline <= now.instant)
    }
}

/// The shared socket and who is behind which address.
#[derive(Debug)]
pub(crate) struct Pages {
    socket: UdpSocket,
    /// What pages are told to send to.
    advertised: SocketAddr,
    routes: Routes<u32>,
    /// Slots of the legs that have a page.
    live: BTreeSet<u32>,
    generation: u32,
    /// Kept between polls, so that none allocates.
    frames: Vec<Frame>,
    slots: Vec<u32>,
}

/// What a packet carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// G.711.
    Sound,
    /// A key event.
    Key,
}

/// A packet on its way from a page's stack to the listeners.
#[derive(Debug)]
struct Frame {
    kind: Kind,
    header: Header,
    length: usize,
    payload: [u8; FRAME_BYTES_MAX],
}

impl Frame {
    /// `None` when the frame is longer than any fair page sends.
    fn new(kind: Kind, header: Header, bytes: &[u8]) -> Option<Self> {
        let mut payload = [0; FRAME_BYTES_MAX];
        payload.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(Self { kind, header, length: bytes.len(), payload })
    }
}

/// What a poll brought beside frames.
#[derive(Debug, Default)]
struct News {
    up: bool,
    down: bool,
}

impl Pages {
    pub(crate) fn new(socket: UdpSocket, advertised: SocketAddr) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket,
            advertised,
            routes: Routes::default(),
            live: BTreeSet::new(),
            generation: 0,
            frames: Vec::new(),
            slots: Vec::new(),
        })
    }

    pub(crate) fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    fn forget(&mut self, slot: u32) {
        self.routes.remove(slot);
        self.live.remove(&slot);
    }
}

impl Worker {
    /// Makes a browser leg, or gives an existing one its new page.
    pub(super) fn page(
        &mut self,
        leg: LegId,
        offer: u64,
        stack: Result<(BrowserLeg, String), MediaFault>,
    ) {
        let told = stack.and_then(|(stack, sdp)| self.take_page(leg, stack).map(|()| sdp));
        self.outbox.tell(match told {
            Ok(sdp) => MediaEvent::BrowserAnswer { leg, offer, sdp },
            Err(why) => MediaEvent::BrowserRefused { leg, offer, why },
        });
    }

    fn take_page(&mut self, id: LegId, stack: BrowserLeg) -> Result<(), MediaFault> {
        let now = Now::read(self.start);
        self.pages.generation = self.pages.generation.wrapping_add(1);
        let ufrag = stack.ufrag().to_owned();
        let page = Page::new(stack, self.pages.generation, now);
        let slot = if let Some(slot) = self.slot(id) {
            let leg = self.legs[slot as usize].as_mut().ok_or(MediaFault::BadDescription)?;
            leg.renew_page(page)?;
            slot
        } else {
            if self.counters.get(Count::Overloaded) > 0 {
                return Err(MediaFault::Overloaded);
            }
            let leg = Leg::browser(id, page, self.pages.advertised, now)?;
            self.insert(Box::new(leg))
        };
        self.pages.routes.add(slot, &ufrag);
        self.pages.live.insert(slot);
        self.settle(slot, now);
        Ok(())
    }

    /// Forgets the page of a leg that is being closed.
    pub(super) fn forget_page(&mut self, slot: u32) {
        self.pages.forget(slot);
    }

    /// Takes what has come to the shared socket.
    pub(super) fn datagrams(&mut self, now: Now, buffer: &mut [u8]) {
        for _ in 0..DATAGRAMS_PER_TURN {
            let Ok((length, source)) = self.pages.socket.recv_from(buffer) else { return };
            let datagram = &buffer[..length];
            match self.pages.routes.find(source, datagram) {
                Some(slot) => self.guarded(slot, |worker, slot| {
                    worker.datagram(now, slot, source, datagram);
                }),
                None => self.counters.count(Count::Stranger),
            }
        }
    }

    fn datagram(&mut self, now: Now, slot: u32, source: SocketAddr, datagram: &[u8]) {
        let Some(Some(leg)) = self.legs.get_mut(slot as usize) else { return };
        let Wire::Browser(page) = &mut leg.wire else { return };
        let Some(stack) = &mut page.stack else { return };
        if !stack.receive(now.instant, source, self.pages.advertised, datagram) {
            self.counters.count(Count::Stranger);
            return;
        }
        page.due = true;
        self.pages.routes.learn(source, slot);
        self.settle(slot, now);
    }

    /// Polls every page that has something to send or whose time has come.
    pub(super) fn settle_all(&mut self, now: Now) {
        let mut slots = std::mem::take(&mut self.pages.slots);
        slots.clear();
        slots.extend(&self.pages.live);
        for slot in &slots {
            self.guarded(*slot, |worker, slot| worker.settle(slot, now));
        }
        self.pages.slots = slots;
    }

    /// Polls the page of a leg if it has something to send, and passes on what it brought.
    pub(super) fn settle(&mut self, slot: u32, now: Now) {
        let Some(Some(leg)) = self.legs.get_mut(slot as usize) else { return };
        let Wire::Browser(page) = &mut leg.wire else { return };
        if !page.is_due(now) {
            return;
        }
        let mut frames = std::mem::take(&mut self.pages.frames);
        let news = page.poll(now, &self.pages.socket, &mut frames);
        if news.down {
            page.stack = None;
            self.pages.forget(slot);
        }
        let id = leg.id;
        if news.up {
            leg.page_is_up(true);
            self.outbox.tell(MediaEvent::BrowserUp { leg: id });
        }
        if news.down {
            leg.page_is_up(false);
            self.outbox.tell(MediaEvent::BrowserDown { leg: id });
        }
        for frame in frames.drain(..) {
            let payload = &frame.payload[..frame.length];
            let Some(Some(leg)) = self.legs.get_mut(slot as usize) else { continue };
            match frame.kind {
                Kind::Sound => {
                    leg.take_frame(now, &frame.header, payload, &self.counters);
                    self.spread_audio(now, slot, (frame.header, Codec::Pcmu, payload));
                }
                Kind::Key => {
                    let reception = leg.take_key(now, &frame.header, payload, &self.counters);
                    self.key(now, slot, (frame.header, payload), reception);
                }
            }
        }
        self.pages.frames = frames;
    }
}
