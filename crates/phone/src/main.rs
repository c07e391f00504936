//! The command line of the telephone. Each command lives in a module of `cli`.
//!
//! Exit code 0 means that what was asked happened: the call was answered, the load was carried.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool")]

mod cli;

use std::process::ExitCode;

use clap::Parser;

/// A small SIP and RTP telephone: one call, endless customers, agents, or load.
#[derive(Debug, Parser)]
#[command(name = "phone", version)]
enum Command {
    /// Make one call and keep a diary of it.
    Call(cli::call::CallArgs),
    /// Take calls as one or many agents, until interrupted.
    Agents(cli::agents::AgentsArgs),
    /// Call for ever as changing customers, for the demo.
    Swarm(cli::swarm::SwarmArgs),
    /// Call at a steady rate and measure.
    Load(cli::load::LoadArgs),
    /// Write the chirps of a code as a WAV file, as a speaker for somebody else.
    Chirp(cli::chirps::ChirpArgs),
    /// Tell which chirp codes are in a WAV file.
    Hear(cli::chirps::HearArgs),
}

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let result = runtime.map_err(Into::into).and_then(|runtime| {
        runtime.block_on(async {
            match Command::parse() {
                Command::Call(args) => cli::call::run(args).await,
                Command::Agents(args) => cli::agents::run(args).await,
                Command::Swarm(args) => cli::swarm::run(args).await,
                Command::Load(args) => cli::load::run(args).await,
                Command::Chirp(args) => cli::chirps::write(&args),
                Command::Hear(args) => cli::chirps::hear(&args),
            }
        })
    });
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("phone: {error:#}");
            ExitCode::from(2)
        }
    }
}
