//! What the commands share: addresses, sounds and durations as they are typed.

pub(crate) mod agents;
pub(crate) mod call;
pub(crate) mod chirps;
pub(crate) mod load;
pub(crate) mod swarm;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use model::media::Codec;
use phone::chirp::Code;
use phone::plan::Moment;
use phone::voice::Sound;
use phone::wav;

/// A number at an address: `sip:100@127.0.0.1:5060`, the scheme and the port may be left out.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) dialled: String,
    pub(crate) peer: SocketAddr,
}

pub(crate) fn target(text: &str) -> Result<Target, String> {
    let rest = text.strip_prefix("sip:").unwrap_or(text);
    let (dialled, host) = rest.split_once('@').ok_or("expected sip:NUMBER@ADDRESS:PORT")?;
    let peer = host
        .parse()
        .or_else(|_| host.parse().map(|ip| SocketAddr::new(ip, 5_060)))
        .map_err(|_| format!("{host} is no address with port"))?;
    Ok(Target { dialled: dialled.to_owned(), peer })
}

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    phone::plan::duration(text).ok_or_else(|| "expected 500ms, 3s or 2m".to_owned())
}

pub(crate) fn moment(text: &str) -> Result<Moment, String> {
    text.parse().map_err(|error: phone::plan::NoMoment| error.to_string())
}

pub(crate) fn codec(text: &str) -> Result<Codec, String> {
    match text.to_ascii_lowercase().as_str() {
        "pcmu" | "ulaw" => Ok(Codec::Pcmu),
        "pcma" | "alaw" => Ok(Codec::Pcma),
        _ => Err("expected pcmu or pcma".to_owned()),
    }
}

/// What is said.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(crate) struct SoundArgs {
    /// Say this WAV file once.
    #[arg(long, value_name = "FILE")]
    say: Option<PathBuf>,
    /// Say this WAV file again and again.
    #[arg(long, value_name = "FILE")]
    say_again: Option<PathBuf>,
    /// Say the chirps of this code, 0 to 15.
    #[arg(long, value_name = "CODE")]
    chirp: Option<usize>,
    /// Say packets that carry the time they were sent.
    #[arg(long)]
    probe: bool,
}

impl SoundArgs {
    pub(crate) fn sound(&self) -> anyhow::Result<Sound> {
        Ok(match self {
            Self { say: Some(file), .. } => Sound::Once(read(file)?.into()),
            Self { say_again: Some(file), .. } => Sound::Loop(read(file)?.into()),
            Self { chirp: Some(number), .. } => match Code::new(*number) {
                Some(code) => Sound::chirp(code),
                None => bail!("there are codes 0 to 15"),
            },
            Self { probe: true, .. } => Sound::Probe,
            _ => Sound::Silence,
        })
    }
}

pub(crate) fn read(file: &Path) -> anyhow::Result<Vec<i16>> {
    let bytes = std::fs::read(file).with_context(|| file.display().to_string())?;
    wav::read(&bytes).with_context(|| file.display().to_string())
}

/// The value below which `percent` of the sorted values lie.
pub(crate) fn percentile<T: Copy + Default>(sorted: &[T], percent: usize) -> T {
    let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(at).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        let good = target("sip:+302105550100@127.0.0.2:5080").expect("a good address");
        assert_eq!(good.dialled, "+302105550100");
        assert_eq!(good.peer, SocketAddr::from(([127, 0, 0, 2], 5_080)));
        let short = target("100@127.0.0.1").expect("a good address");
        assert_eq!(short.peer.port(), 5_060);
        for bad in ["100", "sip:100@host", "sip:100@1.2.3.4:x"] {
            assert!(target(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn percentiles_of_little() {
        assert_eq!(percentile::<i64>(&[], 50), 0);
        assert_eq!(percentile(&[7], 99), 7);
        let hundred: Vec<i64> = (0..100).collect();
        assert_eq!((percentile(&hundred, 50), percentile(&hundred, 99)), (50, 99));
    }
}
