//! When a leg reports over RTCP and what it says (RFC 3550 sections 6.2 to 6.4).
//!
//! Invariant: reports are made on the clock. A packet of sound costs them one addition.

use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use model::random::Random;

use super::leg::Now;
use super::reception::Heard;
use crate::rtcp::{Block, CNAME_BYTES, PeerTime, Report, Sender};

/// Mean time between two reports of a leg, milliseconds; each is between half of it and one and a
/// half, so that the legs of a house never report together.
const INTERVAL_MS: u64 = 5_000;
/// Seconds between the beginnings of NTP and Unix time.
const NTP_BEFORE_UNIX_S: u64 = 2_208_988_800;

/// The reports of one leg.
#[derive(Debug)]
pub(crate) struct Reporter {
    random: Random,
    next_ms: u64,
    cname: [u8; CNAME_BYTES],
    /// Where the peer's reports come from.
    pub(crate) peer: Option<SocketAddr>,
    /// The peer's last sender report and when it came.
    heard: Option<(PeerTime, u64)>,
    /// Packets sent at the last report and at the one before.
    sent: [u64; 2],
    /// The stream of the last report with what was expected and what came.
    told: Heard,
}

impl Reporter {
    /// The times of all reports and the name follow from `seed`.
    pub(crate) fn new(seed: u64, now: Now) -> Self {
        let mut random = Random::new(seed);
        let mut cname = [0; CNAME_BYTES];
        for digit in &mut cname {
            *digit = b"0123456789abcdef"[random.below(16) as usize];
        }
        // The first comes early (section 6.2): most peers judge a call by it.
        let next_ms = now.ms + INTERVAL_MS / 4 + random.below(INTERVAL_MS / 2);
        let told = Heard::default();
        Self { random, next_ms, cname, peer: None, heard: None, sent: [0; 2], told }
    }

    /// Whether a report is due; the time of the next one is settled then.
    pub(crate) fn is_due(&mut self, now: Now) -> bool {
        if now.ms < self.next_ms {
            return false;
        }
        self.next_ms = now.ms + INTERVAL_MS / 2 + self.random.below(INTERVAL_MS);
        true
    }

    /// The peer reported at `now`.
    pub(crate) fn take(&mut self, now: Now, from: SocketAddr, time: Option<PeerTime>) {
        self.peer = Some(from);
        if let Some(time) = time {
            self.heard = Some((time, now.ms));
        }
    }

    /// The report of a leg that has sent `packets` with `octets` of sound on the stream `ssrc`,
    /// whose clock stands at `timestamp`. `None` when there is nothing to tell.
    pub(crate) fn report(
        &mut self,
        now: Now,
        (ssrc, timestamp): (u32, u32),
        (packets, octets): (u64, u64),
        heard: Option<Heard>,
    ) -> Option<Report> {
        if packets == 0 && heard.is_none() {
            return None;
        }
        let sends = packets > self.sent[1];
        self.sent = [packets, self.sent[0]];
        // Both counters wrap on the wire.
        let (packets, octets) = (packets as u32, octets as u32);
        let sender = sends.then(|| Sender { ntp: ntp_now(), timestamp, packets, octets });
        let block = heard.map(|heard| self.block(now, heard));
        Some(Report { ssrc, sender, block, cname: self.cname })
    }

    fn block(&mut self, now: Now, heard: Heard) -> Block {
        let known = self.told.ssrc == heard.ssrc;
        let told = if known { self.told } else { Heard::default() };
        self.told = heard;
        let expected = heard.expected.saturating_sub(told.expected);
        let lost = expected.saturating_sub(heard.taken.saturating_sub(told.taken));
        let fraction = (lost * 256).checked_div(expected).unwrap_or(0).min(255);
        let time = self.heard.filter(|(time, _)| time.ssrc == heard.ssrc);
        let (last_report, delay) = time.map_or((0, 0), |(time, at_ms)| {
            let delay = now.ms.saturating_sub(at_ms).saturating_mul(65_536) / 1_000;
            (time.middle, u32::try_from(delay).unwrap_or(u32::MAX))
        });
        let total = heard.expected.saturating_sub(heard.taken);
        Block {
            ssrc: heard.ssrc,
            fraction_lost: fraction as u8,
            lost: u32::try_from(total).unwrap_or(u32::MAX),
            highest: heard.highest,
            jitter: heard.jitter,
            last_report,
            delay,
        }
    }
}

/// The wall clock in the form of NTP.
fn ntp_now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = since.as_secs().wrapping_add(NTP_BEFORE_UNIX_S);
    let fraction = (u64::from(since.subsec_nanos()) << 32) / 1_000_000_000;
    seconds << 32 | fraction
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn at(ms: u64) -> Now {
        Now { instant: Instant::now(), ms, samples: 0 }
    }

    #[test]
    fn reports_come_every_five_seconds_on_average_and_never_in_step() {
        let times = |seed| {
            let mut reporter = Reporter::new(seed, at(0));
            (0..600_000).filter(|ms| reporter.is_due(at(*ms))).collect::<Vec<u64>>()
        };
        let (one, two) = (times(1), times(2));
        assert_eq!(one, times(1), "the seed decides");
        assert_ne!(one, two);
        assert!(one[0] < 3_750);
        assert!((110..130).contains(&one.len()), "{}", one.len());
        let gaps = one.windows(2).map(|pair| pair[1] - pair[0]);
        assert!(gaps.clone().all(|gap| (2_500..7_500).contains(&gap)));
    }

    #[test]
    fn loss_is_told_since_the_last_report_and_since_the_beginning() {
        let mut reporter = Reporter::new(1, at(0));
        let heard = |expected, taken| Heard { ssrc: 5, expected, taken, highest: 9, jitter: 3 };
        let mut told = |ms, heard| {
            let report = reporter.report(at(ms), (1, 2), (0, 0), Some(heard)).expect("told");
            let block = report.block.expect("heard");
            (block.fraction_lost, block.lost, block.last_report, block.delay)
        };
        assert_eq!(told(0, heard(100, 100)), (0, 0, 0, 0));
        assert_eq!(told(0, heard(200, 150)), (128, 50, 0, 0));
        assert_eq!(told(0, heard(300, 260)), (0, 40, 0, 0), "doubled packets are no gain");
        reporter.take(
            at(1_000),
            ([192, 0, 2, 1], 9).into(),
            Some(PeerTime { ssrc: 5, middle: 77 }),
        );
        let report = reporter.report(at(1_500), (1, 2), (0, 0), Some(heard(300, 260)));
        let block = report.and_then(|report| report.block).expect("heard");
        assert_eq!((block.last_report, block.delay), (77, 32_768));
        assert!(reporter.report(at(0), (1, 2), (0, 0), None).is_none(), "nothing to tell");
    }

    #[test]
    fn who_stopped_sending_is_no_sender_any_more() {
        let mut reporter = Reporter::new(1, at(0));
        let mut sends = |packets| {
            let report = reporter.report(at(0), (1, 2), (packets, 9), None).expect("told");
            report.sender.is_some()
        };
        assert_eq!([sends(5), sends(5), sends(5), sends(6)], [true, true, false, true]);
    }
}
