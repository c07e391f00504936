//! A cell task whose cell panics on demand: the fault ends one call, the others go on.

use std::collections::BTreeMap;

use floor::Fault;
use model::config::{Agent, Device, PublishedFlow, Queue, Strategy};
use model::event::{CallOutcome, Event, QueueOutcome};
use model::flow::Flow;
use model::id::{AgentId, CallId, LegId};
use model::input::Command;
use model::refusal::Refusal;
use model::{DialString, TenantConfig};
use store::{Actor, ConfigDraft, HouseKey, NewTenant};

use super::*;
use crate::mailbox::{Mailbox, mailbox};

/// A wait that is over in the instant in which it begins.
const SHORT: &str = r#"{"schema":1,"start":"wait","nodes":{
  "wait":{"type":"queue","queue":"Support","wait_s_max":0,"otherwise":"bye"},
  "bye":{"type":"hang_up"}}}"#;
const MENU: &str = r#"{"schema":1,"start":"menu","nodes":{
  "menu":{"type":"menu","prompts":[],"choices":{"2":{"label":"Support","next":"wait"}},
          "timeout_s":60,"tries":3,"otherwise":"bye"},
  "wait":{"type":"queue","queue":"Support","wait_s_max":600,"otherwise":"bye"},
  "bye":{"type":"hang_up"}}}"#;

struct Bench {
    task: CellTask,
    mailbox: Mailbox,
    store: Store,
    mint: IdMint,
    agent: AgentId,
    events: Vec<Event>,
    _requests: mpsc::UnboundedReceiver<Request>,
    _dir: tempfile::TempDir,
}

fn number(text: &str) -> DialString {
    text.parse().expect("dialable")
}

fn config(tenant: TenantId, mint: &mut IdMint) -> TenantConfig {
    let zero = Timestamp::default();
    let queue = Queue {
        name: "Support".to_owned(),
        strategy: Strategy::LongestReady,
        skills: BTreeMap::new(),
        ring_ms: 20_000,
        wrap_up_ms: 1,
        music: String::new(),
        service_level_ms: 20_000,
        short_abandon_ms: 5_000,
        length_max: 100,
    };
    let queue_id = mint.mint(zero);
    let agent = Agent {
        name: "Agent".to_owned(),
        queues: [queue_id].into(),
        skills: BTreeMap::new(),
        device: Device::Browser,
        extension: None,
    };
    let mut config = TenantConfig {
        tenant,
        name: "Test".to_owned(),
        n: 1,
        zone: "UTC".to_owned(),
        language: "en".to_owned(),
        queues: [(queue_id, queue)].into(),
        agents: [(mint.mint(zero), agent)].into(),
        flows: BTreeMap::new(),
        numbers: BTreeMap::new(),
        prompts: BTreeMap::new(),
        calendars: BTreeMap::new(),
        dispositions: [("done".to_owned(), "Done".to_owned())].into(),
        break_reasons: BTreeMap::new(),
    };
    for (dialled, document) in [("100", SHORT), ("200", MENU)] {
        let flow: Flow = serde_json::from_str(document).expect("a flow");
        let flow = PublishedFlow { name: dialled.to_owned(), version: 1, flow: Arc::new(flow) };
        let id = mint.mint(zero);
        config.flows.insert(id, flow);
        config.numbers.insert(number(dialled), id);
    }
    config
}

impl Bench {
    async fn new(faults: &[(Fault, &str)]) -> Self {
        let dir = tempfile::tempdir().expect("temporary folder");
        let store = Store::open(dir.path(), &HouseKey::generate()).await.expect("a record");
        let new = NewTenant {
            name: "Test".to_owned(),
            zone: "UTC".to_owned(),
            language: "en".to_owned(),
            domain: None,
            first_only: false,
        };
        let at = Timestamp::from_micros(1);
        let bare = |_: &mut ConfigDraft| Ok::<(), StoreError>(());
        let made = store.create_tenant(new, Actor::System, at, bare).await;
        let tenant = made.expect("a tenant").config.tenant;
        let mut mint = IdMint::new(5);
        let config = config(tenant, &mut mint);
        let agent = *config.agents.keys().next().expect("one");
        let mut cell = Cell::new(tenant, 7, 1, Arc::new(config));
        for (fault, caller) in faults {
            cell.fail(*fault, number(caller));
        }
        let key = HouseKey::load_or_create(&dir.path().join("house.key")).expect("a key");
        let (flight, _) =
            FlightLog::start(dir.path().join("flight"), key, "test").expect("a thread");
        let (switchboard, requests) = mpsc::unbounded_channel();
        let (mailbox, inbox) = mailbox();
        let task = CellTask::new(Parts {
            tenant,
            cell,
            clock: Arc::new(HouseClock::start()),
            inbox,
            board: Board::new(),
            store: store.clone(),
            switchboard,
            flight,
            data_dir: dir.path().to_owned(),
            language: "en".to_owned(),
            seed: 3,
            caught: Caught::default(),
        });
        let events = Vec::new();
        Self { task, mailbox, store, mint, agent, events, _requests: requests, _dir: dir }
    }

    fn arrival(&mut self, caller: &str, dialled: &str) -> (LegId, [Input; 2]) {
        let leg = self.mint.mint(Timestamp::default());
        let party = self.mint.mint(Timestamp::default());
        let (caller, dialled) = (Some(number(caller)), number(dialled));
        (leg, [Input::CallOffered { leg, caller, party, dialled }, Input::LegUp { leg }])
    }

    fn ring(&mut self, caller: &str, dialled: &str) -> (LegId, CallId) {
        let (leg, inputs) = self.arrival(caller, dialled);
        inputs.into_iter().for_each(|input| self.task.step(input));
        (leg, self.task.cell.call_of_leg(leg).expect("up"))
    }

    /// What has happened since the beginning.
    fn events(&mut self) -> &[Event] {
        if let Some((events, _)) = self.task.ledger.take(Timestamp::default()) {
            self.events.extend(events.into_iter().map(|recorded| recorded.event));
            self.task.ledger.saved();
        }
        &self.events
    }

    fn outcome(&mut self, call: CallId) -> Option<CallOutcome> {
        let outcome = |event: &Event| match event {
            Event::CallEnded { call: of, outcome, .. } if *of == call => Some(*outcome),
            _ => None,
        };
        self.events().iter().find_map(outcome)
    }

    fn waited(&mut self, call: CallId) -> Option<QueueOutcome> {
        let outcome = |event: &Event| match event {
            Event::QueueLeft { call: of, outcome, .. } if *of == call => Some(*outcome),
            _ => None,
        };
        self.events().iter().find_map(outcome)
    }

    fn command(&mut self, command: Command) {
        let agent = self.agent;
        self.task.step(Input::Command { request: None, agent, command });
    }

    /// The agent takes the call that is offered.
    fn talk(&mut self) {
        let leg = self.mint.mint(Timestamp::default());
        self.task.step(Input::DeviceUp { agent: self.agent, leg });
        self.command(Command::SignIn);
        self.command(Command::Ready);
        let view = self.task.cell.agent_view(self.agent).expect("known");
        self.command(Command::Accept { offer: view.offer.expect("a call waits").offer });
    }

    fn until_due(&self) {
        let (at, _) = self.task.cell.deadline().expect("a timer");
        while self.task.clock.now() < at {
            std::thread::yield_now();
        }
    }
}

/// Two waits are over at once, and handling one of them panics: the other is not its business.
async fn one_of_two_timers_fails(callers: [&str; 2]) {
    let mut bench = Bench::new(&[(Fault::Timer, "666")]).await;
    let calls = callers.map(|caller| (caller, bench.ring(caller, "100").1));
    bench.task.woken();
    for (caller, call) in calls {
        let (waited, outcome) = match caller {
            "666" => (QueueOutcome::Lost, CallOutcome::Failed),
            _ => (QueueOutcome::TimedOut, CallOutcome::FlowEnded),
        };
        assert_eq!(bench.waited(call), Some(waited), "{caller} of {callers:?}");
        assert_eq!(bench.outcome(call), Some(outcome), "{caller} of {callers:?}");
    }
    assert_eq!(bench.task.cell.deadline(), None);
}

#[tokio::test]
async fn a_timer_that_fails_ends_its_own_call_alone() {
    one_of_two_timers_fails(["111", "666"]).await;
    one_of_two_timers_fails(["666", "111"]).await;
}

#[tokio::test]
async fn a_timer_that_cannot_even_be_given_up_keeps_no_other_from_firing() {
    let mut bench = Bench::new(&[(Fault::Timer, "666"), (Fault::End, "666")]).await;
    let (_, poison) = bench.ring("666", "100");
    let (_, good) = bench.ring("111", "100");
    bench.task.woken();
    assert_eq!(bench.outcome(good), Some(CallOutcome::FlowEnded));
    assert_eq!(bench.outcome(poison), None);
    let (at, _) = bench.task.cell.deadline().expect("it is tried again");
    assert!(bench.task.clock.now() < at, "later");
}

#[tokio::test]
async fn a_wrap_up_whose_end_fails_keeps_a_deadline() {
    let mut bench = Bench::new(&[(Fault::Timer, "666")]).await;
    let (leg, call) = bench.ring("666", "200");
    bench.task.step(Input::Digit { leg, digit: '2' });
    bench.talk();
    bench.task.step(Input::LegEnded { leg, cause: model::sip::LegCause::FarHangup });
    bench.until_due();
    bench.task.woken();
    let view = bench.task.cell.agent_view(bench.agent).expect("known");
    let wrap_up = view.wrap_up.expect("it could not be ended");
    assert_eq!(bench.task.cell.deadline().map(|(at, _)| at), Some(wrap_up.until));
    assert!(bench.task.clock.now() < wrap_up.until);
    let (disposition, note) = ("done".to_owned(), String::new());
    bench.command(Command::WrapUp { call, disposition, resolved: true, note });
    assert_eq!(bench.task.cell.deadline(), None, "ended by hand");
}

#[tokio::test]
async fn a_poison_input_ends_its_call_and_everybody_else_is_answered() {
    let faults = [(Fault::Key, "666"), (Fault::Hold, "777")];
    let mut bench = Bench::new(&faults).await;
    let (_, held) = bench.ring("777", "200");
    let (_, poison) = bench.ring("666", "200");
    let (good_leg, good) = bench.ring("111", "200");
    let legs = [held, poison].map(|call| {
        let leg = |event: &Event| match event {
            Event::CallStarted { call: of, leg, .. } if *of == call => Some(*leg),
            _ => None,
        };
        bench.events().iter().find_map(leg).expect("started")
    });
    bench.task.step(Input::Digit { leg: legs[0], digit: '2' });
    bench.talk();
    let (agent, store, tenant) = (bench.agent, bench.store.clone(), bench.task.tenant);
    let Bench { task, mailbox, events: before, _requests, _dir, .. } = bench;
    // The events that were looked at above were taken from the ledger; the rest is saved.
    assert!(before.iter().any(|event| matches!(event, Event::CallStarted { .. })));
    let running = tokio::spawn(task.run());
    let command = |command: Command| {
        let (reply, answer) = oneshot::channel();
        let input = Input::Command { request: None, agent, command };
        assert!(mailbox.post(Message::Input { input, rows: Vec::new(), reply: Some(reply) }));
        answer
    };
    let ready = command(Command::Ready);
    mailbox.input(Input::Digit { leg: legs[1], digit: '2' });
    let hold = command(Command::Hold { call: held });
    mailbox.input(Input::Digit { leg: good_leg, digit: '2' });
    let sign_out = command(Command::SignOut);
    assert_eq!(ready.await, Ok(Ok(())));
    assert_eq!(hold.await, Ok(Err(Refusal::WrongState)), "a poison command is answered too");
    assert_eq!(sign_out.await, Ok(Ok(())));
    let (done, stopped) = oneshot::channel();
    mailbox.post(Message::Stop(done));
    stopped.await.expect("it stops");
    running.await.expect("it did not panic");
    let saved = store.tenant(Ctx::system(tenant)).events(1, 1_000).await.expect("readable");
    let ended: Vec<(CallId, CallOutcome)> = saved
        .iter()
        .filter_map(|recorded| match recorded.event {
            Event::CallEnded { call, outcome, .. } => Some((call, outcome)),
            _ => None,
        })
        .collect();
    assert_eq!(ended, [(poison, CallOutcome::Failed), (held, CallOutcome::Failed)]);
    let queued = |event: &Event| matches!(event, Event::Queued { call, .. } if *call == good);
    assert!(saved.iter().any(|recorded| queued(&recorded.event)), "the other call goes on");
}

#[tokio::test]
async fn what_a_cell_failed_at_is_kept_and_fails_again() {
    let mut bench = Bench::new(&[(Fault::Key, "666")]).await;
    let (leg, _) = bench.ring("666", "200");
    bench.task.step(Input::Digit { leg, digit: '2' });
    assert_eq!(bench.task.caught.count(), 1);
    assert!(bench.task.flight.finish());
    let dir = bench._dir.path();
    let key = HouseKey::load(&dir.join("house.key")).expect("the key");
    let segments = dir.join("flight").join(bench.task.tenant.to_string());
    let segment = std::fs::read_dir(segments).expect("a folder").next().expect("one").expect("it");
    let replay = |prepare: fn(&mut Cell)| {
        crate::replay(&segment.path(), &key, "test", prepare).expect("readable")
    };
    let again = replay(|_| {});
    assert!(again.fails_again && again.difference.is_none(), "{again:?}");
    let mended = replay(Cell::mend);
    let difference = mended.difference.expect("it was a fault then");
    assert!(difference.failed_then && !difference.fails_now && !mended.fails_again);
    assert!(matches!(difference.input, Input::Digit { .. }), "{difference:?}");
}

#[tokio::test]
async fn what_happened_is_saved_also_when_nobody_says_stop() {
    let mut bench = Bench::new(&[]).await;
    bench.ring("111", "200");
    let Bench { task, mailbox, store, _requests, _dir, .. } = bench;
    let tenant = task.tenant;
    drop(mailbox);
    task.run().await;
    let saved = store.tenant(Ctx::system(tenant)).events(1, 1_000).await.expect("readable");
    let started = |event: &Event| matches!(event, Event::CallStarted { .. });
    assert!(saved.iter().any(|recorded| started(&recorded.event)));
}
