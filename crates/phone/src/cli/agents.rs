//! `phone agents`: telephones that take calls, each at its own address.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use phone::diary::{Entry, What};
use phone::plan::{Agent, Then};
use phone::{Config, Phone};
use serde::Serialize;
use serde_json::json;
use tokio::sync::mpsc::unbounded_channel;

use super::call::print;
use super::{SoundArgs, duration};

/// The arguments of `phone agents`.
#[derive(Debug, Args)]
pub(crate) struct AgentsArgs {
    /// How many telephones.
    #[arg(long, default_value_t = 1)]
    count: u16,
    /// The first one's address; the others take the ports after it. Port 0 takes free ones.
    #[arg(long, default_value = "127.0.0.1:0")]
    bind: SocketAddr,
    /// How long they ring.
    #[arg(long, default_value = "1s", value_parser = duration)]
    ring: Duration,
    /// How long they talk before they hang up; without it the far side must.
    #[arg(long, value_parser = duration)]
    talk: Option<Duration>,
    /// Refuse every call with this status instead.
    #[arg(long, value_name = "STATUS", conflicts_with = "never")]
    decline: Option<u16>,
    /// Never answer.
    #[arg(long)]
    never: bool,
    #[command(flatten)]
    sound: SoundArgs,
    /// The diary as JSON lines; the first line names the addresses, the others say whose they are.
    #[arg(long)]
    json: bool,
    /// Of each call only the last line, for long measurements.
    #[arg(long, requires = "json")]
    brief: bool,
}

/// A line of the diary of many: whose it is, by its place among the addresses.
#[derive(Serialize)]
struct Line<'a> {
    agent: u16,
    #[serde(flatten)]
    entry: &'a Entry,
}

/// Takes calls until interrupted.
pub(crate) async fn run(args: AgentsArgs) -> anyhow::Result<bool> {
    let then = match (args.decline, args.never) {
        (Some(status), _) => Then::Refuse(status),
        (None, true) => Then::Nothing,
        (None, false) => Then::Answer,
    };
    let sound = args.sound.sound()?;
    let agent = Agent { ring: args.ring, then, talk: args.talk, sound, keep: false };
    let (together, mut entries) = unbounded_channel::<(u16, Entry)>();
    let mut phones = Vec::new();
    for n in 0..args.count {
        let mut bind = args.bind;
        if bind.port() != 0 {
            bind.set_port(bind.port().checked_add(n).context("there is no port after 65535")?);
        }
        let config = Config { bind, agent: Some(agent.clone()), trace: args.json && !args.brief };
        let (diary, mut own) = unbounded_channel::<Entry>();
        phones.push(Phone::start(config, Some(diary)).await.context(bind)?);
        let together = together.clone();
        tokio::spawn(async move {
            while let Some(entry) = own.recv().await {
                if together.send((n, entry)).is_err() {
                    break;
                }
            }
        });
    }
    let addresses: Vec<String> = phones.iter().map(|phone| phone.local().to_string()).collect();
    if args.json {
        println!("{}", json!({ "event": "ready", "addresses": addresses }));
    } else {
        println!("{} agents ready: {}", addresses.len(), addresses.join(" "));
    }
    loop {
        tokio::select! {
            Some((agent, entry)) = entries.recv() => {
                let over = matches!(entry.what, What::Over(_));
                if args.json && (over || !args.brief) {
                    println!("{}", serde_json::to_string(&Line { agent, entry: &entry })?);
                } else if !args.json && over {
                    print(&entry, false)?;
                }
            }
            _ = tokio::signal::ctrl_c() => break,
        }
    }
    for phone in phones {
        phone.close().await;
    }
    Ok(true)
}
