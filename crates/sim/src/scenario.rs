//! What a run is made of: how many call and work, how they behave, and what goes wrong.
//!
//! Chances are per mille, so that a scenario is exact and prints short.

use model::random::Random;

use crate::tenant::QUEUES_MAX;

/// One run, complete but for its seed.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// Agents with a browser.
    pub browser_agents: u32,
    /// Agents with a SIP telephone.
    pub sip_agents: u32,
    /// Mean arrivals per hour (Poisson).
    pub arrivals_per_hour: f64,
    /// Most arrivals; then nobody else calls.
    pub arrivals_max: u32,
    /// Seconds until arrivals stop.
    pub open_s: i64,
    /// Seconds after that within which everything has closed.
    pub close_s: i64,
    /// Callers go straight into the queue instead of through menus and prompts, the shell reacts
    /// at once, and nobody rings or wraps up: a queue as in the textbook.
    pub plain_queue: bool,
    /// What the tenant looks like in the morning.
    pub company: Company,
    /// How customers and agents behave.
    pub people: People,
    /// What goes wrong.
    pub faults: Faults,
    /// Whether the invariants are checked. A measurement switches them off.
    pub checked: bool,
}

/// What the tenant looks like in the morning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Company {
    /// Queues, 1 to [`QUEUES_MAX`].
    pub queues: u32,
    /// Proficiency that the queue of repairs asks for, 0 for none.
    pub technical: u8,
    /// How long an offer rings, milliseconds.
    pub ring_ms: i64,
    /// How long wrap-up lasts, milliseconds; 0 for none.
    pub wrap_up_ms: i64,
    /// Most contacts that wait in one queue.
    pub length_max: u32,
    /// Longest wait in a queue, seconds.
    pub wait_s_max: u32,
}

/// How customers and agents behave.
#[derive(Debug, Clone, PartialEq)]
pub struct People {
    /// Mean patience in the queue, exponential, seconds; `None` waits for ever.
    pub patience_s: Option<f64>,
    /// Mean conversation, exponential, seconds.
    pub talk_s: f64,
    /// Mean time to finish a wrap-up, exponential, seconds.
    pub wrap_up_s: f64,
    /// Agents take the call the moment it is offered.
    pub instant_answer: bool,
    /// Customers who leave early, in ringing, prompt or menu.
    pub leave_early: u64,
    /// Customers who leave while the call is offered.
    pub leave_on_offer: u64,
    /// Customers who leave in the very instant of the answer.
    pub leave_on_answer: u64,
    /// Offers ignored.
    pub ignore: u64,
    /// Offers given back.
    pub decline: u64,
    /// Accepts that are clicked twice.
    pub double_click: u64,
    /// Pages closed while an offer rings or in conversation.
    pub close_tab: u64,
    /// Pages loaded anew, likewise.
    pub reload: u64,
    /// Conversations with hold.
    pub hold: u64,
    /// Conversations from which the customer is sent to a queue.
    pub transfer: u64,
    /// Conversations in which a colleague is asked in.
    pub consult: u64,
    /// Breaks and sign-outs, per turn of being ready.
    pub pause: u64,
    /// Commands that make no sense, per minute and agent.
    pub nonsense: u64,
}

/// What goes wrong in the shell and around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Faults {
    /// Reports of legs and media that come twice.
    pub duplicated: u64,
    /// Reports that come seconds late.
    pub late: u64,
    /// Reports that never come. Somebody notices later where the real shell would.
    pub lost: u64,
    /// Wakes that come late, up to this many milliseconds.
    pub late_wake_ms: i64,
    /// Wakes that nobody asked for.
    pub idle_wake: u64,
    /// The cell is written out and read back, per step.
    pub restored: u64,
    /// New configurations, per minute.
    pub reconfigured: u64,
    /// Telephones that register or are registered no longer, per minute.
    pub registered: u64,
    /// Inputs with ids of the twin tenant, per minute.
    pub foreign: u64,
    /// Calls whose handling panics, per call.
    pub call_failed: u64,
    /// Wakes whose handling panics.
    pub wake_failed: u64,
    /// Legs of customers that the planes below cannot keep, per call.
    pub leg_failed: u64,
}

impl Faults {
    /// A choice of faults that follows from the seed: each is on in half of all runs, because
    /// some faults hide others when all happen at once.
    #[must_use]
    pub fn swarm(random: &mut Random) -> Self {
        let mut some = |most: u64| {
            let strength = 1 + random.below(most);
            if random.below(2) == 0 { strength } else { 0 }
        };
        Self {
            duplicated: some(80),
            late: some(80),
            lost: some(40),
            late_wake_ms: i64::try_from(some(900)).unwrap_or(0),
            idle_wake: some(50),
            restored: some(30),
            reconfigured: some(1_500),
            registered: some(3_000),
            foreign: some(4_000),
            call_failed: some(30),
            wake_failed: some(60),
            leg_failed: some(30),
        }
    }
}

impl Company {
    /// One queue without limits of its own, agents who are free at once.
    #[must_use]
    pub fn plain() -> Self {
        Self {
            queues: 1,
            technical: 0,
            ring_ms: 60_000,
            wrap_up_ms: 0,
            length_max: 2_000,
            wait_s_max: 4_000_000,
        }
    }

    /// A company that follows from the seed.
    #[must_use]
    pub fn swarm(random: &mut Random) -> Self {
        let mut between = |least: u32, most: u32| {
            least + u32::try_from(random.below(u64::from(most - least) + 1)).unwrap_or(0)
        };
        Self {
            queues: between(1, QUEUES_MAX),
            technical: u8::try_from(between(0, 4)).unwrap_or(0),
            ring_ms: i64::from(between(6_000, 16_000)),
            wrap_up_ms: if between(0, 2) == 0 { 0 } else { i64::from(between(5_000, 35_000)) },
            length_max: if between(0, 2) == 0 { between(1, 4) } else { 2_000 },
            wait_s_max: between(20, 150),
        }
    }
}

impl People {
    /// Everybody does what the textbook says.
    #[must_use]
    pub fn calm() -> Self {
        Self {
            patience_s: None,
            talk_s: 180.0,
            wrap_up_s: 20.0,
            instant_answer: false,
            leave_early: 0,
            leave_on_offer: 0,
            leave_on_answer: 0,
            ignore: 0,
            decline: 0,
            double_click: 0,
            close_tab: 0,
            reload: 0,
            hold: 0,
            transfer: 0,
            consult: 0,
            pause: 0,
            nonsense: 0,
        }
    }

    /// A choice of habits that follows from the seed.
    #[must_use]
    pub fn swarm(random: &mut Random) -> Self {
        let mut some = |most: u64| {
            let strength = 1 + random.below(most);
            if random.below(3) == 0 { 0 } else { strength }
        };
        Self {
            patience_s: Some(20.0 + some(100) as f64),
            talk_s: 10.0 + some(80) as f64,
            wrap_up_s: 2.0 + some(20) as f64,
            instant_answer: false,
            leave_early: some(150),
            leave_on_offer: some(150),
            leave_on_answer: some(150),
            ignore: some(200),
            decline: some(200),
            double_click: some(200),
            close_tab: some(100),
            reload: some(150),
            hold: some(300),
            transfer: some(300),
            pause: some(300),
            nonsense: some(500),
            consult: some(600),
        }
    }
}

impl Scenario {
    /// A busy quarter of an hour with a swarm of habits and faults, all from the seed.
    #[must_use]
    pub fn swarm(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0x5ce7_a210);
        let browser_agents = 1 + random.below(5);
        let sip_agents = random.below(3);
        let load = 0.5 + random.unit();
        let people = People::swarm(&mut random);
        let faults = Faults::swarm(&mut random);
        let company = Company::swarm(&mut random);
        let busy_s = people.talk_s + people.wrap_up_s + 8.0;
        let agents = (browser_agents + sip_agents) as f64;
        Self {
            browser_agents: u32::try_from(browser_agents).unwrap_or(1),
            sip_agents: u32::try_from(sip_agents).unwrap_or(0),
            arrivals_per_hour: (load * agents * 3_600.0 / busy_s).min(1_200.0),
            arrivals_max: 150,
            open_s: 900,
            close_s: 3_600,
            plain_queue: false,
            company,
            people,
            faults,
            checked: true,
        }
    }

    /// The M/M/n queue: `agents` servers, mean service `talk_s`, load `rho` per server.
    #[must_use]
    pub fn mmn(agents: u32, rho: f64, talk_s: f64, arrivals: u32) -> Self {
        let people = People { talk_s, instant_answer: true, ..People::calm() };
        Self {
            browser_agents: agents,
            sip_agents: 0,
            arrivals_per_hour: rho * f64::from(agents) * 3_600.0 / talk_s,
            arrivals_max: arrivals,
            open_s: i64::MAX / 4_000_000,
            close_s: 36_000,
            plain_queue: true,
            company: Company::plain(),
            people,
            faults: Faults::default(),
            checked: false,
        }
    }
}
