//! How many inputs and distributed calls a cell works off per second, and how that grows with the
//! number of agents (goal G5: at most 1.3 times from 100 to 1,000 agents).
//!
//! `cargo run --release -p sim --example decisions`

#![expect(clippy::print_stdout, reason = "the figures are its output")]

use std::time::Instant;

use sim::load::Load;

fn main() {
    const TURNS: u32 = 20_000;
    let mut per_call = Vec::new();
    for agents in [100, 1_000] {
        let mut load = Load::new(agents, 1_000);
        // The better of five: what disturbs a run only ever makes it slower.
        let mut best_us = f64::INFINITY;
        let mut inputs_per_s = 0.0;
        for _ in 0..5 {
            let (inputs, calls) = (load.inputs(), load.connected());
            let start = Instant::now();
            (0..TURNS).for_each(|_| load.turn());
            let seconds = start.elapsed().as_secs_f64();
            let us = seconds * 1e6 / (load.connected() - calls) as f64;
            if us < best_us {
                best_us = us;
                inputs_per_s = (load.inputs() - inputs) as f64 / seconds;
            }
        }
        let (waiting, talking) = load.standing();
        println!(
            "{agents} agents, {waiting} waiting, {talking} talking: {best_us:.1} us per \
             distributed call, {inputs_per_s:.0} inputs/s"
        );
        per_call.push(best_us);
    }
    if let [few, many] = per_call[..] {
        println!("growth from 100 to 1,000 agents: {:.2} (goal at most 1.30)", many / few);
    }
}
