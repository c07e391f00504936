//! What the plane counts. Each counter has one writer, so counting is a plain store.
//!
//! Invariant: counting never takes a lock and never orders memory; readers see figures that are at
//! most a moment old.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the classes of tick lateness, in microseconds; the last class is open.
pub const TICK_LATE_BOUNDS_US: [u64; 6] = [100, 1_000, 5_000, 10_000, 20_000, 100_000];
const LATE_CLASSES: usize = TICK_LATE_BOUNDS_US.len() + 1;

/// One thing that is counted.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Count {
    PacketsIn,
    PacketsOut,
    ReportsIn,
    ReportsOut,
    Ticks,
    TicksSkipped,
    Legs,
    Calls,
    Clips,
    RecordingsStarted,
    RecordingBlocksLost,
    Malformed,
    Stranger,
    PayloadType,
    Digit,
    SendFailed,
    EventsLost,
    ClipsUnknown,
    Panics,
    CpuMicros,
    Overloaded,
    Realtime,
}

const COUNTS: usize = Count::Realtime as usize + 1;

/// The counters of one thread.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    counts: [AtomicU64; COUNTS],
    late: [AtomicU64; LATE_CLASSES],
}

impl Counters {
    /// Adds one. Only the owning thread counts.
    pub(crate) fn count(&self, what: Count) {
        let cell = &self.counts[what as usize];
        cell.store(cell.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// States a present value.
    pub(crate) fn set(&self, what: Count, value: u64) {
        self.counts[what as usize].store(value, Ordering::Relaxed);
    }

    /// Adds how late a tick was.
    pub(crate) fn tick_late(&self, late: Duration) {
        let micros = u64::try_from(late.as_micros()).unwrap_or(u64::MAX);
        let class = TICK_LATE_BOUNDS_US.iter().position(|bound| micros <= *bound);
        let cell = &self.late[class.unwrap_or(LATE_CLASSES - 1)];
        cell.store(cell.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    pub(crate) fn get(&self, what: Count) -> u64 {
        self.counts[what as usize].load(Ordering::Relaxed)
    }
}

/// Datagrams and presses that were not taken, by reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Refused {
    /// Not RTP, or not RTCP on its port.
    pub malformed: u64,
    /// Not from the address of the leg.
    pub stranger: u64,
    /// A payload type that was not negotiated.
    pub payload_type: u64,
    /// A key event that is no key, or too many.
    pub digit: u64,
}

/// The figures of the whole plane since its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Metrics {
    /// RTP packets taken.
    pub packets_in: u64,
    /// RTP packets sent.
    pub packets_out: u64,
    /// RTCP reports taken.
    pub reports_in: u64,
    /// RTCP reports sent.
    pub reports_out: u64,
    /// Ticks of the 20 ms clocks.
    pub ticks: u64,
    /// Ticks that were left out because a thread was far too late.
    pub ticks_skipped: u64,
    /// Ticks by lateness: class `n` is at most [`TICK_LATE_BOUNDS_US`]`[n]`, the last is longer.
    pub ticks_late: [u64; LATE_CLASSES],
    /// Legs now.
    pub legs: u64,
    /// Calls with a graph now.
    pub calls: u64,
    /// Clips held now.
    pub clips: u64,
    /// Recordings begun.
    pub recordings: u64,
    /// Blocks of recordings that the writer was too slow to take.
    pub recording_blocks_lost: u64,
    /// What was not taken.
    pub refused: Refused,
    /// Packets the socket would not send.
    pub send_failed: u64,
    /// Events that nobody fetched in time.
    pub events_lost: u64,
    /// Clips that a graph named and nobody had given.
    pub clips_unknown: u64,
    /// Faults of ours that ended one call each.
    pub panics: u64,
    /// CPU time of the media threads, microseconds.
    pub cpu_us: u64,
    /// Media threads.
    pub threads: u64,
    /// Media threads that run with real-time priority.
    pub threads_realtime: u64,
}

impl Metrics {
    pub(crate) fn sum<'a>(threads: impl Iterator<Item = &'a Counters>) -> Self {
        let mut sum = Self::default();
        for thread in threads {
            sum.packets_in += thread.get(Count::PacketsIn);
            sum.packets_out += thread.get(Count::PacketsOut);
            sum.reports_in += thread.get(Count::ReportsIn);
            sum.reports_out += thread.get(Count::ReportsOut);
            sum.ticks += thread.get(Count::Ticks);
            sum.ticks_skipped += thread.get(Count::TicksSkipped);
            for (class, cell) in sum.ticks_late.iter_mut().zip(&thread.late) {
                *class += cell.load(Ordering::Relaxed);
            }
            sum.legs += thread.get(Count::Legs);
            sum.calls += thread.get(Count::Calls);
            sum.clips += thread.get(Count::Clips);
            sum.recordings += thread.get(Count::RecordingsStarted);
            sum.recording_blocks_lost += thread.get(Count::RecordingBlocksLost);
            sum.refused.malformed += thread.get(Count::Malformed);
            sum.refused.stranger += thread.get(Count::Stranger);
            sum.refused.payload_type += thread.get(Count::PayloadType);
            sum.refused.digit += thread.get(Count::Digit);
            sum.send_failed += thread.get(Count::SendFailed);
            sum.events_lost += thread.get(Count::EventsLost);
            sum.clips_unknown += thread.get(Count::ClipsUnknown);
            sum.panics += thread.get(Count::Panics);
            sum.cpu_us += thread.get(Count::CpuMicros);
            sum.threads += 1;
            sum.threads_realtime += thread.get(Count::Realtime);
        }
        sum
    }
}
