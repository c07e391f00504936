//! `phone swarm`: customers that never end, each with a number, a wish, patience and something to
//! say. One line per call.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;
use model::media::Codec;
use model::random::Random;
use phone::diary::{Entry, What};
use phone::plan::{Moment, Plan, keys};
use phone::voice::Sound;
use phone::{Config, Phone};
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::{Instant, sleep_until};

use super::call::{print, summary};
use super::{Target, duration, read, target};

/// The arguments of `phone swarm`.
#[derive(Debug, Args)]
pub(crate) struct SwarmArgs {
    /// Whom to call: sip:100@127.0.0.1:5060. Several share the calls.
    #[arg(value_parser = target, required = true)]
    targets: Vec<Target>,
    /// Mean time between two calls; the times themselves are random.
    #[arg(long, default_value = "4s", value_parser = duration)]
    every: Duration,
    /// Keys as for `phone call`, with alternatives: "quiet:1|2|3,quiet:4711#|".
    #[arg(long, default_value = "quiet:1|2|3")]
    keys: String,
    /// Mean patience: who is not spoken to by then hangs up.
    #[arg(long, default_value = "90s", value_parser = duration)]
    patience: Duration,
    /// Mean time that a customer talks.
    #[arg(long, default_value = "40s", value_parser = duration)]
    talk: Duration,
    /// A folder of WAV files, one of which a customer says.
    #[arg(long, value_name = "FOLDER")]
    speech: Option<PathBuf>,
    /// No more customers than this at a time.
    #[arg(long, default_value_t = 50)]
    max: usize,
    /// End after this many calls.
    #[arg(long)]
    calls: Option<u64>,
    /// The same seed makes the same customers.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Our address; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    bind: SocketAddr,
    /// The diary as JSON lines.
    #[arg(long)]
    json: bool,
}

/// Calls until interrupted.
pub(crate) async fn run(args: SwarmArgs) -> anyhow::Result<bool> {
    let speeches = speeches(args.speech.as_deref())?;
    let mut random = Random::new(args.seed);
    // A wrong --keys is found before the first call, whatever is drawn.
    keys(&args.keys.replace('|', ""))?;
    let (diary, mut entries) = unbounded_channel::<Entry>();
    let config = Config { bind: args.bind, agent: None, trace: args.json };
    let phone = Phone::start(config, Some(diary)).await.context(args.bind)?;
    let (mut begun, mut open) = (0_u64, 0_usize);
    let mut next = Instant::now();
    loop {
        let more = args.calls.is_none_or(|calls| begun < calls);
        if !more && open == 0 {
            break;
        }
        tokio::select! {
            () = sleep_until(next), if more && open < args.max => {
                drop(phone.call(customer(&args, &speeches, &mut random)?));
                (begun, open) = (begun + 1, open + 1);
                next = Instant::now() + exponential(&mut random, args.every);
            }
            Some(entry) = entries.recv() => match &entry.what {
                What::Over(report) => {
                    open -= 1;
                    if args.json {
                        print(&entry, true)?;
                    } else {
                        println!("{}", summary(report));
                    }
                }
                _ if args.json => print(&entry, true)?,
                _ => {}
            },
            _ = tokio::signal::ctrl_c() => break,
        }
    }
    phone.close().await;
    Ok(true)
}

/// The WAV files of a folder, by name.
fn speeches(folder: Option<&Path>) -> anyhow::Result<Vec<Arc<[i16]>>> {
    let Some(folder) = folder else { return Ok(Vec::new()) };
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .with_context(|| folder.display().to_string())?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "wav"))
        .collect();
    files.sort();
    ensure!(!files.is_empty(), "no WAV files in {}", folder.display());
    files.iter().map(|file| Ok(read(file)?.into())).collect()
}

fn customer(
    args: &SwarmArgs,
    speeches: &[Arc<[i16]>],
    random: &mut Random,
) -> anyhow::Result<Plan> {
    let target = pick(random, &args.targets).context("clap asks for one at least")?;
    let speech = pick(random, speeches).cloned();
    Ok(Plan {
        number: format!("+3021055501{:02}", random.below(100)),
        codec: if random.below(4) == 0 { Codec::Pcma } else { Codec::Pcmu },
        sound: speech.map_or(Sound::Silence, Sound::Once),
        keys: keys(&choose(&args.keys, random))?,
        // Prompts and music are over when somebody listens.
        say_from: Some(Moment::Quiet(Duration::from_millis(1_500))),
        patience: Some(exponential(random, args.patience) + Duration::from_secs(5)),
        talk: Some(exponential(random, args.talk) + Duration::from_secs(5)),
        cancel_after: Some(Duration::from_secs(60)),
        keep: false,
        ..Plan::new(target.peer, &target.dialled)
    })
}

/// Draws one alternative for each moment; a moment whose alternative is empty is left out.
fn choose(text: &str, random: &mut Random) -> String {
    let mut chosen = Vec::new();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let (moment, alternatives) = part.rsplit_once(':').unwrap_or((part, ""));
        let alternatives: Vec<&str> = alternatives.split('|').collect();
        let keys = pick(random, &alternatives).copied().unwrap_or_default();
        if !keys.is_empty() {
            chosen.push(format!("{moment}:{keys}"));
        }
    }
    chosen.join(",")
}

fn pick<'a, T>(random: &mut Random, from: &'a [T]) -> Option<&'a T> {
    let at = random.below(u64::try_from(from.len()).ok()?);
    from.get(usize::try_from(at).ok()?)
}

/// At most five times the mean, so that nobody stays for ever.
fn exponential(random: &mut Random, mean: Duration) -> Duration {
    mean.mul_f64(random.exponential(1.0).min(5.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alternatives_are_drawn() {
        let mut random = Random::new(3);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..50 {
            seen.insert(choose("quiet:1|2,sound+1s:12#|", &mut random));
        }
        let all = ["quiet:1", "quiet:1,sound+1s:12#", "quiet:2", "quiet:2,sound+1s:12#"];
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), all);
    }
}
