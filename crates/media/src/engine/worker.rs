//! A media thread: commands, packets and the clock in one loop.
//!
//! Invariant: a fault in one call's handling ends that call only; the loop goes on.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use model::limits::FRAME_MS;
use model::media::{ClipId, Codec, MediaCommand, MediaDesc, MediaEvent, MediaFault, Peer};
use model::{CallId, LegId};

use super::MediaConfig;
use super::call::Call;
use super::leg::{Leg, Now, Taken, Wire};
use super::maker::Maker;
use super::outbox::Outbox;
use super::page::Pages;
use super::record::Tray;
use super::sound::{Sound, Sounds};
use crate::dtmf::Reception;
use crate::metrics::{Count, Counters};
use crate::rtp::Header;
use crate::stream::Source;
use crate::sys::{self, Poller, Ticker, Waker};
use crate::webrtc::BrowserLeg;

/// Readiness that one turn of the loop handles.
const BATCH: usize = 256;
/// Commands that one turn handles, so that packets never wait for many of them.
const ORDERS_PER_TURN: usize = 64;

const TOKEN_WAKE: u64 = u64::MAX;
const TOKEN_TICK: u64 = u64::MAX - 1;
const TOKEN_PAGES: u64 = u64::MAX - 2;
/// Marks the token of an RTCP socket; the rest is the slot.
const TOKEN_RTCP: u64 = 1 << 32;

/// What a thread is asked to do.
#[derive(Debug)]
pub(crate) enum Order {
    Command(MediaCommand),
    /// A leg that was made and told by whoever asked for it.
    Leg(Box<Leg>),
    Sound(ClipId, Arc<Sound>),
    /// A page's numbered offer, with the stack that answers it.
    Page(LegId, u64, Result<(Box<BrowserLeg>, String), MediaFault>),
    Stop,
}

/// Everything one media thread owns.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(super) config: MediaConfig,
    pub(super) start: Instant,
    pub(super) legs: Vec<Option<Box<Leg>>>,
    pub(super) slots: BTreeMap<LegId, u32>,
    pub(super) calls: BTreeMap<CallId, Call>,
    /// Legs that a graph named before they came, and whose graph that is.
    pub(super) awaited: BTreeMap<LegId, CallId>,
    pub(super) sounds: Sounds,
    pub(super) outbox: Outbox,
    pub(super) tray: Tray,
    pub(super) pages: Pages,
    pub(super) counters: Arc<Counters>,
    pub(super) ticks: u64,
    pub(super) shed: super::clock::Shed,
    free: Vec<u32>,
    maker: Arc<Maker>,
    inbox: Receiver<Order>,
    waker: Arc<Waker>,
    poller: Poller,
    ticker: Ticker,
    stopping: bool,
}

impl Worker {
    pub(crate) fn new(
        config: MediaConfig,
        (maker, pages): (Arc<Maker>, Pages),
        inbox: Receiver<Order>,
        waker: Arc<Waker>,
        counters: Arc<Counters>,
        (outbox, tray): (Outbox, Tray),
    ) -> io::Result<Self> {
        let poller = Poller::new(BATCH)?;
        let ticker = Ticker::new(Duration::from_millis(FRAME_MS.unsigned_abs()))?;
        poller.add(&*waker, TOKEN_WAKE)?;
        poller.add(&ticker, TOKEN_TICK)?;
        poller.add(pages.socket(), TOKEN_PAGES)?;
        Ok(Self {
            config,
            start: maker.start,
            legs: Vec::new(),
            slots: BTreeMap::new(),
            calls: BTreeMap::new(),
            awaited: BTreeMap::new(),
            sounds: Sounds::default(),
            outbox,
            tray,
            pages,
            counters,
            ticks: 0,
            shed: super::clock::Shed::default(),
            free: Vec::new(),
            maker,
            inbox,
            waker,
            poller,
            ticker,
            stopping: false,
        })
    }

    /// Runs until it is told to stop.
    pub(crate) fn run(mut self) {
        if self.config.realtime && sys::realtime() {
            self.counters.set(Count::Realtime, 1);
        }
        let mut buffer = [0; 2_048];
        while !self.stopping {
            let ready = match self.poller.wait() {
                Ok(ready) => ready,
                Err(error) => {
                    tracing::error!(%error, "the media thread cannot wait for packets and ends");
                    break;
                }
            };
            let mut now = Now::read(self.start);
            for index in 0..ready {
                match self.poller.token(index) {
                    TOKEN_WAKE => {
                        self.waker.clear();
                        self.orders();
                    }
                    TOKEN_TICK => {
                        let elapsed = self.ticker.elapsed();
                        self.advance(elapsed);
                        // Time must not run backwards for the stacks of the pages.
                        now = Now::read(self.start);
                    }
                    TOKEN_PAGES => self.datagrams(now, &mut buffer),
                    token if token & TOKEN_RTCP != 0 => {
                        self.guarded(token as u32, |worker, slot| {
                            worker.rtcp(now, slot, &mut buffer);
                        });
                    }
                    token => self.guarded(token as u32, |worker, slot| {
                        worker.packet(now, slot, &mut buffer);
                    }),
                }
            }
        }
        self.end_everything();
    }

    /// One step for the leg in `slot`. A panic ends the leg's call, nothing else.
    pub(super) fn guarded(&mut self, slot: u32, step: impl FnOnce(&mut Self, u32)) {
        if catch_unwind(AssertUnwindSafe(|| step(self, slot))).is_ok() {
            return;
        }
        self.counters.count(Count::Panics);
        if catch_unwind(AssertUnwindSafe(|| self.fail(slot))).is_err()
            && let Some(leg) = self.legs.get_mut(slot as usize).and_then(Option::take)
        {
            // It cannot even be ended in order: its sockets are closed, the rest is forgotten.
            self.slots.remove(&leg.id);
            if let Some(call) = leg.call {
                self.leave(call, slot);
            }
            self.maker.forget(leg.id);
            // Its place is not given away: others may still be listening to it.
        }
    }

    /// Carries out what was asked for, a part at a time.
    pub(super) fn orders(&mut self) {
        for _ in 0..ORDERS_PER_TURN {
            match self.inbox.try_recv() {
                Ok(Order::Command(command)) => {
                    // The command is gone with a panic in it; the loop and the calls are not.
                    if catch_unwind(AssertUnwindSafe(|| self.command(command))).is_err() {
                        self.counters.count(Count::Panics);
                    }
                }
                Ok(Order::Leg(leg)) => {
                    if catch_unwind(AssertUnwindSafe(|| self.add_leg(leg))).is_err() {
                        self.counters.count(Count::Panics);
                    }
                }
                Ok(Order::Sound(clip, sound)) => {
                    self.sounds.hold(clip, sound);
                    self.counters.set(Count::Clips, self.sounds.len() as u64);
                }
                Ok(Order::Page(leg, offer, stack)) => {
                    let stack = stack.map(|(stack, sdp)| (*stack, sdp));
                    if catch_unwind(AssertUnwindSafe(|| self.page(leg, offer, stack))).is_err() {
                        self.counters.count(Count::Panics);
                    }
                }
                Ok(Order::Stop) => self.stopping = true,
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => {
                    self.stopping = true;
                    return;
                }
            }
        }
        self.waker.wake();
    }

    pub(super) fn command(&mut self, command: MediaCommand) {
        match command {
            MediaCommand::Prepare { leg, remote } => self.prepare(leg, remote.as_ref()),
            MediaCommand::Remote { leg, local, remote } => {
                let now = Now::read(self.start);
                let known = self.slot(leg).and_then(|slot| self.leg_mut(slot));
                if let Some(Err(why)) = known.map(|leg| leg.remote(local, &remote, now)) {
                    self.outbox.tell(MediaEvent::PrepareFailed { leg, why });
                }
            }
            // The handle turns these into orders of their own.
            MediaCommand::BrowserOffer { .. } | MediaCommand::Clip { .. } => {}
            MediaCommand::ClipGone { clip } => {
                self.sounds.release(clip);
                self.counters.set(Count::Clips, self.sounds.len() as u64);
            }
            MediaCommand::Graph { call, tenant, rev, graph, recording_file } => {
                self.apply(call, tenant, rev, graph, recording_file);
            }
            MediaCommand::CallEnded { call } => self.end_call(call),
            MediaCommand::Close { leg } => {
                if let Some(slot) = self.slot(leg) {
                    self.close(slot);
                }
            }
        }
    }

    /// Answers anew for a leg that is there, or makes one when no port was free a moment ago.
    fn prepare(&mut self, id: LegId, remote: Option<&Peer>) {
        let now = Now::read(self.start);
        let prepared = match self.slot(id).and_then(|slot| self.leg_mut(slot)) {
            Some(leg) => remote
                .map_or(Ok(()), |remote| leg.answer(remote, now))
                .map(|()| leg.local().clone()),
            None => self.maker.make(id, remote).and_then(|leg| self.new_leg(Box::new(leg))),
        };
        self.outbox.tell(match prepared {
            Ok(local) => MediaEvent::Prepared { leg: id, local },
            Err(why) => MediaEvent::PrepareFailed { leg: id, why },
        });
    }

    fn new_leg(&mut self, leg: Box<Leg>) -> Result<MediaDesc, MediaFault> {
        let local = leg.local().clone();
        let slot = self.insert(leg);
        if self.watch_sockets(slot).is_err() {
            self.close(slot);
            return Err(MediaFault::NoPort);
        }
        Ok(local)
    }

    /// A leg that was told before it came here: if it cannot be had, it is closed again.
    fn add_leg(&mut self, leg: Box<Leg>) {
        let id = leg.id;
        if self.new_leg(leg).is_err() {
            tracing::error!(leg = %id, "the sockets of a leg cannot be watched; it is closed");
        }
    }

    /// Gives a leg its slot; a graph may have named it before.
    pub(super) fn insert(&mut self, leg: Box<Leg>) -> u32 {
        let id = leg.id;
        let slot = self.free.pop().unwrap_or(self.legs.len() as u32);
        if slot as usize == self.legs.len() {
            self.legs.push(None);
        }
        self.legs[slot as usize] = Some(leg);
        self.slots.insert(id, slot);
        self.counters.set(Count::Legs, self.slots.len() as u64);
        self.adopt(id);
        slot
    }

    fn watch_sockets(&self, slot: u32) -> io::Result<()> {
        let Some(Wire::Rtp(pair)) = self.leg(slot).map(|leg| &leg.wire) else { return Ok(()) };
        self.poller.add(pair.rtp(), u64::from(slot))?;
        match pair.rtcp() {
            Some(rtcp) => self.poller.add(rtcp, TOKEN_RTCP | u64::from(slot)),
            None => Ok(()),
        }
    }

    /// Gives the sockets of an ended leg back.
    fn release(&self, wire: Wire) {
        let Wire::Rtp(pair) = wire else { return };
        let removed = self.poller.remove(pair.rtp());
        if removed && pair.rtcp().is_none_or(|rtcp| self.poller.remove(rtcp)) {
            pair.rest();
        }
    }

    /// Ends a leg and tells its figures.
    pub(super) fn close(&mut self, slot: u32) {
        self.finish_recording(slot);
        let taken = self.legs.get_mut(slot as usize).and_then(Option::take);
        let Some(leg) = taken else { return };
        self.forget_page(slot);
        self.slots.remove(&leg.id);
        self.maker.forget(leg.id);
        self.free.push(slot);
        self.counters.set(Count::Legs, self.slots.len() as u64);
        self.outbox.tell(MediaEvent::Closed { leg: leg.id, quality: leg.quality() });
        if let Some(call) = leg.call {
            self.leave(call, slot);
            self.compile(call);
        }
        self.release(leg.wire);
    }

    /// Takes one packet and passes it on in the same turn.
    pub(super) fn packet(&mut self, now: Now, slot: u32, buffer: &mut [u8]) {
        let Some(leg) = self.legs.get_mut(slot as usize).and_then(Option::as_deref_mut) else {
            return;
        };
        let Wire::Rtp(pair) = &leg.wire else { return };
        let Ok((length, from)) = pair.rtp().recv_from(buffer) else { return };
        match leg.take(now, canonical(from), &buffer[..length], &self.counters) {
            Taken::Nothing => {}
            Taken::Audio { header, codec, payload } => {
                self.spread_audio(now, slot, (header, codec, payload));
            }
            Taken::Key { header, payload, reception } => {
                self.key(now, slot, (header, payload), reception);
            }
            Taken::Other { header } => self.spread_key(now, slot, (header, &[]), false),
        }
    }

    /// Tells a press once and passes its packets on.
    pub(super) fn key(&mut self, now: Now, slot: u32, key: (Header, &[u8]), reception: Reception) {
        if let (Reception::Pressed(digit), Some(leg)) = (reception, self.leg(slot)) {
            let leg = leg.id;
            self.outbox.tell(MediaEvent::Digit { leg, digit });
        }
        self.spread_key(now, slot, key, reception != Reception::Refused);
    }

    pub(super) fn spread_audio(&mut self, now: Now, slot: u32, sound: (Header, Codec, &[u8])) {
        let source = Source::Relay(slot, sound.0.ssrc);
        let listeners = self.listeners(slot);
        for listener in &listeners {
            if let Some(Some(leg)) = self.legs.get_mut(*listener as usize) {
                leg.relay_audio(now, source, sound, &self.counters);
            }
            self.settle(*listener, now);
        }
        self.give_back(slot, listeners);
    }

    /// Passes a packet of a press on, or leaves it out without a gap.
    fn spread_key(&mut self, now: Now, slot: u32, key: (Header, &[u8]), pass: bool) {
        let source = Source::Relay(slot, key.0.ssrc);
        let listeners = self.listeners(slot);
        for listener in &listeners {
            if let Some(Some(leg)) = self.legs.get_mut(*listener as usize) {
                if pass {
                    leg.relay_key(now, source, key, &self.counters);
                } else {
                    leg.skip(source, key.0.sequence);
                }
            }
            self.settle(*listener, now);
        }
        self.give_back(slot, listeners);
    }

    /// Lends the list of listeners, so that they can be changed while it is read.
    fn listeners(&mut self, slot: u32) -> Vec<u32> {
        self.leg_mut(slot).map(|leg| std::mem::take(&mut leg.listeners)).unwrap_or_default()
    }

    fn give_back(&mut self, slot: u32, listeners: Vec<u32>) {
        if let Some(leg) = self.leg_mut(slot) {
            leg.listeners = listeners;
        }
    }

    fn rtcp(&mut self, now: Now, slot: u32, buffer: &mut [u8]) {
        let Some(Some(leg)) = self.legs.get_mut(slot as usize) else { return };
        let Wire::Rtp(pair) = &leg.wire else { return };
        let Some(rtcp) = pair.rtcp() else { return };
        if let Ok((length, from)) = rtcp.recv_from(buffer) {
            leg.take_report(now, canonical(from), &buffer[..length], &self.counters);
        }
    }

    /// A fault of ours: the call of this leg ends, its legs are closed.
    fn fail(&mut self, slot: u32) {
        let Some(leg) = self.leg_mut(slot) else { return };
        let Some(call) = leg.call else { return self.close(slot) };
        tracing::error!(%call, leg = %leg.id, "a fault in the media of one call; it is ended");
        let mut legs = self.legs_of(call);
        if !legs.contains(&slot) {
            legs.push(slot);
        }
        self.end_call(call);
        for slot in legs {
            self.close(slot);
        }
    }

    fn end_everything(mut self) {
        let calls: Vec<CallId> = self.calls.keys().copied().collect();
        for call in calls {
            self.end_call(call);
        }
        for slot in 0..self.legs.len() as u32 {
            self.close(slot);
        }
        self.outbox.flush();
        self.tray.close();
    }

    pub(super) fn slot(&self, leg: LegId) -> Option<u32> {
        self.slots.get(&leg).copied()
    }

    pub(super) fn leg(&self, slot: u32) -> Option<&Leg> {
        self.legs.get(slot as usize).and_then(Option::as_deref)
    }

    pub(super) fn leg_mut(&mut self, slot: u32) -> Option<&mut Leg> {
        self.legs.get_mut(slot as usize).and_then(Option::as_deref_mut)
    }
}

/// An address as descriptions name it: a socket for both families tells IPv4 as a part of IPv6.
fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => SocketAddr::new(ip.into(), address.port()),
        IpAddr::V6(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::rig::{Rig, call, leg};
    use model::id::Id as _;
    use model::media::{Graph, Hears, RecordWish};
    use model::{RecordingId, TenantId};
    use uuid::Uuid;

    #[test]
    fn a_fault_ends_its_own_call_in_order_and_no_other() {
        let folder = tempfile::tempdir().expect("a folder");
        let Rig { mut worker, mut events, writer } = Rig::new();
        let counters = Arc::clone(&worker.counters);
        let recording = RecordingId::from_uuid(Uuid::from_u128(9));
        for n in 1..=3 {
            worker.prepare(leg(n), None);
        }
        for (n, legs) in [(1, vec![leg(1), leg(2)]), (2, vec![leg(3)])] {
            let record = RecordWish { recording, leg: leg(1), paused: false };
            let graph = Graph {
                hears: legs.into_iter().map(|leg| (leg, Hears::Silence)).collect(),
                record: (n == 1).then_some(record),
            };
            let file = (n == 1).then(|| folder.path().join("1.rec"));
            worker.apply(call(n), TenantId::from_uuid(Uuid::nil()), 1, graph, file);
        }
        let slot = worker.slot(leg(1)).expect("a leg");
        worker.guarded(slot, |_, _| panic!("a fault of ours"));
        assert_eq!(worker.slots.keys().copied().collect::<Vec<_>>(), [leg(3)]);
        assert_eq!(worker.calls.keys().copied().collect::<Vec<_>>(), [call(2)]);
        worker.advance(3);
        worker.end_everything();
        writer.join();
        let (mut closed, mut ended) = (Vec::new(), 0);
        while let Ok(event) = events.try_recv() {
            match event {
                MediaEvent::Closed { leg, .. } => closed.push(leg),
                MediaEvent::RecordingEnded { .. } => ended += 1,
                _ => {}
            }
        }
        assert_eq!((closed, ended), (vec![leg(1), leg(2), leg(3)], 1));
        assert_eq!(crate::Metrics::sum(std::iter::once(&*counters)).panics, 1);
    }
}
