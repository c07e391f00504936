//! What the tests share: a plane, a hub that answers by rule, sipp.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use model::LegId;
use model::id::Id as _;
use model::media::{Codec, Direction, MediaDesc};
use model::sip::{Callee, LegCause, SipCommand, SipEvent, SipTarget};
use sip::{SipConfig, SipHandle};
use tokio::sync::mpsc::Receiver;

use crate::peer::{Message, Peer};

/// No test waits longer than this for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// An id that no other leg of this process has.
pub(crate) fn leg_id() -> LegId {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    LegId::from_uuid(uuid::Uuid::from_u128(NEXT.fetch_add(1, Ordering::Relaxed).into()))
}

pub(crate) fn config() -> SipConfig {
    SipConfig { bind: "127.0.0.1:0".parse().unwrap(), ..SipConfig::default() }
}

/// Timers ten times as fast as the standard's.
pub(crate) fn quick() -> SipConfig {
    SipConfig { t1: Duration::from_millis(50), ..config() }
}

pub(crate) fn desc(port: u16) -> MediaDesc {
    MediaDesc {
        address: "127.0.0.1".parse().unwrap(),
        port,
        codecs: vec![Codec::Pcmu],
        dtmf: Some(101),
        direction: Direction::SendRecv,
        ptime_ms: 20,
    }
}

pub(crate) async fn next(events: &mut Receiver<SipEvent>) -> SipEvent {
    tokio::time::timeout(PATIENCE, events.recv()).await.expect("an event").expect("a live plane")
}

/// Waits until `done` holds.
pub(crate) async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !done() {
        assert!(tokio::time::Instant::now() < deadline, "{what} never came true");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Everything is gone: no leg, nothing unanswered.
pub(crate) async fn until_idle(plane: &SipHandle) {
    until("idle", || {
        let counters = plane.counters();
        counters.legs == 0 && counters.unanswered == 0
    })
    .await;
}

/// We hang up; gives the BYE, which the far side has answered.
pub(crate) async fn hang_up(
    plane: &SipHandle,
    events: &mut Receiver<SipEvent>,
    peer: &Peer,
    leg: LegId,
) -> Message {
    plane.send(SipCommand::Hangup { leg, cause: LegCause::Hangup }).unwrap();
    let bye = peer.request("BYE").await;
    peer.reply(&bye, "200 OK", "", "", "").await;
    next(events).await;
    bye
}

pub(crate) fn testdata(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata").join(path)
}

/// Whether sipp can be run; fails in CI without it.
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
pub(crate) fn have_sipp() -> bool {
    let have = std::process::Command::new("sipp")
        .arg("-v")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok();
    if !have {
        assert!(std::env::var("CI").is_err(), "sipp is missing");
        eprintln!("skipped: sipp is not installed");
    }
    have
}

/// One run of sipp.
pub(crate) struct Sipp {
    child: tokio::process::Child,
    folder: tempfile::TempDir,
}

/// What sipp counted.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) ok: u64,
    pub(crate) failed: u64,
    pub(crate) retransmissions: u64,
    pub(crate) errors: String,
}

impl Sipp {
    pub(crate) fn start(scenario: &str, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let child = tokio::process::Command::new("sipp")
            .current_dir(folder.path())
            .arg("-sf")
            .arg(testdata(scenario))
            .args(["-i", "127.0.0.1", "-mi", "127.0.0.1", "-ci", "127.0.0.1", "-nostdin"])
            .args(["-trace_stat", "-stf", "stat.csv", "-fd", "1"])
            .args(["-trace_err", "-error_file", "errors.log", "-timeout", "40"])
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self { child, folder }
    }

    pub(crate) async fn finish(mut self) -> Outcome {
        let status = tokio::time::timeout(Duration::from_secs(60), self.child.wait()).await;
        let code = status.expect("sipp ends").unwrap().code().unwrap_or(-1);
        let read = |name| std::fs::read_to_string(self.folder.path().join(name));
        let table = read("stat.csv").unwrap_or_default();
        let (names, last) =
            (table.lines().next().unwrap_or(""), table.lines().last().unwrap_or(""));
        let column = |wanted: &str| {
            let place = names.split(';').position(|name| name == wanted)?;
            last.split(';').nth(place)?.parse().ok()
        };
        Outcome {
            code,
            ok: column("SuccessfulCall(C)").unwrap_or(0),
            failed: column("FailedCall(C)").unwrap_or(u64::MAX),
            retransmissions: column("Retransmissions(C)").unwrap_or(u64::MAX),
            errors: read("errors.log").unwrap_or_default(),
        }
    }
}

impl Outcome {
    pub(crate) fn assert_clean(&self, calls: u64) {
        assert_eq!((self.code, self.ok, self.failed), (0, calls, 0), "{self:?}\n{}", self.errors);
        assert_eq!(self.retransmissions, 0, "{self:?}");
    }
}

/// A free UDP port of the loopback, for programs that cannot choose one themselves.
pub(crate) fn free_port() -> u16 {
    std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Runs a plane whose incoming calls are answered; `after` sees every event.
pub(crate) fn answering(
    plane: std::sync::Arc<SipHandle>,
    mut events: Receiver<SipEvent>,
    mut after: impl FnMut(&SipHandle, &SipEvent) + Send + 'static,
) -> tokio::task::JoinHandle<Vec<SipEvent>> {
    tokio::spawn(async move {
        let mut seen = Vec::new();
        while let Some(event) = events.recv().await {
            if let SipEvent::Incoming { leg, .. } = &event {
                plane.send(SipCommand::Answer { leg: *leg, local: desc(9000) }).unwrap();
            }
            after(&plane, &event);
            seen.push(event);
        }
        seen
    })
}

pub(crate) fn callee(address: SocketAddr) -> Callee {
    Callee::At(SipTarget { user: "100".parse().unwrap(), address })
}
