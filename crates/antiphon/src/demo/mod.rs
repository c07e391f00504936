//! `antiphon demo`: the example company in a house of its own, with synthetic customers who place
//! real SIP calls with real audio, and with synthetic agents who take those of one number. Calls of
//! the other are for people. Nothing of them is recorded as real: the data folder is temporary
//! unless one is named.

mod customers;
mod staff;

use std::sync::Arc;

use model::random::Random;
use phone::voice::Sound;
use serde_json::json;
use store::Ctx;

use self::customers::Customers;
use self::staff::Staff;
use crate::cli::DemoArgs;
use crate::company::{self, Founded};
use crate::house::{FirstStart, House};
use crate::{keys, say, tell};

/// The key that each start with `--json` makes anew.
const KEY_NAME: &str = "demo";

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
    let life = match args.every {
        0 => None,
        seconds => Some(Life::begin(&house, founded, seconds).await?),
    };
    let stopped = house.until_told().await;
    drop(life);
    stopped
}

/// Everybody synthetic; gone when dropped.
struct Life {
    _customers: Customers,
    _staff: Staff,
}

impl Life {
    async fn begin(house: &House, founded: Founded, every_s: u64) -> anyhow::Result<Self> {
        let speech: Arc<[Arc<[i16]>]> = company::speech()?.into();
        let staff = Staff::hire(house, founded.tenant, &founded.synthetic, &speech).await?;
        // A folder of an older version has no such number.
        let staffed = !founded.synthetic.is_empty();
        let numbers = founded.numbers.into_iter().take(if staffed { usize::MAX } else { 1 });
        let customers = Customers::come(house.sip_address, numbers, every_s, &speech).await?;
        Ok(Self { _customers: customers, _staff: staff })
    }
}

/// Something to say.
fn spoken(speech: &[Arc<[i16]>], random: &mut Random) -> Sound {
    pick(random, speech).map_or(Sound::Silence, |clip| Sound::Loop(clip.clone()))
}

fn pick<'a, T>(random: &mut Random, from: &'a [T]) -> Option<&'a T> {
    let n = random.below(u64::try_from(from.len()).unwrap_or(0));
    from.get(usize::try_from(n).unwrap_or(0))
}

async fn described(house: &House, founded: &Founded) -> anyhow::Result<String> {
    let db = house.store.tenant(Ctx::system(founded.tenant));
    let role = store::Role::Administrator;
    let key = keys::renew(&db, KEY_NAME, role, house.hub.now()).await?;
    let mut line = json!({
        "http": format!("http://{}", house.http),
        "sip": house.sip_address.to_string(),
        "numbers": founded.numbers,
        "accounts": founded.accounts,
        "api_key": key,
    });
    if let Some(https) = house.https {
        line["https"] = format!("https://{https}").into();
    }
    if let Some(sips) = house.sips_address {
        line["sips"] = sips.to_string().into();
    }
    Ok(line.to_string())
}

fn greeting(house: &House, founded: &Founded) -> String {
    let mut lines =
        vec!["Antiphon's demo runs.".to_owned(), format!("  web      http://{}", house.http)];
    let call = |number| format!("  call     sip:{number}@{}", house.sip_address);
    lines.extend(founded.numbers.iter().map(call));
    lines.extend(house.https.map(|https| format!("  web      https://{https}")));
    for account in &founded.accounts {
        lines.push(format!("  account  {:24} {}", account.mail, account.password));
    }
    lines.push(
        "Sign in as agent@demo.example, allow the microphone, be ready: it rings.".to_owned(),
    );
    lines.join("\n")
}
