//! The floor against theory: with Poisson arrivals, exponential service, patient callers and no
//! delay of its own, waits must be those of Erlang C.

use sim::stats::batch_means;
use sim::{Scenario, World, erlang};

#[test]
fn waits_are_those_of_erlang_c() {
    const TALK_S: f64 = 180.0;
    const ARRIVALS: u32 = 120_000;
    for (agents, rho, seed) in
        [(1, 0.5, 21), (2, 0.7, 22), (5, 0.8, 23), (10, 0.85, 24), (25, 0.85, 25), (50, 0.9, 26)]
    {
        let mut world = World::new(Scenario::mmn(agents, rho, TALK_S, ARRIVALS), seed);
        world.run().unwrap();
        let diary = world.diary();
        assert_eq!(diary.rang, u64::from(ARRIVALS));
        assert_eq!(diary.talked, diary.rang, "everybody was served");
        let load = rho * f64::from(agents);
        let waits: Vec<f64> = diary.waits_us.iter().map(|us| *us as f64 / 1e6 / TALK_S).collect();
        let waited: Vec<f64> = waits.iter().map(|w| f64::from(u8::from(*w > 0.0))).collect();
        for (what, values, expected) in [
            ("mean wait / service", &waits, erlang::mean_wait(agents, load)),
            ("share that waits", &waited, erlang::waiting(agents, load)),
        ] {
            let estimate = batch_means(values).unwrap();
            println!(
                "M/M/{agents} at {rho}: {what} {:.4} +- {:.4}, Erlang C {expected:.4}",
                estimate.mean, estimate.half_width
            );
            // A band as wide as the value itself would hold anything.
            let sharp = estimate.half_width < 0.6 * expected;
            assert!(sharp, "{what}: the run is too short to tell: {estimate:?}");
            assert!(estimate.holds(expected), "{what}: {estimate:?}, Erlang C {expected}");
        }
    }
}
