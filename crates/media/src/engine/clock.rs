//! The 20 ms clock: prompts, music, silence, mixing, and what has to be looked at regularly.
//!
//! Invariant: deadlines are absolute. A late tick is made up for at once, a very late one is left
//! out; the outward timestamps follow the wall either way. A stall of ours is nobody's silence.

use std::time::Duration;

use model::limits::{FRAME_MS, FRAME_SAMPLES};
use model::media::{Codec, MediaEvent};

use super::leg::Now;
use super::plan::Plan;
use super::worker::Worker;
use crate::g711;
use crate::metrics::Count;
use crate::sys;

/// Ticks that are made up for at once; what is missing beyond them is left out.
const CATCH_UP_TICKS: u64 = 5;
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
        for n in skipped + 1..=elapsed {
            self.ticks += 1;
            self.tick(elapsed - n);
        }
    }

    /// One tick; `behind` more are made up for after it.
    fn tick(&mut self, behind: u64) {
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
                worker.tick_leg(now, slot, behind);
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

    fn tick_leg(&mut self, now: Now, slot: u32, behind: u64) {
        let position = self.ticks.wrapping_mul(FRAME_SAMPLES as u64);
        let Some(Some(leg)) = self.legs.get_mut(slot as usize) else { return };
        let codec = leg.codec();
        // Only the last of several ticks fills in: the packets of a stall are yet to be taken.
        let starves = behind == 0 && leg.starves();
        let mut frame = [0; FRAME_SAMPLES];
        match &mut leg.plan {
            Plan::Idle => return,
            Plan::Relay if !starves => return,
            Plan::Silence | Plan::Relay => frame.fill(g711::silence(codec)),
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
            let due = now.samples.wrapping_sub(behind as u32 * FRAME_SAMPLES as u32);
            leg.send_frame((now, due), source, &frame, &self.counters);
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
            && let Some(silent) = leg.silent(now)
        {
            let silent_ms = i64::try_from(silent).unwrap_or(i64::MAX);
            self.outbox.tell(MediaEvent::Silent { leg: leg.id, silent_ms });
        }
    }
}

#[cfg(test)]
mod tests {
    use model::limits::{SILENT_LISTENING_MS_MAX, SILENT_MS_MAX};
    use model::media::Hears;

    use super::*;
    use crate::engine::rig::{Rig, leg};
    use crate::rtp::timestamp_distance;

    /// Two peers that hear each other, each as leg 1 and 2.
    fn conversation() -> [(u128, Hears); 2] {
        [(1, Hears::Legs(vec![leg(2)])), (2, Hears::Legs(vec![leg(1)]))]
    }

    #[test]
    fn a_stall_of_our_own_is_nobodys_silence() {
        let mut rig = Rig::new();
        let (mut a, b) = (rig.peer(1), rig.peer(2));
        rig.graph(1, conversation());
        rig.say(&mut a, 160);
        assert_eq!(b.heard().len(), 1);
        rig.stall(Duration::from_millis(300));
        rig.worker.advance(15);
        assert_eq!(b.heard(), [], "what came meanwhile is yet to be taken");
        for _ in 0..15 {
            rig.say(&mut a, 160);
        }
        let heard = b.heard();
        let steps = heard.windows(2).map(|pair| pair[1].timestamp.wrapping_sub(pair[0].timestamp));
        assert_eq!((heard.len(), steps.filter(|step| *step == 160).count()), (15, 14));
        // Now nothing comes: it is filled in after 100 ms.
        for _ in 0..5 {
            rig.worker.advance(1);
        }
        assert_eq!(b.heard(), []);
        rig.worker.advance(1);
        assert_eq!(b.heard().len(), 1);
        rig.worker.advance(4);
        assert_eq!(b.heard().len(), 1, "however many ticks are made up for");
    }

    #[test]
    fn long_packets_do_not_starve_their_listener() {
        for samples in [80, 160, 480, 960, 1_440] {
            let mut rig = Rig::new();
            let (mut a, b) = (rig.peer(1), rig.peer(2));
            rig.graph(1, conversation());
            let turns = usize::from(samples / 160).max(1);
            for _ in 0..5 {
                rig.say(&mut a, samples);
                // One comes 80 ms late.
                (0..turns + 4).for_each(|_| rig.worker.advance(1));
            }
            assert_eq!(b.heard().len(), 5, "{samples} samples");
            rig.worker.advance(1);
            assert_eq!(b.heard().len(), 1, "{samples} samples: it is over");
        }
    }

    #[test]
    fn frames_that_are_made_up_for_have_the_time_they_were_due() {
        let mut rig = Rig::new();
        let a = rig.peer(1);
        rig.graph(1, [(1, Hears::Silence)]);
        let began = rig.now().samples;
        rig.worker.advance(1);
        let first = a.heard()[0].timestamp;
        for ticks in [10, 5, 3] {
            rig.stall(Duration::from_millis(20 * ticks));
            rig.worker.advance(ticks);
            let heard = a.heard();
            assert_eq!(heard.len() as u64, ticks.min(CATCH_UP_TICKS));
            let wall = timestamp_distance(began, rig.now().samples);
            let clock = heard.last().map(|last| timestamp_distance(first, last.timestamp));
            assert!(clock.is_some_and(|clock| clock <= wall), "{clock:?} of {wall}");
        }
    }

    #[test]
    fn whoever_only_listens_may_be_silent_for_minutes() {
        let mut rig = Rig::new();
        let (a, _b) = (rig.peer(1), rig.peer(2));
        let slot = rig.worker.slot(leg(1)).expect("a leg");
        // How long a has been silent as told `ms` from now.
        let told = |rig: &mut Rig, ms: i64| {
            let now = rig.now();
            rig.worker.watch(Now { ms: now.ms + ms.unsigned_abs(), ..now }, slot);
            let mut told = None;
            while let Ok(event) = rig.events.try_recv() {
                if let MediaEvent::Silent { silent_ms, .. } = event {
                    told = Some(silent_ms);
                }
            }
            told
        };
        rig.graph(1, [(1, Hears::Silence), (2, Hears::Silence)]);
        assert_eq!(told(&mut rig, SILENT_MS_MAX + 1_000), None);
        assert_eq!(told(&mut rig, SILENT_LISTENING_MS_MAX - 1_000), None);
        let gone = told(&mut rig, SILENT_LISTENING_MS_MAX);
        assert!(gone.is_some_and(|ms| ms >= SILENT_MS_MAX), "the hub ends it: {gone:?}");
        // What it was silent before it was connected does not count.
        rig.stall(Duration::from_secs(200));
        rig.graph(2, conversation());
        assert_eq!(told(&mut rig, 4_000), None);
        rig.graph(3, conversation());
        assert!(told(&mut rig, SILENT_MS_MAX).is_some_and(|ms| ms >= SILENT_MS_MAX));
        // An empty packet keeps a translation's port open (RFC 6263).
        rig.stall(Duration::from_secs(20));
        let mut keep_alive = [0; 12];
        keep_alive[..2].copy_from_slice(&[0x80, 77]);
        for sign in [&keep_alive[..], &[]] {
            rig.stall(Duration::from_secs(20));
            rig.send(&a, sign);
            assert_eq!(told(&mut rig, 4_000), None, "{sign:?}");
        }
    }
}
