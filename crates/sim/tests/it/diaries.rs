//! The figures of `report` against what the customers wrote down themselves, from ringing to the
//! first word and from there to the end, without a look at any event.

use model::{Output, Span, Timestamp};
use report::agent::TimeFacts;
use report::kpi::{self, Ratio, ServiceLevel};
use report::queue::{EntryFacts, HandleFacts};
use report::{Books, Step};
use sim::{Diary, Scenario, Stay, World};

#[test]
fn figures_equal_the_diaries_of_the_customers() {
    for seed in 0..5 {
        let scenario = Scenario { checked: true, ..Scenario::mmn(3, 0.8, 60.0, 400) };
        let mut world = World::new(scenario, seed);
        world.run().expect("every invariant holds");
        let mut books = Books::new(world.tenant());
        for output in world.recording().1 {
            if let Output::Event(recorded) = output {
                assert_eq!(books.apply(recorded), Step::Next);
            }
        }
        let (mut entries, mut handling) = (EntryFacts::default(), HandleFacts::default());
        for queue in books.queues.counters().keys() {
            for (_, facts) in books.queues.intervals(*queue) {
                entries.add(&facts.entries);
                handling.add(&facts.handling);
            }
        }
        let diary = world.diary();
        let talked = diary.stays.len() as u64;
        assert_eq!((entries.offered, entries.answered), (diary.rang, talked));
        assert_eq!(handling.handled, talked);
        assert_eq!(entries.answered_wait_us, diary.stays.iter().map(Stay::wait_us).sum::<i64>());
        assert_eq!(handling.talk_us, diary.stays.iter().map(Stay::talk_us).sum::<i64>());
        let at_once = diary.stays.iter().filter(|stay| stay.wait_us() <= 20_000_000).count();
        assert_eq!(entries.answered_in_target, at_once as u64);
        kpis(&books, &entries, &handling, world.diary());
    }
}

/// Every formula of the book, from what the customers wrote down. Nobody leaves or wraps up.
fn kpis(books: &Books, entries: &EntryFacts, handling: &HandleFacts, diary: &Diary) {
    let stays = &diary.stays;
    let whole = i64::try_from(stays.len()).expect("a count");
    let (waits_us, talks_us): (i64, i64) =
        (stays.iter().map(Stay::wait_us).sum(), stays.iter().map(Stay::talk_us).sum());
    assert_eq!(kpi::asa(entries), Some(Span::from_micros(waits_us / whole)));
    assert_eq!(kpi::aht(handling), Some(Span::from_micros(talks_us / whole)));
    assert_eq!(kpi::abandonment_rate(entries), Some(Ratio { part: 0, whole }));
    let in_time = stays.iter().filter(|stay| stay.wait_us() <= 20_000_000).count();
    let part = i64::try_from(in_time).expect("a count");
    for variant in [ServiceLevel::Sl1, ServiceLevel::Sl2, ServiceLevel::Sl3, ServiceLevel::Sl4] {
        assert_eq!(kpi::service_level(variant, entries), Some(Ratio { part, whole }));
    }
    let mut time = TimeFacts::default();
    let (from, until) = (Timestamp::default(), Timestamp::from_micros(i64::MAX));
    for agent in books.agents.agents() {
        time.add(&books.agents.figures(agent, from, until).time);
    }
    assert_eq!(kpi::occupancy(&time).map(|ratio| ratio.part), Some(talks_us));
    let present = kpi::agent_availability(&time).expect("somebody was there");
    assert_eq!(present.part, time.handling_us + time.available_us);
}
