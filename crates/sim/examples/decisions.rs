//! How many inputs and distributed calls a cell works off per second, and how that grows with the
//! number of agents (goal G5: at most 1.3 times from 100 to 1,000 agents).
//!
//! `cargo run --release -p sim --example decisions`

#![expect(clippy::print_stdout, reason = "the figures are its output")]

use std::time::Instant;

use sim::load::Load;

/// Turns of one measurement, and measurements of each size.
const TURNS: u32 = 10_000;
const ROUNDS: usize = 7;

fn main() {
    let mut loads = [100, 1_000].map(|agents| (agents, Load::new(agents, 1_000), Vec::new()));
    // The sizes take turns, so that whatever else the machine does disturbs both alike.
    for _ in 0..ROUNDS {
        for (_, load, samples) in &mut loads {
            let (inputs, calls) = (load.inputs(), load.connected());
            let start_us = cpu_us();
            (0..TURNS).for_each(|_| load.turn());
            let us = cpu_us() - start_us;
            let calls = (load.connected() - calls) as f64;
            samples.push((us / calls, (load.inputs() - inputs) as f64 / us * 1e6));
        }
    }
    let mut medians = Vec::new();
    for (agents, load, samples) in &mut loads {
        samples.sort_by(|one, two| one.0.total_cmp(&two.0));
        let (per_call_us, inputs_per_s) = samples[ROUNDS / 2];
        let (waiting, talking) = load.standing();
        println!(
            "{agents} agents, {waiting} waiting, {talking} talking: {per_call_us:.1} us CPU per \
             distributed call, {inputs_per_s:.0} inputs/s"
        );
        medians.push(per_call_us);
    }
    if let [few, many] = medians[..] {
        println!("growth from 100 to 1,000 agents: {:.2} (goal at most 1.30)", many / few);
    }
}

/// Time this thread has had on a processor; wall time where the system does not tell.
fn cpu_us() -> f64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let ns = told.and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
    let wall_us = || START.get_or_init(Instant::now).elapsed().as_secs_f64() * 1e6;
    ns.map_or_else(wall_us, |ns| ns / 1e3)
}
