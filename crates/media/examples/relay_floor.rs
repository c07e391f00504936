//! CPU per packet of our relay, recorded and not, and of music, beside the plain relay floor.
//!
//! `cargo run --release -p media --features floor --example relay_floor [calls] [seconds] [floor]`.
//! All of it in one process and on loopback; only the CPU of the threads under test counts, read
//! from the scheduler. Rounds are interleaved and the median is printed, so that a busy machine
//! harms all alike. With the word `floor` it is one round of the plain relay alone: how fast this
//! machine is now.
#![expect(clippy::print_stdout, reason = "the figures are its output")]

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use media::floor::{FloorLeg, relay};
use media::rtp::Header;
use media::{MediaConfig, MediaHandle};
use model::id::Id as _;
use model::media::{
    ClipId, Codec, Direction, Graph, Hears, MediaCommand, MediaDesc, MediaEvent, RecordWish,
};
use model::{CallId, LegId, RecordingId, TenantId};
use tokio::sync::mpsc::{Receiver, channel};
use uuid::Uuid;

const ROUNDS: usize = 3;
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

type Fault = Box<dyn Error>;

/// The peers of all calls: `2n` talks with `2n + 1`.
struct Peers {
    sockets: Vec<UdpSocket>,
    servers: Vec<SocketAddr>,
}

impl Peers {
    fn new(count: usize) -> Result<Self, Fault> {
        let mut sockets = Vec::new();
        for _ in 0..count {
            let socket = UdpSocket::bind((LOOPBACK, 0))?;
            socket.set_nonblocking(true)?;
            sockets.push(socket);
        }
        Ok(Self { sockets, servers: Vec::new() })
    }

    /// Everybody sends 50 packets a second, spread over each 20 ms, and takes what comes.
    fn talk(&self, ticks: &std::ops::Range<u32>, send: bool) -> u64 {
        let began = Instant::now();
        let mut heard = 0;
        let mut buffer = [0; 2_048];
        for tick in ticks.clone() {
            for (n, (socket, server)) in (0_u32..).zip(self.sockets.iter().zip(&self.servers)) {
                if send {
                    let header = Header {
                        marker: false,
                        payload_type: 0,
                        sequence: tick as u16,
                        timestamp: tick.wrapping_mul(160),
                        ssrc: n,
                    };
                    let mut bytes = [0x55; 172];
                    bytes[..12].copy_from_slice(&header.to_bytes());
                    let _ = socket.send_to(&bytes, server);
                }
                while socket.recv_from(&mut buffer).is_ok() {
                    heard += 1;
                }
                if n % 16 == 15 {
                    let share = 20_000 * n / self.sockets.len() as u32;
                    sleep_until(began, tick - ticks.start, share);
                }
            }
            sleep_until(began, tick - ticks.start + 1, 0);
        }
        heard
    }
}

fn sleep_until(began: Instant, ticks: u32, micros: u32) {
    let at = Duration::from_millis(20) * ticks + Duration::from_micros(u64::from(micros));
    std::thread::sleep((began + at).saturating_duration_since(Instant::now()));
}

/// CPU microseconds of the threads of this process with one of `names`.
fn cpu(names: &[&str]) -> Result<f64, Fault> {
    let mut nanos = 0.0;
    for task in fs::read_dir("/proc/self/task")? {
        let task = task?.path();
        if names.contains(&fs::read_to_string(task.join("comm"))?.trim()) {
            let stat = fs::read_to_string(task.join("schedstat"))?;
            nanos += stat.split(' ').next().unwrap_or("0").parse::<f64>()?;
        }
    }
    Ok(nanos / 1_000.0)
}

/// CPU microseconds per packet over `seconds`, after one second of warm-up.
fn measure(
    peers: &Peers,
    (seconds, send): (u32, bool),
    names: &[&str],
    packets: impl Fn() -> u64,
) -> Result<f64, Fault> {
    peers.talk(&(0..50), send);
    let (cpu_before, before) = (cpu(names)?, packets());
    let heard = peers.talk(&(50..50 + seconds * 50), send);
    let (used, done) = (cpu(names)? - cpu_before, packets() - before);
    if heard * 100 < done * 99 {
        println!("  lost {} of {done} packets: the machine is too busy", done - heard);
    }
    Ok(used / done as f64)
}

fn floor(calls: usize, seconds: u32) -> Result<f64, Fault> {
    let mut peers = Peers::new(calls * 2)?;
    let mut legs = Vec::new();
    for socket in &peers.sockets {
        let leg = FloorLeg { socket: UdpSocket::bind((LOOPBACK, 0))?, peer: socket.local_addr()? };
        peers.servers.push(leg.socket.local_addr()?);
        legs.push(leg);
    }
    let (stop, forwarded) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let thread: JoinHandle<_> = {
        let (stop, forwarded) = (Arc::clone(&stop), Arc::clone(&forwarded));
        std::thread::Builder::new()
            .name("floor".into())
            .spawn(move || relay(&legs, &stop, &forwarded))?
    };
    let count = || forwarded.load(Ordering::Relaxed);
    let cost = measure(&peers, (seconds, true), &["floor"], count)?;
    stop.store(true, Ordering::Relaxed);
    // One packet more wakes it.
    peers.talk(&(0..1), true);
    thread.join().map_err(|_| "the floor panicked")??;
    Ok(cost)
}

/// What the plane is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Work {
    Relay,
    Recorded,
    Music,
}

fn id(n: usize) -> Uuid {
    Uuid::from_u128(n as u128 + 1)
}

fn plane(work: Work, calls: usize, seconds: u32) -> Result<f64, Fault> {
    let mut peers = Peers::new(calls * 2)?;
    let (sender, mut events) = channel(100_000);
    let config = MediaConfig {
        bind: LOOPBACK,
        advertise: LOOPBACK,
        rtp_ports: 0..=0,
        browser: SocketAddr::new(LOOPBACK, 0),
        browser_advertise: None,
        threads: 1,
        realtime: false,
    };
    let handle = media::start(config, sender)?;
    peers.servers = legs(&handle, &mut events, &peers)?;
    let folder = PathBuf::from("/tmp").join(format!("relay-floor-{}", std::process::id()));
    let music = ClipId::from_digest([1; 32]);
    handle.send(MediaCommand::Clip { clip: music, samples: vec![1_000; 80_000].into() })?;
    for call in 0..calls {
        let (a, b) = (LegId::from_uuid(id(call * 2)), LegId::from_uuid(id(call * 2 + 1)));
        let hears = match work {
            Work::Music => [(a, Hears::Music(music)), (b, Hears::Music(music))],
            _ => [(a, Hears::Legs(vec![b])), (b, Hears::Legs(vec![a]))],
        };
        let recording = RecordingId::from_uuid(id(call));
        let record = RecordWish { recording, leg: a, paused: false };
        let recorded = work == Work::Recorded;
        handle.send(MediaCommand::Graph {
            call: CallId::from_uuid(id(call)),
            tenant: TenantId::from_uuid(id(0)),
            rev: 1,
            graph: Graph { hears: hears.into(), record: recorded.then_some(record) },
            recording_file: recorded.then(|| folder.join(format!("{call}.rec"))),
        })?;
    }
    let names = ["media-0", "recorder", "recorder-sync"];
    let send = work != Work::Music;
    let cost = measure(&peers, (seconds, send), &names, || handle.metrics().packets_out)?;
    handle.stop();
    if work == Work::Recorded {
        fs::remove_dir_all(folder)?;
    }
    Ok(cost)
}

/// Makes a leg for each peer and gives where each sends to.
fn legs(
    handle: &MediaHandle,
    events: &mut Receiver<MediaEvent>,
    peers: &Peers,
) -> Result<Vec<SocketAddr>, Fault> {
    let mut ports = BTreeMap::new();
    for (n, socket) in peers.sockets.iter().enumerate() {
        let remote = MediaDesc {
            address: LOOPBACK,
            port: socket.local_addr()?.port(),
            codecs: vec![Codec::Pcmu],
            dtmf: None,
            direction: Direction::SendRecv,
            ptime_ms: 20,
        };
        let leg = LegId::from_uuid(id(n));
        handle.send(MediaCommand::Prepare { leg, remote: Some(remote.into()) })?;
        match events.blocking_recv() {
            Some(MediaEvent::Prepared { leg, local }) => ports.insert(leg, local.port),
            other => return Err(format!("no leg: {other:?}").into()),
        };
    }
    Ok(ports.into_values().map(|port| SocketAddr::new(LOOPBACK, port)).collect())
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn main() -> Result<(), Fault> {
    let mut arguments = std::env::args().skip(1);
    let calls = arguments.next().map_or(Ok(200), |text| text.parse())?;
    let seconds = arguments.next().map_or(Ok(5), |text| text.parse())?;
    match arguments.next().as_deref() {
        None => {}
        Some("floor") => {
            println!("floor     {:6.2}", floor(calls, seconds)?);
            return Ok(());
        }
        Some(word) => return Err(format!("the third argument can be floor, not {word}").into()),
    }
    let load = fs::read_to_string("/proc/loadavg")?;
    println!("{calls} calls, {ROUNDS} rounds of {seconds} s, load {}", load.trim());
    let mut figures: BTreeMap<Option<Work>, Vec<f64>> = BTreeMap::new();
    for _ in 0..ROUNDS {
        figures.entry(None).or_default().push(floor(calls, seconds)?);
        for work in [Work::Relay, Work::Recorded, Work::Music] {
            figures.entry(Some(work)).or_default().push(plane(work, calls, seconds)?);
        }
    }
    let of = |work| median(figures.get(&work).cloned().unwrap_or_default());
    let (floor, relay) = (of(None), of(Some(Work::Relay)));
    let (recorded, music) = (of(Some(Work::Recorded)), of(Some(Work::Music)));
    println!("CPU us per packet sent, median of {ROUNDS}");
    println!("floor     {floor:6.2}");
    println!("relay     {relay:6.2}   {:.2} x floor (goal 1.7)", relay / floor);
    println!(
        "recorded  {recorded:6.2}   {:+.0} % of relay (goal +50 %)",
        100.0 * (recorded / relay - 1.0)
    );
    println!("music     {music:6.2}   (goal 6 us)");
    Ok(())
}
