//! `phone chirp` and `phone hear`: codes as files, for browsers and other telephones.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use phone::chirp::{self, Code};
use phone::wav;
use serde_json::json;

use super::read;

/// The arguments of `phone chirp`.
#[derive(Debug, Args)]
pub(crate) struct ChirpArgs {
    /// The code, 0 to 15.
    code: usize,
    /// The file to write.
    file: PathBuf,
    /// How many seconds, rounded up to whole periods of 600 ms.
    #[arg(long, default_value_t = 12)]
    seconds: u32,
    /// Samples per second; a multiple of 8000.
    #[arg(long, default_value_t = 48_000)]
    rate: u32,
}

/// Writes a code as a WAV file without a seam.
pub(crate) fn write(args: &ChirpArgs) -> anyhow::Result<bool> {
    let code = Code::new(args.code).context("there are codes 0 to 15")?;
    anyhow::ensure!(
        args.rate.is_multiple_of(wav::RATE) && (8_000..=96_000).contains(&args.rate),
        "the rate must be a multiple of 8000, at most 96000"
    );
    let periods = (args.seconds.min(3_600) * 10).div_ceil(6);
    let samples = code.samples(args.rate).repeat(usize::try_from(periods)?);
    let file = args.file.display().to_string();
    std::fs::write(&args.file, wav::write(&samples, args.rate)).context(file)?;
    Ok(true)
}

/// The arguments of `phone hear`.
#[derive(Debug, Args)]
pub(crate) struct HearArgs {
    /// A WAV file of 16 bit samples at 8 kHz or more; several channels are mixed.
    file: PathBuf,
}

/// Prints which codes are in a file, as one JSON object. True when there is one.
pub(crate) fn hear(args: &HearArgs) -> anyhow::Result<bool> {
    let samples = read(&args.file)?;
    let found = chirp::find(&samples);
    let periods: Vec<_> = found
        .iter()
        .map(|heard| {
            let at_ms = heard.at as f64 / 8.0;
            json!({ "code": heard.code.number(), "at_ms": at_ms, "likeness": heard.likeness })
        })
        .collect();
    let codes: Vec<usize> = chirp::codes(&samples).into_iter().map(Code::number).collect();
    let length_ms = samples.len() as f64 / 8.0;
    println!("{}", json!({ "length_ms": length_ms, "codes": codes, "periods": periods }));
    Ok(!codes.is_empty())
}
