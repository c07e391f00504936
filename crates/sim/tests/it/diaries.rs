//! The figures of `report` against what the customers wrote down themselves, from ringing to the
//! first word and from there to the end, without a look at any event.

use model::Output;
use report::queue::{EntryFacts, HandleFacts};
use report::{Books, Step};
use sim::{Scenario, Stay, World};

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
    }
}
