//! The KPI book as code: one function per number, named as in the book, tested with its example.
//!
//! Every KPI is exact: a share is a [`Ratio`] of two whole numbers, a mean is whole microseconds.
//! No screen shows them yet; `sim` proves them against the diaries of its customers.
//! `None` means that nothing happened that could be measured, which is neither 0 % nor 100 %.

use model::time::Span;
use serde::{Deserialize, Serialize};

use crate::agent::TimeFacts;
use crate::queue::{EntryFacts, HandleFacts};

/// A share: `part` of `whole`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ratio {
    /// What counts.
    pub part: i64,
    /// Of how much; greater than 0.
    pub whole: i64,
}

impl Ratio {
    /// `None` when there is nothing to take a share of.
    #[must_use]
    pub fn of(part: i64, whole: i64) -> Option<Self> {
        (whole > 0).then_some(Self { part, whole })
    }

    /// As a percentage, for showing.
    #[must_use]
    pub fn percent(self) -> f64 {
        self.part as f64 * 100.0 / self.whole as f64
    }
}

fn count(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// The variants of the service level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceLevel {
    /// Answered in time / answered.
    Sl1,
    /// (answered in time + abandoned in time) / (answered + abandoned).
    Sl2,
    /// Answered in time / (answered + abandoned).
    Sl3,
    /// Answered in time / (answered + abandoned after the threshold).
    #[default]
    Sl4,
}

/// Service level. Clock: entry into the queue.
#[must_use]
pub fn service_level(variant: ServiceLevel, facts: &EntryFacts) -> Option<Ratio> {
    let in_time = facts.answered_in_target;
    let both = facts.answered + facts.abandoned;
    let (part, whole) = match variant {
        ServiceLevel::Sl1 => (in_time, facts.answered),
        ServiceLevel::Sl2 => (in_time + facts.abandoned_in_target, both),
        ServiceLevel::Sl3 => (in_time, both),
        ServiceLevel::Sl4 => (in_time, both - facts.abandoned_in_target),
    };
    Ratio::of(count(part), count(whole))
}

/// Average speed of answer: queue wait of the answered / answered. Clock: entry into the queue.
#[must_use]
pub fn asa(facts: &EntryFacts) -> Option<Span> {
    mean(facts.answered_wait_us, facts.answered)
}

/// Abandonment rate: abandoned / (offered - short-abandoned). Clock: entry into the queue.
#[must_use]
pub fn abandonment_rate(facts: &EntryFacts) -> Option<Ratio> {
    Ratio::of(count(facts.abandoned), count(facts.offered - facts.short_abandoned))
}

/// Average handling time: (talk + hold + wrap-up) / handled. Clock: end of the wrap-up.
#[must_use]
pub fn aht(facts: &HandleFacts) -> Option<Span> {
    mean(facts.talk_us + facts.hold_us + facts.wrap_up_us, facts.handled)
}

/// Occupancy: (talk + hold + wrap-up) / (that + available). Clock: the time itself.
#[must_use]
pub fn occupancy(time: &TimeFacts) -> Option<Ratio> {
    Ratio::of(time.handling_us, time.handling_us + time.available_us)
}

/// Agent availability: (available + handling) / signed-in time. Clock: the time itself.
#[must_use]
pub fn agent_availability(time: &TimeFacts) -> Option<Ratio> {
    let working_us = time.handling_us + time.available_us;
    Ratio::of(working_us, working_us + time.break_us + time.unreachable_us)
}

fn mean(sum_us: i64, n: u64) -> Option<Span> {
    (n > 0).then(|| Span::from_micros(sum_us / count(n)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    /// The example of the KPI book: 1000 answered, 860 of them in 20 s, 60 abandoned, 20 of them
    /// in 20 s.
    fn example() -> EntryFacts {
        EntryFacts {
            offered: 1_100,
            answered: 1_000,
            answered_in_target: 860,
            abandoned: 60,
            abandoned_in_target: 20,
            short_abandoned: 40,
            answered_wait_us: 12_500 * SECOND,
            ..EntryFacts::default()
        }
    }

    #[test]
    fn service_level_in_its_four_variants() {
        let percent = |variant| {
            let ratio = service_level(variant, &example()).unwrap();
            format!("{:.1}", ratio.percent())
        };
        assert_eq!(percent(ServiceLevel::Sl1), "86.0");
        assert_eq!(percent(ServiceLevel::Sl2), "83.0");
        assert_eq!(percent(ServiceLevel::Sl3), "81.1");
        assert_eq!(percent(ServiceLevel::Sl4), "82.7");
        assert_eq!(percent(ServiceLevel::default()), "82.7");
        assert_eq!(service_level(ServiceLevel::Sl4, &EntryFacts::default()), None);
    }

    #[test]
    fn asa_counts_the_answered_alone() {
        assert_eq!(asa(&example()), Some(Span::from_millis(12_500)));
        assert_eq!(asa(&EntryFacts::default()), None);
    }

    #[test]
    fn abandonment_rate_leaves_the_short_ones_out() {
        assert_eq!(abandonment_rate(&example()), Ratio::of(60, 1_060));
    }

    #[test]
    fn aht_is_talk_and_hold_and_wrap_up() {
        let facts = HandleFacts {
            handled: 4,
            talk_us: 600 * SECOND,
            hold_us: 80 * SECOND,
            wrap_up_us: 120 * SECOND,
        };
        assert_eq!(aht(&facts), Some(Span::from_secs(200)));
        assert_eq!(aht(&HandleFacts::default()), None);
    }

    #[test]
    fn occupancy_knows_no_breaks_and_availability_does() {
        let time = TimeFacts {
            handling_us: 45 * 60 * SECOND,
            available_us: 5 * 60 * SECOND,
            break_us: 10 * 60 * SECOND,
            unreachable_us: 0,
        };
        assert_eq!(occupancy(&time).map(Ratio::percent), Some(90.0));
        let availability = agent_availability(&time).unwrap();
        assert_eq!(format!("{:.1}", availability.percent()), "83.3");
        assert_eq!(occupancy(&TimeFacts::default()), None);
    }
}
