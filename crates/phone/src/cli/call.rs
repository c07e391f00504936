//! `phone call`: one call, its diary on standard output, commands from standard input.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use model::media::Codec;
use phone::diary::{Entry, Report, What};
use phone::plan::{Moment, Plan, keys};
use phone::{Call, Config, Phone, chirp, wav};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin, stdin};
use tokio::sync::mpsc::unbounded_channel;

use super::{SoundArgs, Target, codec, duration, moment, target};

/// The arguments of `phone call`.
#[derive(Debug, Args)]
pub(crate) struct CallArgs {
    /// Whom to call: sip:100@127.0.0.1:5060.
    #[arg(value_parser = target)]
    target: Target,
    /// Name this host in the request, whatever the address it is sent to.
    #[arg(long, value_name = "HOST")]
    domain: Option<String>,
    #[command(flatten)]
    sound: SoundArgs,
    /// Begin to speak at this moment after the last key: 2s, sound, quiet+1s, chirp4.
    #[arg(long, value_name = "MOMENT", value_parser = moment)]
    say_from: Option<Moment>,
    /// Keys and their moments: 3s:1,sound+500ms:2,quiet:4711#,chirp4:9.
    #[arg(long, value_name = "MOMENT:KEYS,...", default_value = "")]
    keys: String,
    /// Hang up at this moment, looked at after all keys; else the far side must.
    #[arg(long = "for", value_name = "MOMENT", value_parser = moment)]
    hang_up: Option<Moment>,
    /// Give up (CANCEL) this long after the call began if nobody answered.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    cancel: Option<Duration>,
    /// Our number.
    #[arg(long, default_value = "+302105550100")]
    from: String,
    /// Our display name.
    #[arg(long)]
    name: Option<String>,
    /// The codec that is offered: pcmu or pcma.
    #[arg(long, default_value = "pcmu", value_parser = codec)]
    codec: Codec,
    /// Let the far side offer (INVITE without a description).
    #[arg(long)]
    late_offer: bool,
    /// Our address; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    bind: SocketAddr,
    /// Write what was heard into this WAV file.
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// The diary as JSON lines, SIP messages included; the last line says which codes were heard.
    #[arg(long)]
    json: bool,
    /// Read commands from standard input: "key 5", "hold", "resume", "bye".
    #[arg(long)]
    control: bool,
}

/// Makes the call. True when it was answered.
pub(crate) async fn run(args: CallArgs) -> anyhow::Result<bool> {
    let plan = plan(&args)?;
    let (diary, mut entries) = unbounded_channel::<Entry>();
    let config = Config { bind: args.bind, agent: None, trace: true };
    let phone = Phone::start(config, Some(diary)).await.context(args.bind)?;
    let call = phone.call(plan);
    let mut commands = args.control.then(|| BufReader::new(stdin()).lines());
    let report = loop {
        tokio::select! {
            Some(entry) = entries.recv() => {
                print(&entry, args.json)?;
                if let What::Over(report) = entry.what {
                    break report;
                }
            }
            command = next_command(&mut commands) => match command.as_deref() {
                Some(command) => obey(&call, command),
                None => commands = None,
            },
            _ = tokio::signal::ctrl_c() => call.hang_up(),
        }
    };
    phone.close().await;
    if let Some(file) = &args.save {
        let bytes = wav::write(&report.heard, wav::RATE);
        std::fs::write(file, bytes).with_context(|| file.display().to_string())?;
    }
    print_codes(&report, args.json);
    Ok(report.answered_at.is_some())
}

fn plan(args: &CallArgs) -> anyhow::Result<Plan> {
    Ok(Plan {
        domain: args.domain.clone(),
        number: args.from.clone(),
        name: args.name.clone(),
        codec: args.codec,
        late_offer: args.late_offer,
        sound: args.sound.sound()?,
        keys: keys(&args.keys)?,
        say_from: args.say_from,
        hang_up: args.hang_up,
        cancel_after: args.cancel,
        ..Plan::new(args.target.peer, &args.target.dialled)
    })
}

/// The next line of standard input; `None` at its end. Waits for ever when it is not read.
async fn next_command(commands: &mut Option<Lines<BufReader<Stdin>>>) -> Option<String> {
    match commands {
        Some(lines) => lines.next_line().await.ok().flatten(),
        None => std::future::pending().await,
    }
}

fn obey(call: &Call, command: &str) {
    match command.split_whitespace().collect::<Vec<_>>()[..] {
        ["key", keys] => keys.chars().for_each(|key| call.press(key)),
        ["hold"] => call.hold(true),
        ["resume"] => call.hold(false),
        ["bye"] => call.hang_up(),
        _ => eprintln!("phone: no such command: {command}"),
    }
}

/// One entry, for programs or for people.
pub(crate) fn print(entry: &Entry, json: bool) -> anyhow::Result<()> {
    let line = serde_json::to_string(entry)?;
    if json {
        println!("{line}");
        return Ok(());
    }
    let Entry { call, what, .. } = entry;
    match what {
        What::Sent { message, .. } => println!("{call}  -> {message}"),
        What::Received { message } => println!("{call}  <- {message}"),
        What::Over(report) => println!("{}", summary(report)),
        _ => println!("{call}  {line}"),
    }
    Ok(())
}

/// A call in one line.
pub(crate) fn summary(report: &Report) -> String {
    let since = |from: Option<i64>, to: Option<i64>| match (from, to) {
        (Some(from), Some(to)) => format!("{:.3} s", (to - from) as f64 / 1e6),
        _ => "-".to_owned(),
    };
    let answer = since(Some(report.invited_at), report.answered_at);
    let long = since(report.answered_at, Some(report.ended_at));
    let (quality, ended) = (report.quality, report.ended);
    format!(
        "{} {}: answered after {answer}, up {long}, {ended:?}; keys {:?}; heard {} packets, {} \
         lost, first sound after {}",
        report.call,
        report.caller,
        report.pressed,
        quality.packets,
        quality.lost,
        since(report.answered_at, report.first_sound_at),
    )
}

fn print_codes(report: &Report, json: bool) {
    let found = chirp::find(&report.heard);
    let codes: Vec<_> = report
        .codes()
        .into_iter()
        .map(|(code, at)| {
            let periods = found.iter().filter(|heard| heard.code == code).count();
            let starts: Vec<i64> = found
                .iter()
                .filter(|heard| heard.code == code)
                .map(|heard| report.time_of(heard.at))
                .collect();
            json!({ "code": code.number(), "first_at": at, "periods": periods, "starts": starts })
        })
        .collect();
    if json {
        let report = serde_json::to_value(report).unwrap_or_default();
        println!("{}", json!({ "event": "heard", "codes": codes, "report": report }));
    } else if !codes.is_empty() {
        for code in codes {
            println!("heard code {} for {} periods", code["code"], code["periods"]);
        }
    }
}
