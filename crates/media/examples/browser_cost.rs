//! What a browser leg costs beside a plain RTP leg: mu-law both ways, no network but loopback.
//!
//! `browser_cost [LEGS] [SECONDS]`. Pages live in memory and are not counted. The floor is one
//! `recv_from` and one `send_to` per leg and tick on loopback, which both kinds of leg need; CPU
//! time of this thread is read from the kernel, so other load on the machine does not count.

use std::io::Write as _;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use media::webrtc::{BrowserLeg, BrowserOut, install_crypto};
use model::limits::FRAME_SAMPLES;
use str0m::change::SdpAnswer;
use str0m::media::{Direction, MediaKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::RtpWrite;
use str0m::{Candidate, Event, Input, Output, Rtc};

const TICK: Duration = Duration::from_millis(20);
const FRAME: [u8; FRAME_SAMPLES] = [0x55; FRAME_SAMPLES];
const RTP_HEADER_BYTES: usize = 12;

struct Pair {
    page: Rtc,
    mid: Mid,
    leg: BrowserLeg,
    page_address: SocketAddr,
    to_house: Vec<Vec<u8>>,
    to_page: Vec<Vec<u8>>,
    up: bool,
    heard_by_house: u64,
    heard_by_page: u64,
    answer_ns: u64,
}

/// CPU time of this thread so far, in nanoseconds.
fn cpu_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(0)
}

fn house() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 7_800))
}

fn pair(number: u16, now: Instant) -> Pair {
    let page_address = SocketAddr::from(([192, 0, 2, 2], 10_000 + number));
    let mut page =
        Rtc::builder().clear_codecs().enable_pcmu(true, false).set_rtp_mode(true).build(now);
    page.add_local_candidate(Candidate::host(page_address, "udp").expect("a host address"));
    let mut change = page.sdp_api();
    let mid = change.add_media(MediaKind::Audio, Direction::SendRecv, None, None, None);
    let (offer, pending) = change.apply().expect("media was added");
    let began = cpu_ns();
    let (leg, answer) =
        BrowserLeg::answer(&offer.to_sdp_string(), house(), now).expect("a good offer");
    let answer_ns = cpu_ns() - began;
    let answer = SdpAnswer::from_sdp_string(&answer).expect("our own answer");
    page.sdp_api().accept_answer(pending, answer).expect("an answer to this offer");
    let (to_house, to_page) = (Vec::new(), Vec::new());
    let (up, heard_by_house, heard_by_page) = (false, 0, 0);
    Pair {
        page,
        mid,
        leg,
        page_address,
        to_house,
        to_page,
        up,
        heard_by_house,
        heard_by_page,
        answer_ns,
    }
}

impl Pair {
    fn run_page(&mut self, now: Instant) {
        for bytes in self.to_page.drain(..) {
            let (from, to) = (house(), self.page_address);
            if let Ok(received) = Receive::new(Protocol::Udp, from, to, &bytes) {
                let _ = self.page.handle_input(Input::Receive(now, received));
            }
        }
        let _ = self.page.handle_input(Input::Timeout(now));
        loop {
            match self.page.poll_output() {
                Ok(Output::Transmit(datagram)) => self.to_house.push(datagram.contents.to_vec()),
                Ok(Output::Event(Event::RtpPacket(_))) => self.heard_by_page += 1,
                Ok(Output::Event(_)) => {}
                Ok(Output::Timeout(_)) | Err(_) => return,
            }
        }
    }

    fn page_speaks(&mut self, now: Instant, tick: u32) {
        if let Some(stream) = self.page.direct_api().stream_tx_by_mid(self.mid, None) {
            let sequence = u64::from(tick) + 1;
            stream.write_rtp(RtpWrite::new(0.into(), sequence.into(), tick * 160, now, &FRAME[..]));
        }
        self.run_page(now);
    }

    /// The part that counts: takes what came, says a frame, gives out what goes.
    fn run_leg(&mut self, now: Instant, speak: Option<u32>) {
        let Self { leg, to_house, to_page, up, heard_by_house, page_address, .. } = self;
        let mut poll = |leg: &mut BrowserLeg| {
            leg.poll(now, &mut |out| match out {
                BrowserOut::Transmit { bytes, .. } => to_page.push(bytes.to_vec()),
                BrowserOut::Frame { .. } => *heard_by_house += 1,
                BrowserOut::Up => *up = true,
                BrowserOut::Key { .. } | BrowserOut::Down => {}
            })
        };
        for bytes in to_house.drain(..) {
            leg.receive(now, *page_address, house(), &bytes);
            poll(leg);
        }
        if let Some(tick) = speak {
            leg.send_frame(now, tick * 160, &FRAME, false);
        }
        poll(leg);
    }
}

/// Nanoseconds of one `recv_from` and one `send_to` of a G.711 packet over loopback.
fn floor_ns(rounds: u64) -> std::io::Result<u64> {
    let (ours, theirs) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    let (our_address, packet) = (ours.local_addr()?, [0_u8; RTP_HEADER_BYTES + FRAME_SAMPLES]);
    let mut buffer = [0_u8; 2_048];
    let began = cpu_ns();
    for _ in 0..rounds {
        theirs.send_to(&packet, our_address)?;
        let (_, from) = ours.recv_from(&mut buffer)?;
        // The way back is not read: it would be the peer's cost. The kernel drops what is over.
        std::hint::black_box(from);
    }
    Ok((cpu_ns() - began) / rounds)
}

fn main() -> std::io::Result<()> {
    install_crypto();
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u32>().ok());
    let legs = arguments.next().flatten().unwrap_or(500).clamp(1, 5_000);
    let ticks = arguments.next().flatten().unwrap_or(5).clamp(1, 600) * 50;
    let mut now = Instant::now();
    let mut pairs: Vec<Pair> =
        (0..legs).map(|n| pair(u16::try_from(n).expect("at most 5,000"), now)).collect();
    let began = cpu_ns();
    for _ in 0..200 {
        for pair in &mut pairs {
            pair.run_page(now);
            pair.run_leg(now, None);
        }
        now += TICK;
        if pairs.iter().all(|pair| pair.up && pair.page.is_connected()) {
            break;
        }
    }
    let connect_ns = (cpu_ns() - began) / u64::from(legs);

    let mut leg_ns = 0;
    for tick in 0..ticks {
        for pair in &mut pairs {
            pair.page_speaks(now, tick);
        }
        let began = cpu_ns();
        for pair in &mut pairs {
            pair.run_leg(now, Some(tick));
        }
        leg_ns += cpu_ns() - began;
        now += TICK;
    }
    pairs.iter_mut().for_each(|pair| pair.run_page(now));

    let frames = u64::from(ticks) * u64::from(legs);
    let per_tick_ns = leg_ns / frames;
    let floor = floor_ns(100_000)?;
    let percent = |ns: u64| ns as f64 * 50.0 * 1_000.0 / 1e7;
    let sum = |count: fn(&Pair) -> u64| pairs.iter().map(count).sum::<u64>();
    let mut out = std::io::stdout().lock();
    writeln!(out, "legs {legs}, ticks {ticks}, frames each way {frames}")?;
    writeln!(
        out,
        "arrived: at the house {}, at the pages {}",
        sum(|pair| pair.heard_by_house),
        sum(|pair| pair.heard_by_page)
    )?;
    let answer_us = sum(|pair| pair.answer_ns) / u64::from(legs) / 1_000;
    writeln!(out, "answer an offer: {answer_us} us of CPU")?;
    writeln!(out, "connect, both sides: {} us of CPU per leg", connect_ns / 1_000)?;
    writeln!(
        out,
        "browser leg without sockets: {} ns per tick = {:.1} % of a core per 1000 legs",
        per_tick_ns,
        percent(per_tick_ns)
    )?;
    writeln!(
        out,
        "one send_to and one recv_from: {floor} ns = {:.1} % of a core per 1000 legs",
        percent(floor)
    )?;
    writeln!(
        out,
        "browser leg with sockets / sockets alone: {:.2}",
        (per_tick_ns + floor) as f64 / floor as f64
    )
}
