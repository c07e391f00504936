//! What the switchboard does when the media plane refuses: it ends in order what depended on it.

use std::net::Ipv4Addr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use model::limits;
use model::media::{Codec, Direction, Graph, MediaDesc, RecordWish};
use model::number::DialString;
use model::time::Timestamp;

use super::*;
use crate::leg::CallingParty;
use crate::mailbox::{Inbox, mailbox};

/// A switchboard whose media plane takes commands or not.
struct Bench {
    board: Switchboard,
    tenant: TenantId,
    inbox: Inbox,
    media_takes: Arc<AtomicBool>,
    signalled: Arc<Mutex<Vec<SipCommand>>>,
    sip_takes: Arc<AtomicBool>,
    kept: mpsc::UnboundedReceiver<Known>,
    _requests: mpsc::UnboundedReceiver<Request>,
}

fn id<T: model::id::Id>(n: u64) -> T {
    IdMint::new(n).mint(Timestamp::from_micros(1))
}

fn desc(port: u16) -> MediaDesc {
    MediaDesc {
        address: Ipv4Addr::LOCALHOST.into(),
        port,
        codecs: vec![Codec::Pcmu],
        dtmf: Some(101),
        direction: Direction::SendRecv,
        ptime_ms: 20,
    }
}

impl Bench {
    fn new() -> Self {
        let media_takes = Arc::new(AtomicBool::new(true));
        let signalled = Arc::new(Mutex::new(Vec::new()));
        let (takes, heard) = (media_takes.clone(), signalled.clone());
        let sip_takes = Arc::new(AtomicBool::new(true));
        let listens = sip_takes.clone();
        let ports = Ports {
            sip: Arc::new(move |command| {
                let taken = listens.load(Ordering::Relaxed);
                if taken {
                    heard.lock().expect("no panic").push(command);
                }
                taken
            }),
            media: Arc::new(move |_| takes.load(Ordering::Relaxed)),
        };
        let (requests, received) = mpsc::unbounded_channel();
        let clock = Arc::new(HouseClock::start());
        let (keep, kept) = mpsc::unbounded_channel();
        let mut board = Switchboard::new(ports, clock, 1, &requests, keep, Caught::default())
            .expect("a thread");
        let (mailbox, inbox) = mailbox();
        let tenant = id(1);
        board.cells.insert(tenant, mailbox);
        let _requests = received;
        Self { board, tenant, inbox, media_takes, signalled, sip_takes, kept, _requests }
    }

    fn graph(&mut self, rev: u64, recording: RecordingId) {
        let record = Some(RecordWish { recording, leg: id(3), paused: false });
        let graph = Graph { record, ..Graph::default() };
        let effect = Effect::Media { call: id(2), rev, graph };
        self.board.effect(self.tenant, effect, Some(PathBuf::from("1.rec")));
    }

    /// What the cell was told, in words.
    fn told(&mut self) -> Vec<&'static str> {
        let word = |message| match message {
            Message::Input { input: Input::CallFailed { .. }, .. } => "call failed",
            Message::RecordingEnded { complete: false, length_ms: 0, .. } => "never recorded",
            _ => "something else",
        };
        std::iter::from_fn(|| self.inbox.try_receive()).map(word).collect()
    }
}

#[tokio::test]
async fn a_refused_graph_ends_the_recording_it_was_to_begin() {
    let mut bench = Bench::new();
    bench.media_takes.store(false, Ordering::Relaxed);
    bench.graph(1, id(4));
    assert_eq!(bench.told(), ["never recorded", "call failed"]);
    assert!(bench.board.recordings.is_empty());
    // One that runs is ended by the media plane, which still has it.
    bench.media_takes.store(true, Ordering::Relaxed);
    bench.graph(2, id(5));
    bench.media_takes.store(false, Ordering::Relaxed);
    bench.graph(3, id(5));
    assert_eq!(bench.told(), ["call failed"]);
    assert!(bench.board.recordings.contains_key(&id(5)));
}

fn customer() -> CallingParty {
    CallingParty::Customer { party: id(8), number: None }
}

#[tokio::test]
async fn a_leg_whose_session_media_does_not_take_is_hung_up() {
    let mut bench = Bench::new();
    let leg: LegId = id(7);
    let dialled: DialString = "100".parse().expect("dialable");
    let source = (Ipv4Addr::LOCALHOST, 5_060).into();
    let from = Ipv4Addr::LOCALHOST.into();
    let (machine, _) = Leg::incoming(leg, customer(), dialled, Some(desc(4_000)), from);
    bench.board.legs.insert(leg, (bench.tenant, machine));
    bench.board.media(MediaEvent::Prepared { leg, local: desc(6_000) });
    bench.board.effect(bench.tenant, Effect::Answer { leg }, None);
    bench.board.sip(SipEvent::Confirmed { leg, remote: None });
    bench.media_takes.store(false, Ordering::Relaxed);
    let offer = Some(desc(4_002));
    bench.board.sip(SipEvent::Reoffered { leg, change: 2, offer, source });
    bench.board.sip(SipEvent::ChangeEnded { leg, change: 2, taken: true });
    let signalled = bench.signalled.lock().expect("no panic");
    let last = signalled.last();
    assert_eq!(last, Some(&SipCommand::Hangup { leg, cause: LegCause::InternalError }));
}

/// A cell that is behind takes no new call: the caller hears so at once, and nothing is left of it.
/// What is about calls that it has still gets through.
#[tokio::test]
async fn a_full_mailbox_refuses_new_calls_and_nothing_else() {
    let mut bench = Bench::new();
    let wake = || Message::Input { input: Input::Wake, rows: Vec::new(), reply: None };
    let mailbox = bench.board.cells[&bench.tenant].clone();
    while mailbox.offer(wake()) {}
    assert_eq!(mailbox.waiting(), limits::CELL_MAILBOX_INPUTS_MAX);

    let leg: LegId = id(7);
    let dialled: DialString = "100".parse().expect("dialable");
    let from = Ipv4Addr::LOCALHOST.into();
    let (machine, _) = Leg::incoming(leg, customer(), dialled, Some(desc(4_000)), from);
    bench.board.legs.insert(leg, (bench.tenant, machine));
    bench.board.media(MediaEvent::Prepared { leg, local: desc(6_000) });
    let refused = SipCommand::Reject { leg, status: 503, retry_after_s: Some(5) };
    assert_eq!(*bench.signalled.lock().expect("no panic"), [refused]);
    assert_eq!(mailbox.waiting(), limits::CELL_MAILBOX_INPUTS_MAX, "it was not handed in");

    let ended = SipEvent::Ended { leg, cause: LegCause::Refused, status: None };
    bench.board.sip(ended);
    assert!(bench.board.legs.is_empty());
    bench.board.hand_in(bench.tenant, id(9), Input::LegUp { leg: id(9) });
    assert!(mailbox.waiting() > limits::CELL_MAILBOX_INPUTS_MAX);
}

/// Every word of a telephone is kept, and the cell hears of what changes for it.
#[tokio::test]
async fn a_registration_is_told_once_and_kept_each_time() {
    let mut bench = Bench::new();
    let (tenant, device) = (bench.tenant, id(20));
    let contact = PhoneContact {
        uri: "sip:a@192.0.2.7".to_owned(),
        peer: (Ipv4Addr::LOCALHOST, 5_060).into(),
        transport: model::sip::Transport::Udp,
        q: 1_000,
        left_s: 60,
        instance: None,
        call_id: "boot".to_owned(),
        cseq: 1,
    };
    for contacts in [vec![contact.clone()], vec![contact], vec![]] {
        bench.board.sip(SipEvent::Registered { tenant, device, contacts });
    }
    let told: Vec<_> = std::iter::from_fn(|| bench.inbox.try_receive())
        .map(|message| match message {
            Message::Input { input: Input::Phone { is_up, .. }, .. } => is_up,
            message => panic!("{message:?}"),
        })
        .collect();
    assert_eq!(told, [true, false]);
    let kept = std::iter::from_fn(|| bench.kept.try_recv().ok()).map(|known| known.contacts.len());
    assert_eq!(kept.collect::<Vec<_>>(), [1, 1, 0]);
}

/// Of two lists of telephones that the SIP plane had no room for, the newer is its last.
#[tokio::test]
async fn lists_of_telephones_keep_their_order() {
    let mut bench = Bench::new();
    let phones = |n| Request::Phones { tenant: id(n), accounts: vec![], contacts: vec![] };
    bench.sip_takes.store(false, Ordering::Relaxed);
    bench.board.request(phones(1));
    bench.sip_takes.store(true, Ordering::Relaxed);
    bench.board.request(phones(2));
    bench.board.flush_endings();
    let signalled = bench.signalled.lock().expect("no panic");
    let of = |command: &SipCommand| match command {
        SipCommand::Phones { tenant, .. } => *tenant,
        command => panic!("{command:?}"),
    };
    assert_eq!(signalled.iter().map(of).collect::<Vec<TenantId>>(), [id(1), id(2)]);
}
