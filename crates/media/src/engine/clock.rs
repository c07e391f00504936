//! The 20 ms clock: prompts, music, silence, mixing, and what has to be looked at regularly.
//!
//! Invariant: deadlines are absolute. A late tick is made up for at once, a very late one is left
//! out; the outward timestamps follow the wall either way.

use std::time::Duration;

use model::limits::{FRAME_MS, FRAME_SAMPLES};
use model::media::{Codec, MediaEvent};

use super::leg::{Leg, Now};
use super::plan::Plan;
use super::worker::Worker;
use crate::g711;
use crate::metrics::Count;
use crate::sys;

/// Ticks that are made up for at once; what is missing beyond them is left out.
const CATCH_UP_TICKS: u64 = 5;
/// A leg that is fed by relay and gets nothing for this long is sent silence, milliseconds.
const STARVED_MS: u64 = 100;
/// How often silence of a peer is told, milliseconds.
const SILENT_MS: u64 = 5_000;
/// Ticks between two looks at what is not urgent (1 s).
const SECOND_TICKS: u64 = 50;

/// A tick that is later than this is heard as a break, whatever the far side's jitter buffer does.
const TICK_LATE_MAX: Duration = Duration::from_millis(40);

/// Tells overload from the lateness of ticks: new legs are refused while most ticks of the last
/// second were so late that they are heard.
#[derive(Debug, Default)]
pub(crate) struct Shed {
    late: u64,
    ticks: u64,
    overloaded: bool,
}

impl Shed {
    /// Whether the last second was overloaded.
    fn tick(&mut self, late: Duration) -> bool {
        self.ticks += 1;
        self.late += u64::from(late >= TICK_LATE_MAX);
        if self.ticks >= SECOND_TICKS {
            self.overloaded = self.late * 2 > self.ticks;
            (self.late, self.ticks) = (0, 0);
        }
        self.overloaded
    }
}

impl Worker {
    /// Makes up for `elapsed` ticks of the timer.
    pub(super) fn advance(&mut self, elapsed: u64) {
        let skipped = elapsed.saturating_sub(CATCH_UP_TICKS);
        self.ticks += skipped;
        for _ in 0..skipped {
            self.counters.count(Count::TicksSkipped);
        }
        for _ in skipped..elapsed {
            self.ticks += 1;
            self.tick();
        }
    }

    fn tick(&mut self) {
        let now = Now::read(self.start);
        let due = Duration::from_millis(self.ticks.saturating_mul(FRAME_MS.unsigned_abs()));
        let late = now.instant.saturating_duration_since(self.start).saturating_sub(due);
        self.counters.count(Count::Ticks);
        self.counters.tick_late(late);
        let overloaded = self.shed.tick(late);
        self.counters.set(Count::Overloaded, u64::from(overloaded));
        for slot in 0..self.legs.len() as u32 {
            self.guarded(slot, |worker, slot| {
                if let Some(Some(leg)) = worker.legs.get_mut(slot as usize)
                    && let Some(jitter) = &mut leg.jitter
                {
                    leg.said = jitter.pop();
                }
            });
        }
        for slot in 0..self.legs.len() as u32 {
            self.guarded(slot, |worker, slot| {
                worker.tick_leg(now, slot);
                worker.watch(now, slot);
                worker.report(now, slot);
                worker.cut_recording(now, slot);
            });
        }
        self.settle_all(now);
        self.outbox.flush();
        self.tray.flush();
        // What could wait until now woke nobody.
        self.orders();
        if self.ticks.is_multiple_of(SECOND_TICKS) {
            let cpu = sys::thread_cpu().as_micros();
            self.counters.set(Count::CpuMicros, u64::try_from(cpu).unwrap_or(u64::MAX));
        }
    }

    fn tick_leg(&mut self, now: Now, slot: u32) {
        let position = self.ticks.wrapping_mul(FRAME_SAMPLES as u64);
        let Some(Some(leg)) = self.legs.get_mut(slot as usize) else { return };
        let codec = leg.codec();
        let mut frame = [0; FRAME_SAMPLES];
        match &mut leg.plan {
            Plan::Idle => return,
            Plan::Silence => frame.fill(g711::silence(codec)),
            Plan::Relay => {
                if now.ms.saturating_sub(leg.fed_ms) < STARVED_MS {
                    return;
                }
                frame.fill(g711::silence(codec));
            }
            Plan::Mix(sources) => {
                let sources = std::mem::take(sources);
                self.mix(&sources, codec, &mut frame);
                let Some(leg) = self.leg_mut(slot) else { return };
                leg.plan = Plan::Mix(sources);
            }
            Plan::Play(playing) => {
                if playing.next(codec, &mut frame)
                    && let Some(call) = leg.call
                {
                    let (leg, play) = (playing.leg, playing.play);
                    self.outbox.tell(MediaEvent::PlayEnded { call, leg, play });
                }
            }
            Plan::Music { sound, .. } => sound.looped(codec, position, &mut frame),
        }
        if let Some(Some(leg)) = self.legs.get_mut(slot as usize) {
            let source = leg.plan.source();
            leg.send_frame(now, source, &frame, &self.counters);
        }
    }

    /// What the legs of `sources` say together, limited to what 16 bits hold.
    fn mix(&self, sources: &[u32], codec: Codec, frame: &mut [u8; FRAME_SAMPLES]) {
        let mut sum = [0_i32; FRAME_SAMPLES];
        for leg in sources.iter().filter_map(|source| self.leg(*source)) {
            for (sum, said) in sum.iter_mut().zip(&leg.said) {
                *sum += i32::from(*said);
            }
        }
        let limits = (i32::from(i16::MIN), i32::from(i16::MAX));
        let samples = sum.map(|sample| sample.clamp(limits.0, limits.1) as i16);
        g711::encode_slice(codec, &samples, frame);
    }

    fn report(&mut self, now: Now, slot: u32) {
        if let Some(Some(leg)) = self.legs.get_mut(slot as usize) {
            leg.report(now, &self.counters);
        }
    }

    /// Tells when a peer that should speak is silent.
    fn watch(&mut self, now: Now, slot: u32) {
        let Some(Some(leg)) = self.legs.get_mut(slot as usize) else { return };
        if leg.call.is_some()
            && let Some(silent) = Leg::silent(leg, now, SILENT_MS)
        {
            let silent_ms = i64::try_from(silent).unwrap_or(i64::MAX);
            self.outbox.tell(MediaEvent::Silent { leg: leg.id, silent_ms });
        }
    }
}
