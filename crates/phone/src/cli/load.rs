//! `phone load`: calls at a steady rate, measured by the caller alone.
//!
//! Calls begin when they are due, not when the one before is done, so a slow answer is seen as
//! slow (no coordinated omission).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use phone::dialog::Ended;
use phone::diary::{Entry, Report, What};
use phone::plan::{Moment, Plan};
use phone::voice::Sound;
use phone::{Config, Phone};
use serde_json::{Value, json};
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::{Instant, sleep_until};

use super::{Target, duration, percentile, target};

/// The arguments of `phone load`.
#[derive(Debug, Args)]
pub(crate) struct LoadArgs {
    /// Whom to call: sip:100@127.0.0.1:5060.
    #[arg(value_parser = target)]
    target: Target,
    /// New calls per second.
    #[arg(long, default_value_t = 10.0)]
    rate: f64,
    /// For how long new calls are begun.
    #[arg(long, default_value_t = 10)]
    seconds: u32,
    /// How long each stays after the answer; without it the far side hangs up.
    #[arg(long, value_parser = duration)]
    hold: Option<Duration>,
    /// Give up a call that is not answered by then.
    #[arg(long, default_value = "32s", value_parser = duration)]
    patience: Duration,
    /// Signalling only: no RTP is sent.
    #[arg(long)]
    no_media: bool,
    /// Our address; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    bind: SocketAddr,
    /// The result as one JSON object.
    #[arg(long)]
    json: bool,
}

/// Carries the load. True when every call was answered and ended as planned.
pub(crate) async fn run(args: LoadArgs) -> anyhow::Result<bool> {
    anyhow::ensure!(args.rate > 0.0 && args.rate <= 10_000.0, "the rate is 0 to 10000 per second");
    let (diary, mut entries) = unbounded_channel::<Entry>();
    let config = Config { bind: args.bind, agent: None, trace: false };
    let phone = Phone::start(config, Some(diary)).await.context(args.bind)?;
    let total = (args.rate * f64::from(args.seconds)).round() as u64;
    let begun = Instant::now();
    let due = |n: u64| begun + Duration::from_secs_f64(n as f64 / args.rate);
    let (mut called, mut late_us_max) = (0, 0);
    let mut reports: Vec<Report> = Vec::new();
    while (reports.len() as u64) < total {
        tokio::select! {
            () = sleep_until(due(called)), if called < total => {
                late_us_max = late_us_max.max(due(called).elapsed().as_micros());
                drop(phone.call(plan(&args, called)));
                called += 1;
            }
            Some(entry) = entries.recv() => {
                if let What::Over(report) = entry.what {
                    reports.push(*report);
                }
            }
            _ = tokio::signal::ctrl_c() => break,
        }
    }
    phone.close().await;
    let (result, good) = judge(&reports, total, late_us_max);
    if args.json {
        println!("{result}");
    } else {
        print_figures(&result);
    }
    Ok(good)
}

fn plan(args: &LoadArgs, n: u64) -> Plan {
    Plan {
        number: format!("+3021055{:05}", n % 100_000),
        sound: if args.no_media { Sound::Silence } else { Sound::Probe },
        mute: args.no_media,
        hang_up: args.hold.map(Moment::Answer),
        cancel_after: Some(args.patience),
        keep: false,
        ..Plan::new(args.target.peer, &args.target.dialled)
    }
}

fn judge(reports: &[Report], total: u64, late_us_max: u128) -> (Value, bool) {
    let mut answer_us: Vec<i64> =
        reports.iter().filter_map(|r| Some(r.answered_at? - r.invited_at)).collect();
    answer_us.sort_unstable();
    let refusal = |r: &&Report| r.answered_at.is_none() && matches!(r.ended, Ended::Refused(_));
    let mut refuse_us: Vec<i64> =
        reports.iter().filter(refusal).map(|r| r.ended_at - r.invited_at).collect();
    refuse_us.sort_unstable();
    let mut delays: Vec<u32> = reports.iter().flat_map(|r| r.delays_us.iter().copied()).collect();
    delays.sort_unstable();
    let mut ends: BTreeMap<String, u64> = BTreeMap::new();
    for report in reports {
        *ends.entry(format!("{:?}", report.ended)).or_default() += 1;
    }
    let sum = |figure: fn(&Report) -> u64| reports.iter().map(figure).sum::<u64>();
    let (packets, lost) = (sum(|r| r.quality.packets), sum(|r| r.quality.lost));
    let failed = total - answer_us.len() as u64;
    let result = json!({
        "calls": total,
        "answered": answer_us.len(),
        "failed": failed,
        "ends": ends,
        "answer_ms": spread(&answer_us),
        "refuse_ms": spread(&refuse_us),
        "packets_sent": sum(|r| r.packets_sent),
        "packets_heard": packets,
        "packets_lost": lost,
        "packets_reordered": sum(|r| r.quality.reordered),
        "gap_ms_max": reports.iter().map(|r| r.quality.gap_us_max).max().unwrap_or(0) / 1_000,
        "delay_ms": spread(&delays.iter().map(|us| i64::from(*us)).collect::<Vec<_>>()),
        "begun_late_ms_max": late_us_max / 1_000,
    });
    (result, failed == 0 && lost == 0)
}

/// Percentiles in milliseconds of sorted microseconds; null when there are none.
fn spread(sorted_us: &[i64]) -> Value {
    if sorted_us.is_empty() {
        return Value::Null;
    }
    let ms = |percent| percentile(sorted_us, percent) as f64 / 1e3;
    json!({ "p50": ms(50), "p95": ms(95), "p99": ms(99), "max": ms(100) })
}

fn print_figures(result: &Value) {
    for (name, value) in result.as_object().into_iter().flatten() {
        println!("{name:<18} {value}");
    }
}
