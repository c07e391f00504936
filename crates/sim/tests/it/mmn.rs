//! The floor against theory: with Poisson arrivals, exponential conversations, patient callers and
//! no delay of its own, its waits must be those of Erlang C.
//!
//! Neighbouring waits depend on each other over thousands of calls, so the floor's own runs tell
//! their mean badly: at 50 agents and a load of 0.9 the interval after 120,000 calls is half as
//! wide as the value. So the comparison goes through the recursion of Kiefer and Wolfowitz, an
//! external control variate in the words of simulation, and each of its three steps is sharp:
//!
//! 1. On the same arrivals and conversations the floor's waits are those of the recursion, each of
//!    them, to the microsecond.
//! 2. The arrivals and conversations are exponential: they are independent, so their interval is
//!    narrow.
//! 3. The mean of the recursion is that of Erlang C: 40 independent runs that begin empty, each
//!    without its first customers until the memory of the beginning is gone, and a 99.9 % interval
//!    of Student over their 40 means, whose half width is at most 4 % of the value.

use model::random::Random;
use sim::stats::Estimate;
use sim::textbook::Servers;
use sim::{Scenario, Stay, World, erlang};

/// Mean conversation, seconds.
const TALK_S: f64 = 180.0;
/// Callers of one run of the floor.
const CALLERS: u32 = 15_000;
/// Independent runs of the recursion.
const RUNS: u64 = 40;
/// Agents, load of each, and customers of one run of the recursion: so many that the interval gets
/// narrow enough.
const CASES: [(u32, f64, u32); 13] = [
    (1, 0.7, 50_000),
    (1, 0.85, 100_000),
    (1, 0.95, 600_000),
    (3, 0.7, 50_000),
    (3, 0.85, 100_000),
    (3, 0.95, 600_000),
    (12, 0.7, 100_000),
    (12, 0.85, 150_000),
    (12, 0.95, 600_000),
    (50, 0.7, 1_800_000),
    (50, 0.85, 700_000),
    (50, 0.9, 1_200_000),
    (50, 0.95, 1_300_000),
];

/// Runs the floor and gives its customers in the order of their coming.
fn stays_of(mut world: World) -> Vec<Stay> {
    world.run().expect("every invariant holds");
    let mut stays = world.diary().stays.clone();
    assert_eq!(world.diary().rang, stays.len() as u64, "everybody was served");
    stays.sort();
    stays
}

fn floor(agents: u32, rho: f64) -> World {
    let seed = u64::from(agents) * 1_000 + (rho * 100.0) as u64;
    World::new(Scenario::mmn(agents, rho, TALK_S, CALLERS), seed)
}

/// What the same customers wait in the textbook, microseconds.
fn recursion(agents: u32, stays: &[Stay]) -> Vec<i64> {
    let mut servers = Servers::new(agents);
    let begin = stays[0].rang_at;
    let serve = |stay: &Stay| servers.serve(stay.rang_at.since(begin).micros(), stay.talk_us());
    stays.iter().map(serve).collect()
}

#[test]
fn each_wait_is_that_of_the_recursion_and_its_input_exponential() {
    let (mut gaps, mut talks) = (Vec::new(), Vec::new());
    for (agents, rho, _) in CASES {
        let stays = stays_of(floor(agents, rho));
        let waits: Vec<_> = stays.iter().map(Stay::wait_us).collect();
        let expected = recursion(agents, &stays);
        let first = waits.iter().zip(&expected).position(|(floor, book)| floor != book);
        assert_eq!(first, None, "M/M/{agents} at {rho}: the first wait that differs");
        let mean_gap_us = TALK_S * 1e6 / (rho * f64::from(agents));
        let gap = |pair: &[Stay]| pair[1].rang_at.since(pair[0].rang_at).micros() as f64;
        gaps.extend(stays.windows(2).map(|pair| gap(pair) / mean_gap_us));
        talks.extend(stays.iter().map(|stay| stay.talk_us() as f64 / (TALK_S * 1e6)));
    }
    exponential("gaps", &gaps);
    exponential("conversations", &talks);
}

/// Mean 1, and the right share above 1/2, 1 and 3.
fn exponential(what: &str, values: &[f64]) {
    let mean = Estimate::of_independent(values).expect("there are many");
    assert!(mean.half_width < 0.01 && mean.holds(1.0), "{what}: {mean:?}");
    for bound in [0.5, 1.0, 3.0_f64] {
        let above: Vec<_> = values.iter().map(|v| f64::from(u8::from(*v > bound))).collect();
        let share = Estimate::of_independent(&above).expect("there are many");
        assert!(share.holds((-bound).exp()), "{what} above {bound}: {share:?}");
    }
}

#[test]
fn the_recursion_is_erlang_c() {
    for (agents, rho, customers) in CASES {
        let load = rho * f64::from(agents);
        let seed = |run| (u64::from(agents) << 32) + ((rho * 100.0) as u64) * 1_000 + run;
        let runs: Vec<_> =
            (0..RUNS).map(|run| run_of_recursion(agents, rho, customers, seed(run))).collect();
        let of = |pick: fn(&(f64, f64)) -> f64| {
            let means: Vec<_> = runs.iter().map(pick).collect();
            Estimate::of_independent(&means).expect("there are 40")
        };
        for (what, estimate, expected) in [
            ("mean wait / service", of(|run| run.0), erlang::mean_wait(agents, load)),
            ("share that waits", of(|run| run.1), erlang::waiting(agents, load)),
        ] {
            let percent = estimate.half_width / expected * 100.0;
            assert!(percent <= 4.0, "{what}: the runs are too short to tell: {estimate:?}");
            assert!(estimate.holds(expected), "{what}: {estimate:?}, Erlang C {expected}");
        }
    }
}

/// Mean wait in units of the mean service and the share that waits, of one run with `customers`
/// after the warm-up.
fn run_of_recursion(agents: u32, rho: f64, customers: u32, seed: u64) -> (f64, f64) {
    const SERVICE_US: f64 = 1e6;
    let mut random = Random::new(seed);
    let mut servers = Servers::new(agents);
    let mean_gap_us = SERVICE_US / (rho * f64::from(agents));
    // The memory of M/M/n fades by a factor of e within about so many customers; 20 times that.
    let warm_up = (20.0 * rho / (1.0 - rho.sqrt()).powi(2)) as u32;
    let (mut at_us, mut sum_us, mut waited) = (0, 0, 0_u32);
    for nth in 0..warm_up + customers {
        at_us += random.exponential(mean_gap_us) as i64;
        let wait_us = servers.serve(at_us, random.exponential(SERVICE_US) as i64);
        if nth >= warm_up {
            sum_us += wait_us;
            waited += u32::from(wait_us > 0);
        }
    }
    let n = f64::from(customers);
    (sum_us as f64 / SERVICE_US / n, f64::from(waited) / n)
}

/// Last come, first served has the same mean wait, so only the comparison wait for wait sees it.
#[cfg(feature = "mutations")]
#[test]
fn a_queue_out_of_order_is_seen() {
    let mut world = floor(3, 0.85);
    world.mutate(floor::Mutation::LifoQueue);
    let stays = stays_of(world);
    let expected = recursion(3, &stays);
    let differing = stays.iter().zip(&expected).filter(|(stay, us)| stay.wait_us() != **us);
    assert!(1_000 < differing.count());
}
