//! The program: command line, settings and wiring. It decides nothing.

mod cli;
mod company;
mod control;
mod demo;
mod floor_thread;
mod house;
mod keys;
mod manage;
mod memory;
mod ports;
mod settings;
mod tenants;
mod tls;

use std::process::ExitCode;

use clap::Parser as _;

/// This program: its version, and the commit where that was known when it was built.
const BUILD: &str = env!("ANTIPHON_BUILD");

fn main() -> ExitCode {
    memory::share();
    // Two providers are linked; every TLS and DTLS use takes this one.
    media::webrtc::install_crypto();
    let cli = cli::Cli::parse();
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&format!("antiphon: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// The one place that writes for people on the console's error stream.
#[expect(clippy::print_stderr, reason = "a command line tool speaks there")]
fn tell(text: &str) {
    eprintln!("{text}");
}

/// The one place that writes results, for people and scripts.
#[expect(clippy::print_stdout, reason = "a command line tool answers there")]
fn say(text: &str) {
    println!("{text}");
}
