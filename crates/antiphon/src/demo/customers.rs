//! Customers who ring every few seconds, press keys, wait, talk and leave.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use model::random::Random;
use phone::plan::{Moment, Plan};
use phone::{Config, Phone};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::{pick, spoken};

/// Longest one stays on the line, in seconds, waiting included: at the first number, where people
/// answer, and at any other.
const STAYS_S: [std::ops::Range<u64>; 2] = [35..150, 20..50];
/// Which menu key how often: sales, support, repairs with an order number, complaints.
const CHOICES: [&str; 6] = ["1", "2", "2", "3", "3", "4"];
/// A customer of any number but the first comes as seldom as so many of that.
const SELDOM: u64 = 3;

/// All of them; none comes any more once this is dropped.
pub(super) struct Customers(#[expect(dead_code, reason = "held")] JoinSet<()>);

impl Customers {
    /// Rings every number from now on.
    ///
    /// # Errors
    /// When no telephone can be opened.
    pub(super) async fn come(
        house: SocketAddr,
        numbers: impl Iterator<Item = String>,
        every_s: u64,
        speech: &Arc<[Arc<[i16]>]>,
    ) -> anyhow::Result<Self> {
        let mut all = JoinSet::new();
        for (place, number) in numbers.enumerate() {
            let bind = SocketAddr::new(house.ip(), 0);
            let phone = Phone::start(Config { bind, agent: None, trace: false }, None).await?;
            let random = Random::new(getrandom::u64()?);
            let main = place == 0;
            let every = Duration::from_secs(every_s * if main { 1 } else { SELDOM });
            let caller = Caller { house, number, main, speech: speech.clone(), random };
            all.spawn(caller.ring(phone, every));
        }
        Ok(Self(all))
    }
}

/// Whoever rings one number.
struct Caller {
    house: SocketAddr,
    number: String,
    main: bool,
    speech: Arc<[Arc<[i16]>]>,
    random: Random,
}

impl Caller {
    async fn ring(mut self, phone: Phone, every: Duration) {
        let mut clock = interval(every);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            clock.tick().await;
            let mut call = phone.call(self.customer());
            tokio::spawn(async move { call.finished().await });
        }
    }

    fn customer(&mut self) -> Plan {
        let random = &mut self.random;
        let [main, other] = STAYS_S;
        let range = if self.main { main } else { other };
        let keys = if self.main { keys(random) } else { Vec::new() };
        let stay = range.start + random.below(range.end - range.start);
        let subscriber = 1_000_000 + random.below(8_999_999);
        Plan {
            number: format!("+30210{subscriber}"),
            sound: spoken(&self.speech, random),
            keys,
            hang_up: Some(Moment::Answer(Duration::from_secs(stay))),
            keep: false,
            ..Plan::new(self.house, &self.number)
        }
    }
}

/// What is pressed on the way through the menu.
fn keys(random: &mut Random) -> Vec<(Moment, char)> {
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
    keys
}
