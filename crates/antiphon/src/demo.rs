//! `antiphon demo`: the example company in a house of its own, with synthetic customers who place
//! real SIP calls with real audio. Nothing of them is recorded as real: the data folder is
//! temporary unless one is named.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use model::random::Random;
use phone::plan::{Moment, Plan};
use phone::voice::Sound;
use phone::{Config, Phone};
use serde_json::json;
use store::Ctx;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::cli::DemoArgs;
use crate::company::{self, Founded};
use crate::house::{FirstStart, House};
use crate::{keys, say, tell};

/// The key that each start with `--json` makes anew.
const KEY_NAME: &str = "demo";
/// Longest a synthetic customer stays on the line, in seconds, waiting included.
const STAY_S: std::ops::Range<u64> = 35..150;
/// Which menu key how often: sales, support, repairs with an order number, complaints.
const CHOICES: [&str; 6] = ["1", "2", "2", "3", "3", "4"];

/// Runs until interrupted.
pub(crate) async fn run(args: DemoArgs) -> anyhow::Result<()> {
    let temporary = (!args.serve.names_data()).then(tempfile::tempdir).transpose()?;
    let mut settings = args.serve.settings()?;
    if let Some(dir) = &temporary {
        // A folder in it, which the house makes for its own eyes.
        settings.data.dir = dir.path().join("data");
    }
    let house = House::start(&settings, FirstStart::Furnished).await?;
    let founded = company::found(&house.store, house.hub.now()).await?;
    house.hub.config_changed(founded.tenant).await?;
    if args.json {
        say(&described(&house, &founded).await?);
    } else {
        tell(&greeting(&house, &founded));
    }
    let customers = match args.every {
        0 => None,
        seconds => Some(customers(house.sip_address, founded.number, seconds).await?),
    };
    let stopped = house.until_told().await;
    customers.inspect(JoinHandle::abort);
    stopped
}

async fn described(house: &House, founded: &Founded) -> anyhow::Result<String> {
    let db = house.store.tenant(Ctx::system(founded.tenant));
    let role = store::Role::Administrator;
    let key = keys::renew(&db, KEY_NAME, role, house.hub.now()).await?;
    let mut line = json!({
        "http": format!("http://{}", house.http),
        "sip": house.sip_address.to_string(),
        "numbers": [founded.number],
        "accounts": founded.accounts,
        "api_key": key,
    });
    if let Some(https) = house.https {
        line["https"] = format!("https://{https}").into();
    }
    Ok(line.to_string())
}

fn greeting(house: &House, founded: &Founded) -> String {
    let mut lines = vec![
        "Antiphon's demo runs.".to_owned(),
        format!("  web      http://{}", house.http),
        format!("  call     sip:{}@{}", founded.number, house.sip_address),
    ];
    lines.extend(house.https.map(|https| format!("  web      https://{https}")));
    for account in &founded.accounts {
        lines.push(format!("  account  {:24} {}", account.mail, account.password));
    }
    lines.push(
        "Sign in as agent@demo.example, allow the microphone, be ready: it rings.".to_owned(),
    );
    lines.join("\n")
}

/// Customers who ring every few seconds, press keys, wait, talk and leave.
async fn customers(
    house: SocketAddr,
    number: String,
    every_s: u64,
) -> anyhow::Result<JoinHandle<()>> {
    let bind = SocketAddr::new(house.ip(), 0);
    let phone = Phone::start(Config { bind, agent: None, trace: false }, None).await?;
    let speech = company::speech()?;
    let mut random = Random::new(getrandom::u64()?);
    let mut clock = interval(Duration::from_secs(every_s));
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    Ok(tokio::spawn(async move {
        loop {
            clock.tick().await;
            let mut call = phone.call(customer(house, &number, &speech, &mut random));
            tokio::spawn(async move { call.finished().await });
        }
    }))
}

fn customer(house: SocketAddr, number: &str, speech: &[Arc<[i16]>], random: &mut Random) -> Plan {
    let choice = pick(random, &CHOICES).copied().unwrap_or("2");
    let mut keys = Vec::new();
    // The menu follows the notice closely: the key is pressed while it speaks.
    let first = Duration::from_secs(12 + random.below(6));
    keys.extend(choice.chars().map(|key| (Moment::Answer(first), key)));
    if choice == "3" {
        let order = format!("{}#", 10_000 + random.below(80_000));
        let typed = first + Duration::from_secs(5);
        keys.extend(order.chars().map(|key| (Moment::Answer(typed), key)));
    }
    let stay = STAY_S.start + random.below(STAY_S.end - STAY_S.start);
    let subscriber = 1_000_000 + random.below(8_999_999);
    Plan {
        number: format!("+30210{subscriber}"),
        sound: pick(random, speech).map_or(Sound::Silence, |clip| Sound::Loop(clip.clone())),
        keys,
        hang_up: Some(Moment::Answer(Duration::from_secs(stay))),
        keep: false,
        ..Plan::new(house, number)
    }
}

fn pick<'a, T>(random: &mut Random, from: &'a [T]) -> Option<&'a T> {
    let n = random.below(u64::try_from(from.len()).unwrap_or(0));
    from.get(usize::try_from(n).unwrap_or(0))
}
