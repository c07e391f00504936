//! Recording as the graph wishes it: begins, pauses, cuts and finishes tapes.
//!
//! Invariant: every recording that was begun is finished exactly once, whatever ends it: the
//! graph, the call, the leg, a fault, or the end of the plane.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use model::media::{MediaEvent, RecordWish};
use model::{CallId, RecordingId, TenantId, Timestamp};

use super::leg::Now;
use super::worker::Worker;
use crate::metrics::Count;
use crate::recording::FileHeader;
use crate::recording::tape::Tape;
use crate::recording::writer::{Link, Message};

/// The recording of one leg.
#[derive(Debug)]
pub(crate) struct Recorder {
    recording: RecordingId,
    pub(crate) tape: Tape,
    /// No block was lost so far.
    whole: bool,
}

/// The way to the writer.
#[derive(Debug)]
pub(crate) struct Tray {
    link: Link,
    /// Begins and ends that found no room; they must not be lost.
    waiting: VecDeque<Message>,
}

impl Tray {
    pub(crate) fn new(link: Link) -> Self {
        Self { link, waiting: VecDeque::new() }
    }

    /// Queues a message. False when it was a block and is lost.
    fn put(&mut self, message: Message) -> bool {
        self.flush();
        let refused =
            if self.waiting.is_empty() { self.link.send(message).err() } else { Some(message) };
        match refused {
            None => true,
            Some(Message::Block(..)) => false,
            Some(message) => {
                self.waiting.push_back(message);
                true
            }
        }
    }

    pub(crate) fn flush(&mut self) {
        while let Some(message) = self.waiting.pop_front() {
            if let Err(back) = self.link.send(message) {
                self.waiting.push_front(back);
                return;
            }
        }
    }

    /// At the end of the plane there is time to wait.
    pub(crate) fn close(self) {
        for message in self.waiting {
            self.link.send_waiting(message);
        }
    }
}

impl Worker {
    /// Makes what is recorded of `call` what the graph wishes.
    pub(super) fn record(
        &mut self,
        (call, tenant): (CallId, TenantId),
        wish: Option<&RecordWish>,
        file: Option<PathBuf>,
    ) {
        let Some(known) = self.calls.get_mut(&call) else { return };
        let before = known.recording;
        known.recording = wish.map(|wish| wish.recording).or(before);
        if before.is_some() && before != wish.map(|wish| wish.recording) {
            for slot in self.legs_of(call) {
                self.finish_recording(slot);
            }
        }
        let Some(wish) = wish else { return };
        if before != Some(wish.recording) {
            self.begin_recording((call, tenant), wish, file);
        }
        let now = Now::read(self.start);
        if let Some(leg) = self.slot(wish.leg).and_then(|slot| self.leg_mut(slot))
            && let Some(recorder) = &mut leg.recorder
        {
            recorder.tape.pause(now.samples, wish.paused);
        }
    }

    fn begin_recording(
        &mut self,
        (call, tenant): (CallId, TenantId),
        wish: &RecordWish,
        file: Option<PathBuf>,
    ) {
        let recording = wish.recording;
        let Some(path) = file else {
            tracing::error!(%call, %recording, "a recording without a file is not begun");
            self.outbox.tell(MediaEvent::RecordingEnded {
                call,
                recording,
                length_ms: 0,
                sha256: String::new(),
                complete: false,
            });
            return;
        };
        self.counters.count(Count::RecordingsStarted);
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let start = Timestamp::from_micros(i64::try_from(wall.as_micros()).unwrap_or(i64::MAX));
        let header = FileHeader { start, tenant, call, recording, leg: wish.leg };
        self.tray.put(Message::Open(path, header));
        let now = Now::read(self.start);
        match self.slot(wish.leg).and_then(|slot| self.leg_mut(slot)) {
            Some(leg) if leg.call == Some(call) => {
                let tape = Tape::new(now.samples);
                leg.recorder = Some(Box::new(Recorder { recording, tape, whole: true }));
            }
            _ => {
                self.tray.put(Message::Finish(recording, false));
            }
        }
    }

    /// Hands blocks that are due to the writer.
    pub(super) fn cut_recording(&mut self, now: Now, slot: u32) {
        let Some(Some(leg)) = self.legs.get_mut(slot as usize) else { return };
        let Some(recorder) = &mut leg.recorder else { return };
        while recorder.tape.due(now.samples) {
            let mut block = self.tray.link.block();
            recorder.tape.cut(&mut block);
            if !self.tray.put(Message::Block(recorder.recording, block)) {
                recorder.whole = false;
                self.counters.count(Count::RecordingBlocksLost);
            }
        }
    }

    /// Ends the recording of the leg in `slot`, if there is one.
    pub(super) fn finish_recording(&mut self, slot: u32) {
        let now = Now::read(self.start);
        let Some(Some(leg)) = self.legs.get_mut(slot as usize) else { return };
        if let Some(recorder) = leg.recorder.take() {
            self.finish(now, *recorder);
        }
    }

    /// Ends a recording whose leg is gone.
    pub(super) fn finish(&mut self, now: Now, mut recorder: Recorder) {
        loop {
            let mut block = self.tray.link.block();
            if !recorder.tape.cut_rest(now.samples, &mut block) {
                break;
            }
            if !self.tray.put(Message::Block(recorder.recording, block)) {
                recorder.whole = false;
                self.counters.count(Count::RecordingBlocksLost);
            }
        }
        self.tray.put(Message::Finish(recorder.recording, recorder.whole));
    }
}
